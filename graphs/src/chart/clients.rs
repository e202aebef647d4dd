//! What a usual client adds to the figures of the instrument.

use tickbench_record::{Client, ScenarioKind};
use tickbench_stats::{CellSummary, Metric};

use crate::card::{Card, missing};
use crate::chart::bars::table;
use crate::layout::rows::{self, Column, Figure};
use crate::run::{Run, Scene, estimate};
use crate::units::Unit;
use crate::{Chart, GraphError, Section};

/// A chart for each scene and each client beside the instrument.
pub(crate) fn charts(run: &Run) -> Result<Vec<Chart>, GraphError> {
    let mut charts = Vec::new();
    for (client, scene) in ScenarioKind::ALL.iter().flat_map(|kind| run.seen_twice(*kind)) {
        charts.extend(chart(run, &scene, client)?);
    }
    Ok(charts)
}

fn chart(run: &Run, scene: &Scene, client: Client) -> Result<Option<Chart>, GraphError> {
    let twin = |cell: &CellSummary| run.as_seen_by(client, &cell.cell);
    let kind = scene.first().kind;
    let (columns, metrics, better) = shown(kind);
    let figure = |cell: &CellSummary, metric: Metric| {
        let pair = estimate(cell, metric).zip(estimate(twin(cell)?, metric));
        pair.map(|(instrument, other)| Figure::Pair(instrument, other))
    };
    let table = table(run, scene, columns, |cell| {
        metrics.iter().map(|metric| figure(cell, *metric).unwrap_or(Figure::Absent)).collect()
    });
    if table.is_empty() {
        return Ok(None);
    }
    let instrument = scene.first().client;
    let card = Card {
        name: run.stem(scene, &format!("by-{client}")),
        title: format!("What the {client} client adds to the {instrument}'s figures"),
        better: Some(better),
        setting: format!("{} · filled: {instrument} · ring: {client} client", run.setting(scene)),
        caption: format!(
            "The same servers measured by the {instrument} (filled) and by the {client} client (ring), with \
             the ratio of the second to the first: what the client itself changes."
        ),
        section: Section::Clients,
        legend: Vec::new(),
        missing: missing(&scene.cells, |cell| figure(cell, metrics[0]).is_some()),
    };
    card.draw(|canvas, top| rows::draw(canvas, top, &table)).map(Some)
}

fn shown(kind: ScenarioKind) -> (Vec<Column>, Vec<Metric>, &'static str) {
    let column = |title: &str, unit| Column { title: title.into(), unit };
    match kind {
        ScenarioKind::Latency | ScenarioKind::Scaling | ScenarioKind::Load | ScenarioKind::Relay => (
            vec![column("Delivery p50", Unit::Time), column("Delivery p99", Unit::Time)],
            vec![Metric::DeliveryP50, Metric::DeliveryP99],
            "lower is better",
        ),
        ScenarioKind::Echo | ScenarioKind::Ping => (
            vec![column("Round trip p50", Unit::Time), column("Round trip p99", Unit::Time)],
            vec![Metric::RoundTripP50, Metric::RoundTripP99],
            "lower is better",
        ),
        ScenarioKind::Throughput | ScenarioKind::Capacity | ScenarioKind::Connect => {
            (vec![column("Messages per second", Unit::Rate)], vec![Metric::MessagesPerS], "higher is better")
        }
    }
}
