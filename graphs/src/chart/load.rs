//! Response against offered load, the knee marked.

use tickbench_record::{Cell, ScenarioKind};
use tickbench_stats::{CellSummary, KNEE_FACTOR, Metric};

use crate::axis::Axis;
use crate::card::{Card, missing, shown};
use crate::layout::lines::{self, Band, Line, Panel, baseline_first};
use crate::run::{Facet, Run, Scene, estimate};
use crate::units::Unit;
use crate::{Chart, GraphError, Section};

/// What a panel shows against the offered rate.
struct Against {
    metric: Metric,
    title: &'static str,
    y_name: &'static str,
    unit: Unit,
    /// Whether the knee is marked: it is told from this figure.
    tells_knee: bool,
}

const fn response(metric: Metric, title: &'static str, tells_knee: bool) -> Against {
    Against { metric, title, y_name: "Response (due to received)", unit: Unit::Time, tells_knee }
}

const SHOWN: [Against; 4] = [
    response(Metric::ResponseP50, "p50", false),
    response(Metric::ResponseP99, "p99, knees ringed", true),
    response(Metric::ResponseP999, "p99.9", false),
    Against {
        metric: Metric::ServerCpuShare,
        title: "server CPU",
        y_name: "Share of its core",
        unit: Unit::Share,
        tells_knee: false,
    },
];

/// Three quantiles of the response and the server's CPU share, a panel each, with intervals as bands.
pub(crate) fn charts(run: &Run) -> Result<Vec<Chart>, GraphError> {
    let mut charts = Vec::new();
    for scene in run.scenes(ScenarioKind::Load) {
        let has_data = |cell: &CellSummary| estimate(cell, Metric::ResponseP50).is_some();
        let facets = scene.facets();
        let bands: Vec<Band> = facets
            .iter()
            .map(|facet| Band {
                heading: Some(facet.label(&facets)),
                panels: panels(run, &scene, *facet),
                columns: 2,
                height: 230.0,
            })
            .filter(|band| !band.panels.is_empty())
            .collect();
        if bands.is_empty() {
            continue;
        }
        let card = Card {
            name: run.stem(&scene, "response"),
            title: scene.title("Response against offered load"),
            setting: run.setting(&scene),
            better: Some("lower is better"),
            caption: format!(
                "Response at each offered rate, from idle to saturation, where it grows with the window; both axes are \
                 logarithmic, bands are 95 % intervals over iterations. A ring marks the knee: the highest rate before p99 is more \
                 than {KNEE_FACTOR} times its least or fewer messages arrive than were offered; a curve without one has its knee \
                 beyond the highest rate. Lower is better."
            ),
            section: Section::Load,
            legend: shown(&run.servers, &scene.cells, has_data),
            missing: missing(&scene.cells, has_data),
        };
        charts.push(card.draw(|canvas, top| lines::draw(canvas, top, &bands))?);
    }
    Ok(charts)
}

/// Those of one facet that have figures; the panels of the response share their axis.
fn panels(run: &Run, scene: &Scene, facet: Facet) -> Vec<Panel> {
    let mut rates: Vec<f64> = scene.cells.iter().map(|cell| cell.cell.rate_per_s).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    let axis = |of: &Against| {
        let alike = SHOWN.iter().filter(|against| against.y_name == of.y_name);
        let figures: Vec<f64> = alike
            .flat_map(|against| scene.of(facet).filter_map(|cell| estimate(cell, against.metric)))
            .flat_map(|figure| [figure.low, figure.estimate, figure.high])
            .collect();
        match of.unit {
            Unit::Share => Axis::from_zero(figures.iter().copied().fold(0.0, f64::max), of.unit, 5),
            _ => Axis::around(figures.into_iter(), of.unit, 6),
        }
    };
    let panel = |against: &Against| Panel {
        title: against.title.into(),
        x_name: Some("Offered messages per second"),
        y_name: against.y_name,
        x: axis_of_rates(&rates),
        y: axis(against),
        lines: lines_of(run, scene, facet, against),
    };
    SHOWN.iter().map(panel).filter(|panel| !panel.lines.is_empty()).collect()
}

/// The rates themselves, as many labelled as fit beside each other on half a card.
fn axis_of_rates(rates: &[f64]) -> Axis {
    const LABEL_SHARE: f64 = 0.2;
    let mut axis = Axis::at_values(rates, Unit::Rate);
    let span = rates.last().zip(rates.first()).map_or(1.0, |(high, low)| high / low);
    let mut labelled = 0.0;
    axis.ticks.retain(|tick| {
        let fits = tick.value > labelled * span.powf(LABEL_SHARE);
        labelled = if fits { tick.value } else { labelled };
        fits
    });
    axis
}

fn lines_of(run: &Run, scene: &Scene, facet: Facet, against: &Against) -> Vec<Line> {
    let lines = run.servers.iter().map(|server| {
        let mut cells: Vec<&CellSummary> =
            scene.of(facet).filter(|cell| cell.cell.server == server.name).collect();
        cells.sort_by(|one, other| one.cell.rate_per_s.total_cmp(&other.cell.rate_per_s));
        let figures: Vec<_> = cells
            .iter()
            .filter_map(|cell| Some((cell.cell.rate_per_s, estimate(cell, against.metric)?)))
            .collect();
        let points: Vec<_> = figures.iter().map(|(rate, figure)| (*rate, figure.estimate)).collect();
        let knee = cells.first().filter(|_| against.tells_knee).and_then(|cell| knee(run, &cell.cell));
        Line {
            look: server.look,
            thin: false,
            marks: if server.look.baseline { Vec::new() } else { points.clone() },
            rings: points.iter().copied().filter(|(rate, _)| Some(*rate) == knee).collect(),
            points,
            band: figures.iter().map(|(rate, figure)| (*rate, figure.low, figure.high)).collect(),
        }
    });
    baseline_first(lines.filter(|line| !line.points.is_empty()).collect())
}

/// The last rate before the knee of a cell's curve, where the curve has one.
fn knee(run: &Run, of: &Cell) -> Option<f64> {
    let is_of_curve = |cell: &Cell| Cell { rate_per_s: of.rate_per_s, ..cell.clone() } == *of;
    let knee = run.summary.knees.iter().find(|knee| is_of_curve(&knee.cell))?;
    knee.beyond_per_s.map(|_| knee.before_per_s)
}
