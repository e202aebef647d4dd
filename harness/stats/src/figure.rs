//! One metric of one cell, or of two cells side by side: its estimate and how it varies over resampled iterations.

use std::collections::BTreeMap;

use tickbench_record::{DistributionError, Observation};

use crate::merged::Merged;
use crate::metric::{Latency, Source};
use crate::resample::{Tables, interval, median};
use crate::{Estimate, Metric};

/// What a cell's completed iterations saw, by iteration.
pub(crate) type Completed<'a> = BTreeMap<u32, &'a Observation>;

/// A figure and the same figure in each resample of the iterations.
pub(crate) struct Figure {
    pub(crate) value: f64,
    pub(crate) resampled: Vec<f64>,
}

impl Figure {
    /// The median of one value an iteration, resampled so that it can be set against others of the same iterations; `None` of
    /// no values.
    pub(crate) fn paired(values: &[f64], tables: &Tables) -> Option<Figure> {
        let value = median(values)?;
        Some(Figure { value, resampled: tables.over(values.len()).paired_medians(values) })
    }

    /// The estimate with its interval, or `None` where a number in it is none.
    pub(crate) fn estimate(&self, iterations: usize) -> Option<Estimate> {
        let (low, high) = interval(self.resampled.clone())?;
        let finite = [self.value, low, high].iter().all(|number| number.is_finite());
        finite.then_some(Estimate { estimate: self.value, low, high, iterations })
    }
}

/// The metric of each iteration that has it, in order.
pub(crate) fn values(metric: Metric, completed: &Completed) -> Vec<f64> {
    match metric.source() {
        Source::Quantile(latency, quantile) => {
            completed.values().filter_map(|seen| Some(quantile.of(latency.of(seen)?) as f64)).collect()
        }
        Source::Value(value) => completed.values().filter_map(|seen| value(seen)).collect(),
    }
}

/// The median over iterations, with its interval; `None` of no values.
pub(crate) fn median_estimate(mut values: Vec<f64>, tables: &Tables) -> Option<Estimate> {
    values.sort_by(f64::total_cmp);
    let value = median(&values)?;
    let resampled = tables.over(values.len()).medians(&values);
    Figure { value, resampled }.estimate(values.len())
}

/// The quantile of the merged iterations, or `None` where even together they have too few samples.
pub(crate) fn merged_figure(q: f64, merged: &Merged, iterations: usize, tables: &Tables) -> Option<Figure> {
    let value = merged.quantile(q)? as f64;
    let resampled = merged.quantiles(q, &tables.over(iterations))?;
    Some(Figure { value, resampled })
}

/// Merges one latency of all iterations.
pub(crate) fn merge(completed: &Completed, latency: Latency) -> Result<Merged, DistributionError> {
    Merged::of(completed.iter().map(|(&iteration, seen)| (iteration, latency.of(seen))))
}

/// The ratio of two figures, resample by resample.
pub(crate) fn ratio(one: &Figure, other: &Figure) -> Figure {
    let divided = |(one, other): (&f64, &f64)| one / other;
    Figure {
        value: one.value / other.value,
        resampled: one.resampled.iter().zip(&other.resampled).map(divided).collect(),
    }
}

/// The two-sided p of a log ratio of merged quantiles. They have no value of their own in each iteration to rank: the log
/// ratio is taken as normal, as wide as it came out over the resamples.
pub(crate) fn normal_p(log_ratio: f64, resampled: &[f64]) -> f64 {
    let logs: Vec<f64> = resampled.iter().map(|ratio| ratio.ln()).collect();
    let mean = logs.iter().sum::<f64>() / logs.len() as f64;
    let deviation =
        (logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (logs.len() - 1) as f64).sqrt();
    // Without any spread (a single iteration) there is nothing to judge by.
    if deviation > 0.0 { libm::erfc((log_ratio / deviation).abs() / std::f64::consts::SQRT_2) } else { 1.0 }
}
