//! What the Rust servers share, so that their mains differ only where their frameworks do.
//!
//! A main reads the flags ([`Flags`]), binds ([`listen`]), announces itself ([`announce`]), serves until it is told to end
//! ([`ended`]), and answers the routes of PROTOCOL.md. For `/ticks` it checks the query with [`TickRequest::parse`] before the
//! upgrade and then sends what [`TickStream::next`] yields; for `/relay` it goes through a [`Hub`].
//!
//! **Invariant:** nothing here knows a framework, and nothing here pins a thread to a core: the harness does.

use std::time::Duration;

mod clock;
mod end;
mod feed;
mod flags;
mod framework;
mod http;
mod listener;
mod pacer;
mod refusal;
mod relay;
mod route;
mod stream;
mod timer;

pub use clock::now_ns;
pub use end::ended;
pub use feed::{Feed, FeedError};
pub use flags::{Flags, parse_flags};
pub use framework::Framework;
pub use http::{Answer, MAX_HEAD_BYTES};
pub use listener::{BACKLOG, accept, announce, listen, run, without_delay};
pub use pacer::{Pacer, YIELD_TICKS};
pub use refusal::Refusal;
pub use relay::{Hub, MAX_QUEUED_BYTES, MAX_QUEUED_MESSAGES, Subscription, TooSlow};
pub use route::{Endpoint, Route};
pub use stream::{BATCH_TICKS, Tick, TickRequest, TickStream};
pub use timer::Timer;

/// Bytes that a tuned server reads at once from a connection.
///
/// tungstenite zeroes its read buffer, 128 KiB unless told otherwise, before each read; 4 KiB holds ten messages of the usual
/// size.
pub const TUNED_READ_BUFFER_BYTES: usize = 4 << 10;

/// How long a server that has sent its close frame waits for the client's, before it cuts the connection.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes that a tuned server gathers before it writes on its own account, where the framework has such a limit.
pub const TUNED_WRITE_BUFFER_BYTES: usize = 64 << 10;
