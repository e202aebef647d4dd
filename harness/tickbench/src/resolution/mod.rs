//! `tickbench resolution`: the smallest difference that a study on this machine finds.
//!
//! One server runs against itself, each time with another known delay injected before every send, and the report's own verdict is
//! asked whether it finds it.

mod estimate;
mod ladder;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tickbench_record::{RunFolder, ScenarioKind, Spent, Study};

use crate::build::Contestant;
use crate::carry_out::carry_out;
use crate::cores::CoreArgs;
use crate::environment;
use crate::exit::ExitStatus;
use crate::injection::Injection;
use crate::interrupt::Interrupt;
use crate::invocation::command_line;
use crate::out;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::quiet::Patience;
use crate::root::Root;
use crate::start::claim;
use crate::state::RunState;
use crate::study;
use ladder::Step;

#[derive(Debug, Args)]
pub(crate) struct ResolutionArgs {
    /// How often each delay is measured.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..))]
    iterations: u32,
    /// The folder of the run; else `runs/resolution-` and the time.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Measure nothing: estimate from the records of this run.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["iterations", "out", "cores", "seed", "wait_for_quiet"])]
    from: Option<PathBuf>,
    #[command(flatten)]
    cores: CoreArgs,
    /// Seed of order, feed and intervals; else drawn.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: Option<u64>,
    /// Before each iteration, wait until the machine takes at most 5 % of either core; after so long in all, such as
    /// `30m`, go on as it is.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    wait_for_quiet: Option<Duration>,
}

pub(crate) fn command(root: &Root, args: &ResolutionArgs) -> anyhow::Result<ExitStatus> {
    let (folder, status) = match &args.from {
        Some(path) => (RunFolder::open(path)?, ExitStatus::Success),
        None => measure(root, args)?,
    };
    if !estimate::print(&folder)? {
        return Ok(status.and(ExitStatus::Undecided));
    }
    out::line(folder.path().display());
    Ok(status)
}

/// Runs the server with each delay, in shuffled order in each iteration, and keeps what was measured as a run.
fn measure(root: &Root, args: &ResolutionArgs) -> anyhow::Result<(RunFolder, ExitStatus)> {
    let claim = claim(args.out.as_deref(), root, "resolution-")?;
    let mut interrupt = Interrupt::install()?;
    let progress = Progress::new();
    let mut injection = Injection::build(root, args.cores, &mut interrupt, &progress)?;
    let servers: Vec<Contestant> = ladder::STEPS.iter().map(|step| contestant(&injection, step)).collect();
    let mut study = study_of(&servers, args)?;
    injection.found.apply(&mut study);
    let names: Vec<String> = servers.iter().map(|server| server.name.clone()).collect();
    let plan = Plan::new(&study, study.cells(&names, |_| true));

    let cores = &injection.found.placement.cores;
    let patience = Patience::new(args.wait_for_quiet, injection.watch.as_ref(), cores)?;
    let (folder, lock) = claim.keep()?;
    folder.write_study(&study)?;
    let mut environment = environment::of_run(root, &injection.found.placement, None);
    injection.found.note(&mut environment);
    environment.command = command_line();
    environment.servers = servers.iter().map(|server| server.built.record.clone()).collect();
    environment.clients = injection.clients().iter().map(|client| client.built.record.clone()).collect();
    environment.baseline = names.first().cloned();
    environment.executions_per_iteration = Some(plan.iteration(0).len());
    folder.write_environment(&environment)?;
    let mut state = RunState { folder, lock, environment, done: Vec::new(), spent: Spent::default() };
    let rig = injection.rig(&study, &servers);
    carry_out(&rig, &plan, patience, &mut state, &mut interrupt, progress)?.end();
    let status = state.status(study.iterations, &interrupt);
    Ok((state.folder, status))
}

fn contestant(injection: &Injection, step: &Step) -> Contestant {
    injection.contestant(step.label, &[format!("delay={}ns", step.ns)])
}

/// The default study's latency scenario, in one cell a delay.
fn study_of(servers: &[Contestant], args: &ResolutionArgs) -> anyhow::Result<Study> {
    let mut study = study::embedded()?;
    study.name = "resolution".into();
    study.iterations = args.iterations;
    study.seed = Some(args.seed.unwrap_or_else(study::draw_seed));
    study.servers = servers.iter().map(|server| server.name.clone()).collect();
    study.control = None;
    study.scenarios.retain(|scenario| scenario.kind == ScenarioKind::Latency);
    study.scenarios.truncate(1);
    let scenario = study.scenarios.first_mut().context("the default study has no latency scenario")?;
    scenario.control = false;
    scenario.servers.clear();
    scenario.encodings = vec![tickbench_record::Encoding::Binary];
    scenario.lanes.truncate(1);
    scenario.idle.truncate(1);
    scenario.clients = vec![tickbench_record::Client::Probe];
    Ok(study)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: ResolutionArgs,
    }

    #[test]
    fn the_study_has_one_cell_a_delay() {
        let Line { args } = Line::parse_from(["resolution", "--seed", "5"]);
        let study = study_of(&[], &args).unwrap();
        assert_eq!((study.iterations, study.seed), (100, Some(5)));
        let names = ladder::STEPS.map(|step| step.label.to_owned());
        assert_eq!(study.cells(&names, |_| true).len(), names.len());
        assert_eq!(Study::from_toml(&study.to_toml()).unwrap(), study);
    }

    #[test]
    fn an_estimate_from_records_measures_nothing() {
        assert!(Line::try_parse_from(["resolution", "--from", "a", "--out", "b"]).is_err());
        assert!(Line::try_parse_from(["resolution", "--iterations", "1"]).is_err());
    }
}
