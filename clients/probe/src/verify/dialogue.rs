//! One connection, message by message: for checks, not for measuring.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::net::sockopt::set_socket_recv_buffer_size;
use tickbench_client_kit::monotonic_ns;
use tickbench_frame::{Event, Inbox, Kind, Mask, Opcode, write_close, write_frame};

use crate::link::socket::{Patience, receive, send_all};
use crate::link::{self, Connection, Spacing, random_bytes};
use crate::measure::farewell;

/// A server that says nothing for so long has failed its check.
pub(super) const PATIENCE_NS: u64 = 5_000_000_000;

/// No message takes so long, however steadily its bytes drip.
const WHOLE_NS: u64 = 12 * PATIENCE_NS;

/// Bytes that a connection usually reads at once.
const INBOX_BYTES: usize = 16 << 10;

/// The same where there are thousands of connections.
const SMALL_INBOX_BYTES: usize = 1 << 10;

/// Receive buffer of a connection that is to fall behind.
const NARROW_BYTES: usize = 32 << 10;

/// What the server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// A close frame, with its code.
    Close(Option<u16>),
    /// The end of the connection.
    Gone,
}

/// A connection with a buffer of its own.
pub(crate) struct Dialogue {
    connection: Connection,
    inbox: Inbox,
    /// Taken from the inbox, and not yet by the caller.
    ahead: Option<Said>,
    /// A time before the upgrade was asked for.
    pub(super) asked_ns: u64,
}

impl Dialogue {
    /// Upgrades `target`.
    pub(crate) fn open(server: SocketAddr, target: &str) -> Result<Dialogue, String> {
        Dialogue::open_with(server, target, 1, Spacing::None, INBOX_BYTES)?
            .pop()
            .ok_or_else(|| "no connection was opened".into())
    }

    /// Upgrades `target` so many times.
    pub(crate) fn open_many(
        server: SocketAddr,
        target: &str,
        count: u32,
        spacing: Spacing,
    ) -> Result<Vec<Dialogue>, String> {
        Dialogue::open_with(server, target, count, spacing, SMALL_INBOX_BYTES)
    }

    fn open_with(
        server: SocketAddr,
        target: &str,
        count: u32,
        spacing: Spacing,
        inbox_bytes: usize,
    ) -> Result<Vec<Dialogue>, String> {
        let asked_ns = monotonic_ns();
        let connections = link::open(server, target, count, spacing, PATIENCE_NS);
        let connections = connections.map_err(|failure| failure.reason)?;
        Ok(connections
            .into_iter()
            .map(|connection| {
                let mut inbox = Inbox::new(inbox_bytes);
                inbox.load(&connection.leftover);
                Dialogue { connection, inbox, ahead: None, asked_ns }
            })
            .collect())
    }

    /// What the server says next.
    pub(crate) fn next(&mut self) -> Result<Said, String> {
        self.next_within(PATIENCE_NS)?
            .ok_or_else(|| format!("the server said nothing for {} s", PATIENCE_NS / 1_000_000_000))
    }

    /// What the server says next; `None` where not a byte of it came for so long.
    pub(crate) fn next_within(&mut self, silence_ns: u64) -> Result<Option<Said>, String> {
        let begun_ns = monotonic_ns();
        let mut heard_ns = begun_ns;
        loop {
            if let Some(said) = self.take()? {
                return Ok(Some(said));
            }
            let read = self.read(Patience::Wait)?;
            let now_ns = monotonic_ns();
            match read {
                Some(0) => return Ok(Some(Said::Gone)),
                Some(_) if now_ns - begun_ns < WHOLE_NS => heard_ns = now_ns,
                Some(_) => {
                    return Err(format!("a message is not whole after {} s", WHOLE_NS / 1_000_000_000));
                }
                None if now_ns - heard_ns > silence_ns => return Ok(None),
                None => {}
            }
        }
    }

    /// What the server has said, without waiting for it.
    pub(crate) fn next_at_once(&mut self) -> Result<Option<Said>, String> {
        if self.has_message()? { self.take() } else { Ok(None) }
    }

    /// Whether [`next`](Dialogue::next) would not have to wait.
    pub(crate) fn has_message(&mut self) -> Result<bool, String> {
        loop {
            self.ahead = self.take()?;
            if self.ahead.is_some() {
                return Ok(true);
            }
            match self.read(Patience::None)? {
                Some(0) => self.ahead = Some(Said::Gone),
                Some(_) => continue,
                None => {}
            }
            return Ok(self.ahead.is_some());
        }
    }

    /// What is read and not yet taken.
    fn take(&mut self) -> Result<Option<Said>, String> {
        if let Some(said) = self.ahead.take() {
            return Ok(Some(said));
        }
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
        Ok(said)
    }

    /// Bytes that one read brought: none where there are none yet, 0 at the end.
    fn read(&mut self, patience: Patience) -> Result<Option<usize>, String> {
        let Connection { socket, decoder, .. } = &self.connection;
        match receive(socket, self.inbox.space(decoder), patience) {
            Ok(count) => {
                self.inbox.add(count.unwrap_or(0));
                Ok(count)
            }
            Err(cause) if matches!(cause.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                Ok(Some(0))
            }
            Err(cause) => Err(format!("failed to read: {cause}")),
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

    /// Sends bytes as they are, in one call.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), String> {
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

    /// Sends a ping and takes its answer, which comes next where the server has nothing else to say. A server of one thread has
    /// then seen what was sent before on other connections too.
    pub(crate) fn round_trip(&mut self) -> Result<(), String> {
        let payload: [u8; 8] =
            random_bytes().map_err(|cause| format!("failed to draw a payload: {cause}"))?;
        self.send(true, Opcode::Ping, &payload)?;
        self.expect(&Said::Pong(payload.to_vec()))
    }

    /// Closes, and sees the server answer and end the connection.
    pub(crate) fn close(mut self) -> Result<(), String> {
        self.send_close(1000)?;
        self.expect(&Said::Close(Some(1000)))?;
        self.expect(&Said::Gone)
    }

    /// Lets the kernel keep little of what is not read: what a server sends is soon its own to keep.
    pub(crate) fn narrow(&self) -> Result<(), String> {
        set_socket_recv_buffer_size(self.socket(), NARROW_BYTES)
            .map_err(|cause| format!("failed to narrow a receive buffer: {cause}"))
    }

    /// Leaves as a measurement does.
    pub(crate) fn leave(self) {
        farewell::close(std::slice::from_ref(&self.connection.socket));
    }

    pub(crate) fn socket(&self) -> &OwnedFd {
        &self.connection.socket
    }

    pub(crate) fn into_socket(self) -> OwnedFd {
        self.connection.socket
    }
}

/// A mask that no server can know in advance.
pub(super) fn fresh_mask() -> Result<Mask, String> {
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
            Said::Gone => "the end of the connection".into(),
        }
    }
}
