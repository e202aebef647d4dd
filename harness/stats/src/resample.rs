//! The bootstrap over iterations: percentile intervals from resamples with replacement (Efron and Tibshirani: "An
//! Introduction to the Bootstrap", chapter 13).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::random::SplitMix64;

/// Resamples behind every interval.
pub(crate) const RESAMPLES: usize = 2_000;

/// How often each of `iterations` comes up in each resample. One table serves every figure that rests on as many
/// iterations, so that paired figures are resampled together.
pub(crate) struct Resamples {
    iterations: usize,
    counts: Vec<u32>,
    /// For each resample, which two of the sorted values its median is the mean of. Read with places in the sorted order in
    /// place of iterations, a row of counts is a resample just as well, so that the walk to its middle is done once for all
    /// figures.
    middles: Vec<(usize, usize)>,
}

impl Resamples {
    fn new(iterations: usize, seed: u64) -> Resamples {
        let mut random = SplitMix64::new(seed ^ iterations as u64);
        let mut counts = vec![0; iterations * RESAMPLES];
        for row in counts.chunks_exact_mut(iterations) {
            (0..iterations).for_each(|_| row[random.below(iterations)] += 1);
        }
        let in_order: Vec<usize> = (0..iterations).collect();
        let middles = counts.chunks_exact(iterations).map(|row| middle(row, &in_order)).collect();
        Resamples { iterations, counts, middles }
    }

    /// One row of counts a resample; a row adds up to the number of iterations.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[u32]> {
        self.counts.chunks_exact(self.iterations)
    }

    /// The median of `values`, one an iteration, in each resample of the iterations: for figures that are set against
    /// others of the same iterations.
    pub(crate) fn paired_medians(&self, values: &[f64]) -> Vec<f64> {
        assert_eq!(values.len(), self.iterations, "one value for each iteration");
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
        let median = |row: &[u32]| {
            let (lower, upper) = middle(row, &order);
            (values[lower] + values[upper]) / 2.0
        };
        self.rows().map(median).collect()
    }

    /// The median of sorted values, one an iteration, in each resample: for a figure that stands alone.
    pub(crate) fn medians(&self, sorted: &[f64]) -> Vec<f64> {
        self.middles.iter().map(|&(lower, upper)| (sorted[lower] + sorted[upper]) / 2.0).collect()
    }
}

/// The two entries between which the median of a resample lies: `row` counts the entries, `order` sorts them.
fn middle(row: &[u32], order: &[usize]) -> (usize, usize) {
    let (below_lower, below_upper) = (((row.len() - 1) / 2) as u32, (row.len() / 2) as u32);
    let (mut passed, mut lower) = (0, None);
    for &at in order {
        passed += row[at];
        if lower.is_none() && passed > below_lower {
            lower = Some(at);
        }
        if let (Some(lower), true) = (lower, passed > below_upper) {
            return (lower, at);
        }
    }
    unreachable!("a row adds up to the number of iterations")
}

/// The tables of one summary, made when first asked for.
pub(crate) struct Tables {
    seed: u64,
    made: Mutex<BTreeMap<usize, Arc<Resamples>>>,
}

impl Tables {
    pub(crate) fn new(seed: u64) -> Tables {
        Tables { seed, made: Mutex::default() }
    }

    /// The table for figures that rest on so many iterations, at least one.
    pub(crate) fn over(&self, iterations: usize) -> Arc<Resamples> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || Arc::new(Resamples::new(iterations, self.seed));
        Arc::clone(made.entry(iterations).or_insert_with(make))
    }
}

/// The median; `None` of nothing.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2)?;
    Some((sorted[(sorted.len() - 1) / 2] + upper) / 2.0)
}

/// The median of values that nobody needs afterwards: found by selection, in linear time. `None` of nothing.
pub(crate) fn median_of(mut values: Vec<f64>) -> Option<f64> {
    let (upper_at, is_even) = (values.len() / 2, values.len().is_multiple_of(2));
    if values.is_empty() {
        return None;
    }
    let (below, upper, _) = values.select_nth_unstable_by(upper_at, f64::total_cmp);
    let lower = if is_even { below.iter().copied().max_by(f64::total_cmp)? } else { *upper };
    Some((lower + *upper) / 2.0)
}

/// The ends of the 95 % percentile interval of resampled figures; `None` of nothing.
pub(crate) fn interval(mut resampled: Vec<f64>) -> Option<(f64, f64)> {
    let beyond = (resampled.len() as f64 * 0.025) as usize;
    let last = resampled.len().checked_sub(1)?;
    let low = *resampled.select_nth_unstable_by(beyond, f64::total_cmp).1;
    let high = *resampled.select_nth_unstable_by(last - beyond, f64::total_cmp).1;
    Some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slow way to the same: expand each row into the values drawn, and sort them.
    #[test]
    fn resampled_medians_equal_those_of_the_expanded_resamples() {
        for values in [vec![5.0, 1.0, 4.0, 1.0, 3.0], vec![2.0, 9.0, 4.0, 7.0], vec![3.0]] {
            let resamples = Resamples::new(values.len(), 11);
            let expanded: Vec<f64> = resamples
                .rows()
                .map(|row| {
                    let drawn: Vec<f64> = row
                        .iter()
                        .zip(&values)
                        .flat_map(|(&times, &value)| std::iter::repeat_n(value, times as usize))
                        .collect();
                    assert_eq!(drawn.len(), values.len());
                    median(&drawn).unwrap()
                })
                .collect();
            assert_eq!(resamples.paired_medians(&values), expanded);
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            assert_eq!(resamples.medians(&sorted), resamples.paired_medians(&sorted));
        }
    }

    /// Of 400 simulated studies of 60 iterations, some 95 % hold the true median in their interval.
    #[test]
    fn intervals_cover_the_truth_as_often_as_they_say() {
        let mut random = SplitMix64::new(5);
        let mut uniform = || (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let resamples = Resamples::new(60, 3);
        let covered = (0..400)
            .filter(|_| {
                // Exponential values: skewed as latencies are, with the median ln 2.
                let values: Vec<f64> = (0..60).map(|_| -(1.0 - uniform()).ln()).collect();
                let (low, high) = interval(resamples.paired_medians(&values)).unwrap();
                (low..=high).contains(&std::f64::consts::LN_2)
            })
            .count();
        assert!((368..=392).contains(&covered), "{covered} of 400");
    }

    #[test]
    fn a_selected_median_is_that_of_the_sorted_values() {
        for values in
            [vec![], vec![3.0], vec![2.0, 1.0], vec![5.0, 1.0, 4.0, 1.0, 3.0], vec![2.0, 9.0, 4.0, 7.0]]
        {
            assert_eq!(median_of(values.clone()), median(&values), "{values:?}");
        }
    }

    #[test]
    fn the_interval_leaves_one_in_forty_on_either_side() {
        assert_eq!(interval((0..2000).rev().map(f64::from).collect()), Some((50.0, 1949.0)));
        assert_eq!(interval(vec![7.0]), Some((7.0, 7.0)));
        assert_eq!(interval(vec![]), None);
    }

    #[test]
    fn equal_seeds_give_equal_resamples() {
        assert_eq!(Resamples::new(9, 1).counts, Resamples::new(9, 1).counts);
        assert_ne!(Resamples::new(9, 1).counts, Resamples::new(9, 2).counts);
    }
}
