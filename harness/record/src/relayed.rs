//! What a relay holds besides what every observation does, and what became of those who disturbed it.

use serde::{Deserialize, Serialize};

use crate::Disturbance;

/// What the publisher of a relay did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Relayed {
    /// Messages published in the window. Each is due to every subscriber, so that `sent` is so many times the connections.
    pub published: u64,
    /// Of them, those that were late by the mean gap between two, and by 1 ms: the client fell behind its own schedule.
    pub behind: u64,
    /// The server's resident memory just before the window, where it can be read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub server_rss_start_bytes: Option<u64>,
}

/// Bytes of pings that a window's flood of them has at most: what a server that keeps all pongs grows by, and no more than a small
/// machine can spare.
pub const MAX_PINGED_BYTES: u64 = 128 << 20;

/// The same of one second: a million pings and more, at a twentieth of the time of the client that measures.
pub const MAX_PINGED_BYTES_PER_S: u64 = 160_000_000;

/// What became of the connections that disturbed a window, by its end. Each that was attempted is in exactly one of `left`, `open`,
/// `closed`, `ended`, `reset` and `refused`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Disturbed {
    /// Connections that were begun.
    pub attempted: u64,
    /// Of them, those that came as far as they were to: upgraded, or without a handshake, connected.
    pub opened: u64,
    /// Those that went away by themselves, as the disturbance has it.
    pub left: u64,
    /// Those that the server still held, or had not answered yet.
    pub open: u64,
    /// Those that the server closed with a close frame, by its code.
    pub closed: Vec<ClosedWith>,
    /// Those that the server ended without a close frame.
    pub ended: u64,
    /// Those that the server reset.
    pub reset: u64,
    /// Those that could not connect, or got an answer other than the upgrade.
    pub refused: u64,
    /// Published messages that they received in the window and when it was over.
    pub received: u64,
    /// Published messages that they should have received and did not: gaps in the sequence and, of one that subscribed for the whole
    /// window, what is missing at its end.
    pub lost: u64,
    /// Bytes of payload that they received.
    pub bytes: u64,
    /// How long the client was busy with them in the window: its own work, which delays what it reads meanwhile.
    pub client_ns: u64,
    /// Bytes of pings that were sent, at most [`MAX_PINGED_BYTES`] a window; `None` where none were to be.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pinged_bytes: Option<u64>,
}

/// How many connections the server closed with one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClosedWith {
    /// The code of the close frame; `None` of one without.
    pub code: Option<u16>,
    /// How many.
    pub count: u64,
}

impl Disturbed {
    /// One more connection that the server closed with `code`.
    pub fn count_closed(&mut self, code: Option<u16>) {
        self.add_closed(ClosedWith { code, count: 1 });
    }

    /// Adds what became of others.
    pub fn add(&mut self, other: &Disturbed) {
        let Disturbed { attempted, opened, left, open, closed, ended, reset, refused, .. } = other;
        self.attempted += attempted;
        self.opened += opened;
        self.left += left;
        self.open += open;
        closed.iter().for_each(|closed| self.add_closed(*closed));
        self.ended += ended;
        self.reset += reset;
        self.refused += refused;
        self.received += other.received;
        self.lost += other.lost;
        self.bytes += other.bytes;
        self.client_ns += other.client_ns;
        if let Some(bytes) = other.pinged_bytes {
            *self.pinged_bytes.get_or_insert(0) += bytes;
        }
    }

    /// All that the server closed with a close frame.
    pub fn all_closed(&self) -> u64 {
        self.closed.iter().map(|closed| closed.count).sum()
    }

    fn add_closed(&mut self, more: ClosedWith) {
        match self.closed.iter_mut().find(|known| known.code == more.code) {
            Some(known) => known.count += more.count,
            None => {
                self.closed.push(more);
                self.closed.sort();
            }
        }
    }
}

impl Disturbance {
    /// The connections that it begins a second, evenly spread, from the start of the window; `None` where it is one that is there from
    /// before the window to its end.
    pub const fn begun_per_s(self) -> Option<u32> {
        match self {
            Disturbance::Nothing
            | Disturbance::StoppedReader
            | Disturbance::SlowReader
            | Disturbance::PingFlood => None,
            Disturbance::Vanishing | Disturbance::Churn => Some(50),
            Disturbance::HalfOpen | Disturbance::ConnectFlood => Some(1000),
        }
    }

    /// The connections that it holds at once at most: one more is not begun before one is gone.
    pub const fn most_at_once(self) -> u32 {
        match self {
            Disturbance::Nothing => 0,
            Disturbance::StoppedReader | Disturbance::SlowReader | Disturbance::PingFlood => 1,
            Disturbance::HalfOpen => 100,
            Disturbance::Vanishing | Disturbance::Churn | Disturbance::ConnectFlood => 64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_several_is_added_up_by_code() {
        let mut all = Disturbed { attempted: 1, left: 1, ..Disturbed::default() };
        let mut other = Disturbed { attempted: 3, received: 7, ..Disturbed::default() };
        other.count_closed(Some(1008));
        other.count_closed(None);
        other.count_closed(Some(1008));
        all.add(&other);
        all.add(&other);
        let closed = [ClosedWith { code: None, count: 2 }, ClosedWith { code: Some(1008), count: 4 }];
        assert_eq!((all.attempted, all.received, all.all_closed()), (7, 14, 6));
        assert_eq!(all.pinged_bytes, None, "there were no pings");
        all.add(&Disturbed { pinged_bytes: Some(5), ..Disturbed::default() });
        all.add(&Disturbed { pinged_bytes: Some(7), ..Disturbed::default() });
        assert_eq!(all.pinged_bytes, Some(12));
        assert_eq!(all.closed, closed);
    }
}
