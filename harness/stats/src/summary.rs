//! What a run comes to: `summary.json`, and what graphs and report are drawn from.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use tickbench_record::{Cell, Disturbed};

use crate::{
    Audit, FailedExecution, Knee, LaneStep, MemorySlope, Metric, Searches, StolenShares, ThrottledExecutions,
};

/// A value with the interval in which it lies with 95 % confidence: bootstrapped over iterations, but for the ratio of a [`Comparison`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The value: the median over iterations, or over blocks of them ([`CellSummary::blocks`]), or the quantile of all iterations'
    /// samples merged ([`CellSummary::merged`]); a [`Comparison`] says what its ratio is.
    pub estimate: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// How many iterations it rests on; where it is told by blocks of iterations ([`CellSummary::blocks`]), how many blocks.
    pub iterations: usize,
}

impl Estimate {
    /// The same of a ratio turned upside down.
    pub fn inverse(self) -> Estimate {
        let Estimate { estimate, low, high, iterations } = self;
        Estimate { estimate: 1.0 / estimate, low: 1.0 / high, high: 1.0 / low, iterations }
    }
}

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
}

/// How often a cell failed in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// `stage: reason`.
    pub reason: String,
    /// How many iterations.
    pub count: usize,
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

/// Two servers in the same question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The question: the cell's name without its server.
    pub question: String,
    /// What is compared.
    pub metric: Metric,
    /// The server whose figure is divided.
    pub server: String,
    /// The server it is divided by.
    pub baseline: String,
    /// Ratio `server / baseline`: the Hodges–Lehmann shift of the log ratios of the iterations that both completed, and the interval of
    /// the shifts that the signed-rank test does not reject. Where the figure is that of merged samples, their ratio, resampled together.
    pub ratio: Estimate,
    /// Two-sided p of the signed-rank test on the iterations' log ratios, corrected by Holm over the scenario's comparisons.
    pub p: f64,
    /// Ratio `server / baseline` of the two medians over the same iterations, resampled together. `None` where the figure is that of merged
    /// samples.
    pub ratio_of_medians: Option<Estimate>,
    /// Cliff's delta over the iterations' values: 1 where all of the server's are larger. `None` as `ratio_of_medians` is.
    pub cliffs_delta: Option<f64>,
    /// The noise floor of its scenario and metric: how far from 1 a ratio must be to be a difference. `None` where no control ran.
    pub floor: Option<f64>,
    /// Whether the evidence spoke of a difference, and it was called none because it is smaller than the floor.
    pub below_floor: bool,
    /// What follows.
    pub verdict: Verdict,
}

/// A server compared with its own second run: what differs between the two is the machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Floor {
    /// The scenario, in all of whose questions it holds.
    pub scenario: String,
    /// The question in which the control ran.
    pub question: String,
    /// The server that ran twice.
    pub server: String,
    /// What is compared.
    pub metric: Metric,
    /// Ratio of the server's figure to that of its second run.
    pub ratio: Estimate,
    /// Two-sided p, corrected by Holm over all controls of the run.
    pub p: f64,
    /// The end of the ratio's interval that is farther from 1, as its distance from 1: the smallest difference that this machine
    /// could tell apart in this run.
    pub floor: f64,
    /// What the two runs of one server would be called on this evidence: anything but no difference is a false alarm.
    pub verdict: Verdict,
}

/// What the measured stream felt of a disturbance: a cell compared with the same cell undisturbed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Felt {
    /// The disturbed cell.
    pub cell: Cell,
    /// What is compared.
    pub metric: Metric,
    /// Ratio `disturbed / undisturbed`, told as that of a [`Comparison`].
    pub ratio: Estimate,
    /// Two-sided p of the signed-rank test on the iterations' log ratios, corrected by Holm over the scenario's disturbances.
    pub p: f64,
    /// What follows.
    pub verdict: Verdict,
}

/// What a comparison comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The server's figure is lower: the interval excludes 1, and the corrected test rejects equality at 5 %.
    /// It is not below the noise floor either.
    Lower,
    /// The server's figure is higher: the interval excludes 1, and the corrected test rejects equality at 5 %.
    /// It is not below the noise floor either.
    Higher,
    /// This run cannot tell them apart.
    NoDifference,
}

/// A whole run, summed up.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Summary {
    /// The study's name.
    pub study: String,
    /// Iterations planned.
    pub iterations: u32,
    /// Iterations that were executed whole, where they are fewer than planned: the run was interrupted, or is in progress.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole_iterations: Option<u32>,
    /// Whether the run went on while this was summed up.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub in_progress: bool,
    /// The cells, in the order of the study, controls included.
    pub cells: Vec<CellSummary>,
    /// Comparisons of each pair of servers in each question, on the metrics that decide it. No control is among them.
    pub comparisons: Vec<Comparison>,
    /// Servers compared with themselves, and what that says of this machine.
    pub floors: Vec<Floor>,
    /// Memory for each connection, in the order of the cells.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<MemorySlope>,
    /// What tuning did to each server that was asked a question in both lanes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<LaneStep>,
    /// Disturbed cells compared with themselves undisturbed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub felt: Vec<Felt>,
    /// Where each curve of response against offered load takes off, in the order of the study.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub knees: Vec<Knee>,
    /// What the host took from the cores; `None` where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stolen: Option<StolenShares>,
    /// What a CPU quota stopped; `None` where there is no quota.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttled: Option<ThrottledExecutions>,
}
