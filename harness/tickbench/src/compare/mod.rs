//! `tickbench compare BEFORE AFTER`: what changed between two runs beyond the noise, and whether that is too much.

mod comparable;
mod gate;
mod page;

use std::path::Path;

use anyhow::{bail, ensure};
use tickbench_record::{Cell, Environment, Measurement, RunFolder, Study};
use tickbench_stats::{Changes, Side};

use crate::cli::CompareArgs;
use crate::{Ended, records};

pub(crate) use gate::Gate;

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
        let tickbench_record::Records { study, measurements, .. } = records::read(&folder)?;
        let environment = folder.environment()?;
        let path = path.display().to_string();
        ensure!(
            !measurements.is_empty(),
            "`{path}` holds no measurement: complete it with `tickbench run --resume`"
        );
        Ok(Records { path, study, environment, measurements })
    }

    fn side(&self) -> Side<'_> {
        Side { study: &self.study, measurements: &self.measurements }
    }
}

/// Prints what changed. Wanting where a gate is violated.
pub(crate) fn command(args: &CompareArgs) -> anyhow::Result<Ended> {
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
    check_gates(&args.fail_if, &changes)?;
    let page = page::Page {
        before: &before,
        after: &after,
        changes: &changes,
        gates: &args.fail_if,
        differences: &differences,
    };
    print!("{}", page.render());
    let is_violated =
        |gate: &Gate| changes.figures.iter().any(|c| gate.is_about(c) && gate.is_violated_by(c));
    Ok(if args.fail_if.iter().any(is_violated) { Ended::Wanting } else { Ended::Fine })
}

fn changes(before: &Records, after: &Records, gates: &[Gate]) -> anyhow::Result<Changes> {
    let baseline = before.environment.baseline.as_deref();
    let baseline = baseline.filter(|name| after.environment.baseline.as_deref() == Some(name));
    let also = |cell: &Cell| gates.iter().filter(|gate| gate.reaches(cell)).map(|gate| gate.metric).collect();
    let seed = after.study.seed.unwrap_or(0);
    let changes = Changes::between(before.side(), after.side(), baseline, also, seed)?;
    ensure!(
        !(changes.figures.is_empty() && changes.drift.is_empty()),
        "`{}` and `{}` have no cell in common: no server was asked one question in both",
        before.path,
        after.path
    );
    Ok(changes)
}

/// A gate that nothing can pass through guards nothing: most often a name in it is misspelt.
fn check_gates(gates: &[Gate], changes: &Changes) -> anyhow::Result<()> {
    for gate in gates {
        ensure!(
            changes.figures.iter().any(|change| gate.is_about(change)),
            "--fail-if {:?} is about no figure that both runs have: they compare {}",
            gate.to_string(),
            page::subjects(changes)
        );
    }
    Ok(())
}
