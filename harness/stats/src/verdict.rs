//! What follows from a ratio and its p.

use serde::Serialize;

use crate::Estimate;

/// The chance of even one false verdict among the comparisons of a scenario.
pub const FAMILY_ERROR: f64 = 0.05;

/// What a comparison comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The server's figure is lower: the interval excludes 1, and the corrected test rejects equality at 5 %.
    /// It is not below the noise floor either.
    Lower,
    /// The server's figure is higher: the interval excludes 1, and the corrected test rejects equality at 5 %.
    /// It is not below the noise floor either.
    Higher,
    /// This run cannot tell them apart.
    NoDifference,
}

pub(crate) fn verdict(ratio: &Estimate, p: f64) -> Verdict {
    match ratio {
        _ if p >= FAMILY_ERROR => Verdict::NoDifference,
        Estimate { high, .. } if *high < 1.0 => Verdict::Lower,
        Estimate { low, .. } if *low > 1.0 => Verdict::Higher,
        _ => Verdict::NoDifference,
    }
}
