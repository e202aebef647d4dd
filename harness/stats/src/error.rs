//! Why a summary cannot be had.

use thiserror::Error;
use tickbench_record::DistributionError;

/// Why measurements cannot be summed up.
#[derive(Debug, Error)]
pub enum SummaryError {
    /// A measurement is of a cell that the study does not have.
    #[error(
        "failed to sum up `{cell}`, iteration {iteration}: the study has no such cell; restore the run's own study.toml"
    )]
    ForeignCell {
        /// The cell.
        cell: String,
        /// The iteration.
        iteration: u32,
    },
    /// An iteration of a cell was recorded twice.
    #[error(
        "failed to sum up `{cell}`: iteration {iteration} is recorded twice; remove one of its lines from measurements.jsonl"
    )]
    Twice {
        /// The cell.
        cell: String,
        /// The iteration.
        iteration: u32,
    },
    /// A stored histogram cannot be read.
    #[error(
        "failed to merge the histograms of `{cell}`: {cause}; remove the damaged line from measurements.jsonl"
    )]
    Histogram {
        /// The cell.
        cell: String,
        /// What is wrong with it.
        cause: DistributionError,
    },
}
