//! Latency against the number of connections.

use tickbench_record::ScenarioKind;
use tickbench_stats::Metric;

use crate::card::{Card, missing, shown};
use crate::chart::along::{Against, CONNECTIONS, panels, ratios};
use crate::layout::lines::{self, Band};
use crate::run::{Run, estimate};
use crate::units::Unit;
use crate::{Chart, GraphError, Section};

const DELIVERY: [Against; 2] = [
    Against {
        metric: Metric::DeliveryP50,
        title: "p50",
        y_name: "Delivery (sent to received)",
        unit: Unit::Time,
    },
    Against {
        metric: Metric::DeliveryP99,
        title: "p99",
        y_name: "Delivery (sent to received)",
        unit: Unit::Time,
    },
];

/// p50 and p99 of delivery, with intervals as bands.
pub(crate) fn charts(run: &Run) -> Result<Vec<Chart>, GraphError> {
    let mut charts = Vec::new();
    for scene in run.scenes(ScenarioKind::Scaling) {
        let cleaned = DELIVERY.iter().all(|against| scene.cleaned(against.metric).is_some());
        let delivery = DELIVERY.map(|against| Against {
            metric: scene.cleaned(against.metric).filter(|_| cleaned).unwrap_or(against.metric),
            ..against
        });
        let panels = panels(run, &scene, &CONNECTIONS, &delivery);
        if panels.is_empty() {
            continue;
        }
        let ratios = ratios(run, &scene, &CONNECTIONS, &delivery);
        let has_data = |cell: &_| estimate(cell, Metric::DeliveryP50).is_some();
        let card = Card {
            name: run.stem(&scene, "latency"),
            title: scene.title("Delivery latency against connections"),
            setting: run.setting(&scene),
            better: Some("lower is better"),
            caption: format!(
                "p50 and p99 of delivery over all connections{}, and how many times the baseline's they are; bands are \
                 95 % intervals over iterations. Lower is better.",
                if cleaned { ", less the machine's hiccups" } else { "" }
            ),
            section: Section::Scaling,
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
