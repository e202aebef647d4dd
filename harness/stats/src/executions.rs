//! The measurements of a run, grouped by cell in the order of the study.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tickbench_record::{Cell, DistributionError, Measurement, Outcome, ScenarioKind, Study};

use crate::blame::Taken;
use crate::figure::Completed;
use crate::values::Values;
use crate::{Metric, SummaryError};

/// How often a cell failed in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// `stage: reason`.
    pub reason: String,
    /// How many iterations.
    pub count: usize,
}

/// Every execution of one cell.
pub(crate) struct Executions<'a> {
    pub(crate) cell: Cell,
    pub(crate) completed: Completed<'a>,
    /// What the machine took from the cores in each completed execution.
    pub(crate) taken: BTreeMap<u32, Taken>,
    pub(crate) failures: Vec<Failure>,
    /// The values that were asked for so far: comparisons ask for the same again and again.
    values: Mutex<BTreeMap<Metric, Option<Arc<Values>>>>,
}

/// Groups measurements. Cells without any are left out.
pub(crate) fn group<'a>(
    study: &Study,
    measurements: &'a [Measurement],
) -> Result<Vec<Executions<'a>>, SummaryError> {
    let cells = study.cells(&servers(study, measurements), |_| true);
    let mut by_cell: Vec<BTreeMap<u32, &Measurement>> = cells.iter().map(|_| BTreeMap::new()).collect();
    for measurement in measurements {
        let at = cells.iter().position(|cell| *cell == measurement.cell).ok_or_else(|| {
            SummaryError::ForeignCell { cell: measurement.cell.to_string(), iteration: measurement.iteration }
        })?;
        if by_cell[at].insert(measurement.iteration, measurement).is_some() {
            return Err(SummaryError::Twice {
                cell: measurement.cell.to_string(),
                iteration: measurement.iteration,
            });
        }
    }
    let executed = cells.into_iter().zip(by_cell).filter(|(_, executions)| !executions.is_empty());
    Ok(executed.map(|(cell, executions)| Executions::of(cell, executions.into_values())).collect())
}

/// The study's servers, or where it asks all of the manifest's, those that were measured.
fn servers(study: &Study, measurements: &[Measurement]) -> Vec<String> {
    let mut measured: Vec<&String> =
        measurements.iter().map(|measurement| &measurement.cell.server).collect();
    measured.sort_unstable();
    measured.dedup();
    let unlisted = measured.into_iter().filter(|server| !study.servers.contains(server));
    study.servers.iter().chain(unlisted).cloned().collect()
}

impl<'a> Executions<'a> {
    fn of(cell: Cell, measurements: impl Iterator<Item = &'a Measurement>) -> Executions<'a> {
        let (mut completed, mut taken) = (Completed::new(), BTreeMap::new());
        let mut reasons = BTreeMap::<String, usize>::new();
        for measurement in measurements {
            match (&measurement.outcome, &measurement.observation) {
                (Outcome::Failed { stage, reason }, _) => {
                    *reasons.entry(format!("{stage}: {reason}")).or_default() += 1;
                }
                (Outcome::Completed, Some(seen)) => {
                    completed.insert(measurement.iteration, seen);
                    taken.insert(measurement.iteration, Taken::of(measurement, seen));
                }
                (Outcome::Completed, None) => {
                    *reasons
                        .entry("record: it completed, but its figures are missing".into())
                        .or_default() += 1;
                }
            }
        }
        let mut failures: Vec<Failure> =
            reasons.into_iter().map(|(reason, count)| Failure { reason, count }).collect();
        failures.sort_by_key(|failure| std::cmp::Reverse(failure.count));
        Executions { cell, completed, taken, failures, values: Mutex::default() }
    }

    /// The metric by iteration or block, where it can be told so. The far tail of a flood is that of full buffers, and nobody's figure.
    pub(crate) fn values(&self, metric: Metric) -> Result<Option<Arc<Values>>, DistributionError> {
        let known = || self.values.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(values) = known().get(&metric) {
            return Ok(values.clone());
        }
        let values = match self.cell.kind {
            ScenarioKind::Throughput => Values::by_iteration(metric, &self.completed),
            _ => Values::of(metric, &self.completed)?,
        };
        Ok(known().entry(metric).or_insert(values.map(Arc::new)).clone())
    }
}
