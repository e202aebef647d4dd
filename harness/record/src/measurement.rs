//! One stored iteration of one cell: a line of `measurements.jsonl`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Accounts, Capacity, Cell, Distribution, Disturbed, Relayed, Stages};

/// One execution of one cell, completed or failed. It is read by [`RunFolder::records`](crate::RunFolder::records) alone, which checks it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measurement {
    /// Which iteration, from 0.
    pub iteration: u32,
    /// The place of this execution within its iteration, from 0.
    pub position: u32,
    /// When it began, in seconds of UNIX time.
    pub started_at_s: f64,
    /// From launching the server to its end, in nanoseconds: measuring and all around it.
    pub wall_ns: u64,
    /// What the host kept from the two cores meanwhile; `None` where nothing was pinned or the kernel does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stolen: Option<Stolen>,
    /// What a CPU quota kept from the harness's control group meanwhile; `None` where there is no quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled: Option<Throttled>,
    /// What was executed.
    #[serde(flatten)]
    pub cell: Cell,
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen, where it completed.
    #[serde(flatten)]
    pub observation: Option<Observation>,
}

/// How long something was ready to run on a virtual core while the hypervisor ran something else on the physical one: the kernel's
/// *steal* (`proc_stat(5)`), which it counts in ticks of usually 10 ms. It is 0 on a machine without a hypervisor, and on one whose
/// hypervisor keeps it to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stolen {
    /// From the server's core, in nanoseconds.
    pub server_core_ns: u64,
    /// From the client's core, in nanoseconds.
    pub client_core_ns: u64,
}

/// What a CPU quota of the control group (`cpu.stat` of cgroup v1 and v2) kept from all of its processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Throttled {
    /// Periods of the quota in which processes were stopped (`nr_throttled`).
    pub periods: u64,
    /// For how long, over all cores, in nanoseconds (`throttled_usec`, `throttled_time`).
    pub stopped_ns: u64,
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
    /// Messages that belong to the window (see [`Accounts`]): told from the schedule or from what the client itself sent, never from
    /// what came. For connect, the connections that were begun in it; for a flood, the messages that were received in it.
    pub sent: u64,
    /// Of these, those that came, be it after the window's end.
    pub received: u64,
    /// Those that had not come when the wait after the window ended: `sent - received`. Pings that a pong to a later one made up for
    /// (RFC 6455, section 5.5.3, allows it) are among them.
    pub lost: u64,
    /// Messages whose sequence number is below one seen before, repeats included. A client fails the execution for one.
    pub reordered: u64,
    /// Samples below zero: received before sent, or sent before due. In no histogram, never clamped.
    pub negative: u64,
    /// Messages whose payload was compared, byte for byte; all were equal. Of ticks, deliveries and first ticks, those of a sample of the
    /// window that was drawn over all connections, compared with what the seed says behind it; of echoes and pongs all, compared with
    /// what was sent.
    pub checked: u64,
    /// The length of the window: as long as was asked for, and of a flood, to the end of the read that closed it.
    pub elapsed_ns: u64,
    /// Messages that were received inside the window, whichever window they belong to, over its length: the rate on the wire. For
    /// connect, connections that ended in it.
    pub messages_per_s: f64,
    /// Bytes of their payloads over its length.
    pub bytes_per_s: f64,
    /// Reads inside the window that brought data: the messages received inside it, over these, tell how far the server coalesces.
    pub reads: u64,
    /// From the first connect call until all connections were upgraded.
    pub connect_ns: u64,
    /// What the window owed each connection and what came of it. All but floods.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub accounts: Option<Accounts>,
    /// `sent - due`: how far the server fell behind its schedule. Paced streams only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lag_ns: Option<Distribution>,
    /// `received - sent`: framework, kernel and client.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub delivery_ns: Option<Distribution>,
    /// `received - due`: what a user feels. Paced streams only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub response_ns: Option<Distribution>,
    /// From sending a message to having it back: echoes, and pings with their pongs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub round_trip_ns: Option<Distribution>,
    /// From the call that connects to the checked answer to the upgrade. Connect only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub handshake_ns: Option<Distribution>,
    /// From the call that connects to the first whole tick. Connect only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first_tick_ns: Option<Distribution>,
    /// From the end of the turn before until the server had answered the close frame: the whole turn of a closed loop, with what the
    /// client needs to begin it. Connect only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub connection_ns: Option<Distribution>,
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
    /// Where the time of a message goes. Only where the study asks for stages.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stages: Option<Stages>,
    /// The server's use of the machine, or `None` where it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub server_usage: Option<Usage>,
    /// The client's own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_usage: Option<Usage>,
    /// Both over time, for the resource graph.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub usage_samples: Option<UsageSamples>,
    /// Memory before the first connection.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub server_memory_before: Option<MemoryReading>,
    /// Memory after the window, all connections still open.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub server_memory_after: Option<MemoryReading>,
    /// Why memory was not read, where it was asked for and was not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub server_memory_missing: Option<String>,
    /// `sent - due` where the client publishes: how late it was itself. No server's doing. Relay only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub publish_lag_ns: Option<Distribution>,
    /// From the first delivery of a published message to its last, for each that reached every subscriber. Relay only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub skew_ns: Option<Distribution>,
    /// What the publisher did. Relay only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub relayed: Option<Relayed>,
    /// What became of the connections that disturbed the window, where some did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub disturbed: Option<Disturbed>,
}

/// The server's memory and the kernel's at one instant. The kernel's is of the whole machine: only its growth says something, and
/// both ends of each connection are in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MemoryReading {
    /// Resident memory of the server, counted page by page (`/proc/PID/smaps_rollup`).
    pub rss_bytes: u64,
    /// The same, each page divided by the number of processes that share it.
    pub pss_bytes: u64,
    /// The pages that no other process has.
    pub private_bytes: u64,
    /// What TCP sockets of the machine hold in buffers (`/proc/net/sockstat`, `mem`, in whole pages). The kernel keeps up to 1 MiB
    /// a core apart that is not in it.
    pub kernel_buffer_bytes: u64,
    /// Objects of the kernel, sockets among them (`/proc/meminfo`, `Slab`).
    pub kernel_slab_bytes: u64,
    /// TCP sockets in use in this network namespace, both ends of a connection over loopback (`inuse`).
    pub tcp_sockets: u64,
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
    /// CPU time for each message: the share over the rate at which messages came until the counters were read, in nanoseconds.
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
    /// How long its busiest thread was ready to run while others had the core, less the CPU time of its own other threads: the kernel's run
    /// delay (`/proc/PID/schedstat`), in nanoseconds. `None` where the kernel does not count it, or another thread became the busiest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_delay_ns: Option<u64>,
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
