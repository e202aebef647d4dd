//! One connection: opening it, and what it does until the window is over.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use futures_util::{SinkExt, StreamExt};
use tickbench_client_kit::{Echoes, Failure, Mark, Poll, Progress, Session, monotonic_ns};
use tickbench_protocol::Stamps;
use tickbench_record::{Encoding, Stage};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

pub(crate) type Socket = WebSocketStream<TcpStream>;

/// Connects and upgrades, and tells when it asked for that. TCP_NODELAY is on, as in the probe.
pub(crate) async fn open(server: SocketAddr, target: &str) -> Result<(Socket, u64), Failure> {
    let failed = |reason: String| Failure::new(Stage::Connect, reason);
    let stream = TcpStream::connect(server).await.map_err(|cause| {
        Failure::of_call(Stage::Connect, format!("failed to connect to {server}: {cause}"), &cause)
    })?;
    stream.set_nodelay(true).map_err(|cause| failed(format!("failed to set TCP_NODELAY: {cause}")))?;
    let asked_ns = monotonic_ns();
    let (socket, _) = client_async(format!("ws://{server}{target}"), stream)
        .await
        .map_err(|cause| failed(format!("failed to upgrade {target}: {cause}")))?;
    Ok((socket, asked_ns))
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
