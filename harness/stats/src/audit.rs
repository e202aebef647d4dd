//! What must hold of a row before its figures are believed.

use serde::Serialize;
use tickbench_record::{Arrival, Band, Cell, Observation, Relayed, ScenarioKind, Stages};

use crate::executions::Executions;
use crate::figure::Completed;
use crate::resample::{median, median_of};
use crate::values::Values;
use crate::{CellSummary, Context, Metric, holm, trend};

/// How far throughput × round trip may be from the connections of a closed loop.
const LITTLES_LAW_WITHIN: f64 = 0.02;

/// How far the achieved rate may be from the one asked for, besides what the ends of a window cut.
const SCHEDULE_WITHIN: f64 = 0.01;

/// Standard deviations that a rate of random arrival may be off.
const RANDOM_WITHIN: f64 = 3.0;

/// Ticks of one instant in burst arrival: the contract of servers says so.
const BURST_TICKS: f64 = 32.0;

/// How far the stages of a band may be from its response: means are rounded where they are written.
const STAGES_WITHIN_NS: f64 = 1.0;
/// The share of its messages that a client may publish too late.
const BEHIND_AT_MOST: f64 = 0.05;

/// The chance of even one false drift in a run.
const DRIFT_ERROR: f64 = 0.05;

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Messages sent are messages received and lost. Figure: iterations in which they are not.
    Counts,
    /// A closed loop holds as many messages as it has connections. Figure: throughput × mean round trip (for connections that are
    /// opened in turn, the mean from the end of one turn to that of the next) over connections, the
    /// median over iterations; 1 is right. Little: "A proof for the queuing formula L = λW", 1961.
    LittlesLaw,
    /// Paced ticks came at the rate that was asked for. Figure: achieved over asked, the median over iterations; 1 is right.
    Schedule,
    /// Both cores read one clock, and no message was received before it was sent. Figure: samples and readings that were not so.
    Clock,
    /// The stages of each band add up to its response, and the kernel had each message between its sending and its reading, give or
    /// take what the clocks may be apart. Figure: bands and timestamps that were not so.
    Stages,
    /// The client published on time. Figure: the share of a relay's messages that were late by the mean gap between two, and by 1 ms,
    /// the median over iterations. That is the client's lateness and no server's.
    Publisher,
    /// The deciding figure has no trend over the iterations. Figure: how far it drifts over the whole run, as a share of its
    /// median. A drift is a warning and no failure: cells take turns, so it hits those that are compared alike.
    Stationarity,
}

/// One check of one cell.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Audit {
    /// What was looked at.
    pub check: Check,
    /// What was found: see the check.
    pub figure: f64,
    /// Whether that is as it must be.
    pub held: bool,
}

impl CellSummary {
    /// The audits that this cell failed. Its figures are not to be believed then: it is shown as failed and compared with nobody.
    pub fn failed_audits(&self) -> impl Iterator<Item = &Audit> {
        self.audits.iter().filter(|audit| !audit.held && audit.check != Check::Stationarity)
    }

    /// Whether no audit failed.
    pub fn is_sound(&self) -> bool {
        self.failed_audits().next().is_none()
    }

    /// How far the deciding figure drifted over the run, as a share of its median, where it surely did.
    pub fn drift(&self) -> Option<f64> {
        let drifted = |audit: &&Audit| audit.check == Check::Stationarity && !audit.held;
        self.audits.iter().find(drifted).map(|audit| audit.figure)
    }
}

/// Every check but the one for drifts, which takes all cells at once; nothing of a cell that completed no iteration.
pub(crate) fn of_cell(executions: &Executions, context: &Context) -> Vec<Audit> {
    let Executions { cell, completed, .. } = executions;
    if completed.is_empty() {
        return Vec::new();
    }
    let audits = [
        Some(counts(completed)),
        littles_law(cell, completed),
        schedule(cell, completed),
        publisher(cell, completed),
    ];
    audits.into_iter().flatten().chain([clock(cell, completed, context)]).chain(stages(completed)).collect()
}

fn counts(completed: &Completed) -> Audit {
    let off =
        completed.values().filter(|seen| seen.received.checked_add(seen.lost) != Some(seen.sent)).count();
    Audit { check: Check::Counts, figure: off as f64, held: off == 0 }
}

fn littles_law(cell: &Cell, completed: &Completed) -> Option<Audit> {
    let turn = |seen: &Observation| match cell.kind {
        ScenarioKind::Echo => Some(seen.round_trip_ns.as_ref()?.mean),
        ScenarioKind::Connect => Some(seen.connection_ns.as_ref()?.mean),
        _ => None,
    };
    let connections = f64::from(cell.connections);
    let held =
        completed.values().filter_map(|seen| Some(seen.messages_per_s * turn(seen)? / 1e9 / connections));
    let figure = median_of(held.collect())?;
    // Where all connections are held up together, each is in the middle of a turn at both ends of the window.
    let cut = completed.values().filter_map(|seen| Some(turn(seen)? / seen.elapsed_ns.max(1) as f64));
    let cut = if cell.kind == ScenarioKind::Connect { median_of(cut.collect())? } else { 0.0 };
    let held = (figure - 1.0).abs() <= LITTLES_LAW_WITHIN + cut;
    Some(Audit { check: Check::LittlesLaw, figure, held })
}

fn schedule(cell: &Cell, completed: &Completed) -> Option<Audit> {
    let is_paced = matches!(cell.kind, ScenarioKind::Latency | ScenarioKind::Scaling | ScenarioKind::Ping);
    if !is_paced || cell.rate_per_s <= 0.0 {
        return None;
    }
    let figure = median_of(completed.values().map(|seen| seen.messages_per_s / cell.rate_per_s).collect())?;
    let asked =
        median_of(completed.values().map(|seen| cell.rate_per_s * seen.elapsed_ns as f64 / 1e9).collect())?;
    // One schedule goes round all connections that are pinged; a ping is under way at either end of the window.
    let streams = if cell.kind == ScenarioKind::Ping { 2 } else { cell.connections };
    let held = (figure - 1.0).abs() <= schedule_tolerance(cell.arrival, streams, asked);
    Some(Audit { check: Check::Schedule, figure, held })
}

/// How far the achieved rate may be from the one asked for, as a share of it: 1 %, and what the ends of a window cut of the
/// `asked` messages that it should hold.
pub fn schedule_tolerance(arrival: Arrival, streams: u32, asked: f64) -> f64 {
    // A window begins and ends between two ticks of each stream, and so may hold one of them more or less.
    let cut = f64::from(streams) / asked;
    let ends = match arrival {
        Arrival::Constant | Arrival::Recorded => cut,
        Arrival::Burst => cut * BURST_TICKS,
        Arrival::Poisson => cut + RANDOM_WITHIN / asked.sqrt(),
    };
    SCHEDULE_WITHIN + ends
}

fn publisher(cell: &Cell, completed: &Completed) -> Option<Audit> {
    if cell.kind != ScenarioKind::Relay {
        return None;
    }
    let behind = |relayed: &Relayed| relayed.behind as f64 / relayed.published.max(1) as f64;
    let figure =
        median_of(completed.values().filter_map(|seen| seen.relayed.as_ref().map(behind)).collect())?;
    Some(Audit { check: Check::Publisher, figure, held: figure <= BEHIND_AT_MOST })
}

fn clock(cell: &Cell, completed: &Completed, context: &Context) -> Audit {
    let negative: u64 = completed.values().map(|seen| seen.negative).sum();
    // A round trip and a rate are told by the client's clock alone.
    let one_way = cell.kind.is_paced();
    let backwards = context.clocks.filter(|_| one_way).map_or(0, |clocks| clocks.backwards);
    let figure = negative + backwards;
    Audit { check: Check::Clock, figure: figure as f64, held: figure == 0 }
}

/// Nothing where no iteration has stages.
fn stages(completed: &Completed) -> Option<Audit> {
    let mut seen = completed.values().filter_map(|seen| seen.stages).peekable();
    seen.peek()?;
    let is_off = |band: &Band| (band.sum_ns() - band.response_ns).abs() > STAGES_WITHIN_NS;
    let off = |stages: Stages| {
        let bands = [stages.median, stages.slowest_100th, stages.slowest_1000th];
        stages.misplaced + bands.iter().flatten().filter(|band| is_off(band)).count() as u64
    };
    let figure: u64 = seen.map(off).sum();
    Some(Audit { check: Check::Stages, figure: figure as f64, held: figure == 0 })
}

/// Whether each cell's deciding figure drifts, with Holm's correction over the cells of the run; nothing where the figure cannot
/// be told iteration by iteration. `deciding` is the figure of each cell.
pub(crate) fn drifts(executions: &[Executions], deciding: &[Option<Metric>]) -> Vec<Option<Audit>> {
    let trends: Vec<Option<(f64, f64)>> = executions
        .iter()
        .zip(deciding)
        .map(|(one, metric)| trend_over(&Values::by_iteration((*metric)?, &one.completed)?))
        .collect();
    let p: Vec<f64> = trends.iter().flatten().map(|(_, p)| *p).collect();
    let mut corrected = holm::corrected(&p).into_iter();
    let audit = |(figure, _), p| Audit { check: Check::Stationarity, figure, held: p >= DRIFT_ERROR };
    trends.into_iter().map(|trend| Some(audit(trend?, corrected.next()?))).collect()
}

/// The drift over the whole run as a share of the median, and the p of there being none.
fn trend_over(values: &Values) -> Option<(f64, f64)> {
    let points: Vec<(f64, f64)> =
        values.by_place.iter().map(|(&iteration, &value)| (f64::from(iteration), value)).collect();
    let values = values.numbers();
    let span = points.last()?.0 - points.first()?.0;
    let drift = trend::slope(&points)? * span / median(&values)?;
    drift.is_finite().then(|| (drift, trend::p_two_sided(&values)))
}
