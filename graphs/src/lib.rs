//! A summary as SVG charts: one file a chart kind, one look a server.
//!
//! Equal summaries make equal bytes. A chart without data is left out; a cell without data is named under the chart that
//! lacks it.
//!
//! **Invariant:** nothing here reads a file, a clock or a random number, and no server is known by name.

mod axis;
mod canvas;
mod card;
mod chart;
mod layout;
mod palette;
mod quartiles;
mod run;
mod style;
mod units;

use plotters::prelude::DrawingAreaErrorKind;
use thiserror::Error;
use tickbench_stats::{Series, Summary};

pub use crate::chart::history::{History, PastPanel, PastRun, PastScene, PastSeries};

use crate::run::Run;
use crate::units::Unit;

/// A drawn chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// Stem of its file's name: lower case, unique among the charts of a summary.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// How to read it, in a sentence.
    pub caption: String,
    /// Where a report shows it.
    pub section: Section,
    /// The SVG document: 860 pixels wide, on a light card of its own.
    pub svg: String,
}

/// The part of a report to which a chart belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// How late messages are.
    Latency,
    /// Where the time of a message goes.
    Stages,
    /// How many messages a second.
    Throughput,
    /// What more connections change.
    Scaling,
    /// Response against offered load.
    Load,
    /// The highest rate that keeps a target.
    Capacity,
    /// Round trips.
    Echo,
    /// Connections opened and closed in turn.
    Connecting,
    /// Connections that carry pings alone.
    Idle,
    /// What a connection takes of memory.
    Memory,
    /// One publishes, many receive.
    Relay,
    /// What those who receive feel of others.
    Disturbed,
    /// What another client than the instrument sees.
    Clients,
    /// What tuning changes.
    Lanes,
    /// CPU and memory.
    Resources,
}

/// What a summary does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options<'a> {
    /// The server that others are compared with: drawn grey, its lines dashed. A name that is not in the summary changes
    /// nothing.
    pub baseline: Option<&'a str>,
}

/// Why a chart could not be drawn.
#[derive(Debug, Error)]
pub enum GraphError {
    /// The backend refused a shape.
    #[error("failed to draw `{chart}`: {cause}; `summary.json` holds the figures that it would have shown")]
    Draw {
        /// The chart's name.
        chart: String,
        /// What the backend said.
        cause: DrawingAreaErrorKind<std::io::Error>,
    },
}

/// Draws every chart for which `summary` has data, in the order of the sections.
pub fn charts(summary: &Summary, options: Options) -> Result<Vec<Chart>, GraphError> {
    let summary = &drawable(summary);
    let run = Run::new(summary, options.baseline);
    let kinds = [
        chart::percentiles::delivery,
        chart::boxes::charts,
        chart::delivery::sizes,
        chart::percentiles::lag,
        chart::stages::charts,
        chart::throughput::charts,
        chart::delivery::scaling,
        chart::load::charts,
        chart::capacity::charts,
        chart::percentiles::round_trip,
        chart::echo::charts,
        chart::connecting::charts,
        chart::idle::charts,
        chart::per_connection::charts,
        chart::relay::charts,
        chart::disturbed::charts,
        chart::clients::charts,
        chart::lanes::charts,
        chart::memory::charts,
        chart::cpu::charts,
        chart::usage::charts,
    ];
    let mut charts = Vec::new();
    for kind in kinds {
        charts.extend(kind(&run)?);
    }
    name_apart(&mut charts);
    Ok(charts)
}

/// Draws the figures of a folder's runs over time: a chart a scenario, in the order given.
pub fn history(history: &History) -> Result<Vec<Chart>, GraphError> {
    let mut charts = chart::history::charts(history)?;
    name_apart(&mut charts);
    Ok(charts)
}

/// What a figure counts, and so how its axis is labelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// Nanoseconds.
    Nanoseconds,
    /// Messages or bytes a second.
    PerSecond,
    /// Bytes.
    Bytes,
    /// A share of one core.
    Share,
    /// Nothing that has a unit.
    Bare,
}

impl Counts {
    fn unit(self) -> Unit {
        match self {
            Counts::Nanoseconds => Unit::Time,
            Counts::PerSecond => Unit::Rate,
            Counts::Bytes => Unit::Bytes,
            Counts::Share => Unit::Share,
            Counts::Bare => Unit::Count,
        }
    }
}

/// The summary without what no chart shows: controls, and the series of rows that failed an audit.
fn drawable(summary: &Summary) -> Summary {
    let mut summary = summary.clone();
    summary.cells.retain(|cell| !cell.cell.is_control());
    for cell in summary.cells.iter_mut().filter(|cell| !cell.is_sound()) {
        cell.series = Series::default();
    }
    summary
}

/// Numbers the names that different scenarios happen to share.
fn name_apart(charts: &mut [Chart]) {
    for index in 1..charts.len() {
        let (earlier, rest) = charts.split_at_mut(index);
        let is_taken = |name: &str| earlier.iter().any(|chart| chart.name == name);
        let original = rest[0].name.clone();
        let mut number = 2;
        while is_taken(&rest[0].name) {
            rest[0].name = format!("{original}-{number}");
            number += 1;
        }
    }
}
