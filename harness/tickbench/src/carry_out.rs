//! Carrying a plan out: each execution's measurement is kept as it is made.

use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure};
use tickbench_record::{Measurement, MeasurementLog, Outcome};

use crate::execute::{Executed, Rig, execute};
use crate::interrupt::Interrupt;
use crate::plan::{Execution, Plan};
use crate::progress::{Measuring, Progress};
use crate::quiet::{Patience, Wait};
use crate::state::RunState;
use crate::{capacity, spent};

/// So many clients in a row that outlive their deadline, whatever server they measure, are taken for a broken client or machine. One in a
/// night is no reason to end the run.
const MOST_OVERDUE: u32 = 3;

/// Executes what is left of the plan; before each iteration, waits as patience allows. What neither a server nor the user did ends it
/// with an error, and what was measured until then is kept.
pub(crate) fn carry_out(
    rig: &Rig<'_>,
    plan: &Plan,
    patience: Option<Patience<'_>>,
    state: &mut RunState,
    interrupt: &mut Interrupt,
    progress: Progress,
) -> anyhow::Result<Progress> {
    let remaining = plan.remaining(&state.done)?;
    let planned = remaining.iter().flatten().map(|execution| planned(rig, execution)).sum();
    let total = remaining.iter().map(Vec::len).sum();
    let mut work = Work {
        rig,
        shown: progress.begin(total, rig.study.iterations, planned),
        log: state.folder.log()?,
        patience,
        overdue: 0,
        waiting: Duration::ZERO,
    };
    let (began, before) = (Instant::now(), state.spent);
    let outcome = work.all(&remaining, state, interrupt);
    state.spent = spent::with_executing(before, began.elapsed(), work.waiting, &state.done);
    state.environment.spent = Some(state.spent);
    if let Err(fault) = outcome {
        state.environment.warnings.push(format!("The run ended early, by no server's doing: {fault:#}."));
        let advice = format!(
            "no server is to blame; what was measured is kept: mend the cause, and go on with `tickbench run --resume {}`",
            state.folder.path().display()
        );
        return Err(match state.folder.write_environment(&state.environment) {
            Ok(()) => anyhow!("{fault:#}\n{advice}"),
            Err(another) => anyhow!("{fault:#}\n{another}\n{advice}"),
        });
    }
    state.folder.write_environment(&state.environment)?;
    Ok(work.shown.end())
}

fn planned(rig: &Rig<'_>, execution: &Execution) -> Duration {
    rig.study
        .scenario(&execution.cell)
        .map_or(Duration::ZERO, |scenario| capacity::expected(scenario, execution.cell.rate_per_s).measured)
}

/// A plan while it is carried out.
struct Work<'a> {
    rig: &'a Rig<'a>,
    shown: Measuring,
    log: MeasurementLog,
    patience: Option<Patience<'a>>,
    /// How many of the last clients in a row outlived their deadline.
    overdue: u32,
    waiting: Duration,
}

impl Work<'_> {
    fn all(
        &mut self,
        remaining: &[Vec<Execution>],
        state: &mut RunState,
        interrupt: &mut Interrupt,
    ) -> anyhow::Result<()> {
        for iteration in remaining {
            self.wait_for_quiet(iteration, state, interrupt)?;
            if interrupt.wants_end() {
                break;
            }
            for execution in iteration {
                self.shown.executing(execution);
                let Some(measurement) = self.executed(execution, interrupt)? else { return Ok(()) };
                state.done.push(measurement);
            }
            if interrupt.wants_end() {
                break;
            }
        }
        Ok(())
    }

    /// Executes and keeps the measurement; `None` where the user ended it.
    fn executed(
        &mut self,
        execution: &Execution,
        interrupt: &mut Interrupt,
    ) -> anyhow::Result<Option<Measurement>> {
        let (measurement, is_overdue) = match execute(self.rig, execution, interrupt)? {
            Executed::Measured(measurement) => (measurement, false),
            Executed::Overdue(measurement) => (measurement, true),
            Executed::Interrupted => return Ok(None),
        };
        self.log.append(&measurement)?;
        self.shown.executed(planned(self.rig, execution));
        if let Outcome::Failed { stage, reason } = &measurement.outcome {
            let iteration = execution.iteration + 1;
            self.shown
                .say(&format!("failed: iteration {iteration}, {}, at {stage}: {reason}", execution.cell));
        }
        self.overdue = if is_overdue { self.overdue + 1 } else { 0 };
        ensure!(
            self.overdue < MOST_OVERDUE,
            "{MOST_OVERDUE} clients in a row outlived their deadline, the last one in {}",
            execution.cell
        );
        Ok(Some(measurement))
    }

    /// Waits where there is patience, and something to execute. Patience that has ended is given up, and a warning.
    fn wait_for_quiet(
        &mut self,
        iteration: &[Execution],
        state: &mut RunState,
        interrupt: &mut Interrupt,
    ) -> anyhow::Result<()> {
        let (Some(patient), [first, ..]) = (self.patience.as_mut(), iteration) else { return Ok(()) };
        let (wait, waited) = patient.wait(interrupt, &mut self.shown)?;
        self.shown.waited(waited);
        self.waiting += waited;
        if let Wait::GivenUp(why) = wait {
            let warning = format!("From iteration {} on nothing was waited for: {why}.", first.iteration + 1);
            self.shown.say(&format!("note: {warning}"));
            state.environment.warnings.push(warning);
            state.folder.write_environment(&state.environment)?;
            self.patience = None;
        }
        Ok(())
    }
}
