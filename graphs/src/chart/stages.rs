//! Where the time of a message goes: stages on top of each other, a bar a server and band.

use tickbench_record::ScenarioKind;
use tickbench_stats::{CellSummary, StageBand};

use crate::canvas::{Anchor, Canvas, Drawn, Stroke, Type};
use crate::card::{Card, missing};
use crate::chart::bars::table;
use crate::layout::rows::{self, Column, Figure, PART_OPACITY};
use crate::run::{Run, estimate};
use crate::style::{AXIS, INK, MARGIN, TEXT_SIZE, text_width};
use crate::units::Unit;
use crate::{Chart, GraphError, Section};

/// What each part of a bar is, in the order in which a message passes through them.
const STAGES: [&str; 4] =
    ["lag: due → sent", "network: sent → kernel", "wake: kernel → client", "not split: sent → client"];

/// Stacked bars of the usual message and of the slowest, each band on an axis of its own.
pub(crate) fn charts(run: &Run) -> Result<Vec<Chart>, GraphError> {
    let mut charts = Vec::new();
    for scene in run.scenes(ScenarioKind::Latency) {
        let shown: Vec<StageBand> = StageBand::ALL
            .into_iter()
            .filter(|band| scene.cells.iter().any(|cell| estimate(cell, band.response).is_some()))
            .collect();
        if shown.is_empty() {
            continue;
        }
        let columns = shown.iter().map(|band| Column { title: capital(band.name), unit: Unit::Time });
        let table = table(run, &scene, columns.collect(), |cell| {
            shown.iter().map(|band| stack(cell, band)).collect()
        });
        let card = Card {
            name: run.stem(&scene, "stages"),
            title: scene.title("Stages of the response"),
            setting: run.setting(&scene),
            better: Some("lower is better"),
            caption: "Where the time of a message goes, from when it was due to when the client had read it: means over the middle \
                      tenth of the messages by response, and over the slowest. A bar is as long as the response, with its 95 % \
                      interval over iterations, and divided as its stages are; each band has an axis of its own."
                .into(),
            section: Section::Stages,
            legend: Vec::new(),
            missing: missing(&scene.cells, |cell| {
                shown.iter().any(|band| estimate(cell, band.response).is_some())
            }),
        };
        charts.push(card.draw(|canvas, top| {
            let top = legend(canvas, top + 4.0)?;
            rows::draw(canvas, top, &table)
        })?);
    }
    Ok(charts)
}

/// The stages of a band, as far as there are any: where one is missing, all are.
fn stack(cell: &CellSummary, band: &StageBand) -> Figure {
    let parts = band.stages().map(|stage| estimate(cell, stage).map(|stage| stage.estimate));
    match (estimate(cell, band.response), parts.into_iter().collect()) {
        (Some(whole), Some(parts)) => Figure::Stack(parts, whole),
        _ => Figure::Absent,
    }
}

/// The shades of the stages: those of every server's colour.
fn legend(canvas: &Canvas, y: f64) -> Drawn<f64> {
    let mut x = MARGIN;
    for (name, opacity) in STAGES.into_iter().zip(PART_OPACITY) {
        canvas.rectangle((x, y - 6.0), (x + 16.0, y + 6.0), INK, opacity)?;
        let corners = [(x, y - 6.0), (x + 16.0, y - 6.0), (x + 16.0, y + 6.0), (x, y + 6.0), (x, y - 6.0)];
        canvas.line(&corners, Stroke::solid(AXIS, 1.0))?;
        canvas.text(name, (x + 23.0, y), Anchor::Start, Type::Plain)?;
        x += 23.0 + text_width(name, TEXT_SIZE) + 18.0;
    }
    Ok(y + 22.0)
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
