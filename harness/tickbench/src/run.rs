//! `tickbench run`: the whole pipeline.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use tickbench_record::{
    Environment, Measurement, Observation, Outcome, RunFolder, Scenario, SkippedServer, Spent, Study,
};

use crate::Ended;
use crate::ceilings::Flood;
use crate::cli::RunArgs;
use crate::cores::{self, CorePair};
use crate::environment;
use crate::execute::{Rig, execute};
use crate::interrupt::Interrupt;
use crate::launch::Launch;
use crate::manifest::{Manifest, plain};
use crate::parity::Survey;
use crate::plan::{Execution, Plan};
use crate::preflight::Preflight;
use crate::programs::Programs;
use crate::progress::{Measuring, Progress};
use crate::quiet::{Patience, Wait};
use crate::root::Root;
use crate::start::{Before, Start, rfc3339};
use crate::{capacity, derive, limits};

/// `tickbench run`.
pub(crate) fn run(root: &Root, args: &RunArgs) -> anyhow::Result<Ended> {
    Ok(if keep_run(root, args)?.is_some() { Ended::Fine } else { Ended::Wanting })
}

/// Runs a study, or what an interrupted run left of one, and writes its report. Returns its folder; `None` where nothing could be
/// measured.
pub(crate) fn keep_run(root: &Root, args: &RunArgs) -> anyhow::Result<Option<RunFolder>> {
    let mut interrupt = Interrupt::install()?;
    let manifest = Manifest::read(root)?;
    let Start { mut study, before, left_out } = Start::read(args, root, &manifest)?;
    let cores = before.cores(args.cores);
    cores::check_wish(cores)?;
    check_listen(args.listen.0)?;
    let open_files = limits::raise_open_files(most_connections(&study))?;
    let mut spent = Spent::default();

    let progress = Progress::new();
    let began = Instant::now();
    let wanted = before.servers(&study);
    let programs = Programs::build(root, &manifest, &study, &wanted, &mut interrupt, &progress)?;
    before.check_same_programs(&programs.servers, &programs.clients)?;
    spent.building_ns = nanoseconds(began);

    let began = Instant::now();
    let programs = programs.verify(&study, args.listen.0, &mut interrupt, &progress)?;
    if programs.cells(&study).is_empty() {
        explain_nothing_to_do(&programs.skipped);
        return Ok(None);
    }
    let mut found = look_before(&before, cores, &mut study, &programs, &mut interrupt, &progress)?;
    let patience = Patience::new(args.wait_for_quiet, programs.watch.as_ref(), &found.placement.cores)?;
    found.warnings.extend(left_out);
    spent.verifying_ns = nanoseconds(began);

    let plan = Plan::new(&study, programs.cells(&study));
    let subject = Subject { root, found: &found, programs: &programs, open_files, manifest: &manifest };
    let mut kept = subject.keep(before, &study, spent)?;
    found.placement.move_harness()?;
    kept.environment.warnings.iter().for_each(|warning| progress.say(&format!("note: {warning}")));
    let samples = samples_of(&kept.folder, args.samples)?;
    if !args.no_parity && kept.folder.ledger()?.is_none() {
        subject.look_at_parity(&study, args.listen.0, &kept.folder, &mut interrupt, &progress)?;
    }
    let rig = Rig {
        study: &study,
        servers: &programs.with_control(&study),
        clients: &programs.clients,
        cores: &found.placement.cores,
        listen: args.listen.0,
        hiccup_ns: found.hiccup_ns(),
        waker: &found.waker,
        samples: samples.as_ref(),
    };
    let progress = carry_out(&rig, &plan, patience, &mut kept, &mut interrupt, progress)?;
    progress.end();
    kept.folder.write_environment(&kept.environment)?;
    conclude(kept)
}

/// What is found out before the first execution; an interrupted run found it out when it began. Where nothing can keep the server's
/// core awake, the study is changed to let it sleep.
fn look_before(
    before: &Before,
    cores: Option<CorePair>,
    study: &mut Study,
    programs: &Programs,
    interrupt: &mut Interrupt,
    progress: &Progress,
) -> anyhow::Result<Preflight> {
    let watch = programs.watch.as_ref();
    if let Some(recorded) = before.environment() {
        return Preflight::recorded(recorded, cores, watch);
    }
    let mut found = Preflight::look(cores, watch, interrupt, progress)?;
    found.apply(study);
    let flood = Flood {
        clients: &programs.clients,
        prepared: programs.prepared.as_ref(),
        cores: &found.placement.cores,
    };
    let (ceilings, unknown) = flood.measure_all(&programs.cells(study), interrupt, progress)?;
    found.ceilings = ceilings;
    found.warnings.extend(unknown);
    Ok(found)
}

/// What a process holds open at once at most: the connections of a scenario and those that disturb them.
pub(crate) fn most_connections(study: &Study) -> u32 {
    let of_scenario = |scenario: &Scenario| {
        let measured = scenario.connections.iter().copied().max().unwrap_or(1);
        measured + scenario.beside.iter().map(|beside| beside.most_at_once()).max().unwrap_or(0)
    };
    study.scenarios.iter().map(of_scenario).max().unwrap_or(1)
}

/// A port that is asked for by number must be free.
fn check_listen(listen: SocketAddr) -> anyhow::Result<()> {
    TcpListener::bind(listen).map(drop).with_context(|| {
        format!("failed to listen on `{listen}`: name a free address with --listen, or leave it out")
    })
}

fn explain_nothing_to_do(skipped: &[SkippedServer]) {
    eprintln!("nothing to measure: no server is left that can run a scenario of this study");
    for SkippedServer { name, reason } in skipped {
        eprintln!("  {name}: {reason}");
    }
}

/// What the records of a run are made of.
struct Subject<'a> {
    root: &'a Root,
    found: &'a Preflight,
    programs: &'a Programs,
    open_files: Option<u64>,
    manifest: &'a Manifest,
}

/// A run whose folder exists.
pub(crate) struct Kept {
    pub(crate) folder: RunFolder,
    pub(crate) environment: Environment,
    pub(crate) done: Vec<Measurement>,
    pub(crate) spent: Spent,
}

impl Subject<'_> {
    /// Writes what is known before the first execution. An interrupted run has its records already.
    fn keep(&self, before: Before, study: &Study, spent: Spent) -> anyhow::Result<Kept> {
        let (folder, environment, done, spent) = match before {
            Before::Interrupted { folder, mut environment, done } => {
                let now = rfc3339(SystemTime::now());
                environment.warnings.push(format!("The run was interrupted, and resumed at {now}."));
                let spent = spent_before(&environment, &done, spent);
                (folder, *environment, done, spent)
            }
            Before::New(path) => {
                let environment = self.environment();
                let folder = RunFolder::create(&path)?;
                folder.write_study(study)?;
                (folder, environment, Vec::new(), spent)
            }
        };
        folder.write_environment(&environment)?;
        Ok(Kept { folder, environment, done, spent })
    }

    fn environment(&self) -> Environment {
        let Subject { found, programs, .. } = self;
        let mut environment = environment::of_run(self.root, &found.placement, self.open_files);
        environment.command = environment::command_line();
        environment.servers = programs.servers.iter().map(|server| server.built.record.clone()).collect();
        environment.clients = programs.clients.iter().map(|client| client.built.record.clone()).collect();
        environment.skipped.clone_from(&programs.skipped);
        environment.baseline = self.baseline();
        found.note(&mut environment);
        environment
    }

    /// Keeps what each server sets in the lanes that the study measures, where a client can hold a stream open.
    fn look_at_parity(
        &self,
        study: &Study,
        listen: SocketAddr,
        folder: &RunFolder,
        interrupt: &mut Interrupt,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        let Some(streamer) = &self.programs.streamer else { return Ok(()) };
        let cores = &self.found.placement.cores;
        let survey = Survey {
            root: self.root,
            streamer,
            launch: Launch { listen, core: cores.server },
            client_core: cores.client,
        };
        let cells = self.programs.cells(study);
        let measured =
            |name: &str, lane| cells.iter().any(|cell| plain(&cell.server) == name && cell.lane == lane);
        let ledger = survey.of_all(&self.programs.servers, measured, interrupt, progress)?;
        Ok(folder.write_ledger(&ledger)?)
    }

    fn baseline(&self) -> Option<String> {
        let entry = self.manifest.baseline()?;
        let servers = &self.programs.servers;
        servers.iter().find(|server| server.entry.name == entry.name).map(|server| server.name.clone())
    }
}

/// The time that the interrupted parts of a run took, as far as it was kept, and this part's so far.
fn spent_before(environment: &Environment, done: &[Measurement], now: Spent) -> Spent {
    let before = environment.spent.unwrap_or_default();
    Spent {
        building_ns: before.building_ns + now.building_ns,
        verifying_ns: before.verifying_ns + now.verifying_ns,
        executing_ns: before.executing_ns.max(done.iter().map(|measurement| measurement.wall_ns).sum()),
        measuring_ns: measuring_ns(done),
        waiting_ns: before.waiting_ns,
    }
}

fn measuring_ns(done: &[Measurement]) -> u64 {
    done.iter().filter_map(|measurement| measurement.observation.as_ref()).map(windows_ns).sum()
}

/// The window of a measurement, or all those of a search.
fn windows_ns(seen: &Observation) -> u64 {
    match &seen.capacity {
        None => seen.elapsed_ns,
        Some(capacity) => {
            capacity.steps.iter().filter_map(|step| step.seen).map(|step| step.elapsed_ns).sum()
        }
    }
}

/// The run whose samples are kept: where they are asked for, or were when it began. The clients, which write them, may run anywhere.
fn samples_of(folder: &RunFolder, asked: bool) -> anyhow::Result<Option<RunFolder>> {
    let samples = folder.samples_folder();
    if !asked && !samples.exists() {
        return Ok(None);
    }
    let failed = || format!("failed to create `{}`", samples.display());
    std::fs::create_dir_all(&samples).with_context(failed)?;
    Ok(Some(RunFolder::open(&std::path::absolute(folder.path()).with_context(failed)?)?))
}

/// Executes what is left of the plan, keeping each measurement as it is made; before each iteration, waits as patience allows.
pub(crate) fn carry_out(
    rig: &Rig<'_>,
    plan: &Plan,
    mut patience: Option<Patience<'_>>,
    kept: &mut Kept,
    interrupt: &mut Interrupt,
    progress: Progress,
) -> anyhow::Result<Progress> {
    let remaining = plan.remaining(&kept.done)?;
    let planned = |execution: &Execution| {
        rig.study.scenario(&execution.cell).map_or(Duration::ZERO, |scenario| {
            capacity::expected(scenario, execution.cell.rate_per_s).measured
        })
    };
    let total = remaining.iter().map(Vec::len).sum();
    let mut shown =
        progress.begin(total, rig.study.iterations, remaining.iter().flatten().map(planned).sum());
    let mut log = kept.folder.log()?;
    let (began, before) = (Instant::now(), kept.spent.executing_ns);
    let mut waiting = Duration::ZERO;
    'run: for iteration in &remaining {
        waiting += wait_for_quiet(&mut patience, iteration, kept, interrupt, &mut shown)?;
        if patience.is_some() && interrupt.wants_end() {
            break;
        }
        for execution in iteration {
            shown.executing(execution);
            let Some(measurement) = execute(rig, execution, interrupt)? else { break 'run };
            log.append(&measurement)?;
            shown.executed(planned(execution));
            if let Outcome::Failed { stage, reason } = &measurement.outcome {
                let iteration = execution.iteration + 1;
                shown
                    .say(&format!("failed: iteration {iteration}, {}, at {stage}: {reason}", execution.cell));
            }
            kept.done.push(measurement);
        }
        if interrupt.wants_end() {
            break;
        }
    }
    kept.spent.waiting_ns += waiting.as_nanos() as u64;
    kept.spent.executing_ns = before + nanoseconds(began) - waiting.as_nanos() as u64;
    kept.spent.measuring_ns = measuring_ns(&kept.done);
    kept.environment.spent = Some(kept.spent);
    Ok(shown.end())
}

/// Waits where there is patience, and something to execute. Patience that has ended is given up, and a warning.
fn wait_for_quiet(
    patience: &mut Option<Patience<'_>>,
    iteration: &[Execution],
    kept: &mut Kept,
    interrupt: &mut Interrupt,
    shown: &mut Measuring,
) -> anyhow::Result<Duration> {
    let (Some(patient), [first, ..]) = (patience.as_mut(), iteration) else { return Ok(Duration::ZERO) };
    let (wait, waited) = patient.wait(interrupt, shown)?;
    shown.waited(waited);
    if let Wait::GivenUp(why) = wait {
        let warning = format!("From iteration {} on nothing was waited for: {why}.", first.iteration + 1);
        shown.say(&format!("note: {warning}"));
        kept.environment.warnings.push(warning);
        kept.folder.write_environment(&kept.environment)?;
        *patience = None;
    }
    Ok(waited)
}

/// Writes the report and says what came of the run.
fn conclude(kept: Kept) -> anyhow::Result<Option<RunFolder>> {
    let completed = kept.done.iter().filter(|measurement| measurement.outcome == Outcome::Completed).count();
    let failed = kept.done.len() - completed;
    if completed == 0 {
        eprintln!(
            "no cell completed: {failed} executions failed; see `{}`",
            kept.folder.path().join("measurements.jsonl").display()
        );
        return Ok(None);
    }
    derive::print_answer(&derive::derive(&kept.folder)?);
    println!("{completed} executions completed, {failed} failed. {}", time_spent(&kept.spent));
    println!("{}", kept.folder.path().join("REPORT.md").display());
    Ok(Some(kept.folder))
}

fn time_spent(spent: &Spent) -> String {
    let seconds = |ns: u64| ns as f64 / 1e9;
    let wall = seconds(spent.verifying_ns + spent.executing_ns);
    let waiting = match spent.waiting_ns {
        0 => String::new(),
        ns => format!(", waiting for quiet {:.1} s", seconds(ns)),
    };
    format!(
        "Building took {:.1} s{waiting}, the rest {wall:.1} s, of which {:.0} % lay in measured windows.",
        seconds(spent.building_ns),
        100.0 * seconds(spent.measuring_ns) / wall.max(1e-9)
    )
}

fn nanoseconds(since: Instant) -> u64 {
    since.elapsed().as_nanos() as u64
}
