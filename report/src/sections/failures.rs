//! What did not go well: failed executions, lost and reordered messages, what was never run.

use serde::Serialize;
use tickbench_record::Cell;

use super::name;
use crate::run::Run;
use crate::table::{Table, escaped};
use crate::units::{count, range};

/// The section on failures.
#[derive(Debug, Serialize)]
pub(crate) struct Failures {
    /// How many executions completed, of how many.
    summary: String,
    /// Cells with failures.
    failed: String,
    /// Cells that lost, reordered or misdated messages, or had latencies beyond the range.
    messages: String,
    /// Servers that were not measured, and why.
    skipped: Vec<String>,
    /// Cells of the study without a single execution.
    never: Vec<String>,
}

pub(crate) fn section(run: &Run) -> Failures {
    let cells = &run.summary.cells;
    let completed: usize = cells.iter().map(|cell| cell.completed).sum();
    let failed: usize = cells.iter().flat_map(|cell| &cell.failures).map(|failure| failure.count).sum();
    let never = never_run(run);
    let planned = (cells.len() + never.len()) * run.summary.iterations as usize;
    let missing = planned.saturating_sub(completed + failed);
    let number = |number: usize| count(number as u64);
    let mut summary = match failed {
        0 => format!("All {} executions that were made completed.", number(completed)),
        failed => format!("{} of {} executions failed.", number(failed), number(completed + failed)),
    };
    if missing > 0 {
        summary += &format!(
            " {} of the {} that the study plans were not made: the run ended early, or a server cannot do what is asked.",
            number(missing),
            number(planned)
        );
    }
    let skipped = &run.environment.skipped;
    Failures {
        summary,
        failed: failed_cells(run).markdown(),
        messages: messages(run).markdown(),
        skipped: skipped
            .iter()
            .map(|one| format!("{}: {}", escaped(&one.name), escaped(&one.reason)))
            .collect(),
        never: never.iter().map(|cell| format!("{}: {}", escaped(&cell.server), cell.question())).collect(),
    }
}

fn failed_cells(run: &Run) -> Table {
    let mut table = Table::new(["cell", "failed", "of", "why"]).texts(4);
    for cell in &run.summary.cells {
        let failed: usize = cell.failures.iter().map(|failure| failure.count).sum();
        for failure in &cell.failures {
            table.push(vec![
                format!("{}: {}", name(run, &cell.cell.server), run.label(&cell.cell)),
                count(failure.count as u64),
                count((cell.completed + failed) as u64),
                escaped(&failure.reason),
            ]);
        }
    }
    table
}

fn messages(run: &Run) -> Table {
    let beyond = format!("beyond {}", range());
    let headings = ["cell", "received", "lost", "reordered", "negative latency"].map(String::from);
    let mut table = Table::new(headings.into_iter().chain([beyond]));
    for cell in &run.summary.cells {
        if cell.lost + cell.reordered + cell.negative + cell.beyond > 0 {
            table.push(vec![
                format!("{}: {}", name(run, &cell.cell.server), run.label(&cell.cell)),
                count(cell.received),
                count(cell.lost),
                count(cell.reordered),
                count(cell.negative),
                count(cell.beyond),
            ]);
        }
    }
    table
}

/// The cells that the study asks of the servers at hand and that have no execution.
fn never_run(run: &Run) -> Vec<Cell> {
    let built: Vec<String> = run.environment.servers.iter().map(|server| server.name.clone()).collect();
    let has_run = |cell: &Cell| run.summary.cells.iter().any(|summed| summed.cell == *cell);
    run.study.cells(&built, |cell| !has_run(cell))
}
