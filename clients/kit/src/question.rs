//! What a measurement asks.

use tickbench_record::{Arrival, Job, Request};

/// Which figures a measurement has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Paced ticks: lag, delivery and response.
    Paced,
    /// A flood, where a tick is due when it is sent: delivery alone.
    Flood,
    /// Echo: round trip alone.
    RoundTrip,
    /// Pings: round trip, and response from when each was due.
    Pings,
    /// Connections opened and closed in turn: handshake, first tick, and the whole turn.
    Connects,
    /// Published messages: delivery and response, and how late the client published.
    Relay,
}

impl Question {
    /// What `request` asks.
    pub fn of(request: &Request) -> Question {
        let recorded = request.arrival == Arrival::Recorded;
        match request.job {
            Job::Echo => Question::RoundTrip,
            Job::Ping => Question::Pings,
            Job::Connect => Question::Connects,
            Job::Relay => Question::Relay,
            Job::Ticks if request.rate_per_s > 0.0 || recorded => Question::Paced,
            Job::Ticks => Question::Flood,
        }
    }
}
