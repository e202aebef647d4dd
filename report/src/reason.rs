//! Why a row has no figure, or no place among the others: each kind of lack has its own words.

use tickbench_record::ScenarioKind;
use tickbench_stats::{Absence, CellSummary, Metric, Ruling, StageBand};

use crate::run::Run;
use crate::sections::audits::short;
use crate::table::Table;
use crate::units::{count, list, percentile};

/// What stands for a figure that is not shown, with the reason as a note.
pub(crate) fn absent(table: &mut Table, cell: &CellSummary, metric: Metric) -> String {
    let reason = absence(cell, metric).unwrap_or_else(|| "it is not shown here".into());
    if cell.is_sound() { table.missing(reason) } else { format!("failed {}", table.mark(reason)) }
}

/// Why a row shows no such figure; `None` where it shows one.
fn absence(cell: &CellSummary, metric: Metric) -> Option<String> {
    Some(match cell.absence(metric)? {
        Absence::NothingCompleted => "no iteration completed (see Failures)".into(),
        Absence::FailedAudit => {
            format!("failed an audit ({}; see Audits)", failed(cell))
        }
        Absence::NothingReceived => "no message came in any window".into(),
        Absence::TooFewSamples { needed } => format!(
            "{} needs {} samples, and all iterations together hold fewer",
            metric.quantile().map(percentile).unwrap_or_default(),
            count(needed)
        ),
        Absence::NotRecorded if metric == Metric::ConnectNs => {
            "connections are opened all the time here".into()
        }
        Absence::NotRecorded if metric == Metric::StartAfterUpgradeNs => {
            "it has no schedule of the server's".into()
        }
        Absence::NotRecorded if is_of_a_band(metric) => {
            "most iterations have fewer than ten messages in this band".into()
        }
        Absence::NotRecorded => "could not be read on this machine".into(),
    })
}

/// Whether it is told of a band of a stream's slowest messages.
fn is_of_a_band(metric: Metric) -> bool {
    let is_in =
        |band: &StageBand| band.stages().contains(&metric) || [band.response, band.stamped].contains(&metric);
    StageBand::ALL.iter().any(is_in)
}

/// Why a row has no place among those that were asked the same; `None` where nothing stands against it.
pub(crate) fn no_place(cell: &CellSummary, metric: Metric) -> Option<String> {
    absence(cell, metric).or_else(|| {
        let why = if cell.ruled(Ruling::Undecided).is_some() {
            "no verdict: too many executions fell short, and nobody can tell why (see Audits)".into()
        } else if cell.ruled(Ruling::ClientBound).is_some() {
            "no verdict: the client did not keep its own schedule (see Audits)".into()
        } else {
            cell.caveat()?;
            format!(
                "no verdict: the rate is another's than this server's, or of another class (see {})",
                section_of(cell)
            )
        };
        Some(why)
    })
}

/// The audits that a row failed, by their short names.
pub(crate) fn failed(cell: &CellSummary) -> String {
    let names: Vec<&str> = cell.failed_audits().map(|audit| short(audit.check)).collect();
    list(&names)
}

/// Why none of these rows has a place, those with one reason named together.
pub(crate) fn of_all(cells: &[&CellSummary], metric: Metric) -> String {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for cell in cells {
        let Some(why) = no_place(cell, metric) else { continue };
        match groups.iter_mut().find(|(known, _)| *known == why) {
            Some((_, servers)) => servers.push(&cell.cell.server),
            None => groups.push((why, vec![&cell.cell.server])),
        }
    }
    let group = |(why, servers): &(String, Vec<&str>)| format!("{}: {why}", list(servers));
    groups.iter().map(group).collect::<Vec<_>>().join("; ")
}

/// Why no two contestants have figures that can be compared, over all their rows.
pub(crate) fn of_run(run: &Run) -> String {
    let contestants = run.contestants();
    let rows: Vec<&CellSummary> = run
        .summary
        .cells
        .iter()
        .filter(|cell| contestants.contains(&cell.cell.server.as_str()) && !cell.cell.is_control())
        .collect();
    let how_many = |is_so: &dyn Fn(&CellSummary) -> bool| rows.iter().filter(|cell| is_so(cell)).count();
    let reasons = [
        (how_many(&|cell| cell.completed == 0), "completed no iteration"),
        (how_many(&|cell| cell.completed > 0 && !cell.is_sound()), "failed an audit"),
        (how_many(&|cell| cell.completed > 0 && cell.is_sound() && !cell.is_comparable()), "are no verdict"),
    ];
    let reasons: Vec<String> = reasons
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    match reasons.as_slice() {
        [] => "no question was asked of two of them".into(),
        some => {
            let reasons: Vec<&str> = some.iter().map(String::as_str).collect();
            format!("of {} rows {}", rows.len(), list(&reasons))
        }
    }
}

/// The section that says why a rate is no verdict.
fn section_of(cell: &CellSummary) -> &'static str {
    match cell.cell.kind {
        ScenarioKind::Capacity => "Capacity at a target",
        ScenarioKind::Load => "Offered load",
        _ => "Throughput",
    }
}
