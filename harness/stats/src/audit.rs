//! What must hold of a row before its figures are believed.

use serde::Serialize;
use tickbench_record::{Band, Cell, Observation, ScenarioKind, Stages};

use crate::executions::Executions;
use crate::figure::Completed;
use crate::resample::{median, median_of};
use crate::values::Values;
use crate::{CellSummary, Context, Metric, holm, trend};

/// How far throughput × round trip may be from the connections of a closed loop.
const LITTLES_LAW_WITHIN: f64 = 0.02;

/// How far the stages of a band may be from its response: means are rounded where they are written.
const STAGES_WITHIN_NS: f64 = 1.0;

/// The chance of even one false drift in a run.
const DRIFT_ERROR: f64 = 0.05;

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// What the client says that its window owed is what the study's rate puts into it, for all connections together and for the one
    /// that was owed the least. Judged by execution. Figure: owed over asked, the one that is farthest from 1.
    Owed,
    /// All that the window owed came: what the schedule or the client's own sending says against what was counted on the wire. Judged
    /// by execution. Figure: messages lost in all.
    Counts,
    /// Paced ticks were sent before the window's end. Judged by execution. Figure: what was sent in time over what was due, the least
    /// of all executions; 1 is right.
    Schedule,
    /// The client sent on time, where the pace is its own. Judged by execution. Figure: the largest share of a relay's messages that
    /// were late by the mean gap between two and by 1 ms, or of pings that were not sent in the window. That is the client's lateness
    /// and no server's.
    Publisher,
    /// A closed loop holds as many messages as it has connections. Figure: throughput × mean round trip (for connections that are
    /// opened in turn, the mean from the end of one turn to that of the next) over connections, the
    /// median over iterations; 1 is right. Little: "A proof for the queuing formula L = λW", 1961.
    LittlesLaw,
    /// Both cores read one clock, and no message was received before it was sent. Figure: samples and readings that were not so.
    Clock,
    /// The stages of each band add up to the response, and the kernel had each message between its sending and its reading, give or
    /// take what the clocks may be apart. Figure: bands and timestamps that were not so.
    Stages,
    /// The deciding figure has no trend over the iterations. Figure: how far it drifts over the whole run, as a share of its
    /// median. Cells take turns, so a drift hits those that are compared alike.
    Stationarity,
}

/// What follows from an audit for its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// All is as it must be, in all executions but one in twenty at most.
    Held,
    /// It is said, and changes nothing: a drift.
    Noted,
    /// The machine is why more than one in twenty executions fell short. The row stands, and is marked.
    Noisy,
    /// The client is why more than one in twenty fell short. The row is shown, marked, and compared with nobody.
    ClientBound,
    /// More than one in twenty fell short, and nobody can tell why. The row is shown, marked, and compared with nobody.
    Undecided,
    /// No number of the row is to be believed: it is shown as failed and compared with nobody.
    Failed,
}

/// One check of one cell.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Audit {
    /// What was looked at.
    pub check: Check,
    /// What was found: see the check.
    pub figure: f64,
    /// What follows.
    pub ruling: Ruling,
    /// How many executions failed, of a check that each execution is judged by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executions: Option<FailedCount>,
}

/// Executions of a row that failed a check, by whom that is booked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct FailedCount {
    /// Executions that could be judged.
    pub of: usize,
    /// See [`Blame::Server`](crate::Blame::Server).
    pub server: usize,
    /// See [`Blame::Client`](crate::Blame::Client).
    pub client: usize,
    /// See [`Blame::Machine`](crate::Blame::Machine).
    pub machine: usize,
    /// See [`Blame::Undecided`](crate::Blame::Undecided).
    pub undecided: usize,
}

impl FailedCount {
    /// All that failed, on whomever it is booked.
    pub fn all(&self) -> usize {
        self.server + self.client + self.machine + self.undecided
    }
}

impl CellSummary {
    /// The audits that this cell failed. Its figures are not to be believed then: it is shown as failed and compared with nobody.
    pub fn failed_audits(&self) -> impl Iterator<Item = &Audit> {
        self.audits.iter().filter(|audit| audit.ruling == Ruling::Failed)
    }

    /// Whether no audit failed.
    pub fn is_sound(&self) -> bool {
        self.failed_audits().next().is_none()
    }

    /// Whether its figures are a verdict on its server, so that they may be compared with others'.
    pub fn is_comparable(&self) -> bool {
        let is_told = |ruling: &Ruling| self.ruled(*ruling).is_some();
        self.is_sound()
            && self.doubt().is_none()
            && ![Ruling::ClientBound, Ruling::Undecided].iter().any(is_told)
    }

    /// The first audit with this ruling.
    pub fn ruled(&self, ruling: Ruling) -> Option<&Audit> {
        self.audits.iter().find(|audit| audit.ruling == ruling)
    }

    /// How far the deciding figure drifted over the run, as a share of its median, where it surely did.
    pub fn drift(&self) -> Option<f64> {
        self.ruled(Ruling::Noted).map(|audit| audit.figure)
    }
}

impl Audit {
    /// Of a check that the row as a whole passes or fails.
    fn of_row(check: Check, figure: f64, held: bool) -> Audit {
        let ruling = if held { Ruling::Held } else { Ruling::Failed };
        Audit { check, figure, ruling, executions: None }
    }
}

/// The checks that are of a row as a whole, but for drifts, which take all cells at once; nothing of a cell that completed no iteration.
pub(crate) fn of_cell(executions: &Executions, context: &Context) -> Vec<Audit> {
    let Executions { cell, completed, .. } = executions;
    if completed.is_empty() {
        return Vec::new();
    }
    littles_law(cell, completed)
        .into_iter()
        .chain([clock(cell, completed, context)])
        .chain(stages(completed))
        .collect()
}

fn littles_law(cell: &Cell, completed: &Completed) -> Option<Audit> {
    let turn = |seen: &Observation| match cell.kind {
        ScenarioKind::Echo => seen.round_trip_ns.clone(),
        ScenarioKind::Connect => seen.connection_ns.clone(),
        _ => None,
    };
    let connections = f64::from(cell.connections);
    let held = completed
        .values()
        .filter_map(|seen| Some(seen.messages_per_s * turn(seen)?.mean / 1e9 / connections));
    let figure = median_of(held.collect())?;
    // The rate is of turns that ended in the window, the mean of those that began in it: what the window's ends cut is in one of them
    // alone. Where something holds up all connections together, that is a turn of each, and at most the longest.
    let cut =
        completed.values().filter_map(|seen| Some(turn(seen)?.max as f64 / seen.elapsed_ns.max(1) as f64));
    let held = (figure - 1.0).abs() <= LITTLES_LAW_WITHIN + median_of(cut.collect())?;
    Some(Audit::of_row(Check::LittlesLaw, figure, held))
}

fn clock(cell: &Cell, completed: &Completed, context: &Context) -> Audit {
    let negative: u64 = completed.values().map(|seen| seen.negative).sum();
    // A round trip and a rate are told by the client's clock alone.
    let one_way = cell.kind.is_paced();
    let backwards = context.clocks.filter(|_| one_way).map_or(0, |clocks| clocks.backwards);
    let figure = negative + backwards;
    Audit::of_row(Check::Clock, figure as f64, figure == 0)
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
    Some(Audit::of_row(Check::Stages, figure as f64, figure == 0))
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
    let audit = |(figure, _), p| {
        let ruling = if p >= DRIFT_ERROR { Ruling::Held } else { Ruling::Noted };
        Audit { check: Check::Stationarity, figure, ruling, executions: None }
    };
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
