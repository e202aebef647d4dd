//! A metric's values over a run: one an iteration or, for a quantile that no single iteration has the samples for, one a block of
//! consecutive iterations.

use std::collections::BTreeMap;

use tickbench_record::{DistributionError, Observation};

use crate::Metric;
use crate::blocks::Division;
use crate::figure::{Completed, merge};
use crate::merged::Merged;
use crate::metric::Source;

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
        match division(metric, completed) {
            Some(division) => Values::by_blocks_of(division.length(), metric, completed),
            None => Ok(None),
        }
    }

    /// The metric of each iteration that has it, where most have: of a quantile, where most have the samples that it needs.
    pub(crate) fn by_iteration(metric: Metric, completed: &Completed) -> Option<Values> {
        let of_each = |value: &dyn Fn(&Observation) -> Option<f64>| -> BTreeMap<u32, f64> {
            completed.iter().filter_map(|(&iteration, seen)| Some((iteration, value(seen)?))).collect()
        };
        let by_place = match metric.source() {
            Source::Quantile(latency, quantile) => {
                (division(metric, completed) == Some(Division::Iterations)).then_some(())?;
                of_each(&|seen| {
                    let figure = latency.of(seen)?;
                    Division::Iterations
                        .has_enough(quantile.q(), figure.count)
                        .then(|| quantile.of(figure) as f64)
                })
            }
            Source::Value(value) => {
                Some(of_each(&value)).filter(|values| 2 * values.len() > completed.len())?
            }
        };
        Some(Values { iterations_each: 1, by_place })
    }

    /// The quantile of each block of so many iterations, merged within it.
    pub(crate) fn by_blocks_of(
        length: u32,
        metric: Metric,
        completed: &Completed,
    ) -> Result<Option<Values>, DistributionError> {
        let Source::Quantile(latency, quantile) = metric.source() else { return Ok(None) };
        let merged = merge(completed, latency)?;
        Ok(Some(Values::in_merged(Division::Blocks(length), quantile.q(), &merged)))
    }

    /// The quantile of iterations that are merged already.
    pub(crate) fn in_merged(division: Division, q: f64, merged: &Merged) -> Values {
        let by_place = merged.in_places(division, &[q]).swap_remove(0);
        Values { iterations_each: division.length(), by_place }
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

/// How a quantile is divided over the iterations; `None` where they are too few, and of what is no quantile.
pub(crate) fn division(metric: Metric, completed: &Completed) -> Option<Division> {
    let Source::Quantile(latency, quantile) = metric.source() else { return None };
    let count = |seen: &&Observation| latency.of(seen).map_or(0, |figure| figure.count);
    Division::of(quantile.q(), &completed.values().map(count).collect::<Vec<u64>>())
}

#[cfg(test)]
mod tests {
    use tickbench_record::{Distribution, new_histogram};

    use super::*;
    use crate::metric::Latency;
    use crate::resample::median;

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
    }

    /// The graph's thick line and the table must be the same figure, with the same iterations behind it, where some are missing.
    #[test]
    fn tables_and_graphs_have_the_same_blocks_where_iterations_are_missing() {
        // Each value tells its iteration: a block made of other iterations has another quantile.
        let observations: Vec<Observation> =
            (0..60).map(|at| seen((0..1_250).map(move |n| 1_000 + 20 * at + n % 7))).collect();
        let mut completed: Completed = (0..).zip(&observations).collect();
        completed.retain(|at, _| ![1, 2, 17, 30].contains(at));
        let values = Values::of(Metric::DeliveryP999, &completed).unwrap().unwrap();
        assert_eq!(values.iterations_each, 4);
        let last_of = |block: u32| (4 * block..4 * block + 4).rfind(|at| completed.contains_key(at)).unwrap();
        let expected: Vec<f64> = (0..15).map(|block| f64::from(1_006 + 20 * last_of(block))).collect();
        for (value, expected) in values.numbers().iter().zip(&expected) {
            assert!((value - expected).abs() <= expected * 0.001, "{value} for {expected}");
        }
        let curve = merge(&completed, Latency::Delivery).unwrap().typical_curve();
        for (metric, q) in
            [(Metric::DeliveryP50, 0.5), (Metric::DeliveryP99, 0.99), (Metric::DeliveryP999, 0.999)]
        {
            let drawn = curve.iter().find(|(at, _)| (at - q).abs() < 1e-9).unwrap().1;
            let table = median(&Values::of(metric, &completed).unwrap().unwrap().numbers()).unwrap();
            assert_eq!(drawn as f64, table.round(), "{metric:?}");
        }
    }
}
