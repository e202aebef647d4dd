//! Latency against the size of messages.

use tickbench_record::ScenarioKind;
use tickbench_stats::Metric;

use crate::card::{Card, missing, shown};
use crate::chart::along::{Against, SIZE, panels, ratios};
use crate::layout::lines::{self, Band};
use crate::run::{Run, estimate};
use crate::units::Unit;
use crate::{Chart, GraphError, Section};

const P50: Against = Against {
    metric: Metric::DeliveryP50,
    title: "p50",
    y_name: "Delivery (sent to received)",
    unit: Unit::Time,
};
const P99: Against = Against { metric: Metric::DeliveryP99, title: "p99", ..P50 };

/// p50 and p99 of delivery, with intervals as bands.
pub(crate) fn charts(run: &Run) -> Result<Vec<Chart>, GraphError> {
    let mut charts = Vec::new();
    for scene in run.scenes(ScenarioKind::Latency).into_iter().filter(|scene| scene.varies_size()) {
        let cleaned = [P50, P99].iter().all(|against| scene.cleaned(against.metric).is_some());
        let delivery = [P50, P99].map(|against| Against {
            metric: scene.cleaned(against.metric).filter(|_| cleaned).unwrap_or(against.metric),
            ..against
        });
        let panels = panels(run, &scene, &SIZE, &delivery);
        if panels.is_empty() {
            continue;
        }
        let ratios = ratios(run, &scene, &SIZE, &delivery);
        let has_data = |cell: &_| estimate(cell, Metric::DeliveryP50).is_some();
        let card = Card {
            name: run.stem(&scene, "sizes"),
            title: scene.title("Delivery latency against message size"),
            setting: run.setting(&scene),
            better: Some("lower is better"),
            caption: format!(
                "p50 and p99 of delivery of ever larger messages{}, and how many times the baseline's they are; bands are 95 % intervals \
                 over iterations. Lower is better.",
                if cleaned { ", less the machine's hiccups" } else { "" }
            ),
            section: Section::Latency,
            legend: shown(&run.servers, &scene.cells, has_data),
            missing: missing(&scene.cells, has_data),
        };
        let bands = [
            Band { heading: None, panels, columns: 2, height: 250.0 },
            Band { heading: None, panels: ratios, columns: 2, height: 110.0 },
        ];
        charts.push(card.draw(|canvas, top| lines::draw(canvas, top, &bands))?);
    }
    Ok(charts)
}
