//! From the measurements of a run to its summary.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use tickbench_record::{
    DistributionError, Disturbed, Measurement, Observation, ScenarioKind, Study, samples_needed,
};

use crate::compared_cell::{ComparedCell, Tail};
use crate::executions::{self, Executions};
use crate::figure::{Completed, median_estimate, merge, merged_figure};
use crate::merged::Merged;
use crate::metric::{Latency, Source};
use crate::parallel::on_all_cores;
use crate::resample::Tables;
use crate::values::{Values, division};
use crate::{
    CellSummary, Context, Estimate, Metric, Searches, Series, StolenShares, Summary, SummaryError,
    ThrottledExecutions, compare, interference, knee, lanes, memory, primary, row_audit, row_checks, usage,
    whole_iterations,
};

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
        let (mut cells, tails): (Vec<CellSummary>, Vec<_>) = summed.into_iter().unzip();
        for (cell, row) in cells.iter_mut().zip(row_audit::all(&executions, context)) {
            cell.audits.splice(..0, row.audits);
            cell.failed_executions = row.failed;
        }
        let drifts = row_checks::drifts(&executions, &primary::of_each(&cells));
        cells.iter_mut().zip(drifts).for_each(|(cell, drift)| cell.audits.extend(drift));
        let compared_cells: Vec<ComparedCell> = executions
            .iter()
            .zip(&cells)
            .zip(&tails)
            .map(|((executions, cell), tails)| ComparedCell { executions, cell, tails })
            .collect();
        let (comparisons, noise_floors) = compare::all(&compared_cells, &tables)
            .map_err(|cause| SummaryError::Histogram { cell: study.name.clone(), cause })?;
        let memory = memory::slopes(&executions, &tables);
        let unreadable = |cause| SummaryError::Histogram { cell: study.name.clone(), cause };
        let lanes = lanes::all(&compared_cells, context.baseline.as_deref(), &tables).map_err(unreadable)?;
        let interference = interference::all(&compared_cells, &tables).map_err(unreadable)?;
        let knees = knee::all(&compared_cells, &tables);
        Ok(Summary {
            study: study.name.clone(),
            iterations: study.iterations,
            whole_iterations: Some(whole_iterations(measurements, context.per_iteration))
                .filter(|&whole| whole < study.iterations),
            in_progress: context.in_progress,
            cells,
            comparisons,
            noise_floors,
            memory,
            lanes,
            interference,
            knees,
            stolen: StolenShares::of(measurements),
            throttled: ThrottledExecutions::of(measurements),
        })
    }
}

/// A cell's summary, and those quantiles that single iterations do not tell.
fn summarize(
    executions: &Executions,
    context: &Context,
    tables: &Tables,
) -> Result<(CellSummary, BTreeMap<Metric, Tail>), DistributionError> {
    let Executions { cell, completed, failures, .. } = executions;
    let mut histograms = Histograms { completed, merged: BTreeMap::new() };
    let (mut estimates, mut tails) = (BTreeMap::new(), BTreeMap::new());
    // The latency of a flood is that of full buffers: nobody asks for its far tail, and its histograms are the widest.
    let flood = cell.kind == ScenarioKind::Throughput;
    for &metric in Metric::ALL {
        let estimate = match (Values::by_iteration(metric, completed), metric.source()) {
            (Some(values), _) => median_estimate(values.numbers(), tables),
            (None, Source::Value(_)) => None,
            (None, Source::Quantile(latency, quantile)) => {
                let q = quantile.q();
                if flood || histograms.samples(latency) < samples_needed(q) {
                    continue;
                }
                let merged = histograms.of(latency)?;
                if let Some(division) = division(metric, completed) {
                    let values = Values::in_merged(division, q, merged);
                    let estimate = median_estimate(values.numbers(), tables);
                    tails.insert(metric, Tail::Blocks(values));
                    estimate
                } else {
                    let figure = merged_figure(q, merged, completed.len(), tables);
                    let estimate = figure.as_ref().and_then(|figure| figure.estimate(completed.len()));
                    tails.extend(figure.map(|figure| (metric, Tail::Merged(figure))));
                    estimate
                }
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
    let mut curves = |raw, cleaned| {
        if flood {
            return Ok::<_, DistributionError>((Vec::new(), Vec::new()));
        }
        let all = histograms.of(raw)?.curve();
        let kept = histograms.of(cleaned)?;
        let kept = if kept.count() > 0 { kept } else { histograms.of(raw)? };
        Ok((all, kept.typical_curve()))
    };
    let (merged_quantiles, typical_quantiles) = curves(main, cleaned)?;
    let (merged_lag_quantiles, typical_lag_quantiles) = curves(Latency::Lag, Latency::LagCleaned)?;
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
        beyond: total(Latency::beyond),
        estimates,
        merged: tails.iter().filter(|(_, tail)| matches!(tail, Tail::Merged(_))).map(|(at, _)| *at).collect(),
        blocks: tails
            .iter()
            .filter_map(|(metric, tail)| Some((*metric, tail.blocks()?.iterations_each)))
            .collect(),
        audits: row_checks::of_cell(executions, context),
        failed_executions: Vec::new(),
        ceiling_share,
        disturbed: disturbed(completed),
        searches: Searches::of(cell, completed, context),
        series: Series {
            merged_quantiles,
            typical_quantiles,
            merged_lag_quantiles,
            typical_lag_quantiles,
            p50_by_iteration: seen().map(|distribution| distribution.p50 as f64).collect(),
            p99_by_iteration: seen().map(|distribution| distribution.p99 as f64).collect(),
            usage: usage::over_time(completed.values().copied()),
        },
    };
    Ok((summary, tails))
}

/// What became of all that disturbed a cell; `None` where nobody did.
fn disturbed(completed: &Completed) -> Option<Disturbed> {
    completed.values().filter_map(|seen| seen.disturbed.as_ref()).fold(None, |sum, one| {
        let mut sum = sum.unwrap_or_default();
        sum.add(one);
        Some(sum)
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
