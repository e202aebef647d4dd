//! What a window owed and what became of it, from two independent sources: what was owed is told from the schedule, or from what the
//! client itself sent; what came is counted on the wire, connection by connection.
//!
//! A message belongs to the window in which it was due, where it has a schedule (paced ticks of a server, pings and published messages
//! of the client); in which the client began it, in a closed loop (echo, connect); or in which it was received (a flood, which owes
//! nothing and so has no accounts). After the window's end the client goes on receiving until all that belongs to it has come, up to the
//! stall limit.

use serde::{Deserialize, Serialize};

/// The accounts of all connections of one execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Accounts {
    /// Of the messages that belong to the window, those that were sent before its end: ticks by the server's stamp, which cannot be
    /// later than their receipt; echoes, pings and published messages by the client's clock. Over `sent` of the observation it is the
    /// share of the schedule that was kept.
    pub sent_in_window: u64,
    /// How long the client went on receiving after the window's end, in nanoseconds.
    pub awaited_ns: u64,
    /// For how long the oldest lost message had been due (or sent) when the waiting ended, in nanoseconds: a lower bound of its
    /// response. `None` where none was lost.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lost_age_ns: Option<u64>,
    /// The fewest messages that one connection was owed.
    pub least_owed: u64,
    /// The connection that lost the largest share of what it was owed; the first of several alike.
    pub worst: Account,
    /// The longest time between sending the request for an upgrade and the start of the schedule that the stream's first tick claims,
    /// over all connections, in nanoseconds. A server that hides a constant lag in its start shows here. Paced ticks only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub start_after_upgrade_ns: Option<u64>,
}

/// What one connection was owed in the window, and got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Account {
    /// Which connection, from 0.
    pub connection: u32,
    /// Messages that it was owed.
    pub owed: u64,
    /// Of these, those that came.
    pub received: u64,
}
