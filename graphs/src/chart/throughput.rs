//! How many messages a second arrive in a flood.

use tickbench_record::{Flush, ScenarioKind};
use tickbench_stats::{CellSummary, Metric};

use crate::card::{Card, missing};
use crate::chart::bars::bar;
use crate::layout::rows::{self, Column, Figure, Group, Row, Table};
use crate::run::{Facet, Run, Scene, distinct, estimate, flush_name};
use crate::units::Unit;
use crate::{Chart, GraphError, Section};

/// Bars with intervals, a column each flush class: one system call a message and coalesced writes are different products.
pub(crate) fn charts(run: &Run) -> Result<Vec<Chart>, GraphError> {
    let mut charts = Vec::new();
    for scene in run.scenes(ScenarioKind::Throughput) {
        let table = by_flush(run, &scene, Metric::MessagesPerS, Unit::Rate, "Messages per second");
        if table.is_empty() {
            continue;
        }
        let card = Card {
            name: run.stem(&scene, "rate"),
            title: scene.title("Messages per second, flood"),
            setting: run.setting(&scene),
            better: Some("higher is better"),
            caption: "Messages received per second when the server sends as fast as backpressure allows, \
                      with 95 % intervals over iterations. Compare within a column: one flush a message \
                      and batches are different products. Higher is better."
                .into(),
            section: Section::Throughput,
            legend: Vec::new(),
            missing: footnote(&scene),
        };
        charts.push(card.draw(|canvas, top| rows::draw(canvas, top, &table))?);
    }
    Ok(charts)
}

fn footnote(scene: &Scene) -> Option<String> {
    let has_rate = |cell: &CellSummary| estimate(cell, Metric::MessagesPerS).is_some();
    let has_caveats = scene.cells.iter().any(|cell| has_rate(cell) && cell.caveat().is_some());
    let note = "* no verdict: the server did not use up its core, or gathers messages where each is to be sent alone.".to_owned();
    let notes: Vec<String> =
        has_caveats.then_some(note).into_iter().chain(missing(&scene.cells, has_rate)).collect();
    (!notes.is_empty()).then(|| notes.join(" "))
}

/// One metric of a scene as bars: a column each flush class, a group each encoding (and what else differs), a row each
/// server. `name` heads the column where there is but one.
pub(crate) fn by_flush(run: &Run, scene: &Scene, metric: Metric, unit: Unit, name: &str) -> Table {
    let classes = distinct(scene.cells.iter().map(|cell| cell.cell.flush));
    // A group spans the flush classes: its facet is named by one of them.
    let spanning = |facet: Facet| Facet { flush: Flush::Each, ..facet };
    let facets = distinct(scene.facets().into_iter().map(spanning));
    let group = |facet: &Facet| {
        let cells: Vec<_> =
            scene.cells.iter().filter(|cell| spanning(Facet::of(&cell.cell)) == *facet).collect();
        let servers = distinct(cells.iter().map(|cell| &cell.cell.server));
        let row = |server: &String| Row {
            server: server.clone(),
            look: run.look(server),
            figures: classes
                .iter()
                .map(|class| {
                    let asked =
                        cells.iter().find(|cell| cell.cell.server == *server && cell.cell.flush == *class);
                    asked.map_or(Figure::NotAsked, |cell| match bar(cell, metric) {
                        Figure::Bar(rate) if metric == Metric::MessagesPerS && cell.caveat().is_some() => {
                            Figure::CaveatBar(rate)
                        }
                        figure => figure,
                    })
                })
                .collect(),
        };
        Group { title: facet.label(&facets), rows: servers.into_iter().map(row).collect() }
    };
    let alone = classes.len() == 1;
    let column = |class: &Flush| Column {
        title: if alone { name.into() } else { format!("Flushed {}", flush_name(*class)) },
        unit,
    };
    Table { columns: classes.iter().map(column).collect(), groups: facets.iter().map(group).collect() }
}
