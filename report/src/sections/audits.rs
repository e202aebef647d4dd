//! What was checked of each row and each execution before the figures were believed.

use serde::Serialize;
use tickbench_record::ScenarioKind;
use tickbench_stats::{Audit, CellSummary, Check, FailedCount, FailedExecution, Ruling};

use super::name;
use crate::run::Run;
use crate::table::Table;
use crate::units::{count, list, number};

/// Cells whose drift is named; all are in `summary.json`.
const DRIFTS_NAMED: usize = 3;

/// The section on audits.
#[derive(Debug, Serialize)]
pub(crate) struct Audits {
    /// How many rows were audited, and how many held.
    summary: String,
    /// The rows that failed.
    failed: String,
    /// The rows of which executions failed, and whose fault that is.
    executions: String,
    /// Which figures drifted.
    drifts: Option<String>,
}

pub(crate) fn section(run: &Run) -> Audits {
    let audited: Vec<&CellSummary> =
        run.summary.cells.iter().filter(|cell| !cell.audits.is_empty()).collect();
    Audits {
        summary: summary(&audited),
        failed: failures(run, &audited).markdown(),
        executions: executions(run, &audited).markdown(),
        drifts: drifts(run, &audited),
    }
}

fn summary(audited: &[&CellSummary]) -> String {
    let failed = audited.iter().filter(|cell| !cell.is_sound()).count();
    let rows = count(audited.len() as u64);
    let mut summary: String = match (audited.len(), failed) {
        (0, _) => return "No row completed an iteration, so there was nothing to audit.".into(),
        (_, 0) => format!("No audit failed any of {rows} rows."),
        (_, failed) => format!(
            "{} of {rows} rows failed an audit. Such a row is shown as failed, not as a number, and is compared with nobody.",
            count(failed as u64)
        ),
    };
    let told = [
        (Ruling::Undecided, "Marked *undecided*, and compared with nobody"),
        (Ruling::ClientBound, "Marked *client-bound*, and compared with nobody"),
        (Ruling::Noisy, "Marked *noisy*"),
    ];
    for (ruling, what) in told {
        let rows = audited.iter().filter(|cell| cell.is_sound() && cell.ruled(ruling).is_some()).count();
        if rows > 0 {
            summary += &format!(" {what}: {}.", count(rows as u64));
        }
    }
    let unknown = audited.iter().filter(|cell| !is_accounted(cell)).count();
    if unknown > 0 {
        summary += &format!(
            " Rows of which the client kept no accounts, so that nobody knows whether all that was owed came, and in time: {}.",
            count(unknown as u64)
        );
    }
    summary
}

/// Whether the client told what its windows owed; a flood owes nothing.
fn is_accounted(cell: &CellSummary) -> bool {
    cell.cell.kind == ScenarioKind::Throughput || cell.audits.iter().any(|audit| audit.check == Check::Counts)
}

fn failures(run: &Run, audited: &[&CellSummary]) -> Table {
    let mut table = Table::new(["row", "what failed", "seen"]).texts(3);
    for cell in audited {
        for audit in cell.failed_audits() {
            table.push(vec![row(run, cell), what(audit.check).into(), seen(audit)]);
        }
    }
    table
}

/// A row for each audit that any execution failed: how many, whose fault, and what follows.
fn executions(run: &Run, audited: &[&CellSummary]) -> Table {
    let headings = [
        "row",
        "what fell short",
        "executions",
        "of",
        "the server's",
        "the client's",
        "the machine's",
        "undecided",
        "the worst",
        "behind by, ms",
        "taken from its core, ms",
        "the row is",
    ];
    let mut table = Table::new(headings).texts(2);
    for cell in audited {
        for audit in &cell.audits {
            let Some(failed) = audit.executions.filter(|failed| failed.all() > 0) else { continue };
            let FailedCount { of, server, client, machine, undecided } = failed;
            let mut cells = vec![row(run, cell), short(audit.check).into()];
            cells.extend([failed.all(), of, server, client, machine, undecided].map(|n| count(n as u64)));
            cells.push(worst(audit));
            cells.extend(behind(cell, audit.check));
            cells.push(ruled(audit.ruling).into());
            table.push(cells);
        }
    }
    table
}

/// By how much the worst execution was behind, and what the machine took from the core meanwhile.
fn behind(cell: &CellSummary, check: Check) -> [String; 2] {
    let failed = cell.failed_executions.iter().filter(|one| one.check == check);
    let worst: Option<&FailedExecution> = failed.max_by_key(|one| one.behind_ns);
    let ms = |ns: Option<u64>| ns.map_or("—".into(), |ns| number(ns as f64 / 1e6));
    [ms(worst.and_then(|one| one.behind_ns)), ms(worst.map(|one| one.taken_ns))]
}

fn ruled(ruling: Ruling) -> &'static str {
    match ruling {
        Ruling::Held | Ruling::Noted => "sound",
        Ruling::Noisy => "noisy",
        Ruling::ClientBound => "client-bound",
        Ruling::Undecided => "undecided",
        Ruling::Failed => "**failed**",
    }
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
            "**Drift.** The primary figure of {} of {all} rows drifted over the run, {}{named}. That fails no row: cells take \
             turns, so a drift of the machine hits those that are compared alike. It is why figures of different hours are not \
             compared.",
            count(drifting.len() as u64),
            if drifting.len() > DRIFTS_NAMED { "most of all " } else { "" },
        )
    })
}

/// An audit in a word or two.
pub(crate) fn short(check: Check) -> &'static str {
    match check {
        Check::Owed => "the client's account",
        Check::Counts => "messages lost",
        Check::Schedule => "schedule",
        Check::Publisher => "the client's schedule",
        Check::LittlesLaw => "Little's law",
        Check::Clock => "one clock",
        Check::Stages => "stages",
        Check::Stationarity => "drift",
    }
}

/// What an audit looks at.
fn what(check: Check) -> &'static str {
    match check {
        Check::Owed => "the client's account of what was owed is what the study asks",
        Check::Counts => "all that was owed came",
        Check::Schedule => "99 % of what was due was sent before the window's end",
        Check::Publisher => {
            "the client sent on time: at most 5 % of what it publishes late by the gap between two messages and by 1 ms, at most \
             1 % of its pings after the window"
        }
        Check::LittlesLaw => {
            "Little's law: connections = throughput × mean round trip, within 2 % and the longest turn over the window"
        }
        Check::Clock => "one clock on both cores",
        Check::Stages => {
            "stages add up to the response, each message in the kernel between sending and reading"
        }
        Check::Stationarity => "no drift",
    }
}

/// What an audit saw.
fn seen(audit: &Audit) -> String {
    let in_executions = audit.executions.map_or(String::new(), |failed| {
        format!("; wrong in {} of {} executions", count(failed.all() as u64), count(failed.of as u64))
    });
    format!("{}{in_executions}", worst(audit))
}

/// The figure that stands for a row, in words.
fn worst(audit: &Audit) -> String {
    let whole = || count(audit.figure as u64);
    let percent = format!("{:.1} %", audit.figure * 100.0);
    match audit.check {
        Check::Owed => format!("{percent} of what the study asks"),
        Check::Counts => format!("{} lost in all", whole()),
        Check::Schedule => format!("{percent} of what was due"),
        Check::Publisher => format!("{percent} late"),
        Check::LittlesLaw => format!("{:.3} times the connections", audit.figure),
        Check::Clock => format!("{} times earlier than what came before", whole()),
        Check::Stages => format!("untrue {} times", whole()),
        Check::Stationarity => format!("{:+.1} % over the run", audit.figure * 100.0),
    }
}
