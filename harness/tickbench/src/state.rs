//! A run that measures: its folder, what it knows, what it has measured, and how it ends.

use tickbench_record::{Environment, Lock, Measurement, Outcome, RunFolder, Spent};
use tickbench_stats::whole_iterations;

use crate::exit::ExitStatus;
use crate::interrupt::Interrupt;
use crate::{derive, out, spent};

/// A run whose folder exists, and is locked.
pub(crate) struct RunState {
    pub(crate) folder: RunFolder,
    /// No other process writes to the folder meanwhile.
    pub(crate) lock: Lock,
    pub(crate) environment: Environment,
    pub(crate) done: Vec<Measurement>,
    pub(crate) spent: Spent,
}

/// What came of a run: where its figures are, if it has any, and how it ended.
pub(crate) struct RunOutcome {
    pub(crate) folder: Option<RunFolder>,
    pub(crate) status: ExitStatus,
}

impl RunState {
    /// What a run of so many iterations comes to; says so where it was interrupted.
    pub(crate) fn status(&self, iterations: u32, interrupt: &Interrupt) -> ExitStatus {
        let whole = whole_iterations(&self.done, self.environment.executions_per_iteration);
        match interrupt.signal() {
            Some(signal) if whole < iterations => {
                out::note(format_args!(
                    "interrupted after {whole} of {iterations} iterations: `tickbench run --resume {}` does the rest",
                    self.folder.path().display()
                ));
                ExitStatus::Interrupted(signal)
            }
            _ => ExitStatus::Success,
        }
    }

    /// Writes the report and says what came of the run.
    pub(crate) fn conclude(self, iterations: u32, interrupt: &Interrupt) -> anyhow::Result<RunOutcome> {
        let status = self.status(iterations, interrupt);
        let completed = self.done.iter().filter(|one| one.outcome == Outcome::Completed).count();
        let failed = self.done.len() - completed;
        if completed == 0 {
            out::note(format_args!(
                "no cell completed: {failed} executions failed; see `{}`",
                self.folder.path().join("measurements.jsonl").display()
            ));
            return Ok(RunOutcome { folder: None, status: status.and(ExitStatus::Undecided) });
        }
        derive::print_answer(&derive::derive(&self.folder, false)?.0);
        out::line(format_args!(
            "{completed} executions completed, {failed} failed. {}",
            spent::in_words(&self.spent)
        ));
        out::line(self.folder.path().join("REPORT.md").display());
        drop(self.lock);
        Ok(RunOutcome { folder: Some(self.folder), status })
    }
}
