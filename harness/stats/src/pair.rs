//! Two series of one value an iteration, side by side.

use crate::compare::ratio;
use crate::figure::Figure;
use crate::resample::{Tables, median};
use crate::{Estimate, signed_rank};

/// How two figures differ, told from the same iterations of both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paired {
    /// The ratio of the two medians, with its 95 % interval.
    pub ratio: Estimate,
    /// Two-sided p of the signed-rank test on the log ratios.
    pub p: f64,
}

impl Paired {
    /// Compares `one` with `other`, entry by entry; resamples are drawn from `seed`. `None` of no values, and where a value is not
    /// above 0.
    ///
    /// # Panics
    /// Where the two differ in length.
    pub fn of(one: &[f64], other: &[f64], seed: u64) -> Option<Paired> {
        Paired::with(one, other, &Tables::new(seed))
    }

    pub(crate) fn with(one: &[f64], other: &[f64], tables: &Tables) -> Option<Paired> {
        assert_eq!(one.len(), other.len(), "one value of each in each iteration");
        if one.is_empty() {
            return None;
        }
        let resamples = tables.over(one.len());
        let figure = |values: &[f64]| {
            Some(Figure { value: median(values)?, resampled: resamples.paired_medians(values) })
        };
        let ratio = ratio(&figure(one)?, &figure(other)?).estimate(one.len())?;
        let differences: Vec<f64> = one.iter().zip(other).map(|(one, other)| one.ln() - other.ln()).collect();
        Some(Paired { ratio, p: signed_rank::p_two_sided(&differences) })
    }
}
