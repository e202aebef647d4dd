//! Estimates with intervals, comparisons and verdicts. Pure: no I/O, no clock, seeded.

mod summary;

pub use summary::{CellSummary, Comparison, Estimate, Failure, Metric, Series, Summary, Verdict};
