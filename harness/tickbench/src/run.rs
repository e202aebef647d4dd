//! `tickbench run`: the whole pipeline.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use tickbench_record::{
    Cell, Client, Environment, Lane, Measurement, Outcome, RunFolder, SkippedServer, Spent, Study,
};

use crate::Ended;
use crate::build::{Builder, Contestant, Instrument};
use crate::cli::RunArgs;
use crate::cores::{self, Placement};
use crate::environment;
use crate::execute::{Rig, execute};
use crate::interrupt::Interrupt;
use crate::manifest::Manifest;
use crate::plan::{Execution, Plan};
use crate::progress::Progress;
use crate::root::Root;
use crate::start::{Before, Start, rfc3339};
use crate::{derive, limits, system, verify};

/// Runs a study, or what an interrupted run left of one, and writes its report.
pub(crate) fn run(root: &Root, args: &RunArgs) -> anyhow::Result<Ended> {
    let mut interrupt = Interrupt::install()?;
    let manifest = Manifest::read(root)?;
    let start = Start::read(args, root, &manifest)?;
    let placement = cores::place(start.before.cores(args.cores))?;
    check_listen(args.listen.0)?;
    let (study, wanted) = (&start.study, start.servers());
    let open_files = limits::raise_open_files(most_connections(study))?;
    let mut spent = Spent::default();

    let progress = Progress::new();
    let began = Instant::now();
    let mut builder = Builder::new(root, &mut interrupt, &progress)?;
    let passed = verify::PassedBefore::new(&builder.target);
    let (servers, mut skipped) = builder.servers(&manifest, &wanted)?;
    let clients = build_clients(&manifest, &mut builder, &cells(study, &servers))?;
    let verifier = verify::verifier(&manifest, &clients, &mut builder)?;
    start.before.check_same_programs(&servers, &clients)?;
    spent.building_ns = nanoseconds(began);

    let began = Instant::now();
    let lanes: BTreeSet<Lane> = cells(study, &servers).iter().map(|cell| cell.lane).collect();
    let lanes: Vec<Lane> = lanes.into_iter().collect();
    let (servers, unfit) =
        verify::before_timing(servers, &lanes, &verifier, &passed, args.listen.0, &mut interrupt, &progress)?;
    skipped.extend(unfit);
    spent.verifying_ns = nanoseconds(began);

    let plan = Plan::new(study, cells(study, &servers));
    if plan.cells().is_empty() {
        explain_nothing_to_do(&skipped);
        return Ok(Ended::Wanting);
    }
    let subject = Subject { root, placement: &placement, open_files, manifest: &manifest };
    let mut kept = subject.keep(start.before, study, &servers, &clients, skipped, spent)?;
    if !placement.cores.harness.is_empty() {
        system::pin_self(&placement.cores.harness).context("failed to move the harness to its own cores")?;
    }
    kept.environment.warnings.iter().for_each(|warning| progress.say(&format!("note: {warning}")));
    let rig =
        Rig { study, servers: &servers, clients: &clients, cores: &placement.cores, listen: args.listen.0 };
    let progress = carry_out(&rig, &plan, &mut kept, &mut interrupt, progress)?;
    progress.end();
    kept.folder.write_environment(&kept.environment)?;
    conclude(&kept)
}

/// The cells of one iteration for the servers that can run.
fn cells(study: &Study, servers: &[Contestant]) -> Vec<Cell> {
    let names: Vec<String> = servers.iter().map(|server| server.name.clone()).collect();
    study.cells(&names, |cell| {
        servers.iter().any(|server| server.name == cell.server && server.entry.supports(cell))
    })
}

fn most_connections(study: &Study) -> u32 {
    study.scenarios.iter().flat_map(|scenario| &scenario.connections).copied().max().unwrap_or(1)
}

/// A port that is asked for by number must be free.
fn check_listen(listen: SocketAddr) -> anyhow::Result<()> {
    TcpListener::bind(listen).map(drop).with_context(|| {
        format!("failed to listen on `{listen}`: name a free address with --listen, or leave it out")
    })
}

fn build_clients(
    manifest: &Manifest,
    builder: &mut Builder<'_>,
    cells: &[Cell],
) -> anyhow::Result<Vec<Instrument>> {
    let names: BTreeSet<Client> = cells.iter().map(|cell| cell.client).collect();
    names.into_iter().map(|name| builder.client(manifest.client(name)?)).collect()
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
    placement: &'a Placement,
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
    fn keep(
        &self,
        before: Before,
        study: &Study,
        servers: &[Contestant],
        clients: &[Instrument],
        skipped: Vec<SkippedServer>,
        spent: Spent,
    ) -> anyhow::Result<Kept> {
        let (folder, environment, done, spent) = match before {
            Before::Interrupted { folder, mut environment, done } => {
                let now = rfc3339(SystemTime::now());
                environment.warnings.push(format!("The run was interrupted, and resumed at {now}."));
                let spent = spent_before(&environment, &done, spent);
                (folder, *environment, done, spent)
            }
            Before::New(path) => {
                let mut environment = environment::of_run(self.root, self.placement, self.open_files);
                environment.command = environment::command_line();
                environment.servers = servers.iter().map(|server| server.built.record.clone()).collect();
                environment.clients = clients.iter().map(|client| client.built.record.clone()).collect();
                environment.skipped = skipped;
                environment.baseline = self.baseline(servers);
                let folder = RunFolder::create(&path)?;
                folder.write_study(study)?;
                (folder, environment, Vec::new(), spent)
            }
        };
        folder.write_environment(&environment)?;
        Ok(Kept { folder, environment, done, spent })
    }

    fn baseline(&self, servers: &[Contestant]) -> Option<String> {
        let entry = self.manifest.baseline()?;
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
    }
}

fn measuring_ns(done: &[Measurement]) -> u64 {
    done.iter().filter_map(|measurement| measurement.observation.as_ref()).map(|seen| seen.elapsed_ns).sum()
}

/// Executes what is left of the plan, keeping each measurement as it is made.
pub(crate) fn carry_out(
    rig: &Rig<'_>,
    plan: &Plan,
    kept: &mut Kept,
    interrupt: &mut Interrupt,
    progress: Progress,
) -> anyhow::Result<Progress> {
    let remaining = plan.remaining(&kept.done)?;
    let planned = |execution: &Execution| {
        rig.study
            .scenario(&execution.cell)
            .map_or(Duration::ZERO, |scenario| Duration::from_millis(scenario.warmup_ms + scenario.window_ms))
    };
    let total = remaining.iter().map(Vec::len).sum();
    let mut shown =
        progress.begin(total, rig.study.iterations, remaining.iter().flatten().map(planned).sum());
    let mut log = kept.folder.log()?;
    let (began, before) = (Instant::now(), kept.spent.executing_ns);
    'run: for iteration in &remaining {
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
    kept.spent.executing_ns = before + nanoseconds(began);
    kept.spent.measuring_ns = measuring_ns(&kept.done);
    kept.environment.spent = Some(kept.spent);
    Ok(shown.end())
}

/// Writes the report and says what came of the run.
fn conclude(kept: &Kept) -> anyhow::Result<Ended> {
    let completed = kept.done.iter().filter(|measurement| measurement.outcome == Outcome::Completed).count();
    let failed = kept.done.len() - completed;
    if completed == 0 {
        eprintln!(
            "no cell completed: {failed} executions failed; see `{}`",
            kept.folder.path().join("measurements.jsonl").display()
        );
        return Ok(Ended::Wanting);
    }
    derive::print_answer(&derive::derive(&kept.folder)?);
    println!("{completed} executions completed, {failed} failed. {}", time_spent(&kept.spent));
    println!("{}", kept.folder.path().join("REPORT.md").display());
    Ok(Ended::Fine)
}

fn time_spent(spent: &Spent) -> String {
    let seconds = |ns: u64| ns as f64 / 1e9;
    let wall = seconds(spent.verifying_ns + spent.executing_ns);
    format!(
        "Building took {:.1} s, the rest {wall:.1} s, of which {:.0} % lay in measured windows.",
        seconds(spent.building_ns),
        100.0 * seconds(spent.measuring_ns) / wall.max(1e-9)
    )
}

fn nanoseconds(since: Instant) -> u64 {
    since.elapsed().as_nanos() as u64
}
