//! `tickbench selftest`: known harm is done to a stream, thing by thing, and each must be caught and named. Whoever runs it sees on
//! the own machine what the instrument notices, before believing its figures.

mod faults;
mod kept;
mod lies;
mod meddling;
mod probe;
mod stream;

use anyhow::ensure;
use clap::Args;

pub(crate) use kept::last;

use crate::cores::CoreArgs;
use crate::exit::ExitStatus;
use crate::injection::Injection;
use crate::interrupt::Interrupt;
use crate::out;
use crate::progress::Progress;
use crate::root::Root;
use crate::table::Columns;
use kept::Row;
use probe::{Finding, PROBES, Probe};
use stream::Subject;

/// How often a probe is tried: a host that stops the whole machine for a moment is nobody's fault.
const TRIES: u32 = 3;

const COLUMNS: Columns<5> = Columns { widths: [12, 26, 40, 46, 6] };

#[derive(Debug, Args)]
pub(crate) struct SelftestArgs {
    /// Only these probes. The result is then not kept.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    #[command(flatten)]
    cores: CoreArgs,
}

pub(crate) fn command(root: &Root, args: &SelftestArgs) -> anyhow::Result<ExitStatus> {
    let probes = wanted(&args.only)?;
    let mut interrupt = Interrupt::install()?;
    let progress = Progress::new();
    let injection = Injection::build(root, args.cores, &mut interrupt, &progress)?;
    progress.end();
    let mut subject = Subject { injection: &injection, interrupt: &mut interrupt };

    out::text(format_args!(
        "{}{}",
        COLUMNS.row(["probe", "what was done", "expected", "seen", ""]),
        COLUMNS.rule()
    ));
    let mut rows = Vec::new();
    for probe in probes {
        let row = tried(probe, &mut subject)?;
        let Row { name, done, expected, seen, .. } = &row;
        out::text(COLUMNS.row([name, done, expected, seen, row.verdict()]));
        rows.push(row);
    }
    let missed: Vec<&str> = rows.iter().filter(|row| !row.caught).map(|row| row.name.as_str()).collect();
    out::line(concluded(rows.len(), &missed));
    if args.only.is_empty() {
        out::line(kept::keep(&injection.target, &rows)?.display());
    }
    Ok(if missed.is_empty() { ExitStatus::Success } else { ExitStatus::CheckFailed })
}

fn wanted(only: &[String]) -> anyhow::Result<Vec<&'static Probe>> {
    for name in only {
        let names = || PROBES.iter().map(|probe| probe.name).collect::<Vec<_>>().join(", ");
        ensure!(
            PROBES.iter().any(|probe| probe.name == name),
            "there is no probe {name:?}: --only takes {}",
            names()
        );
    }
    Ok(PROBES.iter().filter(|probe| only.is_empty() || only.iter().any(|name| name == probe.name)).collect())
}

/// Tries a probe until it is caught, and says how often that took.
fn tried(probe: &Probe, subject: &mut Subject<'_>) -> anyhow::Result<Row> {
    let mut tries = 0;
    loop {
        tries += 1;
        let Finding { expected, mut seen, caught } = (probe.run)(subject)?;
        if caught || tries == TRIES {
            if tries > 1 {
                seen += &format!(" (attempt {tries} of {TRIES})");
            }
            return Ok(Row { name: probe.name.into(), done: probe.done.into(), expected, seen, caught });
        }
    }
}

fn concluded(done: usize, missed: &[&str]) -> String {
    match missed {
        [] => format!("all {done} were caught"),
        names => format!(
            "{} of {done} were missed: {}. Figures of this machine are not to be trusted until they are caught: try again on a \
             quiet machine with two cores of its own",
            names.len(),
            names.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_have_names_of_their_own_and_are_found_by_them() {
        let all = wanted(&[]).unwrap();
        assert_eq!(all.len(), PROBES.len());
        for probe in all {
            let found = wanted(&[probe.name.to_owned()]).unwrap();
            assert_eq!(found.len(), 1, "{}", probe.name);
        }
        let error = wanted(&["none".into()]).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("\"none\"") && error.contains(PROBES[0].name), "{error}");
    }

    #[test]
    fn what_was_missed_is_named() {
        assert_eq!(concluded(3, &[]), "all 3 were caught");
        assert!(concluded(3, &["drop", "skew"]).starts_with("2 of 3 were missed: drop, skew."));
    }
}
