//! One open WebSocket: what could not be sent yet, what has not fully come yet, and the answers that the protocol itself asks
//! for.

use std::cell::RefCell;
use std::io::{self, IoSlice};

use anyhow::bail;
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::frame::{self, Opcode, Violation};
use crate::inbox::{Inbox, Incoming};

/// Bytes read at once. One buffer serves all connections: what it holds is handled before another is read.
const READ_BYTES: usize = 64 << 10;

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
    /// Whether the client has sent its close frame, or has left without.
    closed: bool,
    /// Whether this side has begun to close, so that the client's close frame is an answer.
    closing: bool,
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
        let sent = if self.unsent.is_empty() { none_if_blocked(self.stream.try_write(bytes))? } else { 0 };
        self.unsent.extend_from_slice(&bytes[sent..]);
        Ok(())
    }

    /// As [`Outbox::send`], of several pieces.
    pub(crate) fn send_pieces(&mut self, pieces: &[IoSlice]) -> io::Result<()> {
        let mut sent =
            if self.unsent.is_empty() { none_if_blocked(self.stream.try_write_vectored(pieces))? } else { 0 };
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

    fn push_control(&mut self, opcode: Opcode, payload: &[u8]) {
        frame::append(opcode, payload, &mut self.unsent);
    }

    fn try_flush(&mut self) -> io::Result<()> {
        let sent = none_if_blocked(self.stream.try_write(&self.unsent))?;
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
        Connection { outbox, inbox: Inbox::default(), partial, closed: false, closing: false }
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
    ) -> anyhow::Result<bool> {
        while !self.outbox.is_empty() && !self.closed {
            let ready = self.outbox.stream.ready(Interest::READABLE | Interest::WRITABLE).await?;
            if ready.is_writable() {
                self.outbox.try_flush()?;
            }
            if ready.is_readable() {
                self.try_receive(&mut handle)?;
            }
        }
        Ok(!self.closed)
    }

    /// Waits for input and handles all that is there: data messages go to `handle`, framed for the way back; pings and close
    /// frames are answered. `false` once the connection is to end. Given up while it waits, it loses nothing.
    pub(crate) async fn receive(
        &mut self,
        mut handle: impl FnMut(&mut Outbox, &[u8]) -> io::Result<()>,
    ) -> anyhow::Result<bool> {
        while !self.try_receive(&mut handle)? {
            if self.closed {
                return Ok(false);
            }
            self.outbox.stream.readable().await?;
        }
        Ok(!self.closed)
    }

    /// Handles what can be read without waiting; `false` where there is nothing.
    fn try_receive(
        &mut self,
        handle: &mut impl FnMut(&mut Outbox, &[u8]) -> io::Result<()>,
    ) -> anyhow::Result<bool> {
        if self.partial.is_empty() {
            READ_BUFFER.with_borrow_mut(|buffer| {
                let Some(bytes) = self.read(|stream| stream.try_read(buffer))? else { return Ok(false) };
                let used = self.handle_frames(&mut buffer[..bytes], handle)?;
                self.partial.extend_from_slice(&buffer[used..bytes]);
                Ok(true)
            })
        } else {
            let mut bytes = std::mem::take(&mut self.partial);
            bytes.reserve(READ_BYTES);
            let read = self.read(|stream| stream.try_read_buf(&mut bytes));
            let used = self.handle_frames(&mut bytes, handle)?;
            bytes.drain(..used);
            self.partial = bytes;
            Ok(read?.is_some())
        }
    }

    /// Bytes that were read; `None` where there are none now, or will be none any more.
    fn read(&mut self, read: impl FnOnce(&TcpStream) -> io::Result<usize>) -> io::Result<Option<usize>> {
        match read(&self.outbox.stream) {
            Ok(0) => {
                self.closed = true;
                Ok(None)
            }
            Ok(bytes) => Ok(Some(bytes)),
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(cause) => Err(cause),
        }
    }

    fn handle_frames(
        &mut self,
        bytes: &mut [u8],
        handle: &mut impl FnMut(&mut Outbox, &[u8]) -> io::Result<()>,
    ) -> anyhow::Result<usize> {
        let mut at = 0;
        while !self.closed {
            match self.inbox.take(&mut bytes[at..]) {
                Ok(None) => break,
                Ok(Some((incoming, used))) => {
                    at += used;
                    match incoming {
                        Incoming::Message(framed) => handle(&mut self.outbox, framed)?,
                        Incoming::Ping(payload) => self.outbox.push_control(Opcode::Pong, payload),
                        Incoming::Close(payload) => match frame::close_answer(payload) {
                            Ok(code) => self.answer_close(code),
                            Err(violation) => self.refuse(violation)?,
                        },
                        Incoming::Nothing => {}
                    }
                }
                Err(violation) => self.refuse(violation)?,
            }
        }
        if !self.outbox.is_empty() {
            self.outbox.try_flush()?;
        }
        Ok(at)
    }

    fn answer_close(&mut self, code: Option<u16>) {
        self.closed = true;
        if self.closing {
            return;
        }
        let payload = code.map(u16::to_be_bytes);
        self.outbox.push_control(Opcode::Close, payload.as_ref().map_or(&[], |code| code));
    }

    fn refuse(&mut self, violation: Violation) -> anyhow::Result<()> {
        frame::append_close(violation.close_code(), &violation.to_string(), &mut self.outbox.unsent);
        self.outbox.try_flush()?;
        bail!(violation)
    }

    /// Sends a close frame and waits for the client's.
    pub(crate) async fn close(mut self, code: u16, reason: &str) -> anyhow::Result<()> {
        frame::append_close(code, reason, &mut self.outbox.unsent);
        self.closing = true;
        self.flush().await?;
        while self.receive(|_, _| Ok(())).await? {}
        Ok(())
    }
}

fn none_if_blocked(written: io::Result<usize>) -> io::Result<usize> {
    match written {
        Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => Ok(0),
        written => written,
    }
}
