//! Round trips in a closed loop: the next message when the last is back.

use tickbench_record::ScenarioKind;
use tickbench_stats::Metric;

use crate::card::{Card, missing};
use crate::chart::bars::{bar, table};
use crate::layout::rows::{self, Column};
use crate::run::{Run, estimate};
use crate::units::Unit;
use crate::{Chart, GraphError, Section};

/// Bars of rate and round trip, with intervals.
pub(crate) fn charts(run: &Run) -> Result<Vec<Chart>, GraphError> {
    let mut charts = Vec::new();
    for scene in run.scenes(ScenarioKind::Echo) {
        let column = |title: &str, unit| Column { title: title.into(), unit };
        let columns = vec![
            column("Round trips per second", Unit::Rate),
            column("Round trip p50", Unit::Time),
            column("Round trip p99", Unit::Time),
        ];
        let cleaned = scene.cleaned(Metric::RoundTripP50).zip(scene.cleaned(Metric::RoundTripP99));
        let (p50, p99) = cleaned.unwrap_or((Metric::RoundTripP50, Metric::RoundTripP99));
        let metrics = [Metric::MessagesPerS, p50, p99];
        let table =
            table(run, &scene, columns, |cell| metrics.iter().map(|metric| bar(cell, *metric)).collect());
        if table.is_empty() {
            continue;
        }
        let card = Card {
            name: run.stem(&scene, "rate"),
            title: scene.title("Rate and round trip"),
            setting: run.setting(&scene),
            better: Some("higher rate, lower time is better"),
            caption: format!(
                "Round trips per second and the time of one{}, with 95 % intervals over iterations. In a closed loop the \
                 two mirror each other. A higher rate and a lower time are better.",
                if cleaned.is_some() { " less the machine's hiccups" } else { "" }
            ),
            section: Section::Echo,
            legend: Vec::new(),
            missing: missing(&scene.cells, |cell| estimate(cell, Metric::MessagesPerS).is_some()),
        };
        charts.push(card.draw(|canvas, top| rows::draw(canvas, top, &table))?);
    }
    Ok(charts)
}
