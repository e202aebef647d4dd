//! `tickbench run`: the whole pipeline.

use std::net::{SocketAddr, TcpListener};
use std::time::{Instant, SystemTime};

use anyhow::Context as _;
use tickbench_record::{Environment, Ledger, RunFolder, Scenario, SkippedServer, Spent, Study};

use crate::carry_out::carry_out;
use crate::ceilings::Flood;
use crate::cli::RunArgs;
use crate::clock::rfc3339;
use crate::cores::{self, CoreArgs};
use crate::execute::Rig;
use crate::exit::ExitStatus;
use crate::interrupt::Interrupt;
use crate::invocation::command_line;
use crate::launch::Launch;
use crate::manifest::{Manifest, plain};
use crate::parity::Survey;
use crate::plan::Plan;
use crate::preflight::Preflight;
use crate::programs::Programs;
use crate::progress::Progress;
use crate::quiet::Patience;
use crate::root::Root;
use crate::start::{RunOrigin, Start};
use crate::state::{RunOutcome, RunState};
use crate::{environment, limits, out, spent};

/// `tickbench run`.
pub(crate) fn run(root: &Root, args: &RunArgs) -> anyhow::Result<ExitStatus> {
    Ok(run_study(root, args)?.status)
}

/// Runs a study, or what an interrupted run left of one, and writes its report.
pub(crate) fn run_study(root: &Root, args: &RunArgs) -> anyhow::Result<RunOutcome> {
    let mut interrupt = Interrupt::install()?;
    let manifest = Manifest::read(root)?;
    let Start { mut study, origin, left_out } = Start::read(args, root, &manifest)?;
    let cores = origin.cores(args.cores);
    cores::check(cores)?;
    check_listen(args.listen.0)?;
    let open_files = limits::raise_open_files(most_connections(&study))?;
    let mut spent = Spent::default();

    let progress = Progress::new();
    let began = Instant::now();
    let wanted = origin.servers(&study);
    let programs = Programs::build(root, &manifest, &study, &wanted, &mut interrupt, &progress)?;
    origin.check_same_programs(&programs.servers, &programs.clients)?;
    spent.building_ns = spent::since(began);

    let began = Instant::now();
    let programs = programs.verify(&study, args.listen.0, &mut interrupt, &progress)?;
    if programs.cells(&study).is_empty() {
        explain_nothing_to_do(&programs.skipped);
        return Ok(RunOutcome { folder: None, status: ExitStatus::Undecided });
    }
    let mut found = run_preflight(&origin, cores, &mut study, &programs, &mut interrupt, &progress)?;
    let patience = Patience::new(args.wait_for_quiet, programs.watch.as_ref(), &found.placement.cores)?;
    found.warnings.extend(left_out);
    spent.verifying_ns = spent::since(began);

    let plan = Plan::new(&study, programs.cells(&study));
    let records = RunRecords { root, found: &found, programs: &programs, open_files, manifest: &manifest };
    found.placement.move_harness()?;
    let wants_ledger = !args.no_parity && !origin.has_ledger()?;
    let ledger = match wants_ledger {
        true => records.look_at_parity(&study, args.listen.0, &mut interrupt, &progress)?,
        false => None,
    };
    // Until here nothing is kept of a run that cannot begin.
    let mut state = records.begin(origin, &study, &plan, spent)?;
    ledger.map(|ledger| state.folder.write_ledger(&ledger)).transpose()?;
    state.environment.warnings.iter().for_each(|warning| progress.say(&format!("note: {warning}")));
    let samples = samples_of(&state.folder, args.samples)?;
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
    carry_out(&rig, &plan, patience, &mut state, &mut interrupt, progress)?.end();
    state.conclude(study.iterations, &interrupt)
}

/// What is found out before the first execution; an interrupted run found it out when it began. Where nothing can keep the server's
/// core awake, the study is changed to let it sleep.
fn run_preflight(
    origin: &RunOrigin,
    cores: CoreArgs,
    study: &mut Study,
    programs: &Programs,
    interrupt: &mut Interrupt,
    progress: &Progress,
) -> anyhow::Result<Preflight> {
    let watch = programs.watch.as_ref();
    if let Some(recorded) = origin.environment() {
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
    out::note("nothing to measure: no server is left that can run a scenario of this study");
    for SkippedServer { name, reason } in skipped {
        out::note(format_args!("  {name}: {reason}"));
    }
}

/// What the records of a run are made of.
struct RunRecords<'a> {
    root: &'a Root,
    found: &'a Preflight,
    programs: &'a Programs,
    open_files: Option<u64>,
    manifest: &'a Manifest,
}

impl RunRecords<'_> {
    /// Writes what is known before the first execution. An interrupted run has its records already.
    fn begin(&self, origin: RunOrigin, study: &Study, plan: &Plan, spent: Spent) -> anyhow::Result<RunState> {
        let (folder, lock, mut environment, done) = match origin {
            RunOrigin::Resumed { folder, lock, mut environment, done } => {
                let now = rfc3339(SystemTime::now());
                environment.warnings.push(format!("The run was interrupted, and resumed at {now}."));
                (folder, lock, *environment, done)
            }
            RunOrigin::New(claim) => {
                let environment = self.environment();
                let (folder, lock) = claim.keep()?;
                folder.write_study(study)?;
                (folder, lock, environment, Vec::new())
            }
        };
        environment.executions_per_iteration = Some(plan.iteration(0).len());
        folder.write_environment(&environment)?;
        let spent = spent::with_earlier(&environment, &done, spent);
        Ok(RunState { folder, lock, environment, done, spent })
    }

    fn environment(&self) -> Environment {
        let RunRecords { found, programs, .. } = self;
        let mut environment = environment::of_run(self.root, &found.placement, self.open_files);
        environment.command = command_line();
        environment.servers = programs.servers.iter().map(|server| server.built.record.clone()).collect();
        environment.clients = programs.clients.iter().map(|client| client.built.record.clone()).collect();
        environment.skipped.clone_from(&programs.skipped);
        environment.baseline = self.baseline();
        found.note(&mut environment);
        environment
    }

    /// What each server sets in the lanes that the study measures, where a client can hold a stream open.
    fn look_at_parity(
        &self,
        study: &Study,
        listen: SocketAddr,
        interrupt: &mut Interrupt,
        progress: &Progress,
    ) -> anyhow::Result<Option<Ledger>> {
        let Some(streamer) = &self.programs.streamer else { return Ok(None) };
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
        survey.of_all(&self.programs.servers, measured, interrupt, progress).map(Some)
    }

    fn baseline(&self) -> Option<String> {
        let entry = self.manifest.baseline()?;
        let servers = &self.programs.servers;
        servers.iter().find(|server| server.entry.name == entry.name).map(|server| server.name.clone())
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
