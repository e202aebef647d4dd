//! Estimates with intervals, comparisons and verdicts. Pure: no I/O, no clock, seeded.
//!
//! The iteration is the unit of statistics. An iteration's quantiles are one observation, and a cell's estimate is their
//! median with a 95 % percentile interval from 2,000 resamples of the iterations. Where single iterations hold too few
//! samples for a quantile, as they often do for p99.9, blocks of consecutive iterations that hold enough are merged, and take
//! their place. Where that would leave too few blocks, all iterations are merged and the quantile is that of the merged
//! histogram; its interval comes from merging anew the iterations of each resample. A quantile that even all samples together
//! do not support is absent.
//!
//! # `summary.json`
//!
//! It is [`Summary`], a key a field, with the names of enumerations in snake case: the metric [`Metric::DeliveryCleanedP99`] is
//! `delivery_cleaned_p99`.
//!
//! - `whole_iterations`: how many of the `iterations` were executed whole; absent where all were. `in_progress`: `true` where the run was
//!   not over when it was summed up; else absent.
//! - `cells`: each with its `cell`, `completed`, `failures`, counts of messages, `estimates` by metric
//!   (`{"estimate", "low", "high", "iterations"}`), the metrics that are of `merged` samples, those that are told by `blocks` with
//!   the iterations of a block, its `audits`
//!   (`{"check", "figure", "held"}`) and its `ceiling_share` (`null` where no ceiling was measured). Cells whose `server` ends in
//!   `#control` are second runs of the server before the `#`.
//! - `comparisons`: each pair of servers of a question, on the metrics that decide it: the `ratio` within an iteration
//!   with its interval, `p`, the `ratio_of_medians` and `cliffs_delta` (both `null` for merged samples, whose `ratio` is of all iterations), `floor` (`null` without a control), `below_floor` and the `verdict`: `lower`,
//!   `higher` or `no_difference`.
//! - `memory`: for each server and question that was asked with several connection counts, the `bytes_per_connection` by what is
//!   counted, their `ratios` to each other server's, or why they are `missing`. Absent where memory was not looked at.
//! - `lanes`: each server that was asked a question in both lanes: `default`, `tuned`, their `ratio`, and the `distance` to the
//!   baseline in both with the share that tuning `closed` (`null` where there was none to close); the key is absent where nothing was
//!   asked in both.
//! - `knees`: where each curve of response against offered load takes off; absent where there is none.
//! - `stolen`: what the host took from the cores of server and client while the plan ran, as shares of its time; absent where that is
//!   not known.
//! - `floors`: each control against its twin: `ratio`, `p`, the `floor`, and the `verdict`, which is a false alarm where it is not
//!   `no_difference`.
//! - `felt`: each disturbed cell of a relay against itself undisturbed: `ratio`, `p` and `verdict`. Left out where nothing was disturbed.

mod absence;
mod audit;
mod between;
mod blame;
mod blocks;
mod capacity;
mod caveat;
mod cell_summary;
mod changes;
mod comparable;
mod compare;
mod compared_cell;
mod context;
mod coverage;
mod effect;
mod error;
mod estimate;
mod execution_audit;
mod executions;
mod figure;
mod holm;
mod interference;
mod knee;
mod lanes;
mod mann_whitney;
mod memory;
mod merged;
mod metric;
mod pair;
mod pair_comparison;
mod parallel;
mod power;
mod primary;
mod promise;
mod random;
mod ranking;
mod resample;
mod row_audit;
mod row_checks;
mod schedule;
mod signed_rank;
mod stages;
mod stolen;
mod summarize;
mod summary;
mod throttled;
mod trend;
mod usage;
mod values;
mod verdict;

#[cfg(test)]
mod oracle;

pub use absence::Absence;
pub use audit::{Audit, Check, FailedCount, Ruling};
pub use between::Between;
pub use blame::Blame;
pub use capacity::Searches;
pub use caveat::{CLIENT_BUSY, CLIENT_HEADROOM, Caveat, SERVER_BUSY};
pub use cell_summary::{CellSummary, Series};
pub use changes::{Change, Changes, Side, Unsound};
pub use compare::{Comparison, NoiseFloor};
pub use context::Context;
pub use coverage::whole_iterations;
pub use error::SummaryError;
pub use estimate::Estimate;
pub use executions::Failure;
pub use interference::Interference;
pub use knee::{KNEE_FACTOR, Knee};
pub use lanes::{Distance, LaneStep};
pub use memory::{Memory, MemorySlope};
pub use metric::Metric;
pub use pair::Paired;
pub use power::{Detection, STUDIES, detection};
pub use promise::broken_promises;
pub use ranking::Place;
pub use row_audit::FailedExecution;
pub use schedule::Achieved;
pub use stages::StageBand;
pub use stolen::{DISTURBED, StolenShares};
pub use summary::Summary;
pub use throttled::ThrottledExecutions;
pub use verdict::{FAMILY_ERROR, Verdict};
