//! One connection: opening it, and what it does until the window is over.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tickbench_client_kit::{Echoes, Failure, Mark, Poll, Progress, Session, monotonic_ns};
use tickbench_protocol::Stamps;
use tickbench_record::{Encoding, Stage, foreign, printable};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
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

/// One upgraded connection of a measurement.
pub(crate) struct Connection {
    pub(crate) index: usize,
    pub(crate) socket: Socket,
    pub(crate) session: Rc<RefCell<Session>>,
}

/// What came: whether it is text, and its payload.
type Received = (bool, Bytes);

impl Connection {
    /// Records each tick until the session says that all is over.
    pub(crate) async fn receive(mut self, encoding: Encoding) -> Result<(), Failure> {
        loop {
            let (is_text, payload) = self.next_message().await?;
            let now_ns = monotonic_ns();
            let mut session = self.session.borrow_mut();
            session.recorder.read(now_ns);
            let stamps = match (is_text, encoding) {
                (true, Encoding::Json) => Stamps::read_json(&payload).map_err(|cause| cause.to_string()),
                (false, Encoding::Binary) => Stamps::read_binary(&payload).map_err(|cause| cause.to_string()),
                _ => Err(format!("{encoding} was asked for")),
            };
            let stamps = stamps.map_err(|cause| {
                session.failure(format!("a message on connection {} is no tick: {cause}", self.index))
            })?;
            session.recorder.tick(self.index, &stamps, &payload, now_ns);
            if session.advance(now_ns, Poll::Something)? == Progress::Over {
                return Ok(());
            }
        }
    }

    /// Has one message after another echoed until the session says that all is over.
    pub(crate) async fn echo(mut self, echoes: &RefCell<Echoes>) -> Result<(), Failure> {
        self.session.borrow_mut().recorder.begin(self.index, monotonic_ns());
        let mut mark = self.send_next(echoes).await?;
        loop {
            let (is_text, payload) = self.next_message().await?;
            let now_ns = monotonic_ns();
            let is_before_end = {
                let mut session = self.session.borrow_mut();
                session.recorder.read(now_ns);
                session.recorder.round_trip(self.index, payload.len(), now_ns)?;
                echoes.borrow().check(self.index, mark, is_text, &payload)?;
                let is_before_end = session.recorder.is_before_end(now_ns);
                if is_before_end {
                    // The time of receiving is the time of sending the next, as in the probe.
                    session.recorder.begin(self.index, now_ns);
                }
                if session.advance(now_ns, Poll::Something)? == Progress::Over {
                    return Ok(());
                }
                is_before_end
            };
            if is_before_end {
                mark = self.send_next(echoes).await?;
            }
        }
    }

    /// Sends a message that nobody has seen before, and returns its mark.
    async fn send_next(&mut self, echoes: &RefCell<Echoes>) -> Result<Mark, Failure> {
        let (mark, message) = {
            let mut echoes = echoes.borrow_mut();
            let mark = echoes.draw();
            let payload = echoes.message(mark);
            let message = if echoes.are_text() {
                Message::text(String::from_utf8(payload).expect("marks and payloads of text are ASCII"))
            } else {
                Message::binary(payload)
            };
            (mark, message)
        };
        let sent = self.socket.send(message).await;
        sent.map_err(|cause| self.failure(&format!("failed to send: {cause}")))?;
        Ok(mark)
    }

    /// The next data message; the library answers pings by itself.
    async fn next_message(&mut self) -> Result<Received, Failure> {
        loop {
            match self.socket.next().await {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                    return Ok((message.is_text(), message.into_data()));
                }
                Some(Ok(Message::Close(_))) | None => return Err(self.failure("the server closed it")),
                Some(Ok(_)) => {}
                Some(Err(cause)) => return Err(self.failure(&format!("failed to receive: {cause}"))),
            }
        }
    }

    fn failure(&self, what: &str) -> Failure {
        self.session.borrow().failure(format!("connection {}: {what}", self.index))
    }
}
