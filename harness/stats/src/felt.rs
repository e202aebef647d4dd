//! What the measured stream felt of a disturbance: the same server in the same question, disturbed and not, by iteration.

use serde::Serialize;
use tickbench_record::{Cell, DistributionError, Disturbance};

use crate::compared_cell::Contender;
use crate::pair_comparison::{Side, told};
use crate::resample::Tables;
use crate::verdict::verdict;
use crate::{Estimate, Metric, Verdict, holm};

/// What the measured stream felt of a disturbance: a cell compared with the same cell undisturbed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Felt {
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
pub(crate) fn all(contenders: &[Contender], tables: &Tables) -> Result<Vec<Felt>, DistributionError> {
    let comparable = |one: &&Contender| one.cell.is_comparable() && one.cell.completed > 0;
    let mut felt: Vec<Felt> = Vec::new();
    for one in contenders.iter().filter(comparable).filter(|one| one.cell.cell.beside != Disturbance::Nothing)
    {
        let calm = Cell { beside: Disturbance::Nothing, ..one.cell.cell.clone() };
        let Some(twin) = contenders.iter().filter(comparable).find(|other| other.cell.cell == calm) else {
            continue;
        };
        for metric in Metric::deciding(&[one.cell, twin.cell]) {
            let sides = [one, twin].map(|side| Side::whole(side, metric, tables));
            let Some(told) = told(metric, &sides[0], &sides[1], tables)? else { continue };
            felt.push(Felt {
                cell: one.cell.cell.clone(),
                metric,
                ratio: told.ratio,
                p: told.p,
                verdict: Verdict::NoDifference,
            });
        }
    }
    for family in felt.chunk_by_mut(|a, b| a.cell.scenario == b.cell.scenario) {
        let p = holm::corrected(&family.iter().map(|felt| felt.p).collect::<Vec<_>>());
        for (felt, p) in family.iter_mut().zip(p) {
            felt.p = p;
            felt.verdict = verdict(&felt.ratio, p);
        }
    }
    Ok(felt)
}
