//! A histogram for the hot path.

use hdrhistogram::Histogram;
use tickbench_record::{HIGHEST_NS, new_histogram};

/// Values below this have a count each; above, each power of two is divided into half as many: an error of at most 0.1 %, as
/// HdrHistogram lays out three significant digits.
const LINEAR: u64 = 2048;
const LINEAR_BITS: u32 = LINEAR.ilog2();

/// The counts of an HdrHistogram without its bookkeeping: recording adds to one count and touches nothing else.
#[derive(Debug)]
pub(crate) struct Tally {
    counts: Box<[u64]>,
}

impl Tally {
    /// An empty tally of values up to [`HIGHEST_NS`].
    pub(crate) fn new() -> Tally {
        Tally { counts: vec![0; index(HIGHEST_NS) + 1].into() }
    }

    /// Counts `ns`; what is above the highest value counts as the highest.
    #[inline]
    pub(crate) fn record(&mut self, ns: u64) {
        self.counts[index(ns.min(HIGHEST_NS))] += 1;
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

    /// The histogram that would have counted the same.
    pub(crate) fn histogram(&self) -> Histogram<u64> {
        let mut histogram = new_histogram();
        for (index, &count) in self.counts.iter().enumerate().filter(|&(_, &count)| count > 0) {
            histogram.record_n(lowest(index), count).expect("no value is above the highest");
        }
        histogram
    }
}

/// The place of a value: its highest bits, behind those of all smaller powers of two.
#[inline]
fn index(value: u64) -> usize {
    let shift = (value | (LINEAR - 1)).ilog2() + 1 - LINEAR_BITS;
    (u64::from(shift) * (LINEAR / 2) + (value >> shift)) as usize
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
    fn what_is_too_high_counts_as_the_highest() {
        let mut tally = Tally::new();
        tally.record(u64::MAX);
        assert_eq!(tally.histogram().len(), 1);
        tally.reset();
        assert!(tally.histogram().is_empty());
    }
}
