//! What harness and client say to each other: the harness starts a client with flags ([`Request::to_args`]), and the client
//! prints one line of JSON ([`Reply`]) and ends.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Arrival, Disturbance, Encoding, Flush, Observation, Stage, Wait};

/// What a client does with its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    /// Receives ticks from `/ticks`.
    Ticks,
    /// Sends a message to `/echo`, waits until it is back, sends the next; on each connection one in flight.
    Echo,
    /// Opens a connection to `/ticks`, waits for the first tick, closes it, opens the next; as many at a time as there are
    /// connections.
    Connect,
    /// Sends pings to `/echo`, paced over all connections, and nothing else.
    Ping,
    /// Publishes ticks to `/relay`, and receives them on each of its connections.
    Relay,
}

/// One measurement that the harness asks of a client.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Where the server listens.
    pub server: SocketAddr,
    /// What to do.
    pub job: Job,
    /// How messages are written.
    pub encoding: Encoding,
    /// When messages leave the server.
    pub flush: Flush,
    /// How paced ticks are spread over time.
    pub arrival: Arrival,
    /// Messages a second over all connections, 0 for a flood; not used where the arrival is recorded.
    pub rate_per_s: f64,
    /// Bytes that each message is padded to; for echo, the payload's size.
    pub size_bytes: u64,
    /// Seed of the feed.
    pub seed: u64,
    /// A capture in place of the generated feed.
    pub feed: Option<PathBuf>,
    /// Divides the recorded gaps.
    pub speed: f64,
    /// Connections held at once.
    pub connections: u32,
    /// How to wait for data.
    pub wait: Wait,
    /// Measured and discarded before the window.
    pub warmup_ns: u64,
    /// The length of the window.
    pub window_ns: u64,
    /// Without a message for so long, the measurement has failed; and for how long at most the client waits after the window for what
    /// belongs to it.
    pub stall_ns: u64,
    /// The server's process, for its usage.
    pub server_pid: Option<u32>,
    /// Usage samples a second over the window; 0 for none.
    pub usage_samples_per_s: u32,
    /// Gaps between polls from which on the client's core was away; nothing is set apart where absent, or where the client does
    /// not spin.
    pub hiccup_ns: Option<u64>,
    /// Where the process that spins on the server's core notes its gaps; lag is cleaned by them.
    pub server_gaps: Option<PathBuf>,
    /// Whether the kernel's receive timestamps split what is seen: paced ticks over one connection.
    pub stages: bool,
    /// Where a row for each message of the window is written, as [`Sample`](crate::Sample)s: paced ticks.
    pub samples: Option<PathBuf>,
    /// What goes on beside a relay, on connections of its own.
    pub beside: Disturbance,
}

impl Request {
    /// The flags of a client's `measure` subcommand that say the same.
    pub fn to_args(&self) -> Vec<OsString> {
        let job = match self.job {
            Job::Ticks => "ticks",
            Job::Echo => "echo",
            Job::Connect => "connect",
            Job::Ping => "ping",
            Job::Relay => "relay",
        };
        let mut args: Vec<String> = vec!["measure".into(), "--server".into(), self.server.to_string()];
        let mut flag = |name: &str, value: String| args.extend([format!("--{name}"), value]);
        flag("job", job.into());
        flag("encoding", self.encoding.to_string());
        flag("flush", self.flush.to_string());
        flag("arrival", self.arrival.to_string());
        flag("rate", self.rate_per_s.to_string());
        flag("size", self.size_bytes.to_string());
        flag("seed", self.seed.to_string());
        flag("speed", self.speed.to_string());
        flag("connections", self.connections.to_string());
        flag("wait", self.wait.to_string());
        flag("warmup-ns", self.warmup_ns.to_string());
        flag("window-ns", self.window_ns.to_string());
        flag("stall-ns", self.stall_ns.to_string());
        flag("usage-samples-per-s", self.usage_samples_per_s.to_string());
        if self.beside != Disturbance::Nothing {
            flag("beside", self.beside.to_string());
        }
        if let Some(ns) = self.hiccup_ns {
            flag("hiccup-ns", ns.to_string());
        }
        if let Some(pid) = self.server_pid {
            flag("server-pid", pid.to_string());
        }
        if self.stages {
            args.push("--stages".into());
        }
        // A path need not be text.
        let mut args: Vec<OsString> = args.into_iter().map(OsString::from).collect();
        let files =
            [("--feed", &self.feed), ("--server-gaps", &self.server_gaps), ("--samples", &self.samples)];
        for (name, path) in files {
            args.extend(path.iter().flat_map(|path| [OsString::from(name), path.into()]));
        }
        args
    }
}

/// The one line that a client prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Reply {
    /// The window was measured.
    Completed(Box<Observation>),
    /// It was not, by what the server did or did not do.
    Failed {
        /// When it failed.
        stage: Stage,
        /// What happened, one sentence.
        reason: String,
    },
    /// It was not, and no server is to blame: the client could not do its own part, for instance write its samples.
    Broken {
        /// When it failed.
        stage: Stage,
        /// What happened, one sentence.
        reason: String,
    },
}

/// What a client can take in at most: a flood of prepared frames. The line of its `ceiling` subcommand.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ceiling {
    /// How the frames were written.
    pub encoding: Encoding,
    /// How the client waited.
    pub wait: Wait,
    /// Messages that it took in, a second.
    pub messages_per_s: f64,
    /// Payload bytes that it took in, a second.
    pub bytes_per_s: f64,
    /// Its CPU time for each.
    pub cpu_ns_per_message: f64,
    /// Its share of its core.
    pub cpu_share: f64,
    /// Messages for each read that brought data.
    pub messages_per_read: f64,
}

impl Ceiling {
    /// What was seen of a flood of prepared frames; `None` where the client's own usage was not.
    pub fn of(seen: &Observation, encoding: Encoding, wait: Wait) -> Option<Ceiling> {
        let usage = seen.client_usage?;
        Some(Ceiling {
            encoding,
            wait,
            messages_per_s: seen.messages_per_s,
            bytes_per_s: seen.bytes_per_s,
            cpu_ns_per_message: usage.cpu_ns_per_message,
            cpu_share: usage.cpu_share,
            messages_per_read: seen.received as f64 / seen.reads.max(1) as f64,
        })
    }
}

/// What the machine takes from one core that spins: the line of the probe's `hiccups` subcommand.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CoreHiccups {
    /// The core.
    pub core: usize,
    /// How long it was watched.
    pub watched_ns: u64,
    /// The gap from which on the core was away, calibrated on it: well above what a poll takes.
    pub threshold_ns: u64,
    /// Gaps above the threshold, a second.
    pub per_s: f64,
    /// The share of the time that lay in them, 0 to 1.
    pub lost_share: f64,
    /// The longest.
    pub longest_ns: u64,
}

/// Whether the clock that two cores read is one: the line of the probe's `clocks` subcommand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockCheck {
    /// Readings that were handed from core to core.
    pub readings: u64,
    /// Those that were earlier than the one they followed.
    pub backwards: u64,
    /// By how much at most.
    pub worst_ns: u64,
}

/// One check of `verify`: a line that the verifying client prints as it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The rule that was checked, by a name that stays: letters, digits and hyphens.
    pub id: String,
    /// What was checked of it, in words.
    pub name: String,
    /// Whether figures would be false where it does not hold, so that no server is excused from it.
    #[serde(default)]
    pub essential: bool,
    /// `None` where it holds; else what was seen instead.
    pub failure: Option<String>,
}
