//! Why a rate at the limit is no verdict on its server, and from which shares of a core or a ceiling on that is so.

use serde::Serialize;
/// A server that uses at least this share of its core is what limits a flood.
pub const SERVER_BUSY: f64 = 0.95;

/// A client that uses at least this share of its core may be what limits a flood.
pub const CLIENT_BUSY: f64 = 0.80;

/// A client that takes in more than this share of its ceiling has no headroom: the rate may be its own.
pub const CLIENT_HEADROOM: f64 = 0.80;

/// Why a rate at the limit is no verdict on its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Caveat {
    /// Each message was to be sent alone, and the server gathers them by itself: another product than those beside it.
    Coalesced,
    /// The client was near its ceiling, or busy where the server was not: the rate may be the client's.
    ClientBound,
    /// Neither was busy: something else held them back.
    Idle,
    /// The server's CPU time could not be read, so nobody knows.
    Unknown,
    /// A search ended at the highest rate of all, which held: the capacity is at least that.
    Unbounded,
}
