//! Everything that can be said of one cell.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use tickbench_record::{Cell, Disturbed};

use crate::executions::Failure;
use crate::{Audit, Estimate, FailedExecution, Metric, Ruling, Searches};

/// Everything that can be said of one cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellSummary {
    /// Which cell.
    pub cell: Cell,
    /// Whether the server gathers messages into one write by itself, even where each is to be sent alone.
    pub coalesces: bool,
    /// Iterations that completed.
    pub completed: usize,
    /// Iterations that failed, grouped by reason, most frequent first.
    pub failures: Vec<Failure>,
    /// Messages that were lost, came out of order, or had a negative latency, over all iterations.
    pub lost: u64,
    /// See `lost`.
    pub reordered: u64,
    /// See `lost`.
    pub negative: u64,
    /// Messages received over all iterations.
    pub received: u64,
    /// The figures that could be had. A metric that is absent could not.
    pub estimates: BTreeMap<Metric, Estimate>,
    /// The quantiles for which neither single iterations nor blocks of them hold enough samples: their estimates are those of the iterations'
    /// merged histogram, with the interval of resampled iterations. All others are medians over iterations.
    pub merged: BTreeSet<Metric>,
    /// The quantiles for which single iterations hold too few samples, and blocks of so many consecutive ones hold enough: their
    /// estimates are medians over blocks.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub blocks: BTreeMap<Metric, u32>,
    /// Samples beyond the range of the histograms, over all latencies and iterations: a quantile that reaches them is a lower bound.
    pub beyond: u64,
    /// What was checked before the figures are believed.
    pub audits: Vec<Audit>,
    /// The executions that failed a check. They are in the figures all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed_executions: Vec<FailedExecution>,
    /// The rate over the ceiling that was measured for this client, encoding and way to wait, in messages or bytes, whichever is
    /// nearer. `None` where there is no such ceiling.
    pub ceiling_share: Option<f64>,
    /// What became of those that disturbed it, over all completed iterations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disturbed: Option<Disturbed>,
    /// What the searches for its capacity came to besides their rates; `None` where there were none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub searches: Option<Searches>,
    /// What the graphs draw besides estimates; left out of `summary.json`.
    #[serde(skip)]
    pub series: Series,
}

impl CellSummary {
    /// A figure to be shown: that of a row which failed an audit is not.
    pub fn figure(&self, metric: Metric) -> Option<&Estimate> {
        self.estimates.get(&metric).filter(|_| self.is_sound())
    }

    /// The audits that this cell failed. Its figures are not to be believed then: it is shown as failed and compared with nobody.
    pub fn failed_audits(&self) -> impl Iterator<Item = &Audit> {
        self.audits.iter().filter(|audit| audit.ruling == Ruling::Failed)
    }

    /// Whether no audit failed.
    pub fn is_sound(&self) -> bool {
        self.failed_audits().next().is_none()
    }

    /// The first audit with this ruling.
    pub fn ruled(&self, ruling: Ruling) -> Option<&Audit> {
        self.audits.iter().find(|audit| audit.ruling == ruling)
    }

    /// How far the primary figure drifted over the run, as a share of its median, where it surely did.
    pub fn drift(&self) -> Option<f64> {
        self.ruled(Ruling::Noted).map(|audit| audit.figure)
    }
}

/// Material of one cell's graphs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// `(quantile, ns)` of the merged histogram of delivery (round trip for echo), as far out as the samples reach.
    pub merged_quantiles: Vec<(f64, u64)>,
    /// The same of the typical iteration, less the machine's hiccups where the client watched its core: at each quantile the median over
    /// iterations, or over blocks of as many as it needs, as far out as there are blocks enough.
    pub typical_quantiles: Vec<(f64, u64)>,
    /// As `merged_quantiles`, of lag, for paced cells.
    pub merged_lag_quantiles: Vec<(f64, u64)>,
    /// As `typical_quantiles`, of lag, less the hiccups of the server's core where something watched it.
    pub typical_lag_quantiles: Vec<(f64, u64)>,
    /// The median delivery (round trip for echo) of each completed iteration, in nanoseconds, in order.
    pub p50_by_iteration: Vec<f64>,
    /// p99 of the same.
    pub p99_by_iteration: Vec<f64>,
    /// Usage over the window: `(ms since its start, server CPU share, server RSS bytes, client CPU share)`, the median over
    /// iterations of each sample.
    pub usage: Vec<(f64, f64, f64, f64)>,
}
