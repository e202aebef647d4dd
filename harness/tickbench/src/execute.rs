//! One execution: a fresh server, a client that measures it, and the end of both.

use std::path::PathBuf;
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
use crate::process::{Process, describe, wait};
use crate::system;

/// What a client may take beyond warm-up, window and stall: to start, to compute its reply, to end.
const SLACK: Duration = Duration::from_secs(2);

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

/// Executes a cell once; `None` where the user ended it. A failure of server or client is a measurement too.
pub(crate) fn execute(
    rig: &Rig<'_>,
    execution: &Execution,
    interrupt: &mut Interrupt,
) -> anyhow::Result<Option<Measurement>> {
    execute_under(rig, execution, interrupt, &mut |_| {})
}

/// As [`execute`]; tells `act` the server's process directly before the client starts, so that something can be done to it meanwhile.
pub(crate) fn execute_under(
    rig: &Rig<'_>,
    execution: &Execution,
    interrupt: &mut Interrupt,
    act: &mut dyn FnMut(u32),
) -> anyhow::Result<Option<Measurement>> {
    let (began, clock) = (Instant::now(), SystemTime::now());
    let before = stolen(rig.cores);
    let (outcome, observation) = match attempt(rig, execution, interrupt, act) {
        Ok(observation) => (Outcome::Completed, Some(observation)),
        Err(Stop::Failed { stage, reason }) => (Outcome::Failed { stage, reason }, None),
        Err(Stop::Interrupted) => return Ok(None),
        Err(Stop::Broken(cause)) => {
            return Err(cause.context(format!("failed to execute {}", execution.cell)));
        }
    };
    Ok(Some(Measurement {
        iteration: execution.iteration,
        position: execution.position,
        started_at_s: clock.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64()),
        wall_ns: began.elapsed().as_nanos() as u64,
        stolen: before.zip(stolen(rig.cores)).map(|(before, now)| Stolen {
            server_core_ns: now.server_core_ns.saturating_sub(before.server_core_ns),
            client_core_ns: now.client_core_ns.saturating_sub(before.client_core_ns),
        }),
        throttled: None,
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
        let unable = |reason: &String| {
            Stop::failed(Stage::Launch, format!("the server's core cannot be kept awake: {reason}"))
        };
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

/// Lets a client measure the server. Returns what it saw, and the client, which may still be saying goodbye.
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
            return Err(Stop::failed(Stage::Measure, format!("the client {what} without a reply{words}")));
        }
        if !server_ended && live.process.status().is_some() {
            server_ended = true;
            deadline = deadline.min(Instant::now() + GRACE);
        }
        let LiveServer { process: server, .. } = live;
        let mut outputs = [&mut client.out, &mut client.err, &mut server.out, &mut server.err];
        let in_time = wait(&mut outputs, deadline, Some(interrupt))?;
        server.out.clear();
        if interrupt.wants_end_at_once() {
            return Err(Stop::Interrupted);
        }
        if !in_time && Instant::now() >= deadline {
            let reason = if server_ended { "the server died, and" } else { "when its time was over," };
            let words = last_words(&client);
            return Err(Stop::failed(Stage::Measure, format!("{reason} the client had not replied{words}")));
        }
    };
    match serde_json::from_str(&line) {
        Ok(Reply::Completed(observation)) => Ok((*observation, client)),
        // Whichever client it is: words of the server may be in it.
        Ok(Reply::Failed { stage, reason }) => Err(Stop::Failed { stage, reason: printable(&reason) }),
        Err(cause) => {
            let start: String = line.chars().take(80).collect();
            Err(Stop::failed(Stage::Measure, format!("the client printed no reply but {start:?} ({cause})")))
        }
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
