//! One stored iteration of one cell: a line of `measurements.jsonl`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Capacity, Cell, Distribution};

/// One execution of one cell, completed or failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Which iteration, from 0.
    pub iteration: u32,
    /// The place of this execution within its iteration, from 0.
    pub position: u32,
    /// When it began, in seconds of UNIX time.
    pub started_at_s: f64,
    /// From launching the server to its end, in nanoseconds: measuring and all around it.
    pub wall_ns: u64,
    /// What was executed.
    #[serde(flatten)]
    pub cell: Cell,
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen, where it completed.
    #[serde(flatten)]
    pub observation: Option<Observation>,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Outcome {
    /// It was measured to its end.
    Completed,
    /// It was not, and why.
    Failed {
        /// When it failed.
        stage: Stage,
        /// What happened, one sentence.
        reason: String,
    },
}

/// The part of an execution in which it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Starting the server until its ready line.
    Launch,
    /// Opening the connections.
    Connect,
    /// From the first message to the start of the window.
    Warmup,
    /// The window itself.
    Measure,
    /// Checking what was received.
    Audit,
    /// Ending server and client.
    End,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Stage::Launch => "launch",
            Stage::Connect => "connect",
            Stage::Warmup => "warmup",
            Stage::Measure => "measure",
            Stage::Audit => "audit",
            Stage::End => "end",
        })
    }
}

/// What a client saw in the measured window.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Observation {
    /// Messages that the server sent, told from their sequence numbers; for echo, messages that the client sent.
    pub sent: u64,
    /// Messages received.
    pub received: u64,
    /// Messages missing in the sequence: `sent - received`.
    pub lost: u64,
    /// Messages whose sequence number is below one seen before, repeats included.
    pub reordered: u64,
    /// Samples below zero: received before sent, or sent before due. In no histogram, never clamped.
    pub negative: u64,
    /// Messages whose payload was compared with what the seed says, outside the timed path; all were equal.
    pub checked: u64,
    /// The length of the window.
    pub elapsed_ns: u64,
    /// Received messages a second.
    pub messages_per_s: f64,
    /// Received bytes of payload a second.
    pub bytes_per_s: f64,
    /// Reads that brought data: messages over reads tells how far the server coalesces.
    pub reads: u64,
    /// From the first connect call until all connections were upgraded.
    pub connect_ns: u64,
    /// `sent - due`: how far the server fell behind its schedule. Paced streams only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lag_ns: Option<Distribution>,
    /// `received - sent`: framework, kernel and client.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub delivery_ns: Option<Distribution>,
    /// `received - due`: what a user feels. Paced streams only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub response_ns: Option<Distribution>,
    /// From sending a message to having it back. Echo only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub round_trip_ns: Option<Distribution>,
    /// `lag_ns` without the samples that a hiccup of the server's core may have delayed. Only where something watched that core.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lag_cleaned_ns: Option<Distribution>,
    /// `delivery_ns` without the samples that a hiccup of the client's core may have delayed. Only where the client spins and watches.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub delivery_cleaned_ns: Option<Distribution>,
    /// `round_trip_ns` without the samples that a hiccup of the client's core may have delayed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub round_trip_cleaned_ns: Option<Distribution>,
    /// How the highest rate that keeps the target was found; all else is of the highest step that held. Capacity only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub capacity: Option<Capacity>,
    /// What the machine took from the client's core, where the client watched.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_hiccups: Option<Hiccups>,
    /// What the machine took from the server's core, where something watched.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub server_hiccups: Option<Hiccups>,
    /// The server's use of the machine, or `None` where it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub server_usage: Option<Usage>,
    /// The client's own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_usage: Option<Usage>,
    /// Both over time, for the resource graph.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub usage_samples: Option<UsageSamples>,
}

/// Times at which a spinning core was away: an interrupt, or the hypervisor. Over the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hiccups {
    /// From how long on a gap counts.
    pub threshold_ns: u64,
    /// How many.
    pub count: u64,
    /// How long all of them together.
    pub lost_ns: u64,
    /// How long the longest.
    pub longest_ns: u64,
    /// Samples that one may have delayed, and so are in no cleaned distribution.
    pub set_aside: u64,
}

/// What a process used from just before the window to just after it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// The interval that these figures are over: the window and the reading of the counters at its ends.
    pub interval_ns: u64,
    /// CPU time in user space. The kernel tells the sum exactly and its two parts by sampling at its tick.
    pub cpu_user_ns: u64,
    /// CPU time in the kernel.
    pub cpu_system_ns: u64,
    /// CPU time over the interval: 1 is one core.
    pub cpu_share: f64,
    /// CPU time for each message of the window: share over rate, in nanoseconds.
    pub cpu_ns_per_message: f64,
    /// Resident memory at the end.
    pub rss_bytes: u64,
    /// Most resident memory since the process began.
    pub rss_peak_bytes: u64,
    /// Times it gave up the core by itself.
    pub voluntary_switches: u64,
    /// Times the core was taken from it.
    pub involuntary_switches: u64,
    /// Threads at the end.
    pub threads: u32,
}

/// Usage over time: columns of equal length, one entry a sample.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct UsageSamples {
    /// Nanoseconds since the start of the window.
    pub at_ns: Vec<u64>,
    /// The server's CPU time so far.
    pub server_cpu_ns: Vec<u64>,
    /// The server's resident memory.
    pub server_rss_bytes: Vec<u64>,
    /// The client's CPU time so far.
    pub client_cpu_ns: Vec<u64>,
    /// The client's resident memory.
    pub client_rss_bytes: Vec<u64>,
}
