//! One figure in two runs. Their iterations have nothing to do with each other, so that nothing is paired: each run is resampled
//! by itself.

use crate::figure::{Figure, ratio};
use crate::resample::{Tables, median};
use crate::{Estimate, mann_whitney};

/// How a figure differs between two independent runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Between {
    /// The ratio `after / before` of the two medians, with its 95 % interval; its `iterations` are those of the shorter run.
    pub ratio: Estimate,
    /// Two-sided p of Mann and Whitney's test; of merged samples, of the resampled ratio.
    pub p: f64,
    /// The smallest p that as many values as there are could give, however much they differed; 0 of merged samples, where there is no such
    /// bound.
    pub smallest_p: f64,
}

/// The resamples of two runs, drawn independently of each other.
pub(crate) struct TwoTables {
    pub(crate) before: Tables,
    pub(crate) after: Tables,
}

impl TwoTables {
    pub(crate) fn new(seed: u64) -> TwoTables {
        TwoTables { before: Tables::new(seed), after: Tables::new(!seed) }
    }
}

impl Between {
    /// Compares the values of two runs, one an iteration; resamples are drawn from `seed`. `None` where either run has no value,
    /// and where the ratio is no number.
    pub fn of(before: &[f64], after: &[f64], seed: u64) -> Option<Between> {
        Between::with(before, after, &TwoTables::new(seed))
    }

    pub(crate) fn with(before: &[f64], after: &[f64], tables: &TwoTables) -> Option<Between> {
        let divided = ratio(&figure(after, &tables.after)?, &figure(before, &tables.before)?);
        let ratio = divided.estimate(before.len().min(after.len()))?;
        Some(Between {
            ratio,
            p: mann_whitney::p_two_sided(before, after),
            smallest_p: mann_whitney::smallest_p(before.len(), after.len()),
        })
    }
}

/// The median of a run's values, and that of each resample of them.
fn figure(values: &[f64], tables: &Tables) -> Option<Figure> {
    let value = median(values)?;
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Some(Figure { value, resampled: tables.over(values.len()).medians(&sorted) })
}
