//! Where and with what a run was made: `environment.json`.

use serde::{Deserialize, Serialize};

use crate::{Ceiling, Client, ClockCheck, CoreHiccups};

/// Everything besides the study that a figure depends on. What could not be read is `None`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Environment {
    /// Version of tickbench.
    pub tickbench_version: String,
    /// The commit it was built from, with `-dirty` behind it where the tree had changes.
    pub commit: Option<String>,
    /// The command that made the run.
    pub command: String,
    /// When it began, RFC 3339 in UTC.
    pub started_at: String,
    /// The machine.
    pub machine: Machine,
    /// Who ran where.
    pub cores: Cores,
    /// The servers that were measured.
    pub servers: Vec<BuiltServer>,
    /// The servers that were not, and why.
    pub skipped: Vec<SkippedServer>,
    /// The clients that measured.
    pub clients: Vec<BuiltServer>,
    /// What a reader must know before believing the figures, a sentence each.
    pub warnings: Vec<String>,
    /// The server that the manifest marks as the floor: the same job with no framework. Figures are also shown as ratios to it.
    #[serde(default)]
    pub baseline: Option<String>,
    /// What each client can take in at most, measured before the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ceilings: Vec<ClientCeiling>,
    /// What was found about the machine's quiet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// What the machine takes from each core that was watched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hiccups: Vec<CoreHiccups>,
    /// Whether both cores read one clock; `None` where that was not tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clocks: Option<ClockCheck>,
    /// The last self-test on this machine, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_test: Option<SelfTest>,
    /// How many executions the plan has in each iteration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executions_per_iteration: Option<usize>,
    /// Where the run's time went; `None` while it has not ended.
    #[serde(default)]
    pub spent: Option<Spent>,
}

/// What was found before a run about something that makes a machine unquiet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at.
    pub subject: String,
    /// What was found, in words; "unknown" where it could not be read.
    pub found: String,
    /// What to do about it; `None` where it is fine.
    pub advice: Option<String>,
}

/// How the self-test on this machine ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfTest {
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// The version of tickbench that ran it.
    pub tickbench_version: String,
    /// What was done to the instrument.
    pub done: usize,
    /// How much of it was caught and named.
    pub caught: usize,
}

/// Where the wall time of a run went, its resumed parts included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Spent {
    /// Building servers and clients.
    pub building_ns: u64,
    /// Verifying servers, watching the machine and measuring the clients' ceilings, before anything was timed.
    pub verifying_ns: u64,
    /// Executing the plan: launching, warming up, measuring, ending.
    pub executing_ns: u64,
    /// The part of executing that lay in measured windows, warm-ups not counted.
    pub measuring_ns: u64,
    /// Waiting between iterations for the machine to be quiet, which is no part of executing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waiting_ns: u64,
}

impl Environment {
    /// The names of the servers that gather messages by themselves.
    pub fn coalescing(&self) -> Vec<String> {
        self.servers.iter().filter(|server| server.coalesces).map(|server| server.name.clone()).collect()
    }
}

/// A ceiling, and whose.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClientCeiling {
    /// Which client.
    pub client: Client,
    /// What it can take in.
    #[serde(flatten)]
    pub ceiling: Ceiling,
}

/// The machine and its settings.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Machine {
    /// Operating system and its version.
    pub os: Option<String>,
    /// Kernel release.
    pub kernel: Option<String>,
    /// Processor model.
    pub cpu_model: Option<String>,
    /// Processor architecture.
    pub architecture: String,
    /// Logical cores.
    pub logical_cores: usize,
    /// Memory.
    pub memory_bytes: Option<u64>,
    /// Frequency governor of the server's core.
    pub governor: Option<String>,
    /// Whether turbo is on.
    pub turbo: Option<bool>,
    /// Whether two logical cores may share one physical core.
    pub smt: Option<bool>,
    /// The hypervisor's name, or `None` on bare metal or where it cannot be told.
    pub hypervisor: Option<String>,
    /// The kernel's clock source.
    pub clock_source: Option<String>,
    /// Load average over one minute before the run.
    pub load_1m: Option<f64>,
    /// Open files that a process may have.
    pub open_files_limit: Option<u64>,
    /// The compiler's version.
    pub rustc: Option<String>,
}

/// Which cores ran what.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cores {
    /// The server's core, or `None` where it could not be pinned.
    pub server: Option<usize>,
    /// The client's core, or `None` where it could not be pinned.
    pub client: Option<usize>,
    /// The harness's own cores.
    pub harness: Vec<usize>,
    /// What was found when the affinity was read back, one sentence.
    pub read_back: String,
    /// What kind of cores the server's and the client's are; `None` where nothing was pinned, or the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<CoreKinds>,
}

/// The kinds of the two cores of a run, and how they lie to each other. Runs on cores of equal kinds can be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoreKinds {
    /// The server's.
    pub server: CoreKind,
    /// The client's.
    pub client: CoreKind,
    /// Whether both are threads of one physical core.
    pub siblings: bool,
}

/// What makes one core of a machine as good as another.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CoreKind {
    /// The package that it is in.
    pub package: u32,
    /// The cores that share its last level of cache, as the kernel lists them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares_cache_with: Option<String>,
    /// How fast its clock may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_khz: Option<u64>,
    /// What the kernel says that it can do, 1,024 being the most of any core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u64>,
}

/// A program that was built for the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltServer {
    /// Its name in the manifest.
    pub name: String,
    /// Its language.
    pub language: String,
    /// What it says of itself: framework and version.
    pub version: String,
    /// The command that built it.
    pub build: String,
    /// The program's path below the project, or below the build folder.
    pub binary: String,
    /// SHA-256 of what runs, in hexadecimal: the program's bytes; of one that is interpreted its interpreter's, the version above and
    /// its sources.
    pub sha256: Option<String>,
    /// Whether it gathers messages into one write by itself, even where each is to be sent alone. Only of a server.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub coalesces: bool,
    /// Where it deviates from the contract. Only of a server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deviations: Vec<Deviation>,
}

/// What a server does otherwise than the contract asks, because its framework does it by itself: its manifest says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deviation {
    /// The check of `verify` that it may fail.
    pub check: String,
    /// Whose doing it is, a sentence.
    pub why: String,
    /// What was seen; `None` where the check holds all the same.
    pub seen: Option<String>,
}

/// A server that was not measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedServer {
    /// Its name in the manifest.
    pub name: String,
    /// Why not.
    pub reason: String,
}

fn is_zero(ns: &u64) -> bool {
    *ns == 0
}
