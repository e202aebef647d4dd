//! How the latency of one iteration differs from that of the next.

use tickbench_record::ScenarioKind;
use tickbench_stats::CellSummary;

use crate::card::{Card, missing};
use crate::chart::bars::table;
use crate::layout::rows::{self, Column, Figure};
use crate::quartiles::Spread;
use crate::run::Run;
use crate::units::Unit;
use crate::{Chart, GraphError, Section};

/// Box plots of the iterations' p50 and p99.
pub(crate) fn charts(run: &Run) -> Result<Vec<Chart>, GraphError> {
    let mut charts = Vec::new();
    for scene in run.scenes(ScenarioKind::Latency).into_iter().filter(|scene| !scene.varies_size()) {
        let columns = ["p50 of an iteration", "p99 of an iteration"]
            .map(|title| Column { title: title.into(), unit: Unit::Time });
        let table = table(run, &scene, columns.into(), |cell| {
            let series = &cell.series;
            vec![spread(&series.p50_by_iteration), spread(&series.p99_by_iteration)]
        });
        if table.is_empty() {
            continue;
        }
        let card = Card {
            name: run.stem(&scene, "boxes"),
            title: scene.title("Delivery latency over iterations"),
            setting: run.setting(&scene),
            better: Some("lower is better"),
            caption: "Each iteration's p50 and p99 of delivery: the box holds the middle half of the \
                      iterations, the bar in it is their median, whiskers reach one and a half boxes, \
                      rings are outliers. Lower is better."
                .into(),
            section: Section::Latency,
            legend: Vec::new(),
            missing: missing(&scene.cells, has_data),
        };
        charts.push(card.draw(|canvas, top| rows::draw(canvas, top, &table))?);
    }
    Ok(charts)
}

fn has_data(cell: &CellSummary) -> bool {
    Spread::of(&cell.series.p50_by_iteration).is_some()
}

fn spread(values: &[f64]) -> Figure {
    Spread::of(values).map_or(Figure::Absent, Figure::Box)
}
