//! One measurement: every connection a task on one thread, as the runtime's users write it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tickbench_client_kit::{
    Contents, Echoes, Failure, Poll, Session, Streams, monotonic_ns, read_capture, read_memory, ticks_target,
};
use tickbench_record::{Job, Observation, Reply, Request, Stage};
use tokio::task::{JoinSet, LocalSet};

use crate::connection::{self, Connection};

pub(crate) async fn measure(request: Request) -> Reply {
    match LocalSet::new().run_until(observe(&request)).await {
        Ok(observation) => Reply::Completed(Box::new(observation)),
        Err(failure) => failure.into(),
    }
}

async fn observe(request: &Request) -> Result<Observation, Failure> {
    let target = match request.job {
        Job::Ticks => ticks_target(request),
        Job::Echo => "/echo".to_owned(),
        Job::Connect | Job::Ping | Job::Relay => {
            let reason = "this client receives ticks and echoes alone: ask the probe for all else";
            return Err(Failure::own(Stage::Connect, reason));
        }
    };
    let capture = request.feed.as_ref().map(|path| read_capture(path).map(Arc::new)).transpose();
    let capture = capture.map_err(|cause| Failure::own(Stage::Connect, cause.to_string()))?;
    let contents = Contents::of(request, capture.clone())?;
    let echoes = Rc::new(RefCell::new(Echoes::new(request)?));
    let memory = request.server_pid.map(read_memory);
    let started_ns = monotonic_ns();
    let (mut sockets, mut asked) = (Vec::new(), Vec::new());
    for _ in 0..request.connections {
        let (socket, asked_ns) = connection::open(request.server, &target, request.stall_ns).await?;
        sockets.push(socket);
        asked.push(asked_ns);
    }
    let streams = match request.job {
        Job::Ticks => Streams::of(request, capture.as_ref(), asked)?,
        _ => Streams::none(),
    };
    let mut session = Session::begin(request, streams, contents, monotonic_ns() - started_ns)?;
    session.keep_memory(memory);
    let session = Rc::new(RefCell::new(session));
    let mut tasks = JoinSet::new();
    for (index, socket) in sockets.into_iter().enumerate() {
        let (session, echoes, encoding) = (Rc::clone(&session), Rc::clone(&echoes), request.encoding);
        let connection = Connection { index, socket, session };
        match request.job {
            Job::Echo => tasks.spawn_local(async move { connection.echo(&echoes).await }),
            _ => tasks.spawn_local(connection.receive(encoding)),
        };
    }
    tasks.spawn_local(watch(Rc::clone(&session)));
    // The first task that ends, ends the measurement: all is over for all of them, or one has failed.
    let ended = tasks.join_next().await.expect("there is a task a connection");
    let closed_ns = monotonic_ns();
    ended.expect("no task panics and none was aborted")?;
    tasks.shutdown().await;
    let session = Rc::into_inner(session).expect("all tasks are gone").into_inner();
    session.finish(closed_ns)
}

/// Notices a stall while no connection brings anything.
async fn watch(session: Rc<RefCell<Session>>) -> Result<(), Failure> {
    loop {
        let sleep_ns = session.borrow().longest_sleep_ns();
        tokio::time::sleep(Duration::from_nanos(sleep_ns)).await;
        let progress = session.borrow_mut().advance(monotonic_ns(), Poll::Nothing)?;
        if progress == tickbench_client_kit::Progress::Over {
            return Ok(());
        }
    }
}
