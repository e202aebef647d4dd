//! Why a row shows no figure.

use tickbench_record::samples_needed;

use crate::{CellSummary, Metric};

/// The reason why a figure is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Absence {
    /// No iteration was measured to its end.
    NothingCompleted,
    /// The row failed an audit: what was seen is in `summary.json`, and not to be believed.
    FailedAudit,
    /// Not one message came in any window.
    NothingReceived,
    /// All iterations together hold fewer samples than the quantile needs.
    TooFewSamples {
        /// How many it needs.
        needed: u64,
    },
    /// What it is made of was not recorded: the system does not tell it, or the client was not asked.
    NotRecorded,
}

impl CellSummary {
    /// Why this row shows no such figure; `None` where it shows one.
    pub fn absence(&self, metric: Metric) -> Option<Absence> {
        if self.figure(metric).is_some() {
            return None;
        }
        Some(match metric.quantile() {
            _ if self.completed == 0 => Absence::NothingCompleted,
            _ if !self.is_sound() => Absence::FailedAudit,
            _ if self.received == 0 => Absence::NothingReceived,
            Some(q) => Absence::TooFewSamples { needed: samples_needed(q) },
            None => Absence::NotRecorded,
        })
    }
}
