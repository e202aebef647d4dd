//! One measurement: open the connections, poll them through warm-up and window, audit, and tell.

mod audit;
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

pub(crate) use audit::difference;

use tickbench_client_kit::{Failure, Poll, Progress, Session, monotonic_ns, read_memory, ticks_target};
use tickbench_record::{Arrival, Job, Observation, Reply, Request, Stage};

use crate::link::{self, Connection, Spacing, stamped};
use audit::Audit;
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
            let audit = Audit::new(request)?;
            let (session, connections) = connect(request, &ticks_target(request), spacing(request))?;
            let mut ticks = Ticks::new(request.encoding, audit);
            let mut observation = run(request, session, connections, &mut ticks)?;
            observation.checked = ticks.into_audit().check()?;
            Ok(observation)
        }
        Job::Echo => {
            let mut echo = Echo::new(request)?;
            let (session, connections) = connect(request, "/echo", Spacing::None)?;
            let mut observation = run(request, session, connections, &mut echo)?;
            // Every message that came back was compared with what was sent.
            observation.checked = observation.received;
            Ok(observation)
        }
        Job::Ping => {
            let mut pings = Pings::new(request)?;
            let (session, connections) = connect(request, "/echo", Spacing::None)?;
            let mut observation = ping::run(request, session, connections, &mut pings)?;
            // Every pong was compared with its ping.
            observation.checked = observation.received;
            Ok(observation)
        }
        Job::Connect => {
            let memory = request.server_pid.map(read_memory);
            let mut session = Session::begin(request, 0)?;
            session.keep_memory(memory);
            let mut connects = Connects::new(request)?;
            let mut observation = connect::run(session, &mut connects)?;
            observation.checked = connects.into_audit().check()?;
            Ok(observation)
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

fn connect(request: &Request, target: &str, spacing: Spacing) -> Result<(Session, Vec<Connection>), Failure> {
    let memory = request.server_pid.map(read_memory);
    let started_ns = monotonic_ns();
    let connections = link::open(request.server, target, request.connections, spacing, request.stall_ns)?;
    let mut session = Session::begin(request, monotonic_ns() - started_ns)?;
    session.keep_memory(memory);
    Ok((session, connections))
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
            let observation = poll(session, |session| many.poll(session, handler))?;
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
    let observation = poll(session, |session| single.poll(session, handler))?;
    farewell::close(std::slice::from_ref(single.socket()));
    Ok(observation)
}

/// Polls until the window is over. A poll returns what it brought and when it ended.
#[inline(always)]
fn poll(
    mut session: Session,
    mut poll: impl FnMut(&mut Session) -> Result<(Poll, u64), Failure>,
) -> Result<Observation, Failure> {
    loop {
        let (brought, now_ns) = poll(&mut session)?;
        if session.advance(now_ns, brought)? == Progress::Over {
            return session.finish(now_ns);
        }
    }
}
