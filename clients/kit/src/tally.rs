//! A histogram for the hot path.

use hdrhistogram::Histogram;
use tickbench_record::{Distribution, HIGHEST_NS, new_histogram};

/// Values below this have a count each; above, each power of two is divided into half as many: an error of at most 0.1 %, as
/// HdrHistogram lays out three significant digits.
const LINEAR: u64 = 2048;
const LINEAR_BITS: u32 = LINEAR.ilog2();

/// The place of all values above [`HIGHEST_NS`]: behind that of the highest.
const BEYOND: usize = index(HIGHEST_NS) + 1;

/// The counts of an HdrHistogram without its bookkeeping: recording adds to one count and touches nothing else.
#[derive(Debug, Clone)]
pub struct Tally {
    counts: Box<[u64]>,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally::new()
    }
}

impl Tally {
    /// An empty tally of values up to [`HIGHEST_NS`].
    pub fn new() -> Tally {
        Tally { counts: vec![0; BEYOND + 1].into() }
    }

    /// Counts `ns`; what is above the highest value is counted apart.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        let place = if ns > HIGHEST_NS { BEYOND } else { index(ns) };
        self.counts[place] += 1;
    }

    /// Forgets all counts.
    pub(crate) fn reset(&mut self) {
        self.counts.fill(0);
    }

    /// Takes away what `part`, some of the same values, has counted.
    pub(crate) fn without(&self, part: &Tally) -> Tally {
        let less = |(all, part): (&u64, &u64)| all - part;
        Tally { counts: self.counts.iter().zip(&part.counts).map(less).collect() }
    }

    /// How many values were counted.
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The histogram that would have counted the same; what is beyond its range counts as the highest value.
    pub(crate) fn histogram(&self) -> Histogram<u64> {
        let mut histogram = new_histogram();
        for (index, &count) in self.counts.iter().enumerate().filter(|&(_, &count)| count > 0) {
            let value = if index == BEYOND { HIGHEST_NS } else { lowest(index) };
            histogram.record_n(value, count).expect("no value is above the highest");
        }
        histogram
    }

    /// What was counted, with how much of it was beyond the range; `None` where nothing was.
    pub fn distribution(&self) -> Option<Distribution> {
        let counted = Distribution::of(&self.histogram())?;
        Some(Distribution { beyond: self.counts[BEYOND], ..counted })
    }
}

/// The place of a value: its highest bits, behind those of all smaller powers of two.
#[inline]
const fn index(value: u64) -> usize {
    let shift = (value | (LINEAR - 1)).ilog2() + 1 - LINEAR_BITS;
    (shift as u64 * (LINEAR / 2) + (value >> shift)) as usize
}

/// The smallest value that has the place `index`.
fn lowest(index: usize) -> u64 {
    let index = index as u64;
    let shift = (index / (LINEAR / 2)).saturating_sub(1);
    (index - shift * (LINEAR / 2)) << shift
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_tally_is_the_histogram(values in proptest::collection::vec((0u32..40, any::<u64>()), 1..200)) {
            let (mut tally, mut histogram) = (Tally::new(), new_histogram());
            for value in values.into_iter().map(|(bits, value)| (value & ((1 << bits) - 1)).min(HIGHEST_NS)) {
                tally.record(value);
                histogram.record(value).unwrap();
            }
            let counted = tally.histogram();
            prop_assert_eq!(counted.len(), histogram.len());
            prop_assert_eq!((counted.min(), counted.max()), (histogram.min(), histogram.max()));
            prop_assert_eq!(counted.mean(), histogram.mean());
            for q in [0.0, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0] {
                prop_assert_eq!(counted.value_at_quantile(q), histogram.value_at_quantile(q));
            }
        }

        #[test]
        fn places_follow_values(value in 0..HIGHEST_NS) {
            prop_assert!(lowest(index(value)) <= value && value < lowest(index(value) + 1));
            prop_assert!(index(value) <= index(value + 1));
        }
    }

    #[test]
    fn what_is_beyond_the_range_is_counted_and_told_apart_from_what_is_not() {
        let distribution = |values: &[u64]| {
            let mut tally = Tally::new();
            values.iter().for_each(|&value| tally.record(value));
            tally.distribution().unwrap()
        };
        let minutes = |minutes: u64| minutes * 60_000_000_000;
        let within = distribution(&[minutes(1) + 30_000_000_000, minutes(27), HIGHEST_NS]);
        assert_eq!((within.count, within.beyond), (3, 0));
        let (least, median) = (minutes(1) + 30_000_000_000, minutes(27));
        assert!(within.min.abs_diff(least) <= least / 1000, "90 s are no 60 s");
        assert!(within.p50.abs_diff(median) <= median / 1000);
        let beyond = distribution(&[5, HIGHEST_NS + 1, u64::MAX]);
        assert_eq!((beyond.count, beyond.beyond, beyond.min), (3, 2, 5));
        assert!(beyond.p50.abs_diff(HIGHEST_NS) <= HIGHEST_NS / 1000);
    }

    #[test]
    fn what_is_taken_away_is_taken_from_what_is_beyond_too() {
        let (mut all, mut part) = (Tally::new(), Tally::new());
        [7, u64::MAX, u64::MAX].iter().for_each(|&value| all.record(value));
        part.record(u64::MAX);
        let rest = all.without(&part).distribution().unwrap();
        assert_eq!((rest.count, rest.beyond), (2, 1));
        all.reset();
        assert_eq!(all.distribution(), None);
    }
}
