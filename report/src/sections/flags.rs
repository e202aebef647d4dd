//! Marks of rows that stand although more than one in twenty of their executions fell short of what was asked.

use tickbench_stats::{Audit, CellSummary, FailedCount, Ruling};

use super::name;
use crate::run::Run;
use crate::table::Table;

/// The name of a row's server, with its marks.
pub(crate) fn row_name(run: &Run, table: &mut Table, cell: &CellSummary) -> String {
    format!("{}{}", name(run, &cell.cell.server), flags(table, cell))
}

/// The marks alone, with a blank before each.
pub(crate) fn flags(table: &mut Table, cell: &CellSummary) -> String {
    let marks = [Ruling::Undecided, Ruling::ClientBound, Ruling::Noisy];
    let marks = marks.into_iter().filter_map(|ruling| Some((ruling, cell.ruled(ruling)?)));
    marks.map(|(ruling, audit)| flag(table, ruling, audit)).collect()
}

fn flag(table: &mut Table, ruling: Ruling, audit: &Audit) -> String {
    let failed: FailedCount = audit.executions.unwrap_or_default();
    let of = failed.of;
    let (word, note) = match ruling {
        Ruling::Undecided => (
            "undecided",
            format!(
                "undecided: {} of {of} executions fell short of what was asked, and nobody can tell why; compared with nothing (see Audits)",
                failed.server + failed.undecided
            ),
        ),
        Ruling::ClientBound => (
            "client-bound",
            format!(
                "client-bound: in {} of {of} executions the client did not keep its own schedule; compared with nothing (see Audits)",
                failed.client
            ),
        ),
        _ => (
            "noisy",
            format!(
                "noisy: {} of {of} executions fell short for no longer than the machine kept a core from them; they are in the figures \
                 (see Audits)",
                failed.machine
            ),
        ),
    };
    format!(" **{word}** {}", table.mark(note))
}
