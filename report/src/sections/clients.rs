//! What a usual client adds to what the instrument sees.

use tickbench_record::{Cell, Client, ScenarioKind};
use tickbench_stats::{CellSummary, Metric};

use super::flags::row_name;
use super::plain;
use crate::reason::absent;
use crate::run::Run;
use crate::table::Table;
use crate::units::Unit;

/// A pair of rows for each cell that a usual client measured: it, and the instrument on the same work.
pub(crate) fn section(run: &Run) -> String {
    let mut table = Table::new([
        "server and work",
        "client",
        "waits by",
        "p50 µs",
        "p99 µs",
        "rate, thousand messages/s",
        "client CPU ns a message",
        "client busy %",
    ])
    .texts(3);
    for usual in run.summary.cells.iter().filter(|cell| cell.cell.client != Client::Probe) {
        // The same scenario where it has both, or else one in which the instrument waited in the same way.
        let unlike = |cell: &Cell| (cell.scenario != usual.cell.scenario, cell.wait != usual.cell.wait);
        let instruments = run.summary.cells.iter().filter(|cell| same_work(&cell.cell, &usual.cell));
        let instrument = instruments.min_by_key(|cell| unlike(&cell.cell));
        for cell in instrument.into_iter().chain([usual]) {
            let row = row(run, &mut table, cell);
            table.push(row);
        }
    }
    table.markdown()
}

/// Whether the instrument measured the same work, in whichever scenario.
fn same_work(instrument: &Cell, usual: &Cell) -> bool {
    let as_usual = Cell {
        scenario: usual.scenario.clone(),
        client: usual.client,
        wait: usual.wait,
        ..instrument.clone()
    };
    instrument.client == Client::Probe && as_usual == *usual
}

fn row(run: &Run, table: &mut Table, cell: &CellSummary) -> Vec<String> {
    let quantiles = match cell.cell.kind {
        ScenarioKind::Echo | ScenarioKind::Ping => [Metric::RoundTripP50, Metric::RoundTripP99],
        _ => [Metric::DeliveryP50, Metric::DeliveryP99],
    };
    let [p50, p99] = quantiles.map(|metric| match cell.figure(metric) {
        Some(estimate) => Unit::Micros.with_interval(estimate),
        None => absent(table, cell, metric),
    });
    vec![
        format!("{}: {}", row_name(run, table, cell), run.label(&cell.cell)),
        cell.cell.client.to_string(),
        if cell.cell.wait == tickbench_record::Wait::Spin { "polling" } else { "sleeping" }.into(),
        p50,
        p99,
        plain(table, cell, Metric::MessagesPerS, Unit::Thousands),
        plain(table, cell, Metric::ClientCpuNsPerMessage, Unit::One),
        plain(table, cell, Metric::ClientCpuShare, Unit::Percent),
    ]
}
