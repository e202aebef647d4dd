//! Connections opened and closed in turn.

use tickbench_record::ScenarioKind;
use tickbench_stats::Metric;

use crate::card::{Card, missing};
use crate::chart::bars::{bar, table};
use crate::layout::rows::{self, Column};
use crate::run::{Run, estimate};
use crate::units::Unit;
use crate::{Chart, GraphError, Section};

/// Bars of rate, handshake, first tick and cost, with intervals.
pub(crate) fn charts(run: &Run) -> Result<Vec<Chart>, GraphError> {
    let mut charts = Vec::new();
    for scene in run.scenes(ScenarioKind::Connect) {
        let column = |title: &str, unit| Column { title: title.into(), unit };
        let columns = vec![
            column("Connections", Unit::Rate),
            column("Handshake p50", Unit::Time),
            column("First tick p99", Unit::Time),
            column("CPU a connection", Unit::Time),
        ];
        let metrics =
            [Metric::MessagesPerS, Metric::HandshakeP50, Metric::FirstTickP99, Metric::ServerCpuNsPerMessage];
        let table =
            table(run, &scene, columns, |cell| metrics.iter().map(|metric| bar(cell, *metric)).collect());
        if table.is_empty() {
            continue;
        }
        let card = Card {
            name: run.stem(&scene, "connecting"),
            title: scene.title("Opening connections"),
            setting: run.setting(&scene),
            better: Some("higher rate, lower time is better"),
            caption: "Connections opened, used for one tick and closed per second, as many at a time as there are connections; the \
                      time from connecting to the checked answer and to the first tick; and the server's CPU time for \
                      each. With 95 % intervals over iterations."
                .into(),
            section: Section::Connecting,
            legend: Vec::new(),
            missing: missing(&scene.cells, |cell| estimate(cell, Metric::MessagesPerS).is_some()),
        };
        charts.push(card.draw(|canvas, top| rows::draw(canvas, top, &table))?);
    }
    Ok(charts)
}
