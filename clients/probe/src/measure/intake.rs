//! From the bytes of one read to the messages of one connection.

use std::os::fd::OwnedFd;

use tickbench_client_kit::{Failure, Session};
use tickbench_frame::{CloseFrame, Decoder, Event, Kind, Mask, Opcode, write_frame};

use crate::link::{random_bytes, socket};

/// What a job does with each message.
pub(crate) trait Handler {
    /// What it keeps for each connection.
    type State;

    /// Starts connection `index`, just before the first poll.
    fn start(
        &mut self,
        index: usize,
        socket: &OwnedFd,
        session: &mut Session,
    ) -> Result<Self::State, Failure>;

    /// Takes one message that was received at `now_ns`.
    fn message(
        &mut self,
        from: From<'_, Self::State>,
        kind: Kind,
        payload: &[u8],
        now_ns: u64,
        session: &mut Session,
    ) -> Result<(), Failure>;

    /// Takes one pong that was received at `now_ns`. A job that sends no pings lets it pass, as RFC 6455, section 5.5.3, wants.
    fn pong(
        &mut self,
        _from: From<'_, Self::State>,
        _payload: &[u8],
        _now_ns: u64,
        _session: &mut Session,
    ) -> Result<(), Failure> {
        Ok(())
    }
}

/// The connection that a message came from.
pub(crate) struct From<'c, S> {
    pub(crate) index: usize,
    pub(crate) socket: &'c OwnedFd,
    pub(crate) state: &'c mut S,
}

/// How much a read brought, where it brought anything.
#[inline]
pub(crate) fn bytes_of(received: &std::io::Result<Option<usize>>) -> usize {
    received.as_ref().ok().copied().flatten().unwrap_or(0)
}

/// Gives the whole messages in `bytes`, all received at `now_ns`, to the handler; returns how many bytes are left over.
#[inline(always)]
pub(crate) fn take_messages<H: Handler>(
    from: From<'_, H::State>,
    decoder: &mut Decoder,
    bytes: &[u8],
    now_ns: u64,
    session: &mut Session,
    handler: &mut H,
) -> Result<usize, Failure> {
    let From { index, socket, state } = from;
    let mut rest = bytes;
    loop {
        match decoder.next(&mut rest) {
            Ok(Some(Event::Message { kind, payload })) => {
                let from = From { index, socket, state: &mut *state };
                handler.message(from, kind, &payload, now_ns, session)?;
            }
            Ok(None) => return Ok(rest.len()),
            Ok(Some(Event::Ping(payload))) => answer_ping(index, socket, payload, session)?,
            Ok(Some(Event::Pong(payload))) => {
                let from = From { index, socket, state: &mut *state };
                handler.pong(from, payload, now_ns, session)?;
            }
            Ok(Some(Event::Close(frame))) => return Err(closed(index, frame.as_ref(), session)),
            Err(violation) => {
                let reason = format!("protocol violation on connection {index}: {violation}");
                return Err(session.failure(reason));
            }
        }
    }
}

#[cold]
fn answer_ping(index: usize, to: &OwnedFd, payload: &[u8], session: &Session) -> Result<(), Failure> {
    let answer = || {
        let mut pong = Vec::new();
        write_frame(&mut pong, true, Opcode::Pong, Mask::Key(random_bytes()?), payload);
        socket::send_all(to, &pong)
    };
    answer()
        .map_err(|cause| session.failure(format!("failed to answer a ping on connection {index}: {cause}")))
}

#[cold]
fn closed(index: usize, frame: Option<&CloseFrame>, session: &Session) -> Failure {
    let why = match frame {
        Some(CloseFrame { code, reason }) if reason.is_empty() => format!("with code {code}"),
        Some(CloseFrame { code, reason }) => format!("with code {code}: {reason}"),
        None => "without a code".into(),
    };
    session.failure(format!("the server closed connection {index} {why}"))
}

/// The server ended a connection without a word.
#[cold]
pub(crate) fn ended(index: usize, session: &Session) -> Failure {
    session.failure(format!("the server ended connection {index} without a close frame"))
}

/// A read failed.
#[cold]
pub(crate) fn unreadable(index: usize, cause: &std::io::Error, session: &Session) -> Failure {
    session.failure(format!("failed to read connection {index}: {cause}"))
}
