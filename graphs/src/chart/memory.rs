//! What a connection costs.

use tickbench_record::ScenarioKind;
use tickbench_stats::{CellSummary, Metric};

use crate::card::{Card, missing, shown};
use crate::chart::along::{Against, CONNECTIONS, panels};
use crate::layout::lines::{self, Band};
use crate::run::{Run, estimate};
use crate::units::Unit;
use crate::{Chart, GraphError, Section};

const COSTS: [Against; 2] = [
    Against { metric: Metric::ServerRssBytes, title: "memory", y_name: "Resident memory", unit: Unit::Bytes },
    Against {
        metric: Metric::ServerCpuNsPerMessage,
        title: "CPU",
        y_name: "CPU time per message",
        unit: Unit::Time,
    },
];

/// The server's resident memory, and its CPU time per message, against connections.
pub(crate) fn charts(run: &Run) -> Result<Vec<Chart>, GraphError> {
    let mut charts = Vec::new();
    for scene in run.scenes(ScenarioKind::Scaling) {
        let panels = panels(run, &scene, &CONNECTIONS, &COSTS);
        if panels.is_empty() {
            continue;
        }
        let has_data = |cell: &CellSummary| COSTS.iter().any(|cost| estimate(cell, cost.metric).is_some());
        let card = Card {
            name: run.stem(&scene, "resources"),
            title: scene.title("Memory and CPU against connections"),
            setting: run.setting(&scene),
            better: Some("lower is better"),
            caption: "The server process's resident memory, and its CPU time for each message, as \
                      connections grow; bands are 95 % intervals over iterations. Lower is better."
                .into(),
            section: Section::Resources,
            legend: shown(&run.servers, &scene.cells, has_data),
            missing: missing(&scene.cells, has_data),
        };
        let band = Band { heading: None, panels, columns: 2, height: 230.0 };
        charts.push(card.draw(|canvas, top| lines::draw(canvas, top, &[band]))?);
    }
    Ok(charts)
}
