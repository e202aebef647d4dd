//! How a figure of two cells differs: by iteration or block where it can be told so, else over all iterations merged.

use tickbench_record::{Cell, DistributionError};

use crate::compared_cell::{ComparedCell, Tail};
use crate::figure::{Completed, Figure, merge, merged_figure, normal_p, ratio};
use crate::metric::Source;
use crate::pair::Paired;
use crate::resample::Tables;
use crate::values::Values;
use crate::{Estimate, Metric};

/// One of the two that are compared: its iterations and its figure over them.
pub(crate) struct Side<'a> {
    pub(crate) cell: &'a Cell,
    completed: Completed<'a>,
    /// Where the metric can be told by iteration or block.
    series: Option<Series>,
    /// The quantile of all iterations merged, where it is told by that.
    merged: Option<&'a Figure>,
}

/// The values of one side, and their median.
struct Series {
    values: Values,
    median: Figure,
}

impl Series {
    fn of(values: Values, tables: &Tables) -> Option<Series> {
        let median = Figure::paired(&values.numbers(), tables)?;
        Some(Series { values, median })
    }

    /// How two differ, by the places that both have.
    fn paired_with(&self, other: &Series, tables: &Tables) -> Option<Paired> {
        if self.values.by_place.keys().ne(other.values.by_place.keys()) {
            let shared = [self.values.shared_with(&other.values), other.values.shared_with(&self.values)];
            let [one, other] = shared.map(|values| Series::of(values, tables));
            return one?.paired_with(&other?, tables);
        }
        Paired::with((&self.values.numbers(), &self.median), (&other.values.numbers(), &other.median))
    }
}

impl<'a> Side<'a> {
    /// All iterations of a cell.
    pub(crate) fn whole(one: &ComparedCell<'a>, metric: Metric, tables: &Tables) -> Side<'a> {
        let completed = one.executions.completed.clone();
        let (values, merged) = match one.tails.get(&metric) {
            Some(Tail::Merged(figure)) => (None, Some(figure)),
            Some(Tail::Blocks(values)) => (Some(values.clone()), None),
            None => (Values::by_iteration(metric, &completed), None),
        };
        let series = values.and_then(|values| Series::of(values, tables));
        Side { cell: &one.cell.cell, completed, series, merged }
    }

    /// The same by longer blocks.
    fn by_blocks_of(
        &self,
        length: u32,
        metric: Metric,
        tables: &Tables,
    ) -> Result<Option<Series>, DistributionError> {
        let values = Values::by_blocks_of(length, metric, &self.completed)?;
        Ok(values.and_then(|values| Series::of(values, tables)))
    }
}

/// How a figure of one cell differs from that of another.
pub(crate) struct PairComparison {
    pub(crate) ratio: Estimate,
    pub(crate) p: f64,
    pub(crate) ratio_of_medians: Option<Estimate>,
    pub(crate) cliffs_delta: Option<f64>,
}

/// The ratio of two cells' figures over the iterations that both have, and the p of their being equal. `None` where they
/// share no iteration, or where either has too few samples.
pub(crate) fn compare_pair(
    metric: Metric,
    one: &Side,
    other: &Side,
    tables: &Tables,
) -> Result<Option<PairComparison>, DistributionError> {
    if let (Some(series), Some(of_other)) = (&one.series, &other.series) {
        let [length, of_others] = [series, of_other].map(|series| series.values.iterations_each);
        let paired = if length == of_others {
            series.paired_with(of_other, tables)
        } else {
            let length = length.max(of_others);
            let longer = [one, other].map(|side| side.by_blocks_of(length, metric, tables));
            let [one, other] = longer;
            one?.zip(other?).and_then(|(one, other)| one.paired_with(&other, tables))
        };
        return Ok(paired.map(|Paired { ratio, p, ratio_of_medians, cliffs_delta }| PairComparison {
            ratio,
            p,
            ratio_of_medians: Some(ratio_of_medians),
            cliffs_delta: Some(cliffs_delta),
        }));
    }
    // Iterations have too few samples by themselves: a quantile may still be had from all of them merged.
    let Source::Quantile(latency, quantile) = metric.source() else { return Ok(None) };
    let shared: Vec<u32> =
        one.completed.keys().filter(|at| other.completed.contains_key(at)).copied().collect();
    let ratio_to = |one: &Figure, other: &Figure| {
        let ratio = ratio(one, other);
        let p = normal_p(ratio.value.ln(), &ratio.resampled);
        let comparison = |ratio| PairComparison { ratio, p, ratio_of_medians: None, cliffs_delta: None };
        ratio.estimate(shared.len()).map(comparison)
    };
    let are_whole = [one, other].iter().all(|side| side.completed.len() == shared.len());
    if let (true, Some(one), Some(other)) = (are_whole, one.merged, other.merged) {
        return Ok(ratio_to(one, other));
    }
    if shared.is_empty() {
        return Ok(None);
    }
    let figure = |side: &Side| {
        let completed = shared.iter().map(|at| (*at, side.completed[at])).collect();
        let merged = merge(&completed, latency)?;
        Ok::<_, DistributionError>(merged_figure(quantile.q(), &merged, shared.len(), tables))
    };
    let (Some(one), Some(other)) = (figure(one)?, figure(other)?) else { return Ok(None) };
    Ok(ratio_to(&one, &other))
}
