//! A subscriber that stops reading when the window opens, or that reads a tenth from then on.
//!
//! What it does not read fills its own receive buffer first, then the server's send buffer, and then whatever the framework keeps for
//! it, which is what the disturbance is about. Its receive buffer is therefore small: left to itself it would grow to some megabytes. When
//! the window is over it reads all that is left, to learn what became of it.

use std::io::ErrorKind;
use std::os::fd::OwnedFd;

use rustix::net::sockopt::set_socket_recv_buffer_size;
use tickbench_client_kit::{Failure, monotonic_ns};
use tickbench_record::{Disturbed, Request, Stage};

use super::following::{End, Following};
use crate::link::socket::{Patience, receive};
use crate::link::{self, Connection, Spacing};

/// How much it reads of what it is sent, once the window is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Appetite {
    /// Nothing.
    None,
    /// A tenth of the bytes.
    Tenth,
}

/// Its receive buffer, as asked for; the kernel doubles it for its own accounts (socket(7)).
const RECEIVE_BUFFER_BYTES: usize = 32 << 10;

/// One read: less than a large message takes to copy.
const READ_BYTES: usize = 16 << 10;

/// How often it looks whether there is something that it would read.
const LOOK_NS: u64 = 1_000_000;

/// It is still connected where nothing has come for so long, while it read all.
const SILENCE_NS: u64 = 500_000_000;

/// How long it reads what is left at most.
const READ_OUT_NS: u64 = 10_000_000_000;

/// Its receive buffer meanwhile: nothing is to be learned from how slowly a small one empties a server.
const READ_OUT_BUFFER_BYTES: usize = 4 << 20;

pub(super) struct Reader {
    connection: Connection,
    appetite: Appetite,
    following: Following,
    space: Vec<u8>,
    /// When the window opened, and what was published by then.
    opened: Option<u64>,
    read_bytes: u64,
    fate: Option<Fate>,
    next_ns: u64,
    spent_ns: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Closed(Option<u16>),
    Ended,
    Reset,
}

impl Reader {
    /// Connects to `target`.
    pub(super) fn new(request: &Request, target: &str, appetite: Appetite) -> Result<Reader, Failure> {
        let mut opened = link::open(request.server, target, 1, Spacing::None, request.stall_ns)?;
        let mut connection = opened.pop().expect("one was asked for");
        set_socket_recv_buffer_size(&connection.socket, RECEIVE_BUFFER_BYTES).map_err(|cause| {
            Failure::own(Stage::Connect, format!("failed to set a small receive buffer: {cause}"))
        })?;
        let mut following = Following::default();
        let leftover = std::mem::take(&mut connection.leftover);
        let end = following.take(&mut connection.decoder, &leftover);
        Ok(Reader {
            connection,
            appetite,
            following,
            space: vec![0; READ_BYTES],
            opened: None,
            read_bytes: 0,
            fate: end.map(Fate::from),
            next_ns: 0,
            spent_ns: 0,
        })
    }

    pub(super) fn is_subscribed(&self) -> bool {
        self.following.is_subscribed
    }

    pub(super) fn socket(&self) -> &OwnedFd {
        &self.connection.socket
    }

    /// The window opens, when `published` messages were.
    pub(super) fn open_window(&mut self, published: u64) {
        self.opened = Some(published);
        self.read_bytes = 0;
        self.following.count_anew();
    }

    /// When it will look again.
    pub(super) fn next_ns(&self) -> u64 {
        self.next_ns
    }

    /// Reads once, if it would; `sent_bytes` is what was sent to it in the window so far.
    pub(super) fn step(&mut self, now_ns: u64, sent_bytes: u64) {
        self.next_ns = now_ns + LOOK_NS;
        let most = match (self.opened, self.appetite) {
            (None, _) => READ_BYTES,
            (Some(_), Appetite::None) => 0,
            (Some(_), Appetite::Tenth) => (sent_bytes / 10).saturating_sub(self.read_bytes) as usize,
        };
        if most > 0 && self.fate.is_none() {
            self.read(most.min(READ_BYTES), Patience::None);
            if self.opened.is_some() {
                self.spent_ns += monotonic_ns() - now_ns;
            }
        }
    }

    /// Reads once; tells whether that brought anything.
    fn read(&mut self, most: usize, patience: Patience) -> bool {
        let count = match receive(&self.connection.socket, &mut self.space[..most], patience) {
            Ok(None) => return false,
            Ok(Some(0)) => {
                self.fate = Some(Fate::Ended);
                return false;
            }
            Ok(Some(count)) => count,
            Err(cause) => {
                let is_reset = matches!(cause.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
                self.fate = Some(if is_reset { Fate::Reset } else { Fate::Ended });
                return false;
            }
        };
        self.read_bytes += count as u64;
        let end = self.following.take(&mut self.connection.decoder, &self.space[..count]);
        self.fate = end.map(Fate::from);
        true
    }

    /// Reads what is left, and tells what became of it; `published` is how many messages were, all in all.
    pub(super) fn finish(mut self, published: u64) -> Disturbed {
        // Where the system allows no more, reading takes longer, and is as complete.
        set_socket_recv_buffer_size(&self.connection.socket, READ_OUT_BUFFER_BYTES).ok();
        let (began_ns, mut heard_ns) = (monotonic_ns(), monotonic_ns());
        while self.fate.is_none() {
            let heard = self.read(READ_BYTES, Patience::Wait);
            let now_ns = monotonic_ns();
            if heard {
                heard_ns = now_ns;
            }
            if now_ns - heard_ns > SILENCE_NS || now_ns - began_ns > READ_OUT_NS {
                break;
            }
        }
        let mut seen =
            Disturbed { attempted: 1, opened: 1, client_ns: self.spent_ns, ..Disturbed::default() };
        match self.fate {
            None => seen.open = 1,
            Some(Fate::Closed(code)) => seen.count_closed(code),
            Some(Fate::Ended) => seen.ended = 1,
            Some(Fate::Reset) => seen.reset = 1,
        }
        let Following { received, bytes, missing, next_seq, .. } = self.following;
        (seen.received, seen.bytes) = (received, bytes);
        let next = next_seq.or(self.opened).unwrap_or(published);
        // Whatever numbers the server made up: it has not missed more than was published.
        seen.lost = missing.saturating_add(published.saturating_sub(next)).min(published);
        seen
    }
}

impl From<End> for Fate {
    fn from(end: End) -> Fate {
        match end {
            End::Closed(code) => Fate::Closed(code),
            End::Unreadable => Fate::Ended,
        }
    }
}
