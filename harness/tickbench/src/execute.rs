//! One execution: a fresh server, a client that measures it, and the end of both.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use tickbench_record::{
    Cell, Cores, Idle, Job, Measurement, Observation, Outcome, Reply, Request, RunFolder, Scenario,
    ScenarioKind, Stage, Stolen, Study, printable,
};

use crate::awake::{Awake, Waker};
use crate::build::{Contestant, Instrument};
use crate::capacity::{Quest, Search, Target};
use crate::interrupt::Interrupt;
use crate::launch::{END_DEADLINE, Launch, LiveServer, ServerEnd, Stop, last_words, start};
use crate::plan::Execution;
use crate::preflight::Stops;
use crate::process::{Process, describe, wait};
use crate::system;

/// What a client may take beyond warm-up, window and the wait for what is late, which takes as long as a stall at most: to start, to
/// open its connections, which it spreads over 2 s at most, to compute its reply, to end.
const SLACK: Duration = Duration::from_secs(4);

/// What it may take for each connection beyond that.
const SLACK_PER_CONNECTION: Duration = Duration::from_millis(2);

/// How long a client may take to notice that its server has died.
const GRACE: Duration = Duration::from_secs(1);

/// Everything that executions share.
pub(crate) struct Rig<'a> {
    pub(crate) study: &'a Study,
    pub(crate) servers: &'a [Contestant],
    pub(crate) clients: &'a [Instrument],
    pub(crate) cores: &'a Cores,
    pub(crate) listen: std::net::SocketAddr,
    /// From which gap on the client's core was away, where that is known.
    pub(crate) hiccup_ns: Option<u64>,
    /// How the servers' core is kept awake, or why it cannot be.
    pub(crate) waker: &'a Result<Waker, String>,
    /// The run whose executions leave a row a message, where that is asked for.
    pub(crate) samples: Option<&'a RunFolder>,
}

/// What came of an execution.
pub(crate) enum Executed {
    /// Figures, or a failure of the server.
    Measured(Measurement),
    /// A failure: the client outlived its deadline while its server ran. Whose doing that was is not known.
    Overdue(Measurement),
    /// Nothing: the user ended it.
    Interrupted,
}

/// Executes a cell once. A failure of the server is a measurement too; what the client, the harness or the machine fails in is an error.
pub(crate) fn execute(
    rig: &Rig<'_>,
    execution: &Execution,
    interrupt: &mut Interrupt,
) -> anyhow::Result<Executed> {
    execute_under(rig, execution, interrupt, &mut |_| {})
}

/// As [`execute`]; tells `act` the server's process directly before the client starts, so that something can be done to it meanwhile.
pub(crate) fn execute_under(
    rig: &Rig<'_>,
    execution: &Execution,
    interrupt: &mut Interrupt,
    act: &mut dyn FnMut(u32),
) -> anyhow::Result<Executed> {
    let (began, clock) = (Instant::now(), SystemTime::now());
    let (before, stops) = (stolen(rig.cores), Stops::so_far(Path::new("/")));
    let failed = |stage, reason| (Outcome::Failed { stage, reason }, None);
    let mut kind: fn(Measurement) -> Executed = Executed::Measured;
    let (outcome, observation) = match attempt(rig, execution, interrupt, act) {
        Ok(observation) => (Outcome::Completed, Some(observation)),
        Err(Stop::Failed { stage, reason }) => failed(stage, reason),
        Err(Stop::Overdue(reason)) => {
            kind = Executed::Overdue;
            failed(Stage::Measure, reason)
        }
        Err(Stop::Interrupted(_)) => return Ok(Executed::Interrupted),
        Err(Stop::Broken(cause)) => {
            let iteration = execution.iteration + 1;
            return Err(cause.context(format!("failed to execute iteration {iteration}, {}", execution.cell)));
        }
    };
    Ok(kind(Measurement {
        iteration: execution.iteration,
        position: execution.position,
        started_at_s: clock.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64()),
        wall_ns: began.elapsed().as_nanos() as u64,
        stolen: before.zip(stolen(rig.cores)).map(|(before, now)| Stolen {
            server_core_ns: now.server_core_ns.saturating_sub(before.server_core_ns),
            client_core_ns: now.client_core_ns.saturating_sub(before.client_core_ns),
        }),
        throttled: stops.zip(Stops::so_far(Path::new("/"))).and_then(|(before, now)| now.since(&before)),
        cell: execution.cell.clone(),
        outcome,
        observation,
    }))
}

/// What the host has kept from both cores so far.
fn stolen(cores: &Cores) -> Option<Stolen> {
    Some(Stolen {
        server_core_ns: system::stolen_ns(cores.server?)?,
        client_core_ns: system::stolen_ns(cores.client?)?,
    })
}

fn attempt(
    rig: &Rig<'_>,
    execution: &Execution,
    interrupt: &mut Interrupt,
    act: &mut dyn FnMut(u32),
) -> Result<Observation, Stop> {
    let Execution { iteration, cell, .. } = execution;
    let (server, client, scenario) = rig.parts(cell).map_err(Stop::Broken)?;
    // Before the server: what the spinner does to its core, it does to the whole life of the server.
    let awake = rig.wake(cell, interrupt)?;
    let launch = Launch { listen: rig.listen, core: rig.cores.server };
    let mut live = LiveServer::launch(&server.built, cell.lane, launch, interrupt)?;
    let request = Request {
        hiccup_ns: rig.hiccup_ns,
        server_gaps: awake.as_ref().map(Awake::gaps),
        samples: rig.samples(execution),
        ..request(rig.study, scenario, cell, *iteration, &live)
    };
    act(live.process.id());
    let core = rig.cores.client;
    let measured = match Target::of(scenario) {
        None => {
            measure(client, &request, core, &mut live, interrupt).map(|(seen, client)| (seen, Some(client)))
        }
        Some(target) => {
            let quest = Quest { target, cell, request, client, core };
            quest.search(Search::of_iteration(*iteration), &mut live, interrupt).map(|seen| (seen, None))
        }
    };
    match measured {
        Ok((observation, client)) => {
            // A server that froze near the end of a window is missed by a client that waits longer than that for a message.
            if let Some(state) = system::idle_state(live.process.id()) {
                return Err(Stop::failed(
                    Stage::Measure,
                    format!("when the window was over, the server was {state}"),
                ));
            }
            // Both end at the same time: the client has its figures, so that neither can spoil them.
            let end = live.end()?;
            client.map_or(Ok(()), end_client)?;
            match end {
                ServerEnd::Clean | ServerEnd::Late(_) => Ok(observation),
                ServerEnd::Wrong(what) => Err(Stop::failed(Stage::End, what)),
            }
        }
        Err(Stop::Failed { stage, reason }) => Err(Stop::failed(stage, explain(reason, &mut live)?)),
        Err(stop) => Err(stop),
    }
}

impl Rig<'_> {
    fn parts(&self, cell: &Cell) -> anyhow::Result<(&Contestant, &Instrument, &Scenario)> {
        let server = self.servers.iter().find(|server| server.name == cell.server);
        let client = self.clients.iter().find(|client| client.name == cell.client);
        let parts = server.zip(client).zip(self.study.scenario(cell));
        let ((server, client), scenario) =
            parts.with_context(|| format!("{cell} names a server, client or scenario that was not built"))?;
        Ok((server, client, scenario))
    }

    /// Where the samples of an execution go: those of paced ticks alone, which have a schedule to be late for.
    fn samples(&self, execution: &Execution) -> Option<PathBuf> {
        let folder = self.samples.filter(|_| execution.cell.kind.is_paced())?;
        Some(folder.samples(execution.iteration, execution.position))
    }

    fn wake(&self, cell: &Cell, interrupt: &mut Interrupt) -> Result<Option<Awake>, Stop> {
        if cell.idle == Idle::Sleep {
            return Ok(None);
        }
        let unable =
            |reason: &String| Stop::broken(format!("the server's core cannot be kept awake: {reason}"));
        self.waker.as_ref().map_err(unable)?.wake(interrupt).map(Some)
    }
}

fn request(study: &Study, scenario: &Scenario, cell: &Cell, iteration: u32, live: &LiveServer) -> Request {
    let ms = |ms: u64| ms * 1_000_000;
    Request {
        server: live.address,
        job: match cell.kind {
            ScenarioKind::Echo => Job::Echo,
            ScenarioKind::Connect => Job::Connect,
            ScenarioKind::Ping => Job::Ping,
            ScenarioKind::Relay => Job::Relay,
            _ => Job::Ticks,
        },
        encoding: cell.encoding,
        flush: cell.flush,
        arrival: cell.arrival,
        rate_per_s: cell.rate_per_s,
        size_bytes: cell.size_bytes,
        // The same for every cell of an iteration, so that they can be paired; another for each iteration.
        seed: study.seed.unwrap_or_default().wrapping_add(iteration.into()),
        feed: study.feed_of(scenario).map(PathBuf::from),
        speed: study.speed,
        connections: cell.connections,
        wait: cell.wait,
        warmup_ns: ms(scenario.warmup_ms),
        window_ns: ms(scenario.window_ms),
        stall_ns: ms(study.stall_ms),
        server_pid: Some(live.process.id()),
        usage_samples_per_s: study.usage_samples_per_s,
        hiccup_ns: None,
        server_gaps: None,
        stages: scenario.stages,
        samples: None,
        beside: cell.beside,
    }
}

/// Lets a client measure the server. Returns what it saw, and the client, which may still be saying goodbye. A client that cannot be
/// started, ends without a reply or says that it cannot do its part is no failure of the server.
pub(crate) fn measure(
    instrument: &Instrument,
    request: &Request,
    core: Option<usize>,
    live: &mut LiveServer,
    interrupt: &mut Interrupt,
) -> Result<(Observation, Process), Stop> {
    let mut client = start(&instrument.built.run.with(request.to_args()), core)?;
    let planned = Duration::from_nanos(request.warmup_ns + request.window_ns + request.stall_ns);
    let mut deadline = Instant::now() + planned + SLACK + SLACK_PER_CONNECTION * request.connections;
    let mut server_ended = false;
    let line = loop {
        if let Some(line) = client.out.take_line() {
            break line;
        }
        if !client.out.is_open() {
            let end = client.wait_end(Instant::now() + END_DEADLINE)?;
            let what = end.map_or("closed its standard output".into(), describe);
            let words = last_words(&client);
            return Err(Stop::broken(format!("the client {what} without a reply{words}")));
        }
        if !server_ended && live.process.status().is_some() {
            server_ended = true;
            deadline = deadline.min(Instant::now() + GRACE);
        }
        let LiveServer { process: server, .. } = live;
        let mut outputs = [&mut client.out, &mut client.err, &mut server.out, &mut server.err];
        let in_time = wait(&mut outputs, deadline, Some(interrupt))?;
        server.out.clear();
        interrupt.check_at_once()?;
        if !in_time && Instant::now() >= deadline {
            return Err(without_reply(server_ended, live, &client));
        }
    };
    match serde_json::from_str(&line) {
        Ok(Reply::Completed(observation)) => Ok((*observation, client)),
        // Whichever client it is: words of the server may be in it.
        Ok(Reply::Failed { stage, reason }) => Err(Stop::Failed { stage, reason: printable(&reason) }),
        Ok(Reply::Broken { stage, reason }) => {
            let reason = printable(&reason);
            Err(Stop::broken(format!("the client could not do its part, at {stage}: {reason}")))
        }
        Err(cause) => {
            let start: String = line.chars().take(80).collect();
            Err(Stop::broken(format!("the client printed no reply but {start:?} ({cause})")))
        }
    }
}

/// What to make of a client that has not replied by its deadline.
fn without_reply(server_ended: bool, live: &LiveServer, client: &Process) -> Stop {
    let words = last_words(client);
    let stopped = || system::idle_state(live.process.id()).map(|state| format!("was {state}"));
    match server_ended.then(|| "died".to_owned()).or_else(stopped) {
        Some(what) => {
            Stop::failed(Stage::Measure, format!("the server {what}, and the client had not replied{words}"))
        }
        None => Stop::Overdue(format!(
            "the client had not replied when its time was over, though its own limits are shorter; whose doing that was is not \
             known{words}"
        )),
    }
}

/// Gives a client that has replied the time to end.
pub(crate) fn end_client(mut client: Process) -> Result<(), Stop> {
    client.close_stdin();
    if client.wait_end(Instant::now() + END_DEADLINE)?.is_none() {
        client.kill();
    }
    Ok(())
}

/// A failure's reason with what is known of the server behind it.
fn explain(reason: String, live: &mut LiveServer) -> Result<String, Stop> {
    // A server whose connections broke is often on its way out: its status is worth a moment.
    live.process.wait_end(Instant::now() + Duration::from_millis(100))?;
    Ok(match live.condition() {
        Some(condition) => format!("{reason}; {condition}"),
        None => reason,
    })
}
