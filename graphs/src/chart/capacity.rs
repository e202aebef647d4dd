//! The highest rate that keeps a target.

use tickbench_record::ScenarioKind;
use tickbench_stats::{Caveat, CellSummary, Estimate, Metric};

use crate::card::{Card, missing};
use crate::chart::bars::{bar, table};
use crate::layout::rows::{self, Column, Figure};
use crate::run::{Run, Scene, estimate};
use crate::units::Unit;
use crate::{Chart, GraphError, Section};

/// Bars of the capacity, and of what a second of the server's CPU time sends at it.
pub(crate) fn charts(run: &Run) -> Result<Vec<Chart>, GraphError> {
    let mut charts = Vec::new();
    for scene in run.scenes(ScenarioKind::Capacity) {
        let column = |title: &str| Column { title: title.into(), unit: Unit::Rate };
        let columns = vec![column("Capacity at the target"), column("Messages per CPU second, there")];
        let table = table(run, &scene, columns, |cell| vec![capacity(cell), efficiency(cell)]);
        if table.is_empty() {
            continue;
        }
        let card = Card {
            name: run.stem(&scene, "capacity"),
            title: scene.title("Capacity at a target"),
            setting: run.setting(&scene),
            better: Some("higher is better"),
            caption: "The highest rate at which the response kept its target, and how many messages the server sent for each second \
                      of its CPU time at that rate, with 95 % intervals over iterations. A pale bar with an asterisk is no verdict on \
                      its server. Higher is better."
                .into(),
            section: Section::Capacity,
            legend: Vec::new(),
            missing: footnote(&scene),
        };
        charts.push(card.draw(|canvas, top| rows::draw(canvas, top, &table))?);
    }
    Ok(charts)
}

fn capacity(cell: &CellSummary) -> Figure {
    match bar(cell, Metric::CapacityPerS) {
        Figure::Bar(rate) if cell.caveat().is_some() => Figure::CaveatBar(rate),
        figure => figure,
    }
}

fn efficiency(cell: &CellSummary) -> Figure {
    let cost = estimate(cell, Metric::ServerCpuNsPerMessage).filter(|cost| cost.low > 0.0);
    cost.map_or(Figure::Absent, |cost| {
        Figure::Bar(Estimate {
            estimate: 1e9 / cost.estimate,
            low: 1e9 / cost.high,
            high: 1e9 / cost.low,
            iterations: cost.iterations,
        })
    })
}

fn footnote(scene: &Scene) -> Option<String> {
    let has_capacity = |cell: &CellSummary| estimate(cell, Metric::CapacityPerS).is_some();
    let caveats =
        |caveat: fn(Caveat) -> bool| scene.cells.iter().any(|cell| cell.caveat().is_some_and(caveat));
    let coalesces = caveats(|caveat| caveat == Caveat::Coalesced)
        .then(|| "* gathers messages where each is to be sent alone: another class.".to_owned());
    let at_least = caveats(|caveat| caveat != Caveat::Coalesced)
        .then(|| "* at least this much: the client, or the highest rate tried, was the limit.".to_owned());
    let notes: Vec<String> =
        coalesces.into_iter().chain(at_least).chain(missing(&scene.cells, has_capacity)).collect();
    (!notes.is_empty()).then(|| notes.join(" "))
}
