//! Figures over the runs of a folder: a panel a question and metric, a line a server.

use tickbench_stats::Estimate;

use crate::axis::Axis;
use crate::card::Card;
use crate::layout::lines::{self, Band, Line, Panel, baseline_first};
use crate::palette::Server;
use crate::units::Unit;
use crate::{Chart, Counts, GraphError, Section, palette};

/// The runs of a folder, as charts need them.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// The servers of all runs, in the order in which they get their colours.
    pub servers: Vec<String>,
    /// The server that others are compared with.
    pub baseline: Option<String>,
    /// The runs, earliest first.
    pub runs: Vec<PastRun>,
    /// A chart each.
    pub scenes: Vec<PastScene>,
}

/// A run, seen from later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastRun {
    /// A few letters that tell it from its neighbours, such as its day.
    pub label: String,
    /// Whether its machine is that of the run before it: where not, no line leads here.
    pub same_machine: bool,
}

/// A scenario over time.
#[derive(Debug, Clone, PartialEq)]
pub struct PastScene {
    /// Stem of the chart's file name.
    pub name: String,
    /// The scenario's name.
    pub scenario: String,
    /// Its panels.
    pub panels: Vec<PastPanel>,
}

/// One figure of one question over time.
#[derive(Debug, Clone, PartialEq)]
pub struct PastPanel {
    /// The question and the figure.
    pub title: String,
    /// What the figure counts.
    pub counts: Counts,
    /// The servers that have it.
    pub series: Vec<PastSeries>,
}

/// One server's figure over time.
#[derive(Debug, Clone, PartialEq)]
pub struct PastSeries {
    /// The server.
    pub server: String,
    /// `(which run, from 0, its estimate)`, in order.
    pub points: Vec<(usize, Estimate)>,
}

const BAND: f64 = 170.0;

/// Draws a chart for each scene that has a figure.
pub(crate) fn charts(history: &History) -> Result<Vec<Chart>, GraphError> {
    let servers = palette::in_order(history.servers.iter(), history.baseline.as_deref());
    let drawn =
        history.scenes.iter().filter(|scene| scene.panels.iter().any(|panel| !panel.series.is_empty()));
    drawn.map(|scene| chart(history, scene, &servers)).collect()
}

fn chart(history: &History, scene: &PastScene, servers: &[Server]) -> Result<Chart, GraphError> {
    let has = |server: &&Server| {
        scene.panels.iter().flat_map(|panel| &panel.series).any(|s| s.server == server.name)
    };
    let panels: Vec<Panel> = scene.panels.iter().map(|panel| history.panel(panel, servers)).collect();
    let card = Card {
        name: format!("history-{}", scene.name),
        title: format!("Over the runs: {}", scene.scenario),
        setting: format!(
            "{} runs, earliest first · bands are 95 % intervals within a run · a line breaks where the machine changes",
            history.runs.len()
        ),
        better: None,
        caption: format!(
            "Each figure of scenario {} over the runs. A step may be the machine's: only `tickbench compare` tells.",
            scene.scenario
        ),
        section: Section::Latency,
        legend: servers.iter().filter(has).collect(),
        missing: None,
    };
    card.draw(|canvas, top| {
        lines::draw(canvas, top, &[Band { heading: None, columns: 2, height: BAND, panels }])
    })
}

impl History {
    fn panel(&self, panel: &PastPanel, servers: &[Server]) -> Panel {
        let unit = panel.counts.unit();
        let figures: Vec<f64> = panel
            .series
            .iter()
            .flat_map(|series| &series.points)
            .flat_map(|(_, estimate)| [estimate.low, estimate.estimate, estimate.high])
            .filter(|figure| figure.is_finite())
            .collect();
        let lines = servers.iter().flat_map(|server| {
            let series = panel.series.iter().find(|series| series.server == server.name);
            series.map(|series| self.lines(series, server)).unwrap_or_default()
        });
        let labels: Vec<&str> = self.runs.iter().map(|run| run.label.as_str()).collect();
        Panel {
            title: panel.title.clone(),
            x_name: None,
            y_name: match unit {
                Unit::Time => "Time",
                Unit::Rate => "Rate",
                Unit::Bytes => "Memory",
                Unit::Share => "Share of a core",
                Unit::Ratio | Unit::Count => "Figure",
            },
            x: Axis::places(&labels),
            y: Axis::around(figures.into_iter(), unit, 5),
            lines: baseline_first(lines.collect()),
        }
    }

    /// A line for each stretch of runs on one machine.
    fn lines(&self, series: &PastSeries, server: &Server) -> Vec<Line> {
        let moved = |from: usize, to: usize| self.runs[from + 1..=to].iter().any(|run| !run.same_machine);
        let stretches = series.points.chunk_by(|(from, _), (to, _)| !moved(*from, *to));
        stretches
            .map(|points| {
                let place = |at: &usize| *at as f64 + 1.0;
                let drawn: Vec<_> = points.iter().map(|(at, figure)| (place(at), figure.estimate)).collect();
                Line {
                    thin: false,
                    rings: Vec::new(),
                    look: server.look,
                    marks: if server.look.baseline { Vec::new() } else { drawn.clone() },
                    points: drawn,
                    band: points.iter().map(|(at, figure)| (place(at), figure.low, figure.high)).collect(),
                }
            })
            .collect()
    }
}
