//! Latency by percentile, on the axis of HdrHistogram: the tail takes as much room as the middle. Thick is the typical iteration, which is what
//! tables tell; thin are all samples of all iterations, as they were.

use tickbench_record::ScenarioKind;
use tickbench_stats::CellSummary;

use crate::axis::Axis;
use crate::card::{Card, missing, shown};
use crate::layout::lines::{self, Band, Line, Panel, baseline_first};
use crate::palette::{Look, Server};
use crate::run::{Facet, Run, Scene};
use crate::units::Unit;
use crate::{Chart, GraphError, Section};

/// One figure's percentiles.
struct Kind {
    scenarios: ScenarioKind,
    section: Section,
    name: &'static str,
    title: &'static str,
    y_name: &'static str,
    meaning: &'static str,
    raw: fn(&CellSummary) -> &[(f64, u64)],
    typical: fn(&CellSummary) -> &[(f64, u64)],
}

/// From the stamp directly before the server's send call to the client's receipt.
pub(crate) fn delivery(run: &Run) -> Result<Vec<Chart>, GraphError> {
    let kind = Kind {
        scenarios: ScenarioKind::Latency,
        section: Section::Latency,
        name: "percentiles",
        title: "Delivery latency by percentile",
        y_name: "Delivery (sent to received)",
        meaning: "Time from directly before the server's send call to the client's receipt",
        raw: |cell| &cell.series.merged_quantiles,
        typical: |cell| &cell.series.typical_quantiles,
    };
    kind.charts(run)
}

/// From when a tick was due to the server's send call.
pub(crate) fn lag(run: &Run) -> Result<Vec<Chart>, GraphError> {
    let kind = Kind {
        scenarios: ScenarioKind::Latency,
        section: Section::Latency,
        name: "lag",
        title: "Lag behind the schedule by percentile",
        y_name: "Lag (due to sent)",
        meaning: "How long after a tick was due the server sent it",
        raw: |cell| &cell.series.merged_lag_quantiles,
        typical: |cell| &cell.series.typical_lag_quantiles,
    };
    kind.charts(run)
}

/// From the client's send to the receipt of its echo.
pub(crate) fn round_trip(run: &Run) -> Result<Vec<Chart>, GraphError> {
    let kind = Kind {
        scenarios: ScenarioKind::Echo,
        section: Section::Echo,
        name: "percentiles",
        title: "Round trip by percentile",
        y_name: "Round trip",
        meaning: "Time from the client's send to the receipt of its echo, the next message only then",
        raw: |cell| &cell.series.merged_quantiles,
        typical: |cell| &cell.series.typical_quantiles,
    };
    kind.charts(run)
}

impl Kind {
    fn charts(&self, run: &Run) -> Result<Vec<Chart>, GraphError> {
        let mut scenes = run.scenes(self.scenarios);
        scenes.retain(|scene| !scene.varies_size());
        let with_data = scenes.iter().filter(|scene| scene.cells.iter().any(|cell| self.has(cell)));
        with_data.map(|scene| self.chart(run, scene)).collect()
    }

    fn has(&self, cell: &CellSummary) -> bool {
        points((self.raw)(cell)).next().is_some()
    }

    /// The typical iteration's curve, and that of all samples.
    fn curves(&self, run: &Run, cell: &CellSummary) -> Vec<Curve> {
        let look = run.look(&cell.cell.server);
        let curve = |quantiles, thin| Curve { look, thin, points: points(quantiles).collect() };
        vec![curve((self.typical)(cell), false), curve((self.raw)(cell), true)]
    }

    fn chart(&self, run: &Run, scene: &Scene) -> Result<Chart, GraphError> {
        let facets: Vec<Facet> =
            scene.facets().into_iter().filter(|facet| scene.of(*facet).any(|cell| self.has(cell))).collect();
        let curves =
            |facet| -> Vec<Curve> { scene.of(facet).flat_map(|cell| self.curves(run, cell)).collect() };
        let all: Vec<Curve> = facets.iter().flat_map(|facet| curves(*facet)).collect();
        let places = all.iter().flat_map(|curve| &curve.points).map(|(place, _)| *place);
        let furthest = places.map(|place| 1.0 - 1.0 / place).fold(0.0, f64::max);
        let shape = Shape { x: Axis::quantiles(furthest), facets: &facets };
        let latency = shape.panels(self.y_name, Unit::Time, 6, "", curves);
        let ratios = run.baseline().map(|baseline| {
            let relative = |facet| {
                let mut curves = curves(facet);
                curves.retain(|curve| !curve.thin);
                let base = curves.iter().find(|curve| curve.look == baseline.look).cloned();
                base.map_or_else(Vec::new, |base| curves.iter().map(|curve| curve.over(&base)).collect())
            };
            shape.panels("Ratio", Unit::Ratio, 3, &format!(": ratio to {}", baseline.name), relative)
        });
        let ratios = ratios.unwrap_or_default();
        let scale = if latency.iter().any(|panel| panel.y.is_logarithmic()) {
            ", on a logarithmic scale"
        } else {
            ""
        };
        let beneath = match run.baseline() {
            Some(Server { name, .. }) if !ratios.is_empty() => {
                format!(" Beneath: how many times {name}'s.")
            }
            _ => String::new(),
        };
        let card = Card {
            name: run.stem(scene, self.name),
            title: scene.title(self.title),
            setting: run.setting(scene) + " · thin: all samples, as they were",
            better: Some("lower is better"),
            caption: format!(
                "{}{scale}. Thick: the typical iteration, as tables tell it, less the samples that a hiccup of the machine may have \
                 delayed where those are set aside; thin: all samples of all iterations, as they were, of which one bad iteration \
                 can be the whole far tail.{beneath} Lower is better.",
                self.meaning
            ),
            section: self.section,
            legend: shown(&run.servers, &scene.cells, |cell| self.has(cell)),
            missing: missing(&scene.cells, |cell| self.has(cell)),
        };
        let last = ratios.is_empty();
        let latency = shape.band(latency, 260.0, last);
        let ratios = shape.band(ratios, 110.0, true);
        card.draw(|canvas, top| lines::draw(canvas, top, &[latency, ratios]))
    }
}

/// What all panels of a chart have in common.
struct Shape<'a> {
    x: Axis,
    facets: &'a [Facet],
}

impl Shape<'_> {
    fn band(&self, mut panels: Vec<Panel>, height: f64, last: bool) -> Band {
        for panel in panels.iter_mut().filter(|_| last) {
            panel.x_name = Some("Percentile of messages");
        }
        Band { heading: None, panels, columns: 2, height }
    }

    /// A panel each facet, with one vertical axis for all; none where no curve has two points.
    fn panels(
        &self,
        y_name: &'static str,
        unit: Unit,
        ticks: usize,
        suffix: &str,
        curves: impl Fn(Facet) -> Vec<Curve>,
    ) -> Vec<Panel> {
        let curves: Vec<Vec<Curve>> = self.facets.iter().map(|facet| curves(*facet)).collect();
        let values: Vec<f64> =
            curves.iter().flatten().flat_map(|curve| &curve.points).map(|(_, value)| *value).collect();
        if values.is_empty() {
            return Vec::new();
        }
        let y = Axis::around(values.into_iter(), unit, ticks);
        let panel = |(facet, curves): (&Facet, Vec<Curve>)| Panel {
            title: format!("{}{suffix}", facet.label(self.facets)),
            x_name: None,
            y_name,
            x: self.x.clone(),
            y: y.clone(),
            lines: baseline_first(
                curves
                    .into_iter()
                    .filter(|curve| !curve.points.is_empty())
                    .map(|curve| curve.line(&self.x))
                    .collect(),
            ),
        };
        self.facets.iter().zip(curves).map(panel).collect()
    }
}

/// `(place of the quantile, value)` of one server, outwards.
#[derive(Clone)]
struct Curve {
    look: Look,
    /// Whether it is a tail as it was, beside one less the machine's hiccups.
    thin: bool,
    points: Vec<(f64, f64)>,
}

impl Curve {
    /// How many times `base` it is, as far out as both reach.
    fn over(&self, base: &Curve) -> Curve {
        let ratio = |(place, value): &(f64, f64)| {
            let under = base.at(*place).filter(|under| *under > 0.0)?;
            Some((*place, value / under))
        };
        Curve { look: self.look, thin: self.thin, points: self.points.iter().filter_map(ratio).collect() }
    }

    /// The value at a place between two points; `None` beyond them.
    fn at(&self, place: f64) -> Option<f64> {
        let after = self.points.iter().position(|(x, _)| *x >= place)?;
        let (right, value) = self.points[after];
        if right == place {
            return Some(value);
        }
        let (left, before) = self.points[after.checked_sub(1)?];
        let share = (place / left).ln() / (right / left).ln();
        Some(before + (value - before) * share)
    }

    /// A line whose marks stand over the labels of the axis.
    fn line(self, x: &Axis) -> Line {
        let mark = |place: f64| Some((place, self.at(place)?));
        let marks = if self.look.baseline || self.thin {
            Vec::new()
        } else {
            x.ticks.iter().filter_map(|tick| mark(tick.value)).collect()
        };
        Line {
            look: self.look,
            thin: self.thin,
            points: self.points,
            band: Vec::new(),
            marks,
            rings: Vec::new(),
        }
    }
}

/// The maximum, at quantile 1, lies infinitely far out on this axis.
fn points(quantiles: &[(f64, u64)]) -> impl Iterator<Item = (f64, f64)> {
    let drawable = |(quantile, _): &&(f64, u64)| (0.0..1.0).contains(quantile);
    quantiles.iter().filter(drawable).map(|(quantile, ns)| (Axis::quantile(*quantile), *ns as f64))
}
