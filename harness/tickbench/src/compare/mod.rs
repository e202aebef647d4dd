//! `tickbench compare BEFORE AFTER`: what changed between two runs beyond the noise, and whether that is too much.

mod comparable;
mod gate;
mod page;

use std::path::Path;

use anyhow::{bail, ensure};
use tickbench_record::{Cell, Environment, Measurement, RunFolder, Study};
use tickbench_stats::{Changes, Side, whole_iterations};

use crate::cli::CompareArgs;
use crate::exit::ExitStatus;
use crate::{derive, out, records};

pub(crate) use gate::Gate;
use gate::Outcome;

/// A run, read whole.
pub(crate) struct Records {
    pub(crate) path: String,
    pub(crate) study: Study,
    pub(crate) environment: Environment,
    pub(crate) measurements: Vec<Measurement>,
}

impl Records {
    fn read(path: &Path) -> anyhow::Result<Records> {
        let folder = RunFolder::open(path)?;
        derive::note_progress(&folder);
        let tickbench_record::Records { study, measurements, .. } = records::read(&folder)?;
        let environment = folder.environment()?;
        let path = path.display().to_string();
        ensure!(
            !measurements.is_empty(),
            "`{path}` holds no measurement: complete it with `tickbench run --resume`"
        );
        Ok(Records { path, study, environment, measurements })
    }

    /// How many iterations were executed whole.
    pub(crate) fn whole_iterations(&self) -> u32 {
        whole_iterations(&self.measurements, self.environment.executions_per_iteration)
    }

    fn side(&self) -> Side<'_> {
        Side { study: &self.study, measurements: &self.measurements }
    }
}

/// Prints what changed. Wanting where a gate is violated.
pub(crate) fn command(args: &CompareArgs) -> anyhow::Result<ExitStatus> {
    // Reading is most of the work, and each run is read by itself.
    let (before, after) = std::thread::scope(|scope| {
        let before = scope.spawn(|| Records::read(&args.before));
        let after = Records::read(&args.after);
        (before.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), after)
    });
    let (before, after) = (before?, after?);
    let differences =
        comparable::differences((&before.study, &before.environment), (&after.study, &after.environment));
    if !differences.is_empty() && !args.anyway {
        bail!(
            "`{}` and `{}` are not comparable, for these differ:\n  {}\nmeasure both on one machine with one study, or \
             compare them all the same with --anyway",
            before.path,
            after.path,
            differences.join("\n  ")
        );
    }
    let changes = changes(&before, &after, &args.fail_if)?;
    check_gates(&args.fail_if, &before, &after, &changes)?;
    let page = page::Page {
        before: &before,
        after: &after,
        changes: &changes,
        gates: &args.fail_if,
        differences: &differences,
        notes: &comparable::notes(&before.environment, &after.environment),
    };
    out::text(page.render());
    let outcomes: Vec<Outcome> = args.fail_if.iter().map(|gate| gate.judge(&changes)).collect();
    Ok(if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed(_))) {
        ExitStatus::CheckFailed
    } else if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Undecided(_))) {
        ExitStatus::Undecided
    } else {
        ExitStatus::Success
    })
}

fn changes(before: &Records, after: &Records, gates: &[Gate]) -> anyhow::Result<Changes> {
    let baseline = before.environment.baseline.as_deref();
    let baseline = baseline.filter(|name| after.environment.baseline.as_deref() == Some(name));
    let also = |cell: &Cell| gates.iter().filter(|gate| gate.reaches(cell)).map(|gate| gate.metric).collect();
    let seed = after.study.seed.unwrap_or(0);
    let changes = Changes::between(before.side(), after.side(), baseline, also, seed)?;
    ensure!(
        !(changes.figures.is_empty() && changes.drift.is_empty() && changes.unsound.is_empty()),
        "`{}` and `{}` have no cell in common: no server was asked one question in both",
        before.path,
        after.path
    );
    Ok(changes)
}

/// A gate about a figure that neither run has guards nothing: most often a name in it is misspelt. What one of them alone has was not
/// measured in the other, and the gate is undecided.
fn check_gates(gates: &[Gate], before: &Records, after: &Records, shared: &Changes) -> anyhow::Result<()> {
    for gate in gates {
        let has = |changes: &Changes| changes.figures.iter().any(|change| gate.is_about(change));
        ensure!(
            has(shared)
                || shared.unsound.iter().any(|row| gate.reaches(&row.cell))
                || has(&changes(before, before, gates)?)
                || has(&changes(after, after, gates)?),
            "--fail-if {:?} is about no figure that the runs have: they compare {}",
            gate.to_string(),
            page::subjects(shared)
        );
    }
    Ok(())
}
