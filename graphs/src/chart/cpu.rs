//! What a message costs the server.

use tickbench_record::ScenarioKind;
use tickbench_stats::Metric;

use crate::card::{Card, missing};
use crate::chart::throughput::by_flush;
use crate::layout::rows;
use crate::run::{Run, estimate};
use crate::units::Unit;
use crate::{Chart, GraphError, Section};

/// CPU time per message as bars with intervals. Scaling scenarios have it as lines, against connections.
pub(crate) fn charts(run: &Run) -> Result<Vec<Chart>, GraphError> {
    let kinds = [ScenarioKind::Latency, ScenarioKind::Throughput, ScenarioKind::Echo];
    let mut charts = Vec::new();
    for scene in kinds.into_iter().flat_map(|kind| run.scenes(kind)) {
        let table = by_flush(run, &scene, Metric::ServerCpuNsPerMessage, Unit::Time, "CPU time per message");
        if table.is_empty() {
            continue;
        }
        let card = Card {
            name: run.stem(&scene, "cpu"),
            title: scene.title("Server CPU time per message"),
            setting: run.setting(&scene),
            better: Some("lower is better"),
            caption: "CPU time, user and system, that the server's process spent for each message, with \
                      95 % intervals over iterations. Lower is better."
                .into(),
            section: Section::Resources,
            legend: Vec::new(),
            missing: missing(&scene.cells, |cell| estimate(cell, Metric::ServerCpuNsPerMessage).is_some()),
        };
        charts.push(card.draw(|canvas, top| rows::draw(canvas, top, &table))?);
    }
    Ok(charts)
}
