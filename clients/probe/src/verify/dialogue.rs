//! One connection, message by message: for checks, not for measuring.

use std::net::SocketAddr;

use tickbench_client_kit::monotonic_ns;
use tickbench_frame::{Event, Inbox, Kind, Mask, Opcode, write_close, write_frame};

use crate::link::socket::{Patience, receive, send_all};
use crate::link::{self, Connection, Spacing, random_bytes};

/// A server that says nothing for so long has failed its check.
const PATIENCE_NS: u64 = 5_000_000_000;

/// What the server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// The end, with the code of its close frame.
    Close(Option<u16>),
}

/// A connection with a buffer of its own.
pub(crate) struct Dialogue {
    connection: Connection,
    inbox: Inbox,
}

impl Dialogue {
    /// Upgrades `target`.
    pub(crate) fn open(server: SocketAddr, target: &str) -> Result<Dialogue, String> {
        Dialogue::open_many(server, target, 1)?.pop().ok_or_else(|| "no connection was opened".into())
    }

    /// Upgrades `target` so many times.
    pub(crate) fn open_many(server: SocketAddr, target: &str, count: u32) -> Result<Vec<Dialogue>, String> {
        let connections = link::open(server, target, count, Spacing::None, PATIENCE_NS);
        let connections = connections.map_err(|failure| failure.reason)?;
        Ok(connections
            .into_iter()
            .map(|connection| {
                let mut inbox = Inbox::new(16 << 10);
                inbox.load(&connection.leftover);
                Dialogue { connection, inbox }
            })
            .collect())
    }

    /// What the server says next.
    pub(crate) fn next(&mut self) -> Result<Said, String> {
        let deadline_ns = monotonic_ns() + PATIENCE_NS;
        loop {
            let mut rest = self.inbox.unread();
            let event = self.connection.decoder.next(&mut rest).map_err(|violation| violation.to_string())?;
            let said = event.map(|event| match event {
                Event::Message { kind: Kind::Text, payload } => Said::Text(payload.into_owned()),
                Event::Message { kind: Kind::Binary, payload } => Said::Binary(payload.into_owned()),
                Event::Ping(payload) => Said::Ping(payload.to_vec()),
                Event::Pong(payload) => Said::Pong(payload.to_vec()),
                Event::Close(frame) => Said::Close(frame.map(|frame| frame.code)),
            });
            let left = rest.len();
            self.inbox.keep_last(left);
            if let Some(said) = said {
                return Ok(said);
            }
            self.read(deadline_ns)?;
        }
    }

    fn read(&mut self, deadline_ns: u64) -> Result<(), String> {
        let Connection { socket, decoder, .. } = &self.connection;
        loop {
            match receive(socket, self.inbox.space(decoder), Patience::Wait) {
                Ok(Some(0)) => return Err("the server ended the connection without a close frame".into()),
                Ok(Some(count)) => {
                    self.inbox.add(count);
                    return Ok(());
                }
                Ok(None) if monotonic_ns() > deadline_ns => {
                    return Err(format!("the server said nothing for {} s", PATIENCE_NS / 1_000_000_000));
                }
                Ok(None) => {}
                Err(cause) => return Err(format!("failed to read: {cause}")),
            }
        }
    }

    /// Sends one frame.
    pub(crate) fn send(&mut self, fin: bool, opcode: Opcode, payload: &[u8]) -> Result<(), String> {
        let mut frame = Vec::new();
        write_frame(&mut frame, fin, opcode, fresh_mask()?, payload);
        self.send_bytes(&frame)
    }

    /// Sends a close frame with `code`.
    pub(crate) fn send_close(&mut self, code: u16) -> Result<(), String> {
        let mut frame = Vec::new();
        write_close(&mut frame, fresh_mask()?, code);
        self.send_bytes(&frame)
    }

    fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), String> {
        send_all(&self.connection.socket, bytes).map_err(|cause| format!("failed to send: {cause}"))
    }

    /// Takes what comes next, which must be `due`.
    pub(crate) fn expect(&mut self, due: &Said) -> Result<(), String> {
        let said = self.next()?;
        if said == *due {
            Ok(())
        } else {
            Err(format!("{} came where {} was due", said.brief(), due.brief()))
        }
    }
}

fn fresh_mask() -> Result<Mask, String> {
    Ok(Mask::Key(random_bytes().map_err(|cause| format!("failed to draw a mask: {cause}"))?))
}

impl Said {
    /// A few words, however large the message is.
    pub(crate) fn brief(&self) -> String {
        let start = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
        let words =
            |what: &str, bytes: &[u8]| format!("{what} of {} bytes ({:?})", bytes.len(), start(bytes));
        match self {
            Said::Text(bytes) => words("text", bytes),
            Said::Binary(bytes) => words("binary", bytes),
            Said::Ping(bytes) => words("ping", bytes),
            Said::Pong(bytes) => words("pong", bytes),
            Said::Close(Some(code)) => format!("close with code {code}"),
            Said::Close(None) => "close without a code".into(),
        }
    }
}
