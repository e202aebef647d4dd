//! One cell of a study: everything that says what an iteration executes.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every value, in the order of its declaration.
            pub const ALL: &[$name] = &[$($name::$variant),+];

            /// The word that stands for it on disk and in flags.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad(self.name()) }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(word: &str) -> Result<Self, String> {
                let known = || $name::ALL.iter().map(|value| value.name()).collect::<Vec<_>>().join(", ");
                $name::ALL.iter().find(|value| value.name() == word).copied()
                    .ok_or_else(|| format!("{word:?} is none of {}", known()))
            }
        }
    };
}

words! {
    /// How a tick is written.
    Encoding {
        /// A JSON market update in a text message.
        Json = "json",
        /// A fixed little-endian layout in a binary message.
        Binary = "binary",
    }
}
words! {
    /// When a message leaves the server.
    Flush {
        /// Each message as a user's `send` call would.
        Each = "each",
        /// Several messages at once, in the framework's own way.
        Batch = "batch",
    }
}
words! {
    /// How a server is set up.
    Lane {
        /// As the framework's own documentation starts it.
        Default = "default",
        /// With the documented tuning, the same for every server.
        Tuned = "tuned",
    }
}
words! {
    /// How the client waits for data.
    Wait {
        /// Polls a non-blocking socket without pause: no wake-up stands between arrival and stamp.
        Spin = "spin",
        /// Sleeps in the kernel until there is data: leaves the machine to the server. Over many paced connections data wake it no
        /// more often than [`Wait::rest_ns`] says.
        Block = "block",
    }
}
words! {
    /// What the server's core does while the server waits.
    Idle {
        /// It sleeps, as it would in production, and waking it up is part of *lag*.
        Sleep = "sleep",
        /// It spins in a process of the lowest scheduling class, which gives way at once: kept awake, and the server's CPU time
        /// stays its own.
        Spin = "spin",
    }
}
words! {
    /// Which client measures.
    Client {
        /// The instrument.
        Probe = "probe",
        /// The same job on tokio-tungstenite: what a usual client sees.
        Tungstenite = "tungstenite",
    }
}
words! {
    /// How paced ticks are spread over time.
    Arrival {
        /// Equal gaps.
        Constant = "constant",
        /// Exponential gaps.
        Poisson = "poisson",
        /// Several ticks at one instant.
        Burst = "burst",
        /// The gaps of a capture.
        Recorded = "recorded",
    }
}
words! {
    /// The question that a scenario asks.
    ScenarioKind {
        /// Paced ticks: how late is each message?
        Latency = "latency",
        /// A flood: how many messages a second?
        Throughput = "throughput",
        /// Paced ticks over more and more connections.
        Scaling = "scaling",
        /// Round trips, the next message when the last is back: a closed model.
        Echo = "echo",
        /// Paced ticks at more and more messages a second, from idle to saturation.
        Load = "load",
        /// The highest rate at which a target for the response holds.
        Capacity = "capacity",
        /// Messages that the client publishes, paced, to all its subscribers.
        Relay = "relay",
        /// Connections opened and closed one after another: handshakes a second, and the time to the first tick.
        Connect = "connect",
        /// Connections that carry nothing but pings.
        Ping = "ping",
    }
}
words! {
    /// What goes on beside the measured stream, on connections of its own.
    Disturbance {
        /// Nothing.
        Nothing = "nothing",
        /// A subscriber that has stopped reading.
        StoppedReader = "stopped-reader",
        /// A subscriber that reads a tenth of what it is sent.
        SlowReader = "slow-reader",
        /// Clients that go away without a close frame.
        Vanishing = "vanishing",
        /// Connections whose handshake is never finished.
        HalfOpen = "half-open",
        /// A flood of connections without a handshake.
        ConnectFlood = "connect-flood",
        /// Clients that come, take a tick and leave in good order.
        Churn = "churn",
        /// A connection that sends pings and reads no pong.
        PingFlood = "ping-flood",
    }
}

impl Wait {
    /// The least time between two wake-ups of a client with so many paced connections, in nanoseconds; 0 where it is woken at once.
    ///
    /// A client that sleeps is woken for each message of thousands of streams, if it is quick enough to be asleep again. Resting 20 ns a
    /// connection halves that, and is well below 1 % of the time in which a server sends to all of them once. Below 500 connections a rest would be
    /// shorter than a wake-up takes.
    pub const fn rest_ns(self, connections: u32) -> u64 {
        match self {
            Wait::Block if connections >= 500 => 20 * connections as u64,
            Wait::Block | Wait::Spin => 0,
        }
    }
}

impl ScenarioKind {
    /// Whether the server paces the ticks: they have a lag, a delivery and a response.
    pub const fn is_paced(self) -> bool {
        matches!(
            self,
            ScenarioKind::Latency | ScenarioKind::Scaling | ScenarioKind::Load | ScenarioKind::Capacity
        )
    }

    /// Whether the messages are ticks of the server's feed.
    pub const fn has_feed(self) -> bool {
        !matches!(self, ScenarioKind::Echo | ScenarioKind::Relay | ScenarioKind::Ping)
    }
}

/// What one execution runs: a server in a lane, in a scenario, seen by a client. Two executions with equal cells measure
/// the same thing.
#[derive(Debug, Clone, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Cell {
    /// The scenario's name in the study.
    pub scenario: String,
    /// The question it asks.
    pub kind: ScenarioKind,
    /// The server's name in the manifest.
    pub server: String,
    /// How the server is set up.
    pub lane: Lane,
    /// Which client measures.
    pub client: Client,
    /// How the client waits.
    pub wait: Wait,
    /// What the server's core does while the server waits.
    #[serde(default = "asleep")]
    pub idle: Idle,
    /// How messages are written.
    pub encoding: Encoding,
    /// When messages leave the server.
    pub flush: Flush,
    /// How paced ticks are spread over time.
    pub arrival: Arrival,
    /// Connections held at once.
    pub connections: u32,
    /// Messages a second over all connections; 0 for a flood or a closed loop, and where a capture sets the pace.
    pub rate_per_s: f64,
    /// Bytes that each message is padded to; 0 for none. For echo, the payload's size.
    pub size_bytes: u64,
    /// What goes on beside the measured stream.
    #[serde(default = "undisturbed", skip_serializing_if = "is_undisturbed")]
    pub beside: Disturbance,
}

fn undisturbed() -> Disturbance {
    Disturbance::Nothing
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_undisturbed(beside: &Disturbance) -> bool {
    *beside == Disturbance::Nothing
}

fn asleep() -> Idle {
    Idle::Sleep
}

/// What stands behind a server's name where it runs a second time, to be compared with itself.
pub const CONTROL: &str = "#control";

impl Cell {
    /// Whether this server is another's second run, which no ranking holds.
    pub fn is_control(&self) -> bool {
        self.server.ends_with(CONTROL)
    }

    /// The cell's name without its server: equal for all servers that can be compared in it.
    pub fn question(&self) -> String {
        let Cell { scenario, lane, client, encoding, flush, connections, .. } = self;
        let mut question = format!("{scenario} {encoding} {flush} ×{connections}");
        if self.kind == ScenarioKind::Load {
            question += &format!(" {}/s", self.rate_per_s);
        }
        if self.size_bytes > 0 {
            question += &format!(" {} B", self.size_bytes);
        }
        if self.beside != Disturbance::Nothing {
            question += &format!(" beside {}", self.beside);
        }
        if self.idle != Idle::Sleep {
            question += " awake";
        }
        if *lane != Lane::Default {
            question += &format!(" {lane}");
        }
        if *client != Client::Probe {
            question += &format!(" by {client} client");
        }
        question
    }

    /// Whether `other` differs from this cell in its server alone.
    pub fn asks_the_same_as(&self, other: &Cell) -> bool {
        Cell { server: self.server.clone(), ..other.clone() } == *self
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.server, self.question())
    }
}
