//! From what single executions failed to what follows for their row.
//!
//! An execution that fails stays in the figures and is listed. A row fails where more than one in twenty of its executions fell short
//! by the server's fault, beyond as many as another server's did that was asked the same in the same iterations.

use std::collections::BTreeMap;

use serde::Serialize;
use tickbench_record::CONTROL;

use crate::Context;
use crate::audit::{Audit, Check, FailedCount, Ruling};
use crate::blame::{Blame, Reference, blame};
use crate::execution_audit::{Judged, Keeper, judge};
use crate::executions::Executions;

/// One execution that failed a check.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FailedExecution {
    /// Which iteration.
    pub iteration: u32,
    /// What it failed.
    pub check: Check,
    /// What was found: see the check.
    pub figure: f64,
    /// How long the core of whose job it is must have been away to explain it, in nanoseconds; `None` where no time explains it.
    pub behind_ns: Option<u64>,
    /// How long the machine kept that core, in nanoseconds, as far as is known.
    pub taken_ns: u64,
    /// On whom it is booked.
    pub blame: Blame,
}

/// What the executions of one row came to.
#[derive(Debug, Default)]
pub(crate) struct RowAudit {
    pub(crate) audits: Vec<Audit>,
    pub(crate) failed: Vec<FailedExecution>,
}

/// A row's executions as they were judged, by check and iteration.
type Judgements = BTreeMap<(Check, u32), Judged>;

/// Every row, in the order of the executions.
pub(crate) fn all(executions: &[Executions], context: &Context) -> Vec<RowAudit> {
    let judged: Vec<Judgements> = executions.iter().map(judgements).collect();
    let references: Vec<Option<usize>> =
        (0..executions.len()).map(|row| reference(row, executions, &judged, context)).collect();
    let mut rows: Vec<RowAudit> = executions
        .iter()
        .zip(&judged)
        .zip(&references)
        .map(|((row, judged_row), &at)| {
            let other = at.map(|at| (&executions[at], &judged[at]));
            RowAudit { audits: Vec::new(), failed: failed(row, judged_row, other) }
        })
        .collect();
    let counts: Vec<BTreeMap<Check, FailedCount>> =
        rows.iter().zip(&judged).map(|(row, judged)| counts(judged, &row.failed)).collect();
    for (at, row) in rows.iter_mut().enumerate() {
        let of_reference = |check| references[at].and_then(|other| counts[other].get(&check).copied());
        let audit = |(&check, &executions): (&Check, &FailedCount)| Audit {
            check,
            figure: worst(check, &judged[at]),
            ruling: ruling(check, executions, of_reference(check)),
            executions: Some(executions),
        };
        row.audits = counts[at].iter().map(audit).collect();
    }
    rows
}

fn judgements(row: &Executions) -> Judgements {
    let of = |(&iteration, seen): (&u32, &&tickbench_record::Observation)| {
        judge(&row.cell, seen).into_iter().map(move |judged| ((judged.check, iteration), judged))
    };
    row.completed.iter().flat_map(of).collect()
}

/// The row that shows what was possible: the baseline's in the same question or, of the baseline itself and where there is none, the
/// row with the fewest faults. No control, and no second run of the same program.
fn reference(
    row: usize,
    executions: &[Executions],
    judged: &[Judgements],
    context: &Context,
) -> Option<usize> {
    let cell = &executions[row].cell;
    let program = |at: usize| executions[at].cell.server.trim_end_matches(CONTROL);
    // A control is asked what its server is.
    let asked_the_same = |at: usize| cell.asks_the_same_as(&executions[at].cell);
    let others: Vec<usize> = (0..executions.len())
        .filter(|&at| asked_the_same(at) && program(at) != program(row))
        .filter(|&at| !executions[at].cell.is_control() && !executions[at].completed.is_empty())
        .collect();
    let baseline = others.iter().copied().find(|&at| context.baseline.as_deref() == Some(program(at)));
    let faults = |at: &usize| judged[*at].values().filter(|judged| judged.fault.is_some()).count();
    baseline.or_else(|| others.into_iter().min_by_key(faults))
}

fn failed(
    row: &Executions,
    judged: &Judgements,
    reference: Option<(&Executions, &Judgements)>,
) -> Vec<FailedExecution> {
    let taken_of = |row: &Executions, iteration: u32, keeper: Keeper| {
        row.taken.get(&iteration).copied().unwrap_or_default().from(keeper)
    };
    let one = |(&(check, iteration), judged): (&(Check, u32), &Judged)| {
        let fault = judged.fault?;
        let other = reference.and_then(|(other, judged)| {
            let kept = judged.get(&(check, iteration))?.fault.is_none();
            Some(Reference { kept, taken_ns: taken_of(other, iteration, fault.keeper) })
        });
        let taken_ns = taken_of(row, iteration, fault.keeper);
        let blame = blame(check, &fault, taken_ns, other);
        let figure = judged.figure;
        Some(FailedExecution { iteration, check, figure, behind_ns: fault.behind_ns, taken_ns, blame })
    };
    judged.iter().filter_map(one).collect()
}

/// How many executions failed each check that any could be judged by.
fn counts(judged: &Judgements, failed: &[FailedExecution]) -> BTreeMap<Check, FailedCount> {
    let mut counts: BTreeMap<Check, FailedCount> = BTreeMap::new();
    judged.keys().for_each(|(check, _)| counts.entry(*check).or_default().of += 1);
    for one in failed {
        let count = counts.entry(one.check).or_default();
        match one.blame {
            Blame::Server => count.server += 1,
            Blame::Client => count.client += 1,
            Blame::Machine => count.machine += 1,
            Blame::Undecided => count.undecided += 1,
        }
    }
    counts
}

/// What follows for a row. `reference` is how the row did that shows what was possible.
fn ruling(check: Check, row: FailedCount, reference: Option<FailedCount>) -> Ruling {
    let unexplained = |count: FailedCount| count.server + count.undecided;
    // What is undecided stays so: no row fails for it.
    let is_servers = match reference {
        Some(other) => exceeds(row.server, row.of, unexplained(other), other.of),
        None => exceeds(row.server, row.of, 0, 1),
    };
    let is_much = |count| exceeds(count, row.of, 0, 1);
    match check {
        _ if is_servers => Ruling::Failed,
        // Figures of a client that does not know what its window owed are none.
        Check::Owed if is_much(row.client) => Ruling::Failed,
        _ if is_much(unexplained(row)) => Ruling::Undecided,
        _ if is_much(row.client) => Ruling::ClientBound,
        _ if is_much(row.machine) => Ruling::Noisy,
        _ => Ruling::Held,
    }
}

/// Whether `failed` of `of` is more than the others' share and one in twenty.
fn exceeds(failed: usize, of: usize, others_failed: usize, others_of: usize) -> bool {
    20 * failed * others_of > (20 * others_failed + others_of) * of
}

/// The figure of a check that stands for its row.
fn worst(check: Check, judged: &Judgements) -> f64 {
    let figures = judged.iter().filter(|((of, _), _)| *of == check).map(|(_, judged)| judged.figure);
    match check {
        Check::Counts => figures.sum(),
        Check::Schedule => figures.fold(f64::INFINITY, f64::min),
        Check::Owed => {
            figures.fold(
                1.0,
                |worst: f64, figure| {
                    if (figure - 1.0).abs() > (worst - 1.0).abs() { figure } else { worst }
                },
            )
        }
        _ => figures.fold(0.0, f64::max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(server: usize, undecided: usize, machine: usize, client: usize) -> FailedCount {
        FailedCount { of: 40, server, client, machine, undecided }
    }

    #[test]
    fn more_than_one_in_twenty_fail_a_row_unless_the_reference_failed_as_often() {
        let ruled = |row, reference| ruling(Check::Schedule, row, reference);
        let none = Some(count(0, 0, 0, 0));
        assert_eq!(ruled(count(2, 0, 0, 0), none), Ruling::Held, "2 of 40 are one in twenty");
        assert_eq!(ruled(count(3, 0, 0, 0), none), Ruling::Failed);
        assert_eq!(ruled(count(2, 1, 0, 0), none), Ruling::Undecided, "what nobody can tell fails nobody");
        assert_eq!(ruled(count(0, 40, 0, 0), none), Ruling::Undecided);
        assert_eq!(ruled(count(3, 0, 0, 0), Some(count(1, 1, 0, 0))), Ruling::Undecided);
        assert_eq!(ruled(count(40, 0, 0, 0), Some(count(3, 0, 0, 0))), Ruling::Failed);
    }

    #[test]
    fn what_the_machine_took_makes_a_row_noisy_and_fails_none() {
        let none = Some(count(0, 0, 0, 0));
        assert_eq!(ruling(Check::Schedule, count(2, 0, 38, 0), none), Ruling::Noisy);
        assert_eq!(ruling(Check::Schedule, count(0, 0, 2, 0), none), Ruling::Held);
        assert_eq!(ruling(Check::Publisher, count(0, 0, 2, 3), none), Ruling::ClientBound);
        assert_eq!(ruling(Check::Owed, count(0, 0, 0, 3), none), Ruling::Failed);
    }

    #[test]
    fn where_nobody_shows_what_was_possible_it_stays_undecided() {
        assert_eq!(ruling(Check::Schedule, count(0, 40, 0, 0), None), Ruling::Undecided);
        assert_eq!(ruling(Check::Counts, count(3, 0, 0, 0), None), Ruling::Failed);
    }
}
