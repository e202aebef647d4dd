//! What a run keeps on disk and what harness and clients say to each other.
//!
//! Everything here is plain data with one reader and one writer. Units stand in the names: `_ns`, `_bytes`, `_per_s`.
//!
//! **Invariant:** this crate imports no other crate of the workspace.

mod accounts;
mod buckets;
mod capacity;
mod cell;
mod claim;
mod distribution;
mod environment;
mod exchange;
mod foreign;
mod lock;
mod measurement;
mod parity;
mod reader;
mod relayed;
mod run;
mod sample;
mod scenario;
mod stages;
mod stored;
mod study;
mod validate;

pub use accounts::{Account, Accounts};
pub use buckets::Bucket;
pub use capacity::{Capacity, Step, StepSeen};
pub use cell::{
    Arrival, CONTROL, Cell, Client, Disturbance, Encoding, Flush, Idle, Lane, ScenarioKind, Wait,
};
pub use claim::Claim;
pub use distribution::{
    Distribution, DistributionError, HIGHEST_NS, SIGNIFICANT_DIGITS, new_histogram, samples_needed,
};
pub use environment::{
    BuiltServer, ClientCeiling, CoreKind, CoreKinds, Cores, Deviation, Environment, Finding, Machine,
    SelfTest, SkippedServer, Spent,
};
pub use exchange::{Ceiling, Check, ClockCheck, CoreHiccups, Job, Reply, Request};
pub use foreign::{FOREIGN_CHARACTERS, foreign, printable};
pub use lock::{Held, Holder, Lock, LockError};
pub use measurement::{
    Hiccups, Measurement, MemoryReading, Observation, Outcome, Stage, Stolen, Throttled, Usage, UsageSamples,
};
pub use parity::{
    BuildFlags, Executable, Ledger, LedgerEntry, Reading, Sizes, SocketBuffer, SocketSettings, StreamPass,
    StreamRequest, Streamed, SystemCalls,
};
pub use reader::Records;
pub use relayed::{ClosedWith, Disturbed, MAX_PINGED_BYTES, MAX_PINGED_BYTES_PER_S, Relayed};
pub use run::{MeasurementLog, RunError, RunFolder};
pub use sample::{Sample, SampleError, read_samples, write_samples};
pub use scenario::Scenario;
pub use stages::{Band, Stages};
pub use stored::StoredHistogram;
pub use study::{Study, StudyError};
