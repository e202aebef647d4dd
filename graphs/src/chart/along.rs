//! Lines of a metric against what a scenario varies: the number of connections, or the size of messages.

use tickbench_record::Cell;
use tickbench_stats::{CellSummary, Estimate, Metric};

use crate::axis::Axis;
use crate::layout::lines::{Line, Panel, baseline_first};
use crate::run::{Facet, Run, Scene, distinct, estimate};
use crate::units::Unit;

/// What lies along the axis.
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    pub(crate) of: fn(&Cell) -> f64,
    /// The facet without it: cells that are equal in this make one line.
    pub(crate) family: fn(Facet) -> Facet,
}

pub(crate) const CONNECTIONS: Variable = Variable {
    name: "Connections",
    unit: Unit::Count,
    of: |cell| cell.connections.into(),
    family: |facet| Facet { connections: 0, ..facet },
};

pub(crate) const SIZE: Variable = Variable {
    name: "Message size",
    unit: Unit::Bytes,
    of: |cell| cell.size_bytes as f64,
    family: |facet| Facet { size_bytes: 0, ..facet },
};

/// One metric against it.
pub(crate) struct Against {
    pub(crate) metric: Metric,
    pub(crate) title: &'static str,
    pub(crate) y_name: &'static str,
    pub(crate) unit: Unit,
}

/// A panel for each family and each of `metrics`, those of a family side by side. All panels that show figures of one kind
/// share their axis. Empty where no metric has a figure.
pub(crate) fn panels(run: &Run, scene: &Scene, along: &Variable, metrics: &[Against]) -> Vec<Panel> {
    build(scene, along, metrics, "", estimate, run)
}

/// The same, each figure divided by the baseline's. Intervals are those of the comparison, where the summary has it.
pub(crate) fn ratios(run: &Run, scene: &Scene, along: &Variable, metrics: &[Against]) -> Vec<Panel> {
    let Some(baseline) = run.baseline() else { return Vec::new() };
    let as_ratio = |against: &Against| Against { y_name: "Ratio", unit: Unit::Ratio, ..*against };
    let metrics: Vec<Against> = metrics.iter().map(as_ratio).collect();
    let figure = |cell: &CellSummary, metric| run.ratio(scene, cell, &baseline.name, metric);
    build(scene, along, &metrics, &format!(", ratio to {}", baseline.name), figure, run)
}

fn build(
    scene: &Scene,
    along: &Variable,
    metrics: &[Against],
    suffix: &str,
    figure: impl Fn(&CellSummary, Metric) -> Option<Estimate>,
    run: &Run,
) -> Vec<Panel> {
    let has_data = |metric| scene.cells.iter().any(|cell| figure(cell, metric).is_some());
    let metrics: Vec<&Against> = metrics.iter().filter(|against| has_data(against.metric)).collect();
    let mut steps: Vec<f64> = scene.cells.iter().map(|cell| (along.of)(&cell.cell)).collect();
    steps.sort_by(f64::total_cmp);
    steps.dedup();
    let axis = |of: &Against| {
        let alike = metrics.iter().filter(|against| against.y_name == of.y_name);
        let figures: Vec<f64> = alike
            .flat_map(|against| scene.cells.iter().filter_map(|cell| figure(cell, against.metric)))
            .flat_map(|figure| [figure.low, figure.estimate, figure.high])
            .collect();
        let largest = figures.iter().copied().fold(0.0, f64::max);
        let around = Axis::around(figures.into_iter(), of.unit, if of.unit == Unit::Ratio { 3 } else { 6 });
        let from_zero = !around.is_logarithmic() && of.unit != Unit::Ratio;
        if from_zero { Axis::from_zero(largest, of.unit, 5) } else { around }
    };
    let families: Vec<Facet> = distinct(scene.facets().into_iter().map(along.family));
    let mut panels = Vec::new();
    for family in &families {
        for against in &metrics {
            panels.push(Panel {
                title: format!("{}: {}{suffix}", family.label(&families), against.title),
                x_name: Some(along.name),
                y_name: against.y_name,
                x: Axis::at_values(&steps, along.unit),
                y: axis(against),
                lines: lines(run, scene, along, *family, |cell| figure(cell, against.metric)),
            });
        }
    }
    panels
}

fn lines(
    run: &Run,
    scene: &Scene,
    along: &Variable,
    family: Facet,
    figure: impl Fn(&CellSummary) -> Option<Estimate>,
) -> Vec<Line> {
    let lines = run.servers.iter().map(|server| {
        let cells = scene.cells.iter().filter(|cell| cell.cell.server == server.name);
        let mut figures: Vec<(f64, Estimate)> = cells
            .filter(|cell| (along.family)(Facet::of(&cell.cell)) == family)
            .filter_map(|cell| Some(((along.of)(&cell.cell), figure(cell)?)))
            .collect();
        figures.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        let points: Vec<_> = figures.iter().map(|(count, figure)| (*count, figure.estimate)).collect();
        Line {
            look: server.look,
            thin: false,
            rings: Vec::new(),
            marks: if server.look.baseline { Vec::new() } else { points.clone() },
            points,
            band: figures.iter().map(|(count, figure)| (*count, figure.low, figure.high)).collect(),
        }
    });
    baseline_first(lines.filter(|line| !line.points.is_empty()).collect())
}
