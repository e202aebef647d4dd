//! What servers and clients used of the machine.

use tickbench_stats::{CellSummary, Metric};

use super::flags::row_name;
use super::plain;
use crate::run::Run;
use crate::table::Table;
use crate::units::Unit;

/// One table a scenario: its name, and the table.
pub(crate) fn section(run: &Run) -> Vec<(String, String)> {
    let scenarios = run.summary.cells.chunk_by(|a, b| a.cell.scenario == b.cell.scenario);
    scenarios.map(|cells| (cells[0].cell.scenario.clone(), table(run, cells).markdown())).collect()
}

fn table(run: &Run, cells: &[CellSummary]) -> Table {
    let has_starts = cells.iter().any(|cell| cell.estimates.contains_key(&Metric::StartAfterUpgradeNs));
    let headings = [
        "server and question",
        "server busy %",
        "CPU ns a message",
        "RSS MiB",
        "peak RSS MiB",
        "switches/s, own",
        "switches/s, forced",
        "connecting ms",
        "client busy %",
        "client CPU ns a message",
    ];
    let starts = has_starts.then_some("schedule begins after the request, ms");
    let mut table = Table::new(headings.into_iter().chain(starts));
    for cell in cells.iter().filter(|cell| !cell.cell.is_control()) {
        let connecting = cell.figure(Metric::ConnectNs).map(|ns| crate::units::number(ns.estimate / 1e6));
        let connecting =
            connecting.unwrap_or_else(|| crate::reason::absent(&mut table, cell, Metric::ConnectNs));
        let question = run.label(&cell.cell);
        let question = question.strip_prefix(&cell.cell.scenario).unwrap_or(&question);
        let mut row = row(run, &mut table, cell, question, connecting);
        row.extend(has_starts.then(|| plain(&mut table, cell, Metric::StartAfterUpgradeNs, Unit::Millis)));
        table.push(row);
    }
    table
}

fn row(run: &Run, table: &mut Table, cell: &CellSummary, question: &str, connecting: String) -> Vec<String> {
    vec![
        format!("{}{question}", row_name(run, table, cell)),
        run.figure(table, cell, Metric::ServerCpuShare, Unit::Percent),
        run.figure(table, cell, Metric::ServerCpuNsPerMessage, Unit::One),
        run.figure(table, cell, Metric::ServerRssBytes, Unit::Mib),
        plain(table, cell, Metric::ServerRssPeakBytes, Unit::Mib),
        plain(table, cell, Metric::ServerVoluntarySwitchesPerS, Unit::One),
        plain(table, cell, Metric::ServerInvoluntarySwitchesPerS, Unit::One),
        connecting,
        plain(table, cell, Metric::ClientCpuShare, Unit::Percent),
        run.figure(table, cell, Metric::ClientCpuNsPerMessage, Unit::One),
    ]
}
