//! One connection: opening it, and what it does until the window is over.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tickbench_client_kit::{Failure, Poll, Progress, Session, monotonic_ns};
use tickbench_protocol::Stamps;
use tickbench_record::{Encoding, Job, Request, Stage, foreign, printable};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::counted::Counted;

pub(crate) type Socket = WebSocketStream<Counted>;

/// Connects and upgrades, within `stall_ns`, and tells when it asked for that. TCP_NODELAY is on, as in the probe.
pub(crate) async fn open(server: SocketAddr, target: &str, stall_ns: u64) -> Result<(Socket, u64), Failure> {
    let failed = |reason: String| Failure::new(Stage::Connect, reason);
    let (connected, received) = (Cell::new(false), Rc::new(Cell::new(0)));
    let opening = async {
        let stream = TcpStream::connect(server).await.map_err(|cause| {
            Failure::of_call(Stage::Connect, format!("failed to connect to {server}: {cause}"), &cause)
        })?;
        connected.set(true);
        stream.set_nodelay(true).map_err(|cause| failed(format!("failed to set TCP_NODELAY: {cause}")))?;
        let stream = Counted::new(stream, Rc::clone(&received));
        let asked_ns = monotonic_ns();
        let (socket, _) = client_async(format!("ws://{server}{target}"), stream)
            .await
            .map_err(|cause| failed(format!("failed to upgrade {target}: {}", told(&cause))))?;
        Ok((socket, asked_ns))
    };
    match tokio::time::timeout(Duration::from_nanos(stall_ns), opening).await {
        Ok(opened) => opened,
        Err(_) => {
            let seconds = stall_ns as f64 / 1e9;
            let came = match (connected.get(), received.get()) {
                (false, _) => "it is not connected".to_owned(),
                (true, 0) => "nothing came".to_owned(),
                (true, bytes) => format!("{bytes} bytes came"),
            };
            Err(failed(format!(
                "failed to upgrade {target}: there was no whole answer for {seconds:.1} s: {came}"
            )))
        }
    }
}

/// What the library says of an error, and of a refusal what the server said.
fn told(cause: &Error) -> String {
    match cause {
        Error::Http(answer) => {
            let body = answer.body().as_deref().unwrap_or_default();
            format!("HTTP {}: {}", answer.status().as_u16(), foreign(body))
        }
        cause => printable(&cause.to_string()),
    }
}

/// Does the request's job on one connection until the session says that all is over.
pub(crate) async fn run(
    index: usize,
    mut socket: Socket,
    request: &Request,
    session: &RefCell<Session>,
) -> Result<(), Failure> {
    let payload = echo_message(request);
    if request.job == Job::Echo {
        session.borrow_mut().recorder.begin(index, monotonic_ns());
        send(&mut socket, &payload, session).await?;
    }
    loop {
        let Some(message) = next_message(&mut socket, session).await? else { continue };
        let now_ns = monotonic_ns();
        let echoes_on = {
            let mut session = session.borrow_mut();
            session.recorder.read(now_ns);
            match request.job {
                // `measure` has refused the jobs that are neither.
                Job::Ticks | Job::Connect | Job::Ping => {
                    let bytes = message.len();
                    let stamps = stamps(&message).map_err(|reason| session.failure(reason))?;
                    session.recorder.tick(index, &stamps, bytes, now_ns);
                }
                Job::Echo if message == payload => {
                    session.recorder.round_trip(index, message.len(), now_ns);
                }
                Job::Echo => return Err(session.failure("the echo differs from what was sent")),
                Job::Relay => {
                    return Err(Failure::own(session.stage(), "only the probe publishes and subscribes"));
                }
            }
            let echoes_on = request.job == Job::Echo && session.recorder.is_before_end(now_ns);
            if echoes_on {
                // The time of receiving is the time of sending the next, as in the probe.
                session.recorder.begin(index, now_ns);
            }
            if session.advance(now_ns, Poll::Something)? == Progress::Over {
                return Ok(());
            }
            echoes_on
        };
        if echoes_on {
            send(&mut socket, &payload, session).await?;
        }
    }
}

async fn send(socket: &mut Socket, payload: &Message, session: &RefCell<Session>) -> Result<(), Failure> {
    let sent = socket.send(payload.clone()).await;
    sent.map_err(|cause| session.borrow().failure(format!("failed to send: {cause}")))
}

/// The next data message; `None` for a control message, which the library has answered.
async fn next_message(socket: &mut Socket, session: &RefCell<Session>) -> Result<Option<Message>, Failure> {
    let failure = |reason: String| session.borrow().failure(reason);
    match socket.next().await {
        Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => Ok(Some(message)),
        Some(Ok(Message::Close(_))) | None => Err(failure("the server closed the connection".into())),
        Some(Ok(_)) => Ok(None),
        Some(Err(cause)) => Err(failure(format!("failed to receive: {cause}"))),
    }
}

fn stamps(message: &Message) -> Result<Stamps, String> {
    let stamps = match message {
        Message::Text(text) => Stamps::read_json(text.as_bytes()),
        Message::Binary(bytes) => Stamps::read_binary(bytes),
        _ => return Err("a control message has no stamps".into()),
    };
    stamps.map_err(|cause| cause.to_string())
}

fn echo_message(request: &Request) -> Message {
    match request.encoding {
        Encoding::Json => Message::text("x".repeat(request.size_bytes as usize)),
        Encoding::Binary => Message::binary(vec![0xa5; request.size_bytes as usize]),
    }
}
