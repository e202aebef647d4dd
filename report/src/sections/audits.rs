//! What was checked of each row before its figures were believed.

use serde::Serialize;
use tickbench_stats::{Audit, CellSummary, Check};

use super::name;
use crate::run::Run;
use crate::table::Table;
use crate::units::{count, list};

/// Cells whose drift is named; all are in `summary.json`.
const DRIFTS_NAMED: usize = 3;

/// The section on audits.
#[derive(Debug, Serialize)]
pub(crate) struct Audits {
    /// How many rows were audited, and how many held.
    summary: String,
    /// The rows that failed.
    failed: String,
    /// Which figures drifted.
    drifts: Option<String>,
}

pub(crate) fn section(run: &Run) -> Audits {
    let audited: Vec<&CellSummary> =
        run.summary.cells.iter().filter(|cell| !cell.audits.is_empty()).collect();
    let failed = audited.iter().filter(|cell| !cell.is_sound()).count();
    let rows = count(audited.len() as u64);
    let summary = match (audited.len(), failed) {
        (0, _) => "No row completed an iteration, so there was nothing to audit.".into(),
        (_, 0) => format!("All {rows} rows held every audit."),
        (_, failed) => format!(
            "{} of {rows} rows failed an audit. Such a row is shown as failed, not as a number, and is compared with nobody.",
            count(failed as u64)
        ),
    };
    Audits { summary, failed: failures(run, &audited).markdown(), drifts: drifts(run, &audited) }
}

fn failures(run: &Run, audited: &[&CellSummary]) -> Table {
    let mut table = Table::new(["row", "what failed", "seen"]).texts(3);
    for cell in audited {
        for audit in cell.failed_audits() {
            let (what, seen) = words(audit);
            table.push(vec![row(run, cell), what.into(), seen]);
        }
    }
    table
}

fn row(run: &Run, cell: &CellSummary) -> String {
    format!("{}: {}", name(run, &cell.cell.server), run.label(&cell.cell))
}

fn drifts(run: &Run, audited: &[&CellSummary]) -> Option<String> {
    let mut drifting: Vec<(f64, String)> = audited
        .iter()
        .filter_map(|cell| Some((cell.drift()?, format!("{} ({})", cell.cell.server, run.label(&cell.cell)))))
        .collect();
    drifting.sort_by(|(a, _), (b, _)| b.abs().total_cmp(&a.abs()));
    let named: Vec<String> = drifting
        .iter()
        .take(DRIFTS_NAMED)
        .map(|(drift, row)| format!("{row} by {:+.1} %", drift * 100.0))
        .collect();
    let named = list(&named.iter().map(String::as_str).collect::<Vec<_>>());
    let all = count(audited.len() as u64);
    (!drifting.is_empty()).then(|| {
        format!(
            "**Drift.** The deciding figure of {} of {all} rows drifted over the run, {}{named}. That fails no row: cells take \
             turns, so a drift of the machine hits those that are compared alike. It is why figures of different hours are not \
             compared.",
            count(drifting.len() as u64),
            if drifting.len() > DRIFTS_NAMED { "most of all " } else { "" },
        )
    })
}

/// What an audit looks at, and what it saw.
pub(crate) fn words(audit: &Audit) -> (&'static str, String) {
    let whole = || count(audit.figure as u64);
    match audit.check {
        Check::Counts => ("sent = received + lost", format!("untrue in {} iterations", whole())),
        Check::LittlesLaw => (
            "Little's law: connections = throughput × mean round trip, within 2 %",
            format!("{:.3} times the connections", audit.figure),
        ),
        Check::Schedule => {
            ("schedule kept, within 1 %", format!("{:.1} % of the rate that was asked", audit.figure * 100.0))
        }
        Check::Publisher => (
            "the client published on time: at most 5 % late by the gap between two messages, and by 1 ms",
            format!("{:.1} % of the messages were", audit.figure * 100.0),
        ),
        Check::Clock => {
            ("one clock on both cores", format!("{} times earlier than what came before", whole()))
        }
        Check::Stages => (
            "stages add up to the response, each message in the kernel between sending and reading",
            format!("untrue {} times", whole()),
        ),
        Check::Stationarity => ("no drift", format!("{:+.1} % over the run", audit.figure * 100.0)),
    }
}
