//! A metric's values over a run: one an iteration or, for a quantile that no single iteration has the samples for, one a block of
//! consecutive iterations.

use std::collections::BTreeMap;

use tickbench_record::{DistributionError, Observation, samples_needed};

use crate::Metric;
use crate::figure::{Completed, merge};
use crate::merged::Merged;
use crate::metric::{Latency, Source};

/// The samples that a block needs for a quantile: five beyond it. Half of what a figure that stands alone needs, since this one is
/// the median over many blocks.
fn block_needs(q: f64) -> u64 {
    samples_needed(q).div_ceil(2)
}

/// Whether a block of so many samples has a value: the last one may hold half of what it needs.
pub(crate) fn has_enough(q: f64, samples: u64) -> bool {
    2 * samples >= block_needs(q)
}

/// Blocks from which on they are worth telling a figure by: ten pairs can still be told apart at 5 % in a scenario of twenty
/// comparisons (the signed-rank test's smallest p is 2 · 2⁻¹⁰).
const LEAST_BLOCKS: usize = 10;

/// The values, by the number of their iteration or block.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Values {
    /// Iterations behind each value. Iteration `i` is in block `i / iterations_each`.
    pub(crate) iterations_each: u32,
    /// One value a place.
    pub(crate) by_place: BTreeMap<u32, f64>,
}

impl Values {
    /// By iteration where the metric can be told so, by block where it needs several iterations; `None` where it can be told by
    /// neither.
    pub(crate) fn of(metric: Metric, completed: &Completed) -> Result<Option<Values>, DistributionError> {
        if let Some(values) = Values::by_iteration(metric, completed) {
            return Ok(Some(values));
        }
        match block_length(metric, completed) {
            Some(length) => Values::by_blocks_of(length, metric, completed),
            None => Ok(None),
        }
    }

    /// The metric of each iteration that has it; of a quantile, where most iterations have the samples that it needs. One
    /// iteration in which the machine stood still holds fewer, or none; it counts as what it is, one bad observation of many.
    /// Merged with the others, its late messages would be the whole tail.
    pub(crate) fn by_iteration(metric: Metric, completed: &Completed) -> Option<Values> {
        let of = |seen: &Observation| match metric.source() {
            Source::Quantile(latency, quantile) => {
                let figure = latency.of(seen).filter(|figure| figure.count > 0)?;
                Some((quantile.of(figure) as f64, figure.count >= samples_needed(quantile.q())))
            }
            Source::Value(value) => value(seen).map(|value| (value, true)),
        };
        let all: Vec<(u32, (f64, bool))> =
            completed.iter().filter_map(|(&iteration, seen)| Some((iteration, of(seen)?))).collect();
        let enough = all.iter().filter(|(_, (_, enough))| *enough).count();
        (2 * enough > completed.len()).then(|| Values {
            iterations_each: 1,
            by_place: all.into_iter().map(|(at, (value, _))| (at, value)).collect(),
        })
    }

    /// The quantile of each block of so many iterations, merged within it.
    pub(crate) fn by_blocks_of(
        length: u32,
        metric: Metric,
        completed: &Completed,
    ) -> Result<Option<Values>, DistributionError> {
        let Source::Quantile(latency, quantile) = metric.source() else { return Ok(None) };
        let merged = merge(completed, latency)?;
        Ok(Some(Values::in_merged(length, quantile.q(), completed, &merged)))
    }

    /// The same where the iterations are merged already. A block that has less than half of the samples that it needs, as the last one may, has
    /// no value.
    pub(crate) fn in_merged(length: u32, q: f64, completed: &Completed, merged: &Merged) -> Values {
        let places: Vec<u32> = completed.keys().map(|iteration| iteration / length).collect();
        let by_place = blocks(&places, q, merged);
        Values { iterations_each: length, by_place }
    }

    /// The places that both have.
    pub(crate) fn shared_with(&self, other: &Values) -> Values {
        let mut by_place = self.by_place.clone();
        by_place.retain(|place, _| other.by_place.contains_key(place));
        Values { by_place, ..*self }
    }

    pub(crate) fn numbers(&self) -> Vec<f64> {
        self.by_place.values().copied().collect()
    }
}

/// The quantile of the samples in each place, where `places` holds the place of each that was merged, in order.
pub(crate) fn blocks(places: &[u32], q: f64, merged: &Merged) -> BTreeMap<u32, f64> {
    let mut distinct = places.to_vec();
    distinct.dedup();
    let value = |place: u32| {
        let is_in = |at: usize| u64::from(places[at] == place);
        has_enough(q, merged.weighted_count(is_in)).then(|| merged.weighted_quantile(q, is_in)).flatten()
    };
    distinct.into_iter().filter_map(|place| Some((place, value(place)? as f64))).collect()
}

/// How many iterations make a block for the metric, where there are enough such blocks: as many typical ones as hold its samples.
pub(crate) fn block_length(metric: Metric, completed: &Completed) -> Option<u32> {
    let Source::Quantile(latency, quantile) = metric.source() else { return None };
    length_for(quantile.q(), counts(latency, completed))
}

/// The same for a quantile, of the samples in each iteration.
pub(crate) fn length_for(q: f64, mut counts: Vec<u64>) -> Option<u32> {
    counts.sort_unstable();
    let typical = *counts.get(counts.len() / 2)?;
    let length = (typical > 0).then(|| block_needs(q).div_ceil(typical))?;
    let blocks = counts.len() as u64 / length.max(1);
    (blocks >= LEAST_BLOCKS as u64).then_some(length as u32)
}

fn counts(latency: Latency, completed: &Completed) -> Vec<u64> {
    completed.values().map(|seen| latency.of(seen).map_or(0, |figure| figure.count)).collect()
}

#[cfg(test)]
mod tests {
    use tickbench_record::{Distribution, new_histogram};

    use super::*;

    fn seen(values: impl Iterator<Item = u64>) -> Observation {
        let mut histogram = new_histogram();
        values.for_each(|value| histogram += value);
        Observation { delivery_ns: Distribution::of(&histogram), ..Observation::default() }
    }

    #[test]
    fn blocks_have_the_quantile_of_their_own_samples() {
        // 1,250 samples an iteration: p99.9 needs four of them. Block 3 holds the stall.
        let observations: Vec<Observation> = (0..45)
            .map(|at| seen((0..1_250).map(move |n| if at == 13 { 1_000_000 } else { 100 + at / 4 + n % 7 })))
            .collect();
        let completed: Completed = (0..).zip(&observations).collect();
        let values = Values::of(Metric::DeliveryP999, &completed).unwrap().unwrap();
        assert_eq!(values.iterations_each, 4);
        let expected: Vec<f64> =
            (0..11).map(|block| if block == 3 { 1_000_447.0 } else { 106.0 + f64::from(block) }).collect();
        assert_eq!(values.numbers(), expected, "and a twelfth of one iteration has none");
    }

    #[test]
    fn few_blocks_tell_nothing() {
        let observations: Vec<Observation> = (0..39).map(|_| seen(0..1_250)).collect();
        let completed: Completed = (0..).zip(&observations).collect();
        assert_eq!(Values::of(Metric::DeliveryP999, &completed).unwrap(), None);
        assert_eq!(Values::of(Metric::DeliveryP999, &Completed::new()).unwrap(), None);
        assert_eq!(length_for(0.999, vec![0; 50]), None, "where the typical iteration has no samples");
        assert_eq!(length_for(0.999, vec![1_250; 40]), Some(4));
    }
}
