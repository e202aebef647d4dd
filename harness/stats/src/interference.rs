//! How a disturbance interferes with the measured stream: the same server in the same question, disturbed and not, by iteration.

use serde::Serialize;
use tickbench_record::{Cell, DistributionError, Disturbance};

use crate::compared_cell::ComparedCell;
use crate::pair_comparison::{Side, compare_pair};
use crate::resample::Tables;
use crate::verdict::verdict;
use crate::{Estimate, Metric, Verdict, holm};

/// How a disturbance interferes with the measured stream: a cell compared with the same cell undisturbed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Interference {
    /// The disturbed cell.
    pub cell: Cell,
    /// What is compared.
    pub metric: Metric,
    /// Ratio `disturbed / undisturbed`, told as that of a [`Comparison`](crate::Comparison).
    pub ratio: Estimate,
    /// Two-sided p of the signed-rank test on the iterations' log ratios, corrected by Holm over the scenario's disturbances.
    pub p: f64,
    /// What follows.
    pub verdict: Verdict,
}

/// Compares each disturbed cell with its undisturbed twin, on the metrics that decide their question. Those of one scenario are one family
/// of Holm's correction. A cell that failed an audit or is no verdict is compared with nothing, and neither is one without a twin.
pub(crate) fn all(cells: &[ComparedCell], tables: &Tables) -> Result<Vec<Interference>, DistributionError> {
    let comparable = |one: &&ComparedCell| one.cell.is_comparable() && one.cell.completed > 0;
    let mut interference: Vec<Interference> = Vec::new();
    for one in cells.iter().filter(comparable).filter(|one| one.cell.cell.beside != Disturbance::Nothing) {
        let calm = Cell { beside: Disturbance::Nothing, ..one.cell.cell.clone() };
        let Some(twin) = cells.iter().filter(comparable).find(|other| other.cell.cell == calm) else {
            continue;
        };
        for metric in Metric::primary(&[one.cell, twin.cell]) {
            let sides = [one, twin].map(|side| Side::whole(side, metric, tables));
            let Some(pair) = compare_pair(metric, &sides[0], &sides[1], tables)? else { continue };
            interference.push(Interference {
                cell: one.cell.cell.clone(),
                metric,
                ratio: pair.ratio,
                p: pair.p,
                verdict: Verdict::NoDifference,
            });
        }
    }
    for family in interference.chunk_by_mut(|a, b| a.cell.scenario == b.cell.scenario) {
        let p = holm::corrected(&family.iter().map(|one| one.p).collect::<Vec<_>>());
        for (one, p) in family.iter_mut().zip(p) {
            one.p = p;
            one.verdict = verdict(&one.ratio, p);
        }
    }
    Ok(interference)
}
