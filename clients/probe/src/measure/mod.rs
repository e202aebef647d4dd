//! One measurement: open the connections, poll them through warm-up and window, audit, and tell.

mod connect;
mod echo;
pub(crate) mod farewell;
mod intake;
mod many;
mod ping;
mod reading;
mod relay;
mod rest;
mod single;
mod ticks;

use std::path::PathBuf;
use std::sync::Arc;

use tickbench_client_kit::{
    Contents, Failure, MemoryError, Poll, Progress, Session, Streams, monotonic_ns, read_capture,
    read_memory, ticks_target,
};
use tickbench_protocol::Capture;
use tickbench_record::{Arrival, Job, MemoryReading, Observation, Reply, Request, Stage};

use crate::link::{self, Connection, Spacing, stamped};
use connect::Connects;
use echo::Echo;
use intake::Handler;
use many::Many;
use ping::Pings;
use reading::{Plain, Reading, WithKernelTime};
use single::Single;
use ticks::Ticks;

/// Measures what `request` says.
pub(crate) fn measure(request: &Request) -> Reply {
    match measured(request) {
        Ok(observation) => Reply::Completed(Box::new(observation)),
        Err(failure) => failure.into(),
    }
}

fn measured(request: &Request) -> Result<Observation, Failure> {
    check_stages(request)?;
    match request.job {
        Job::Ticks => {
            let capture = capture(request)?;
            let contents = Contents::of(request, capture.clone())?;
            let opened = Opened::open(request, &ticks_target(request), spacing(request))?;
            let asked_ns = opened.connections.iter().map(|connection| connection.asked_ns);
            let streams = Streams::of(request, capture.as_ref(), asked_ns)?;
            let (session, connections) = opened.begin(request, streams, contents)?;
            run(request, session, connections, &mut Ticks::new(request.encoding))
        }
        Job::Echo => {
            let mut echo = Echo::new(request)?;
            let opened = Opened::open(request, "/echo", Spacing::None)?;
            let (session, connections) = opened.begin(request, Streams::none(), None)?;
            run(request, session, connections, &mut echo)
        }
        Job::Ping => {
            let mut pings = Pings::new(request)?;
            let opened = Opened::open(request, "/echo", Spacing::None)?;
            let (session, connections) = opened.begin(request, Streams::none(), None)?;
            ping::run(request, session, connections, &mut pings)
        }
        Job::Connect => {
            let memory = request.server_pid.map(read_memory);
            let contents = Contents::of(request, capture(request)?)?;
            let mut connects = Connects::new(request)?;
            let mut session = Session::begin(request, Streams::none(), contents, 0)?;
            session.keep_memory(memory);
            connect::run(session, &mut connects)
        }
        Job::Relay => relay::measured(request),
    }
}

/// A read of many connections is not stamped, and only paced ticks have stages, which the session sees to.
fn check_stages(request: &Request) -> Result<(), Failure> {
    if request.stages && request.connections != 1 {
        let reason =
            "stages are told apart over one connection alone: ask for --connections 1, or leave --stages out";
        return Err(Failure::own(Stage::Connect, reason));
    }
    Ok(())
}

/// Streams that tick at one rate are begun at different phases of their common period.
fn spacing(request: &Request) -> Spacing {
    if request.rate_per_s > 0.0 && request.arrival != Arrival::Recorded {
        let period_ns = f64::from(request.connections) * 1e9 / request.rate_per_s;
        Spacing::over_period(period_ns as u64, request.connections)
    } else {
        Spacing::None
    }
}

/// The capture that the server is asked to replay, where it is.
fn capture(request: &Request) -> Result<Option<Arc<Capture>>, Failure> {
    let read = |path: &PathBuf| read_capture(path).map(Arc::new);
    let capture = request.feed.as_ref().map(read).transpose();
    capture.map_err(|cause| Failure::own(Stage::Connect, cause.to_string()))
}

/// All connections of a measurement, upgraded.
struct Opened {
    connections: Vec<Connection>,
    took_ns: u64,
    memory_before: Option<Result<MemoryReading, MemoryError>>,
}

impl Opened {
    fn open(request: &Request, target: &str, spacing: Spacing) -> Result<Opened, Failure> {
        let memory_before = request.server_pid.map(read_memory);
        let started_ns = monotonic_ns();
        let connections = link::open(request.server, target, request.connections, spacing, request.stall_ns)?;
        Ok(Opened { connections, took_ns: monotonic_ns() - started_ns, memory_before })
    }

    /// Starts the warm-up.
    fn begin(
        self,
        request: &Request,
        streams: Streams,
        contents: Option<Contents>,
    ) -> Result<(Session, Vec<Connection>), Failure> {
        let mut session = Session::begin(request, streams, contents, self.took_ns)?;
        session.keep_memory(self.memory_before);
        Ok((session, self.connections))
    }
}

/// Reads one connection straight from its socket, several through a poll.
fn run<H: Handler>(
    request: &Request,
    mut session: Session,
    mut connections: Vec<Connection>,
    handler: &mut H,
) -> Result<Observation, Failure> {
    match connections.pop() {
        Some(only) if connections.is_empty() && request.stages => {
            stamped::stamp(&only.socket).map_err(|cause| {
                Failure::own(
                    session.stage(),
                    format!("failed to have the kernel stamp what it receives: {cause}"),
                )
            })?;
            run_single::<H, WithKernelTime>(request, session, only, handler)
        }
        Some(only) if connections.is_empty() => run_single::<H, Plain>(request, session, only, handler),
        last => {
            connections.extend(last);
            let mut many = Many::new(connections, request.wait, &mut session, handler)?;
            let (session, closed_ns) = poll(session, |session| many.poll(session, handler))?;
            let observation = session.finish(closed_ns)?;
            farewell::close(&many.into_sockets());
            Ok(observation)
        }
    }
}

fn run_single<H: Handler, R: Reading>(
    request: &Request,
    mut session: Session,
    only: Connection,
    handler: &mut H,
) -> Result<Observation, Failure> {
    let mut single = Single::<_, R>::new(only, request.wait, &mut session, handler)?;
    let (session, closed_ns) = poll(session, |session| single.poll(session, handler))?;
    let observation = session.finish(closed_ns)?;
    farewell::close(std::slice::from_ref(single.socket()));
    Ok(observation)
}

/// Polls until the window is over, and all that belongs to it is there or lost; tells when that was. A poll returns what it brought and
/// when it ended.
#[inline(always)]
fn poll(
    mut session: Session,
    mut poll: impl FnMut(&mut Session) -> Result<(Poll, u64), Failure>,
) -> Result<(Session, u64), Failure> {
    loop {
        let (brought, now_ns) = poll(&mut session)?;
        if session.advance(now_ns, brought)? == Progress::Over {
            return Ok((session, now_ns));
        }
    }
}
