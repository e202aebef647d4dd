//! What a row as a whole must keep: Little's law, the clock, stages that add up; and whether its figure drifts.

use tickbench_record::{Band, Cell, Distribution, Observation, ScenarioKind, Stages};

use crate::audit::{Audit, Check, Ruling};
use crate::executions::Executions;
use crate::figure::Completed;
use crate::resample::{median, median_of};
use crate::values::Values;
use crate::{Context, Metric, holm, trend};

/// How far throughput × round trip may be from the connections of a closed loop.
const LITTLES_LAW_WITHIN: f64 = 0.02;

/// How far the stages of a band may be from its response: means are rounded where they are written.
const STAGES_WITHIN_NS: f64 = 1.0;

/// The chance of even one false drift in a run.
const DRIFT_ERROR: f64 = 0.05;

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
    let connections = f64::from(cell.connections);
    let held = completed
        .values()
        .filter_map(|seen| Some(seen.messages_per_s * turn(cell.kind, seen)?.mean / 1e9 / connections));
    let figure = median_of(held.collect())?;
    // The rate is of turns that ended in the window, the mean of those that began in it: what the window's ends cut is in one of them
    // alone. Where something holds up all connections together, that is a turn of each, and at most the longest.
    let cut = completed
        .values()
        .filter_map(|seen| Some(turn(cell.kind, seen)?.max as f64 / seen.elapsed_ns.max(1) as f64));
    let held = (figure - 1.0).abs() <= LITTLES_LAW_WITHIN + median_of(cut.collect())?;
    Some(Audit::of_row(Check::LittlesLaw, figure, held))
}

/// How long the turns of a closed loop took; `None` of what is none.
fn turn(kind: ScenarioKind, seen: &Observation) -> Option<&Distribution> {
    match kind {
        ScenarioKind::Echo => seen.round_trip_ns.as_ref(),
        ScenarioKind::Connect => seen.connection_ns.as_ref(),
        _ => None,
    }
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

/// Whether each cell's primary figure drifts, with Holm's correction over the cells of the run; nothing where the figure cannot
/// be told iteration by iteration. `primary` is the figure of each cell.
pub(crate) fn drifts(executions: &[Executions], primary: &[Option<Metric>]) -> Vec<Option<Audit>> {
    let trends: Vec<Option<(f64, f64)>> = executions
        .iter()
        .zip(primary)
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
