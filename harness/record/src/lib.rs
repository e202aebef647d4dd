//! What a run keeps on disk and what harness and clients say to each other.
//!
//! Everything here is plain data with one reader and one writer. Units stand in the names: `_ns`, `_bytes`, `_per_s`.
//!
//! **Invariant:** this crate imports no other crate of the workspace.

mod accounts;
mod buckets;
mod capacity;
mod cell;
mod distribution;
mod environment;
mod exchange;
mod measurement;
mod parity;
mod relayed;
mod run;
mod sample;
mod scenario;
mod stages;
mod study;

pub use accounts::{Account, Accounts};
pub use buckets::Bucket;
pub use capacity::{Capacity, Step, StepSeen};
pub use cell::{
    Arrival, CONTROL, Cell, Client, Disturbance, Encoding, Flush, Idle, Lane, ScenarioKind, Wait,
};
pub use distribution::{
    Distribution, DistributionError, HIGHEST_NS, SIGNIFICANT_DIGITS, new_histogram, samples_needed,
};
pub use environment::{
    BuiltServer, ClientCeiling, Cores, Deviation, Environment, Finding, Machine, SelfTest, SkippedServer,
    Spent,
};
pub use exchange::{Ceiling, Check, ClockCheck, CoreHiccups, Job, Reply, Request};
pub use measurement::{
    Hiccups, Measurement, MemoryReading, Observation, Outcome, Stage, Stolen, Throttled, Usage, UsageSamples,
};
pub use parity::{
    BuildFlags, Executable, Ledger, LedgerEntry, Reading, Sizes, SocketBuffer, SocketSettings, StreamPass,
    StreamRequest, Streamed, SystemCalls,
};
pub use relayed::{ClosedWith, Disturbed, Relayed};
pub use run::{MeasurementLog, RunError, RunFolder};
pub use sample::{Sample, SampleError, read_samples, write_samples};
pub use scenario::Scenario;
pub use stages::{Band, Stages};
pub use study::{Study, StudyError};
