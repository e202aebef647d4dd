//! Connections that carry pings alone.

use tickbench_record::ScenarioKind;
use tickbench_stats::Metric;

use crate::card::{Card, missing};
use crate::chart::bars::{bar, table};
use crate::layout::rows::{self, Column};
use crate::run::{Run, estimate};
use crate::units::Unit;
use crate::{Chart, GraphError, Section};

/// Bars of round trip, CPU and memory, with intervals.
pub(crate) fn charts(run: &Run) -> Result<Vec<Chart>, GraphError> {
    let mut charts = Vec::new();
    for scene in run.scenes(ScenarioKind::Ping) {
        let column = |title: &str, unit| Column { title: title.into(), unit };
        let columns = vec![
            column("Ping p50", Unit::Time),
            column("Ping p99", Unit::Time),
            column("Server CPU", Unit::Share),
            column("Server memory", Unit::Bytes),
        ];
        let cleaned = scene.cleaned(Metric::RoundTripP50).zip(scene.cleaned(Metric::RoundTripP99));
        let (p50, p99) = cleaned.unwrap_or((Metric::RoundTripP50, Metric::RoundTripP99));
        let metrics = [p50, p99, Metric::ServerCpuShare, Metric::ServerPssBytes];
        let table =
            table(run, &scene, columns, |cell| metrics.iter().map(|metric| bar(cell, *metric)).collect());
        if table.is_empty() {
            continue;
        }
        let card = Card {
            name: run.stem(&scene, "idle"),
            title: scene.title("Idle connections"),
            setting: run.setting(&scene).replace("ticks/s", "pings/s"),
            better: Some("lower is better"),
            caption: format!(
                "Round trips of pings over connections that carry nothing else{}, the server's share of its core, and its \
                 memory (PSS), with 95 % intervals over iterations. Lower is better.",
                if cleaned.is_some() { ", less the machine's hiccups" } else { "" }
            ),
            section: Section::Idle,
            legend: Vec::new(),
            missing: missing(&scene.cells, |cell| estimate(cell, Metric::RoundTripP50).is_some()),
        };
        charts.push(card.draw(|canvas, top| rows::draw(canvas, top, &table))?);
    }
    Ok(charts)
}
