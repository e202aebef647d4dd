//! One open WebSocket: what could not be sent yet, what has not fully come yet, and the answers that the protocol itself asks
//! for.
//!
//! **Invariant:** frames leave in the order in which they were queued, and every way to end but a broken socket is [`Connection::end`],
//! which sends them all first.

use std::cell::RefCell;
use std::io::{self, IoSlice};

use tickbench_server_kit::CLOSE_TIMEOUT;
use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::TcpStream;
use tokio::task::coop;

use crate::frame::{self, Opcode, Violation};
use crate::inbox::{Inbox, Incoming};

/// Bytes read at once. One buffer serves all connections: what it holds is handled before another is read.
const READ_BYTES: usize = 64 << 10;

/// Bytes that may wait for the kernel while more is read; with more the client is to read first. Where a client sends pings and reads no
/// pong, what is kept for it is this, the answers to one read, and what a stream sends at once.
const MAX_BACKLOG_BYTES: usize = 256 << 10;

/// Memory that an idle connection may keep in each direction.
const IDLE_BYTES: usize = 4 << 10;

thread_local! {
    static READ_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

pub(crate) struct Connection {
    pub(crate) outbox: Outbox,
    inbox: Inbox,
    /// The start of a frame whose end has not come yet.
    partial: Vec<u8>,
    state: State,
}

/// How far the conversation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// This side has queued its close frame: the client's is an answer.
    Closing,
    /// The client has sent its close frame, or left without.
    Closed,
    /// The client broke the protocol: what it sends from there on are no frames.
    Broken,
}

/// The way out.
pub(crate) struct Outbox {
    stream: TcpStream,
    /// What the kernel had no room for.
    unsent: Vec<u8>,
}

impl Outbox {
    /// Hands whole frames to the kernel in one call. What it does not take is kept for [`Connection::flush`].
    #[inline]
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sent = if self.unsent.is_empty() {
            none_if_blocked(self.stream.try_write(bytes))?.unwrap_or(0)
        } else {
            0
        };
        self.unsent.extend_from_slice(&bytes[sent..]);
        Ok(())
    }

    /// As [`Outbox::send`], of several pieces.
    pub(crate) fn send_pieces(&mut self, pieces: &[IoSlice]) -> io::Result<()> {
        let mut sent = if self.unsent.is_empty() {
            none_if_blocked(self.stream.try_write_vectored(pieces))?.unwrap_or(0)
        } else {
            0
        };
        for piece in pieces {
            let of_this = sent.min(piece.len());
            self.unsent.extend_from_slice(&piece[of_this..]);
            sent -= of_this;
        }
        Ok(())
    }

    /// Whether all went out.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.unsent.is_empty()
    }

    fn is_full(&self) -> bool {
        self.unsent.len() > MAX_BACKLOG_BYTES
    }

    fn push_control(&mut self, opcode: Opcode, payload: &[u8]) {
        frame::append(opcode, payload, &mut self.unsent);
    }

    /// Waits until there is something to do: to read, unless too much waits to be sent, or to send where something waits. Tells
    /// whether there is something to read.
    async fn ready(&mut self) -> io::Result<bool> {
        let interest = match (self.is_empty(), self.is_full()) {
            (true, _) => Interest::READABLE,
            (false, false) => Interest::READABLE | Interest::WRITABLE,
            (false, true) => Interest::WRITABLE,
        };
        let ready = self.stream.ready(interest).await?;
        if ready.is_writable() {
            self.try_flush()?;
        }
        Ok(ready.is_readable())
    }

    fn try_flush(&mut self) -> io::Result<()> {
        let sent = none_if_blocked(self.stream.try_write(&self.unsent))?.unwrap_or(0);
        self.unsent.drain(..sent);
        if self.unsent.is_empty() && self.unsent.capacity() > IDLE_BYTES {
            self.unsent = Vec::new();
        }
        Ok(())
    }
}

impl Connection {
    /// A connection that was upgraded, and the bytes that came behind its request.
    pub(crate) fn new(stream: TcpStream, partial: Vec<u8>) -> Connection {
        let outbox = Outbox { stream, unsent: Vec::new() };
        Connection { outbox, inbox: Inbox::default(), partial, state: State::Open }
    }

    fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether what the client sends still counts.
    fn is_listening(&self) -> bool {
        matches!(self.state, State::Open | State::Closing)
    }

    /// Waits until all that was sent is with the kernel.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        while !self.outbox.is_empty() {
            self.outbox.stream.writable().await?;
            self.outbox.try_flush()?;
        }
        Ok(())
    }

    /// As [`flush`](Connection::flush), but goes on to handle input, as [`receive`](Connection::receive) does.
    pub(crate) async fn flush_and_receive(
        &mut self,
        mut handle: impl FnMut(&mut Outbox, &[u8]) -> io::Result<()>,
    ) -> io::Result<bool> {
        while !self.outbox.is_empty() && self.is_open() {
            if self.outbox.ready().await? {
                self.try_receive(&mut handle)?;
            }
        }
        Ok(self.is_open())
    }

    /// Waits for input and handles all that is there: data messages go to `handle`, framed for the way back; pings and close
    /// frames are answered. What waits to be sent goes out meanwhile. `false` once the connection is to [`end`](Connection::end). Given
    /// up while it waits, it loses nothing.
    pub(crate) async fn receive(
        &mut self,
        mut handle: impl FnMut(&mut Outbox, &[u8]) -> io::Result<()>,
    ) -> io::Result<bool> {
        // Where there is always something to read, nothing here waits, and others are to be served all the same.
        coop::consume_budget().await;
        while self.is_open() && (self.outbox.is_full() || !self.try_receive(&mut handle)?) {
            self.outbox.ready().await?;
        }
        Ok(self.is_open())
    }

    /// Handles what can be read without waiting; `false` where there is nothing.
    fn try_receive(
        &mut self,
        handle: &mut impl FnMut(&mut Outbox, &[u8]) -> io::Result<()>,
    ) -> io::Result<bool> {
        let (read, used) = if self.partial.is_empty() {
            READ_BUFFER.with_borrow_mut(|buffer| {
                let read = none_if_blocked(self.outbox.stream.try_read(buffer))?;
                let bytes = &mut buffer[..read.unwrap_or(0)];
                let used = self.handle_frames(bytes, handle)?;
                self.partial.extend_from_slice(&bytes[used..]);
                Ok::<_, io::Error>((read, used))
            })?
        } else {
            let mut bytes = std::mem::take(&mut self.partial);
            bytes.reserve(READ_BYTES);
            let read = none_if_blocked(self.outbox.stream.try_read_buf(&mut bytes));
            let used = self.handle_frames(&mut bytes, handle)?;
            bytes.drain(..used);
            if !bytes.is_empty() || bytes.capacity() <= IDLE_BYTES {
                self.partial = bytes;
            }
            (read?, used)
        };
        if read == Some(0) && self.is_listening() {
            self.state = State::Closed;
        }
        Ok(read.is_some() || used > 0)
    }

    fn handle_frames(
        &mut self,
        bytes: &mut [u8],
        handle: &mut impl FnMut(&mut Outbox, &[u8]) -> io::Result<()>,
    ) -> io::Result<usize> {
        let mut at = 0;
        while self.is_listening() {
            match self.inbox.take(&mut bytes[at..]) {
                Ok(None) => break,
                Ok(Some((incoming, used))) => {
                    at += used;
                    match incoming {
                        Incoming::Message(framed) => handle(&mut self.outbox, framed)?,
                        Incoming::Ping(payload) => self.outbox.push_control(Opcode::Pong, payload),
                        Incoming::Close(payload) => match frame::close_answer(payload) {
                            Ok(code) => self.answer_close(code),
                            Err(violation) => self.refuse(violation),
                        },
                        Incoming::Nothing => {}
                    }
                }
                Err(violation) => self.refuse(violation),
            }
        }
        if !self.outbox.is_empty() {
            self.outbox.try_flush()?;
        }
        Ok(at)
    }

    fn answer_close(&mut self, code: Option<u16>) {
        if self.is_open() {
            let payload = code.map(u16::to_be_bytes);
            self.outbox.push_control(Opcode::Close, payload.as_ref().map_or(&[], |code| code));
        }
        self.state = State::Closed;
    }

    fn refuse(&mut self, violation: Violation) {
        if self.is_open() {
            frame::append_close(violation.close_code(), &violation.to_string(), &mut self.outbox.unsent);
        }
        self.state = State::Broken;
    }

    /// Queues a close frame behind all that was sent.
    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        frame::append_close(code, reason, &mut self.outbox.unsent);
        self.state = State::Closing;
    }

    /// Sends what is left, and waits for the client's close frame where this side has sent one of its own. A client that takes longer than
    /// [`CLOSE_TIMEOUT`] is cut off.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        Ok(tokio::time::timeout(CLOSE_TIMEOUT, self.finish()).await??)
    }

    async fn finish(&mut self) -> io::Result<()> {
        while self.state == State::Closing {
            if self.outbox.ready().await? {
                self.try_receive(&mut |_: &mut Outbox, _: &[u8]| Ok(()))?;
            }
        }
        self.flush().await?;
        if self.state == State::Broken {
            self.discard_input().await?;
        }
        Ok(())
    }

    /// Reads until the client ends the connection. The kernel resets one that is closed with bytes unread, and what is on its way to the
    /// client is lost with it (RFC 6455, section 7.1.1).
    async fn discard_input(&mut self) -> io::Result<()> {
        let stream = &mut self.outbox.stream;
        stream.shutdown().await?;
        loop {
            stream.readable().await?;
            let read = READ_BUFFER.with_borrow_mut(|buffer| none_if_blocked(stream.try_read(buffer)))?;
            if read == Some(0) {
                return Ok(());
            }
        }
    }
}

/// The bytes that were moved; `None` where that would have had to wait.
fn none_if_blocked(moved: io::Result<usize>) -> io::Result<Option<usize>> {
    match moved {
        Ok(bytes) => Ok(Some(bytes)),
        Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(cause) => Err(cause),
    }
}
