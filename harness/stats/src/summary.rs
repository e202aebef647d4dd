//! What a run comes to: `summary.json`, and what graphs and report are drawn from.

use serde::Serialize;

use crate::{
    CellSummary, Comparison, Interference, Knee, LaneStep, MemorySlope, NoiseFloor, StolenShares,
    ThrottledExecutions,
};

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
    #[serde(rename = "floors")]
    pub noise_floors: Vec<NoiseFloor>,
    /// Memory for each connection, in the order of the cells.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<MemorySlope>,
    /// What tuning did to each server that was asked a question in both lanes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<LaneStep>,
    /// Disturbed cells compared with themselves undisturbed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[serde(rename = "felt")]
    pub interference: Vec<Interference>,
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
