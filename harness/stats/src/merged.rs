//! The samples of several iterations as one histogram, weighted anew for each resample of the iterations.

use std::collections::BTreeMap;

use tickbench_record::{Bucket, Distribution, DistributionError, samples_needed};

use crate::blocks::{Division, LEAST_BLOCKS};
use crate::resample::{Resamples, median};

/// Resamples behind the interval of a merged quantile. Each walks a tail, and 500 place the ends of an interval to within a
/// few hundredths of its width (Efron and Tibshirani, chapter 13, on how many).
pub(crate) const MERGED_RESAMPLES: usize = 500;

/// Histograms of one figure over the iterations of a cell, merged and still apart: each bucket knows its iteration.
pub(crate) struct Merged {
    /// The filled buckets of all iterations, the largest value first: quantiles of a tail need only the front.
    shares: Vec<Share>,
    /// In the order of their numbers.
    iterations: Vec<Iteration>,
}

/// One of the iterations that were merged.
#[derive(Clone, Copy)]
struct Iteration {
    number: u32,
    samples: u64,
}

/// What one iteration has in a bucket.
#[derive(Clone, Copy)]
struct Share {
    /// The highest value that the histogram does not tell from those in the bucket.
    value: u64,
    /// Its place among those that were merged.
    iteration: usize,
    count: u64,
}

impl Merged {
    /// Merges one distribution an iteration, in the order of their numbers; an iteration without samples has none.
    pub(crate) fn of<'a>(
        distributions: impl Iterator<Item = (u32, Option<&'a Distribution>)>,
    ) -> Result<Merged, DistributionError> {
        let (mut iterations, mut buckets) = (Vec::new(), Vec::new());
        for (number, distribution) in distributions {
            let of_one = distribution.map_or_else(|| Ok(Vec::new()), Distribution::buckets)?;
            iterations.push(Iteration { number, samples: of_one.iter().map(|bucket| bucket.count).sum() });
            buckets.push(of_one);
        }
        Ok(Merged { shares: largest_first(&buckets), iterations })
    }

    /// All samples.
    pub(crate) fn count(&self) -> u64 {
        self.iterations.iter().map(|iteration| iteration.samples).sum()
    }

    /// Samples where each iteration counts so many times.
    pub(crate) fn weighted_count(&self, weight: impl Fn(usize) -> u64) -> u64 {
        self.iterations.iter().enumerate().map(|(at, iteration)| weight(at) * iteration.samples).sum()
    }

    /// The quantile of all samples, or `None` where they are too few for it.
    pub(crate) fn quantile(&self, q: f64) -> Option<u64> {
        let enough = self.count() >= samples_needed(q);
        if enough { self.weighted_quantile(q, |_| 1) } else { None }
    }

    /// The quantile in each of the first [`MERGED_RESAMPLES`] resamples of the iterations; `None` where so many iterations are empty that a resample is.
    pub(crate) fn quantiles(&self, q: f64, resamples: &Resamples) -> Option<Vec<f64>> {
        let quantile = |row: &[u32]| self.weighted_quantile(q, |iteration| u64::from(row[iteration]));
        resamples.rows().take(MERGED_RESAMPLES).map(|row| Some(quantile(row)? as f64)).collect()
    }

    /// `(quantile, value)` along the curve of all samples, evenly over log 1/(1 − q), as far as the samples reach.
    pub(crate) fn curve(&self) -> Vec<(f64, u64)> {
        const POINTS_A_DECADE: u32 = 20;
        let along = (0..).map(|point| 1.0 - 10f64.powf(-f64::from(point) / f64::from(POINTS_A_DECADE)));
        let total = self.count();
        let mut quantiles: Vec<f64> = along.take_while(|&q| samples_needed(q) <= total).collect();
        if samples_needed(0.5) <= total {
            quantiles.push(0.5);
        }
        quantiles.sort_by(f64::total_cmp);
        let (mut curve, mut passed) = (Vec::with_capacity(quantiles.len()), 0);
        let mut shares = self.shares.iter().rev();
        let mut share = shares.next();
        for q in quantiles {
            let rank = rank(q, total);
            while let Some(Share { count, .. }) = share.filter(|share| passed + share.count < rank) {
                passed += count;
                share = shares.next();
            }
            curve.extend(share.map(|share| (q, share.value)));
        }
        curve
    }

    /// The same of the typical iteration: at each quantile the median over iterations or blocks of them, as a table has it, and no
    /// further out than there are blocks enough. Of too few iterations for any blocks it is the curve of all samples.
    pub(crate) fn typical_curve(&self) -> Vec<(f64, u64)> {
        let all = self.curve();
        let counts: Vec<u64> = self.iterations.iter().map(|iteration| iteration.samples).collect();
        let divided: Vec<(f64, Division)> =
            all.iter().map_while(|&(q, _)| Some((q, Division::of(q, &counts)?))).collect();
        if counts.len() < LEAST_BLOCKS || divided.is_empty() {
            return all;
        }
        let alike = divided.chunk_by(|(_, one), (_, other)| one == other);
        let of = |chunk: &[(f64, Division)]| {
            let quantiles: Vec<f64> = chunk.iter().map(|(q, _)| *q).collect();
            let values = self.in_places(chunk[0].1, &quantiles);
            let medians = values.iter().map(|values| median(&values.values().copied().collect::<Vec<_>>()));
            let typical = medians.map(|value| value.map(|value| value.round() as u64));
            quantiles.iter().zip(typical).filter_map(|(&q, value)| Some((q, value?))).collect::<Vec<_>>()
        };
        alike.flat_map(of).collect()
    }

    /// Of each of these quantiles, which rise, its values by place.
    pub(crate) fn in_places(&self, division: Division, quantiles: &[f64]) -> Vec<BTreeMap<u32, f64>> {
        // Each place with its samples, and where in that list the place of each iteration is.
        let (mut places, mut place_of) =
            (Vec::<(u32, u64)>::new(), Vec::with_capacity(self.iterations.len()));
        for &Iteration { number, samples } in &self.iterations {
            let place = division.place(number);
            match places.last_mut().filter(|(last, _)| *last == place) {
                Some((_, total)) => *total += samples,
                None => places.push((place, samples)),
            }
            place_of.push(places.len() - 1);
        }
        let mut values = vec![BTreeMap::new(); quantiles.len()];
        // From the largest value down: a tail needs only the front.
        let (mut passed, mut left) = (vec![0; places.len()], vec![quantiles.len(); places.len()]);
        let mut unfinished = places.iter().filter(|(_, total)| *total > 0).count();
        for share in &self.shares {
            let at = place_of[share.iteration];
            let (place, total) = places[at];
            passed[at] += share.count;
            while let Some(next) = left[at].checked_sub(1)
                && passed[at] > total - rank(quantiles[next], total)
            {
                if division.has_enough(quantiles[next], total) {
                    values[next].insert(place, share.value as f64);
                }
                left[at] = next;
                unfinished -= usize::from(next == 0);
            }
            if unfinished == 0 {
                break;
            }
        }
        values
    }

    /// The quantile where each iteration counts so many times.
    pub(crate) fn weighted_quantile(&self, q: f64, weight: impl Fn(usize) -> u64) -> Option<u64> {
        let total = self.weighted_count(&weight);
        let above = total.checked_sub(rank(q, total))?;
        let mut passed = 0;
        let reached = self.shares.iter().find(|share| {
            passed += weight(share.iteration) * share.count;
            passed > above
        })?;
        Some(reached.value)
    }
}

/// All buckets of all iterations by their value, the largest first: sorted by counting, since histograms of three digits know
/// but few values.
fn largest_first(buckets: &[Vec<Bucket>]) -> Vec<Share> {
    let largest = buckets.iter().flatten().map(|bucket| bucket.value).max();
    let mut ends: Vec<usize> = vec![0; largest.map_or(0, |value| place(value) + 1)];
    buckets.iter().flatten().for_each(|bucket| ends[place(bucket.value)] += 1);
    let mut passed = 0;
    for end in ends.iter_mut().rev() {
        passed += *end;
        *end = passed;
    }
    let mut shares = vec![Share { value: 0, iteration: 0, count: 0 }; passed];
    for (iteration, buckets) in buckets.iter().enumerate() {
        for &Bucket { value, count } in buckets {
            let end = &mut ends[place(value)];
            *end -= 1;
            shares[*end] = Share { value, iteration, count };
        }
    }
    // Of finer histograms, values that differ may share a place.
    if !shares.is_sorted_by(|one, next| one.value >= next.value) {
        shares.sort_by_key(|share| std::cmp::Reverse(share.value));
    }
    shares
}

/// A number that grows with the value and tells apart what differs in its first eleven binary digits.
fn place(value: u64) -> usize {
    let shift = (64 - value.leading_zeros()).saturating_sub(11);
    shift as usize * 1024 + (value >> shift) as usize
}

/// Which of so many samples, the smallest being 1, is the quantile: the same as HdrHistogram's.
fn rank(q: f64, total: u64) -> u64 {
    ((q * total as f64).ceil() as u64).max(1)
}

#[cfg(test)]
mod tests {
    use tickbench_record::new_histogram;

    use super::*;
    use crate::random::SplitMix64;

    fn samples(iterations: usize, each: usize) -> Vec<Vec<u64>> {
        let mut random = SplitMix64::new(2);
        let mut value =
            || 1_000 + random.next_u64() % 1_000 + random.next_u64() % 50 * (random.next_u64() % 900);
        (0..iterations).map(|_| (0..each).map(|_| value()).collect()).collect()
    }

    fn distributions(samples: &[Vec<u64>]) -> Vec<Distribution> {
        let distribution = |values: &Vec<u64>| {
            let mut histogram = new_histogram();
            values.iter().for_each(|&value| histogram += value);
            Distribution::of(&histogram).unwrap()
        };
        samples.iter().map(distribution).collect()
    }

    fn merged(distributions: &[Distribution]) -> Merged {
        Merged::of((0..).zip(distributions.iter().map(Some))).unwrap()
    }

    #[test]
    fn merged_quantiles_are_those_of_all_values_sorted() {
        let samples = samples(7, 3_000);
        let merged = merged(&distributions(&samples));
        let mut sorted: Vec<u64> = samples.concat();
        sorted.sort_unstable();
        assert_eq!(merged.count(), 21_000);
        for q in [0.0f64, 0.5, 0.9, 0.99, 0.999] {
            let exact = sorted[((q * 21_000.0).ceil() as usize).max(1) - 1];
            let ns = merged.quantile(q).unwrap();
            assert!(ns >= exact && ns as f64 <= exact as f64 * 1.001, "{q}: {ns} for {exact}");
        }
        assert_eq!(merged.quantile(0.9999), None, "21,000 samples are too few for p99.99");
    }

    #[test]
    fn a_typical_curve_is_that_of_blocks_sorted_and_one_bad_iteration_is_not_its_tail() {
        let (iterations, each) = (40, 1_000);
        let mut samples = samples(iterations, each);
        samples[7] = vec![50_000_000; each];
        let merged = merged(&distributions(&samples));
        let (all, typical) = (merged.curve(), merged.typical_curve());
        let furthest = typical.last().unwrap().0;
        assert!(furthest < all.last().unwrap().0, "four thousand samples a block, and ten blocks");
        for &(q, ns) in &typical {
            let length = (5.0 / (1.0 - q) / each as f64).ceil().max(1.0) as usize;
            // The last block may hold too little.
            let blocks = samples.chunks(length).filter(|block| 2 * block.len() >= length).map(|block| {
                let mut sorted = block.concat();
                sorted.sort_unstable();
                sorted[((q * sorted.len() as f64).ceil() as usize).max(1) - 1] as f64
            });
            let exact = median(&blocks.collect::<Vec<f64>>()).unwrap();
            assert!((ns as f64 - exact).abs() <= exact * 0.002, "{q}: {ns} for {exact}");
        }
        assert_eq!(all.iter().find(|(q, _)| *q > 0.99).unwrap().1 / 1_000_000, 50);
        assert!(typical.iter().all(|(_, ns)| *ns < 50_000));
    }

    #[test]
    fn of_few_iterations_there_is_no_typical_one() {
        let merged = merged(&distributions(&samples(9, 500)));
        assert_eq!(merged.typical_curve(), merged.curve());
    }

    #[test]
    fn merged_and_weighted_quantiles_are_those_of_added_histograms() {
        let (samples, weights) = (samples(5, 2_000), [2u32, 0, 1, 0, 2]);
        let distributions = distributions(&samples);
        let merged = merged(&distributions);
        let mut added = new_histogram();
        for (distribution, &times) in distributions.iter().zip(&weights) {
            (0..times).for_each(|_| added.add(distribution.histogram().unwrap()).unwrap());
        }
        for q in [0.1, 0.5, 0.9, 0.99, 0.999] {
            let weighted = merged.weighted_quantile(q, |at| u64::from(weights[at]));
            assert_eq!(weighted, Some(added.value_at_quantile(q)), "{q}");
        }
    }

    #[test]
    fn places_grow_with_the_value() {
        let values: Vec<u64> =
            (0..64).flat_map(|bits| [(1u64 << bits) - 1, 1 << bits, 3 << (bits / 2)]).collect();
        for (one, other) in values.iter().flat_map(|one| values.iter().map(move |other| (*one, *other))) {
            assert!(one > other || place(one) <= place(other), "{one} {other}");
        }
        assert!(place(1023) < place(1024) && place(2047) < place(2048));
        assert!(place(u64::MAX) < 1 << 16, "few enough to count in an array");
    }

    #[test]
    fn the_curve_ends_where_ten_samples_are_left() {
        let samples = samples(4, 2_500);
        let curve = merged(&distributions(&samples)).curve();
        assert_eq!(curve.first().unwrap().0, 0.0);
        assert!((curve.last().unwrap().0 - 0.999).abs() < 1e-12, "10,000 samples reach p99.9");
        assert!(curve.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
    }

    #[test]
    fn nothing_has_no_quantile() {
        let empty = Merged::of([(0, None), (1, None)].into_iter()).unwrap();
        assert_eq!((empty.count(), empty.weighted_quantile(0.5, |_| 1)), (0, None));
        assert!(empty.curve().is_empty());
    }
}
