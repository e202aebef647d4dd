//! From the measurements of a run to its summary.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use thiserror::Error;
use tickbench_record::{DistributionError, Measurement, Observation, ScenarioKind, Study, samples_needed};

use crate::compare::Contender;
use crate::executions::{self, Executions};
use crate::figure::{Completed, Figure, by_iteration, median_estimate, merge, merged_figure};
use crate::merged::Merged;
use crate::metric::{Latency, Source};
use crate::parallel::on_all_cores;
use crate::resample::Tables;
use crate::{CellSummary, Context, Estimate, Metric, Searches, Series, Summary, audit, compare, knee, usage};

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

impl Summary {
    /// Sums up a run. Equal input gives an equal summary: the intervals come from the study's seed (0 where it has none).
    pub fn of(
        study: &Study,
        measurements: &[Measurement],
        context: &Context,
    ) -> Result<Summary, SummaryError> {
        let tables = Tables::new(study.seed.unwrap_or(0));
        let executions = executions::group(study, measurements)?;
        let summed = on_all_cores(&executions, |cell| {
            summarize(cell, context, &tables)
                .map_err(|cause| SummaryError::Histogram { cell: cell.cell.to_string(), cause })
        });
        let summed = summed.into_iter().collect::<Result<Vec<_>, _>>()?;
        let (mut cells, merged): (Vec<CellSummary>, Vec<_>) = summed.into_iter().unzip();
        let drifts = audit::drifts(&executions, &deciding(&cells));
        cells.iter_mut().zip(drifts).for_each(|(cell, drift)| cell.audits.extend(drift));
        let contenders: Vec<Contender> = executions
            .iter()
            .zip(&cells)
            .zip(&merged)
            .map(|((executions, cell), merged)| Contender { executions, cell, merged })
            .collect();
        let (comparisons, floors) = compare::all(&contenders, &tables)
            .map_err(|cause| SummaryError::Histogram { cell: study.name.clone(), cause })?;
        let knees = knee::all(&contenders, &tables);
        let (study, iterations) = (study.name.clone(), study.iterations);
        Ok(Summary { study, iterations, cells, comparisons, floors, knees })
    }
}

/// The first of the metrics that decide each cell's question.
fn deciding(cells: &[CellSummary]) -> Vec<Option<Metric>> {
    let asked = |one: &CellSummary| -> Vec<&CellSummary> {
        cells.iter().filter(|other| other.cell.asks_the_same_as(&one.cell)).collect()
    };
    cells.iter().map(|cell| Metric::deciding(&asked(cell)).first().copied()).collect()
}

/// A cell's summary, and the figures of those quantiles that are of its merged samples.
fn summarize(
    executions: &Executions,
    context: &Context,
    tables: &Tables,
) -> Result<(CellSummary, BTreeMap<Metric, Figure>), DistributionError> {
    let Executions { cell, completed, failures } = executions;
    let mut histograms = Histograms { completed, merged: BTreeMap::new() };
    let (mut estimates, mut from_merged) = (BTreeMap::new(), BTreeMap::new());
    // The latency of a flood is that of full buffers: nobody asks for its far tail, and its histograms are the widest.
    let flood = cell.kind == ScenarioKind::Throughput;
    for &metric in Metric::ALL {
        let estimate = match (by_iteration(metric, completed), metric.source()) {
            (Some(series), _) => median_estimate(series.into_values().collect(), tables),
            (None, Source::Value(_)) => None,
            (None, Source::Quantile(latency, quantile)) => {
                if flood || histograms.samples(latency) < samples_needed(quantile.q()) {
                    continue;
                }
                let figure = merged_figure(quantile.q(), histograms.of(latency)?, completed.len(), tables);
                let estimate = figure.as_ref().and_then(|figure| figure.estimate(completed.len()));
                from_merged.extend(figure.map(|figure| (metric, figure)));
                estimate
            }
        };
        estimates.extend(estimate.map(|estimate| (metric, estimate)));
    }
    let total = |count: fn(&Observation) -> u64| completed.values().map(|seen| count(seen)).sum();
    let (main, cleaned) = match cell.kind {
        ScenarioKind::Echo | ScenarioKind::Ping => (Latency::RoundTrip, Latency::RoundTripCleaned),
        _ => (Latency::Delivery, Latency::DeliveryCleaned),
    };
    let rate = |metric| estimates.get(&metric).map(|rate: &Estimate| rate.estimate);
    let ceiling_share = match (rate(Metric::MessagesPerS), rate(Metric::BytesPerS)) {
        (Some(messages), Some(bytes)) => context.ceiling_share(cell, messages, bytes),
        _ => None,
    };
    let mut curve = |latency| if flood { Ok(Vec::new()) } else { histograms.of(latency).map(Merged::curve) };
    let seen = || completed.values().filter_map(|seen| main.of(seen));
    let summary = CellSummary {
        cell: cell.clone(),
        coalesces: context.coalesces(cell),
        completed: completed.len(),
        failures: failures.clone(),
        lost: total(|seen| seen.lost),
        reordered: total(|seen| seen.reordered),
        negative: total(|seen| seen.negative),
        received: total(|seen| seen.received),
        estimates,
        merged: from_merged.keys().copied().collect(),
        audits: audit::of_cell(executions, context),
        ceiling_share,
        searches: Searches::of(cell, completed, context),
        series: Series {
            merged_quantiles: curve(main)?,
            merged_cleaned_quantiles: curve(cleaned)?,
            merged_lag_quantiles: curve(Latency::Lag)?,
            merged_lag_cleaned_quantiles: curve(Latency::LagCleaned)?,
            p50_by_iteration: seen().map(|distribution| distribution.p50 as f64).collect(),
            p99_by_iteration: seen().map(|distribution| distribution.p99 as f64).collect(),
            usage: usage::over_time(completed.values().copied()),
        },
    };
    Ok((summary, from_merged))
}

/// The merged histograms of a cell, each decoded when it is first needed.
struct Histograms<'a> {
    completed: &'a Completed<'a>,
    merged: BTreeMap<Latency, Merged>,
}

impl Histograms<'_> {
    fn samples(&self, latency: Latency) -> u64 {
        self.completed
            .values()
            .filter_map(|seen| latency.of(seen))
            .map(|distribution| distribution.count)
            .sum()
    }

    fn of(&mut self, latency: Latency) -> Result<&Merged, DistributionError> {
        Ok(match self.merged.entry(latency) {
            Entry::Occupied(made) => made.into_mut(),
            Entry::Vacant(place) => place.insert(merge(self.completed, latency)?),
        })
    }
}
