//! What the measured subscribers feel of those beside them: ratios to the same server undisturbed.

use tickbench_record::{Disturbance, ScenarioKind};
use tickbench_stats::{CellSummary, Interference, Metric};

use crate::card::{Card, missing};
use crate::layout::rows::{self, Column, Figure, Group, Row, Table};
use crate::run::{Facet, Run, Scene, distinct};
use crate::units::Unit;
use crate::{Chart, GraphError, Section};

/// A bar each server and quantile, a group each disturbance.
pub(crate) fn charts(run: &Run) -> Result<Vec<Chart>, GraphError> {
    let mut charts = Vec::new();
    for mut scene in run.scenes(ScenarioKind::Relay) {
        scene.cells.retain(|cell| cell.cell.beside != Disturbance::Nothing);
        let metrics =
            distinct(scene.cells.iter().flat_map(|cell| interference(run, cell)).map(|one| one.metric));
        if metrics.is_empty() {
            continue;
        }
        let card = Card {
            name: run.stem(&scene, "disturbed"),
            title: scene.title("Delivery beside a disturbance"),
            setting: run.setting(&scene),
            better: Some("1 is nothing felt"),
            caption: format!(
                "How many times its own undisturbed delivery{} each server's is while something goes on beside it, in the same iterations, \
                 with 95 % intervals. 1 is nothing felt; lower is better.",
                if metrics.iter().any(|metric| metric.raw().is_some()) {
                    ", less the machine's hiccups,"
                } else {
                    ""
                }
            ),
            section: Section::Disturbed,
            legend: Vec::new(),
            missing: missing(&scene.cells, |cell| interference(run, cell).next().is_some()),
        };
        let table = table(run, &scene, &metrics);
        charts.push(card.draw(|canvas, top| rows::draw(canvas, top, &table))?);
    }
    Ok(charts)
}

fn interference<'r>(run: &Run<'r>, cell: &'r CellSummary) -> impl Iterator<Item = &'r Interference> {
    let is_finite = |one: &&Interference| {
        [one.ratio.estimate, one.ratio.low, one.ratio.high].iter().all(|figure| figure.is_finite())
    };
    run.summary.interference.iter().filter(move |one| one.cell == cell.cell).filter(is_finite)
}

fn table(run: &Run, scene: &Scene, metrics: &[Metric]) -> Table {
    let facets = scene.facets();
    let row = |cell: &CellSummary| {
        let ratio = |metric: &Metric| {
            interference(run, cell)
                .find(|one| one.metric == *metric)
                .map_or(Figure::Absent, |one| Figure::Bar(one.ratio))
        };
        Row {
            server: cell.cell.server.clone(),
            look: run.look(&cell.cell.server),
            figures: metrics.iter().map(ratio).collect(),
        }
    };
    let group =
        |facet: &Facet| Group { title: title(*facet, &facets), rows: scene.of(*facet).map(row).collect() };
    let column = |metric: &Metric| Column {
        title: format!("{} ÷ undisturbed", quantile(*metric)),
        unit: Unit::Ratio,
    };
    Table { columns: metrics.iter().map(column).collect(), groups: facets.iter().map(group).collect() }
}

/// The disturbance leads; the rest of the facet follows where it tells groups apart.
fn title(facet: Facet, among: &[Facet]) -> String {
    let alike = |other: &Facet| Facet { beside: facet.beside, ..*other } == facet;
    if among.iter().all(alike) { facet.beside.to_string() } else { facet.label(among) }
}

fn quantile(metric: Metric) -> &'static str {
    match metric.quantile() {
        Some(0.5) => "p50",
        Some(0.99) => "p99",
        Some(0.999) => "p99.9",
        _ => "delivery",
    }
}
