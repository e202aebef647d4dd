//! The contract between tickbench and a server, as types: what a tick is, how it is encoded, how a stream is asked
//! for, and the line a server prints once it listens.
//!
//! `servers/PROTOCOL.md` states the same in words, for servers in other languages; the golden vectors in
//! `servers/vectors/` hold both to each other.
//!
//! **Invariant:** no I/O, no clock and no async in this crate. Files are read through [`std::io::BufRead`], and every
//! time is an argument, in nanoseconds of CLOCK_MONOTONIC.

mod arrival;
mod capture;
mod codec;
mod feed;
mod header;
mod query;
mod ready;
mod stamps;
mod update;

pub use arrival::{Arrival, Arrivals, BURST_TICKS};
pub use capture::{Capture, CaptureError, CapturedMessage};
pub use codec::{BINARY_TICK_BYTES, MIN_JSON_SIZE, Payload, encode_binary, encode_json, is_json};
pub use feed::{TAPE_UPDATES, Tape};
pub use query::{Encoding, Flush, QueryError, RelayRole, TicksQuery, parse_relay_role, refuse_any_query};
pub use ready::{READY_PREFIX, parse_ready_line, ready_line};
pub use stamps::{BINARY_HEADER_BYTES, JSON_HEADER_BYTES, StampError, Stamps};
pub use update::{SIZE_DECIMALS, Side, Symbol, Update};

/// The text message that a relay sends to each subscriber once that subscriber will get all that is published.
pub const SUBSCRIBED: &str = "subscribed";

/// The largest data message that `/echo` and `/relay` must accept, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 16 << 20;
