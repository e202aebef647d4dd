//! Delivery latency against what a scenario varies: connections, or the size of messages.

use tickbench_record::ScenarioKind;
use tickbench_stats::Metric;

use crate::card::{Card, missing, shown};
use crate::chart::along::{Against, CONNECTIONS, SIZE, Variable, panels, ratios};
use crate::layout::lines::{self, Band};
use crate::run::{Run, Scene, estimate};
use crate::units::Unit;
use crate::{Chart, GraphError, Section};

const P50: Against = Against {
    metric: Metric::DeliveryP50,
    title: "p50",
    y_name: "Delivery (sent to received)",
    unit: Unit::Time,
};
const P99: Against = Against { metric: Metric::DeliveryP99, title: "p99", ..P50 };

/// What tells the charts apart.
struct Kind {
    along: Variable,
    stem: &'static str,
    title: &'static str,
    /// Whose delivery it is, for the caption.
    of: &'static str,
    section: Section,
}

/// Of more and more connections.
pub(crate) fn scaling(run: &Run) -> Result<Vec<Chart>, GraphError> {
    let kind = Kind {
        along: CONNECTIONS,
        stem: "latency",
        title: "Delivery latency against connections",
        of: "over all connections",
        section: Section::Scaling,
    };
    kind.charts(run, run.scenes(ScenarioKind::Scaling))
}

/// Of larger and larger messages.
pub(crate) fn sizes(run: &Run) -> Result<Vec<Chart>, GraphError> {
    let kind = Kind {
        along: SIZE,
        stem: "sizes",
        title: "Delivery latency against message size",
        of: "of ever larger messages",
        section: Section::Latency,
    };
    kind.charts(run, run.scenes(ScenarioKind::Latency).into_iter().filter(Scene::varies_size).collect())
}

impl Kind {
    fn charts(&self, run: &Run, scenes: Vec<Scene>) -> Result<Vec<Chart>, GraphError> {
        scenes.iter().filter_map(|scene| self.chart(run, scene)).collect()
    }

    /// p50 and p99 of delivery, with intervals as bands; `None` without data.
    fn chart(&self, run: &Run, scene: &Scene) -> Option<Result<Chart, GraphError>> {
        let cleaned = [P50, P99].iter().all(|against| scene.cleaned(against.metric).is_some());
        let delivery = [P50, P99].map(|against| Against {
            metric: scene.cleaned(against.metric).filter(|_| cleaned).unwrap_or(against.metric),
            ..against
        });
        let panels = panels(run, scene, &self.along, &delivery);
        if panels.is_empty() {
            return None;
        }
        let ratios = ratios(run, scene, &self.along, &delivery);
        let has_data = |cell: &_| estimate(cell, Metric::DeliveryP50).is_some();
        let card = Card {
            name: run.stem(scene, self.stem),
            title: scene.title(self.title),
            setting: run.setting(scene),
            better: Some("lower is better"),
            caption: format!(
                "p50 and p99 of delivery {}{}, and how many times the baseline's they are; bands are 95 % intervals over \
                 iterations. Lower is better.",
                self.of,
                if cleaned { ", less the machine's hiccups" } else { "" }
            ),
            section: self.section,
            legend: shown(&run.servers, &scene.cells, has_data),
            missing: missing(&scene.cells, has_data),
        };
        let bands = [
            Band { heading: None, panels, columns: 2, height: 250.0 },
            Band { heading: None, panels: ratios, columns: 2, height: 110.0 },
        ];
        Some(card.draw(|canvas, top| lines::draw(canvas, top, &bands)))
    }
}
