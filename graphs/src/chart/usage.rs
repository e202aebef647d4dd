//! CPU and memory over the window of an iteration.

use tickbench_record::{Disturbance, ScenarioKind};
use tickbench_stats::CellSummary;

use crate::axis::Axis;
use crate::card::{Card, missing, shown};
use crate::layout::lines::{self, Band, Line, Panel, baseline_first};
use crate::run::{Facet, Run, Scene};
use crate::units::Unit;
use crate::{Chart, GraphError, Section};

type Sample = (f64, f64, f64, f64);

/// What a column shows.
struct Column {
    title: &'static str,
    y_name: &'static str,
    unit: Unit,
    figure: fn(&Sample) -> f64,
}

const COLUMNS: [Column; 3] = [
    Column { title: "Server CPU", y_name: "Share of a core", unit: Unit::Share, figure: |sample| sample.1 },
    Column {
        title: "Server memory",
        y_name: "Resident memory",
        unit: Unit::Bytes,
        figure: |sample| sample.2,
    },
    Column { title: "Client CPU", y_name: "Share of a core", unit: Unit::Share, figure: |sample| sample.3 },
];

/// Lines over time, a row of panels each facet; of a scaling or relay scenario only the most connections, undisturbed, and nothing of a
/// load scenario, whose curve shows the CPU share of each rate.
pub(crate) fn charts(run: &Run) -> Result<Vec<Chart>, GraphError> {
    let mut charts = Vec::new();
    let kinds = ScenarioKind::ALL.iter().filter(|kind| **kind != ScenarioKind::Load);
    for mut scene in kinds.flat_map(|kind| run.scenes(*kind)) {
        if matches!(scene.first().kind, ScenarioKind::Scaling | ScenarioKind::Relay) {
            let most = scene.cells.iter().map(|cell| cell.cell.connections).max();
            let is_calm = |cell: &CellSummary| cell.cell.beside == Disturbance::Nothing;
            scene.cells.retain(|cell| Some(cell.cell.connections) == most && is_calm(cell));
        }
        if scene.cells.iter().any(|cell| has_data(cell)) {
            charts.push(chart(run, &scene)?);
        }
    }
    Ok(charts)
}

fn has_data(cell: &CellSummary) -> bool {
    samples(cell).next().is_some()
}

fn samples(cell: &CellSummary) -> impl Iterator<Item = &Sample> {
    let finite = |sample: &&Sample| [sample.0, sample.1, sample.2, sample.3].iter().all(|f| f.is_finite());
    cell.series.usage.iter().filter(finite)
}

fn chart(run: &Run, scene: &Scene) -> Result<Chart, GraphError> {
    let facets: Vec<Facet> =
        scene.facets().into_iter().filter(|facet| scene.of(*facet).any(has_data)).collect();
    let largest = |figure: fn(&Sample) -> f64| {
        scene.cells.iter().flat_map(|cell| samples(cell)).map(figure).fold(0.0, f64::max)
    };
    let window_ns = largest(|sample| sample.0) * 1e6;
    let panel = |facet: &Facet, column: &Column| {
        let lines = scene.of(*facet).filter(|cell| has_data(cell)).map(|cell| Line {
            look: run.look(&cell.cell.server),
            points: samples(cell).map(|sample| (sample.0 * 1e6, (column.figure)(sample))).collect(),
            thin: false,
            band: Vec::new(),
            marks: Vec::new(),
            rings: Vec::new(),
        });
        Panel {
            title: column.title.into(),
            x_name: (facets.last() == Some(facet)).then_some("Time in the window"),
            y_name: column.y_name,
            x: Axis::fitting(180.0, |about| Axis::bars(window_ns, 1.0, Unit::Time, about)),
            y: Axis::from_zero(largest(column.figure), column.unit, 4),
            lines: baseline_first(lines.collect()),
        }
    };
    let band = |facet: &Facet| Band {
        heading: Some(facet.label(&facets)),
        panels: COLUMNS.iter().map(|column| panel(facet, column)).collect(),
        columns: COLUMNS.len(),
        height: 115.0,
    };
    let bands: Vec<Band> = facets.iter().map(band).collect();
    let card = Card {
        name: run.stem(scene, "usage"),
        title: scene.title("CPU and memory over time"),
        setting: run.setting(scene),
        better: None,
        caption: "The server's share of its core, its resident memory, and the client's share of its own \
                  core over the window, the median over iterations of each sample."
            .into(),
        section: Section::Resources,
        legend: shown(&run.servers, &scene.cells, has_data),
        missing: missing(&scene.cells, has_data),
    };
    card.draw(|canvas, top| lines::draw(canvas, top, &bands))
}
