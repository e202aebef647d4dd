//! Two series of one value an iteration, side by side.

use crate::effect::Shift;
use crate::figure::{Figure, ratio};
use crate::resample::Tables;
use crate::{Estimate, FAMILY_ERROR, effect, signed_rank};

/// How two figures differ, told from the same iterations of both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paired {
    /// How many times the other's figure `one` typically is in the same iteration: the Hodges–Lehmann shift of the log ratios, as a
    /// ratio, with the 95 % interval that goes with the signed-rank test. What an iteration does to both cancels in it.
    pub ratio: Estimate,
    /// Two-sided p of the signed-rank test on the log ratios.
    pub p: f64,
    /// The ratio of the two medians, with its 95 % bootstrap interval.
    pub ratio_of_medians: Estimate,
    /// Cliff's delta: the chance that an iteration of `one` has a larger value than one of the other, less the chance of a
    /// smaller.
    pub cliffs_delta: f64,
}

impl Paired {
    /// The fewest pairs of which the signed-rank test can call any two figures different, corrected over so many comparisons: all n
    /// differences of one sign come about with a chance of 2 / 2ⁿ.
    pub fn fewest(family: usize) -> usize {
        (2.0 * family.max(1) as f64 / FAMILY_ERROR).log2().floor() as usize + 1
    }

    /// Compares `one` with `other`, entry by entry; resamples are drawn from `seed`. `None` of no values, and where a value is not
    /// above 0.
    ///
    /// # Panics
    /// Where the two differ in length.
    pub fn of(one: &[f64], other: &[f64], seed: u64) -> Option<Paired> {
        assert_eq!(one.len(), other.len(), "one value of each in each iteration");
        let tables = Tables::new(seed);
        Paired::with((one, &Figure::paired(one, &tables)?), (other, &Figure::paired(other, &tables)?))
    }

    /// The same of two series whose medians were resampled together.
    pub(crate) fn with(
        (one, of_one): (&[f64], &Figure),
        (other, of_other): (&[f64], &Figure),
    ) -> Option<Paired> {
        let differences: Vec<f64> = one.iter().zip(other).map(|(one, other)| one.ln() - other.ln()).collect();
        // A value of 0 has no logarithm.
        differences.iter().all(|difference| difference.is_finite()).then_some(())?;
        let Shift { estimate, low, high } = effect::hodges_lehmann(&differences)?;
        let [estimate, low, high] = [estimate, low, high].map(f64::exp);
        Some(Paired {
            ratio: Estimate { estimate, low, high, iterations: one.len() },
            p: signed_rank::p_two_sided(&differences),
            ratio_of_medians: ratio(of_one, of_other).estimate(one.len())?,
            cliffs_delta: effect::cliffs_delta(one, other)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Paired;

    #[test]
    #[should_panic(expected = "one value of each in each iteration")]
    fn series_of_different_lengths_are_no_pairs() {
        Paired::of(&[1.0, 2.0], &[1.0, 2.0, 3.0], 1);
    }
}
