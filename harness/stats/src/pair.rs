//! Two series of one value an iteration, side by side.

use crate::compare::ratio;
use crate::figure::Figure;
use crate::resample::Tables;
use crate::{Estimate, effect, signed_rank};

/// How two figures differ, told from the same iterations of both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paired {
    /// The ratio of the two medians, with its 95 % interval.
    pub ratio: Estimate,
    /// Two-sided p of the signed-rank test on the log ratios.
    pub p: f64,
    /// The Hodges–Lehmann shift of the log ratios, as a ratio: how many times the other's figure `one` typically is in the same
    /// iteration.
    pub shift: f64,
    /// Cliff's delta: the chance that an iteration of `one` has a larger value than one of the other, less the chance of a
    /// smaller.
    pub cliffs_delta: f64,
}

impl Paired {
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
        let shift = effect::hodges_lehmann(&differences)?.exp();
        Some(Paired {
            ratio: ratio(of_one, of_other).estimate(one.len())?,
            p: signed_rank::p_two_sided(&differences),
            shift: Some(shift).filter(|shift| shift.is_finite())?,
            cliffs_delta: effect::cliffs_delta(one, other)?,
        })
    }
}
