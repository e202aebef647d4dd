//! A cell with what it takes to compare it with another.

use std::collections::BTreeMap;

use crate::executions::Executions;
use crate::figure::Figure;
use crate::values::Values;
use crate::{CellSummary, Metric};

/// A cell with all that comparing it needs.
pub(crate) struct ComparedCell<'a> {
    pub(crate) executions: &'a Executions<'a>,
    pub(crate) cell: &'a CellSummary,
    /// The quantiles that single iterations do not tell, as the summary made them over all of the cell's iterations.
    pub(crate) tails: &'a BTreeMap<Metric, Tail>,
}

/// A quantile for which single iterations hold too few samples.
pub(crate) enum Tail {
    /// Told by blocks of iterations.
    Blocks(Values),
    /// Told by all iterations merged.
    Merged(Figure),
}

impl Tail {
    pub(crate) fn blocks(&self) -> Option<&Values> {
        match self {
            Tail::Blocks(values) => Some(values),
            Tail::Merged(_) => None,
        }
    }
}
