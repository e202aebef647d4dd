//! One publishes and many receive: delivery and skew, against how many they are where that varies.

use tickbench_record::{Disturbance, ScenarioKind};
use tickbench_stats::{CellSummary, Metric};

use crate::card::{Card, missing, shown};
use crate::chart::along::{Against, CONNECTIONS, panels};
use crate::chart::bars::{bar, table};
use crate::layout::lines::{self, Band};
use crate::layout::rows::{self, Column};
use crate::run::{Run, Scene, distinct, estimate};
use crate::units::Unit;
use crate::{Chart, GraphError, Section};

const fn against(metric: Metric, title: &'static str, y_name: &'static str) -> Against {
    Against { metric, title, y_name, unit: Unit::Time }
}

const DELIVERY: [Against; 2] = [
    against(Metric::DeliveryP50, "p50", "Delivery (sent to received)"),
    against(Metric::DeliveryP99, "p99", "Delivery (sent to received)"),
];
const SKEW: [Against; 2] = [
    against(Metric::SkewP50, "skew, p50", "First to last delivery"),
    against(Metric::SkewP99, "skew, p99", "First to last delivery"),
];
const COST: [Against; 2] = [
    against(Metric::ServerCpuNsPerMessage, "server CPU", "CPU time per delivery"),
    against(Metric::ConnectNs, "connecting all", "Until all subscribe"),
];

/// A chart a scenario that is asked undisturbed.
pub(crate) fn charts(run: &Run) -> Result<Vec<Chart>, GraphError> {
    let mut charts = Vec::new();
    for mut scene in run.scenes(ScenarioKind::Relay) {
        scene.cells.retain(|cell| cell.cell.beside == Disturbance::Nothing);
        if !scene.cells.iter().any(|cell| has_data(cell)) {
            continue;
        }
        let widths = distinct(scene.cells.iter().map(|cell| cell.cell.connections)).len();
        charts.push(if widths > 1 { over_widths(run, &scene)? } else { at_one_width(run, &scene)? });
    }
    Ok(charts)
}

fn has_data(cell: &CellSummary) -> bool {
    estimate(cell, Metric::DeliveryP50).is_some()
}

fn card<'a>(run: &'a Run, scene: &Scene, title: &str, caption: String) -> Card<'a> {
    Card {
        name: run.stem(scene, "relay"),
        title: scene.title(title),
        setting: run.setting(scene),
        better: Some("lower is better"),
        caption,
        section: Section::Relay,
        legend: Vec::new(),
        missing: missing(&scene.cells, has_data),
    }
}

/// What decides: less hiccups, where every cell has that.
fn delivery(scene: &Scene) -> ([Against; 2], &'static str) {
    if DELIVERY.iter().any(|against| scene.cleaned(against.metric).is_none()) {
        return (DELIVERY, "");
    }
    let cleaned = |against: Against| Against {
        metric: scene.cleaned(against.metric).unwrap_or(against.metric),
        ..against
    };
    (DELIVERY.map(cleaned), ", less the machine's hiccups")
}

fn over_widths(run: &Run, scene: &Scene) -> Result<Chart, GraphError> {
    let (delivery, cleaned) = delivery(scene);
    let caption = format!(
        "Delivery{cleaned} and skew, the time from a message's first delivery to its last, against subscribers; below, the server's CPU time \
         for each delivery and the time until all are connected. Bands are 95 % intervals over iterations. Lower is better."
    );
    let legend = shown(&run.servers, &scene.cells, has_data);
    let band = |metrics: &[Against], height| Band {
        heading: None,
        panels: panels(run, scene, &CONNECTIONS, metrics),
        columns: 2,
        height,
    };
    let bands: Vec<Band> = [band(&delivery, 220.0), band(&SKEW, 180.0), band(&COST, 150.0)]
        .into_iter()
        .filter(|band| !band.panels.is_empty())
        .collect();
    let card = Card { legend, ..card(run, scene, "Delivery and skew against subscribers", caption) };
    card.draw(|canvas, top| lines::draw(canvas, top, &bands))
}

fn at_one_width(run: &Run, scene: &Scene) -> Result<Chart, GraphError> {
    let (delivery, cleaned) = delivery(scene);
    let metrics = [delivery[0].metric, delivery[1].metric, Metric::SkewP50, Metric::ServerCpuNsPerMessage];
    let titles = ["Delivery p50", "Delivery p99", "Skew p50", "CPU per delivery"];
    let columns = titles.map(|title| Column { title: title.into(), unit: Unit::Time }).into();
    let caption = format!(
        "Delivery{cleaned}, skew (from a message's first delivery to its last) and the server's CPU time for each delivery, with 95 % \
         intervals over iterations. Lower is better."
    );
    let table = table(run, scene, columns, |cell| metrics.map(|metric| bar(cell, metric)).into());
    card(run, scene, "Delivery and skew", caption).draw(|canvas, top| rows::draw(canvas, top, &table))
}
