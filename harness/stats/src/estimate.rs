//! A figure with its interval.

use serde::Serialize;

/// A value with the interval in which it lies with 95 % confidence: bootstrapped over iterations, but for the ratio of a [`Comparison`](crate::Comparison).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The value: the median over iterations, or over blocks of them ([`CellSummary::blocks`](crate::CellSummary::blocks)), or the quantile of all iterations'
    /// samples merged ([`CellSummary::merged`](crate::CellSummary::merged)); a [`Comparison`](crate::Comparison) says what its ratio is.
    pub estimate: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// How many iterations it rests on; where it is told by blocks of iterations ([`CellSummary::blocks`](crate::CellSummary::blocks)), how many blocks.
    pub iterations: usize,
}

impl Estimate {
    /// The same of a ratio turned upside down.
    pub fn inverse(self) -> Estimate {
        let Estimate { estimate, low, high, iterations } = self;
        Estimate { estimate: 1.0 / estimate, low: 1.0 / high, high: 1.0 / low, iterations }
    }
}
