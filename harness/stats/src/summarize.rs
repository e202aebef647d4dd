//! From the measurements of a run to its summary.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

use thiserror::Error;
use tickbench_record::{DistributionError, Measurement, Observation, ScenarioKind, Study, samples_needed};

use crate::executions::{self, Executions};
use crate::figure::{Completed, is_by_iteration, median_estimate, merge, merged_figure, values};
use crate::merged::Merged;
use crate::metric::{Latency, Source};
use crate::resample::Tables;
use crate::{CellSummary, Metric, Series, Summary, compare, usage};

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
    /// Sums up a run, in which the servers of these names gather messages by themselves. Equal input gives an equal summary: the intervals come from the study's seed (0 where it has none).
    pub fn of(
        study: &Study,
        measurements: &[Measurement],
        coalescing: &[String],
    ) -> Result<Summary, SummaryError> {
        let tables = Tables::new(study.seed.unwrap_or(0));
        let executions = executions::group(study, measurements)?;
        let cells = on_all_cores(&executions, |cell| {
            summarize(cell, coalescing, &tables)
                .map_err(|cause| SummaryError::Histogram { cell: cell.cell.to_string(), cause })
        });
        let cells = cells.into_iter().collect::<Result<Vec<_>, _>>()?;
        let comparisons = compare::all(&executions, &cells, &tables)
            .map_err(|cause| SummaryError::Histogram { cell: study.name.clone(), cause })?;
        Ok(Summary { study: study.name.clone(), iterations: study.iterations, cells, comparisons })
    }
}

/// Does the same to each item, several at a time, and keeps their order.
pub(crate) fn on_all_cores<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let work = &work;
    // Dealt out in turn: cells of one question stand side by side, and cost alike.
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let dealt = |first| items.iter().enumerate().skip(first).step_by(threads);
        let spawned: Vec<_> = (0..threads)
            .map(|first| {
                scope.spawn(move || dealt(first).map(|(at, item)| (at, work(item))).collect::<Vec<_>>())
            })
            .collect();
        let joined =
            spawned.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        joined.flatten().collect()
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

fn summarize(
    executions: &Executions,
    coalescing: &[String],
    tables: &Tables,
) -> Result<CellSummary, DistributionError> {
    let Executions { cell, completed, failures } = executions;
    let mut histograms = Histograms { completed, merged: BTreeMap::new() };
    let (mut estimates, mut from_merged) = (BTreeMap::new(), BTreeSet::new());
    // The latency of a flood is that of full buffers: nobody asks for its far tail, and its histograms are the widest.
    let flood = cell.kind == ScenarioKind::Throughput;
    for &metric in Metric::ALL {
        let estimate = match metric.source() {
            Source::Quantile(latency, quantile) if !is_by_iteration(metric, completed) => {
                if flood || histograms.samples(latency) < samples_needed(quantile.q()) {
                    continue;
                }
                from_merged.insert(metric);
                merged_figure(quantile.q(), histograms.of(latency)?, completed.len(), tables)
                    .and_then(|figure| figure.estimate(completed.len()))
            }
            _ => median_estimate(values(metric, completed), tables),
        };
        estimates.extend(estimate.map(|estimate| (metric, estimate)));
    }
    let total = |count: fn(&Observation) -> u64| completed.values().map(|seen| count(seen)).sum();
    let main = if cell.kind == ScenarioKind::Echo { Latency::RoundTrip } else { Latency::Delivery };
    let seen = || completed.values().filter_map(|seen| main.of(seen));
    Ok(CellSummary {
        cell: cell.clone(),
        coalesces: coalescing.contains(&cell.server),
        completed: completed.len(),
        failures: failures.clone(),
        lost: total(|seen| seen.lost),
        reordered: total(|seen| seen.reordered),
        negative: total(|seen| seen.negative),
        received: total(|seen| seen.received),
        estimates,
        merged: from_merged,
        series: Series {
            merged_quantiles: if flood { Vec::new() } else { histograms.of(main)?.curve() },
            merged_lag_quantiles: if flood { Vec::new() } else { histograms.of(Latency::Lag)?.curve() },
            p50_by_iteration: seen().map(|distribution| distribution.p50 as f64).collect(),
            p99_by_iteration: seen().map(|distribution| distribution.p99 as f64).collect(),
            usage: usage::over_time(completed.values().copied()),
        },
    })
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
