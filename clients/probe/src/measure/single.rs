//! One connection, read straight from its socket.

use std::marker::PhantomData;
use std::os::fd::OwnedFd;

use tickbench_client_kit::{Brought, Failure, Poll, Session, monotonic_ns};
use tickbench_frame::{Decoder, Inbox};
use tickbench_record::Wait;

use super::intake::{From, Handler, ended, take_messages, unreadable};
use super::reading::Reading;
use crate::link::Connection;
use crate::link::socket::{Patience, is_readable};
use crate::link::stamped::Stamped;

/// Bytes of one read. Small enough to stay in the core's own cache between the kernel's copy and the decoder.
const READ_BYTES: usize = 256 << 10;

/// One connection and all that it needs.
pub(crate) struct Single<S, R> {
    socket: OwnedFd,
    decoder: Decoder,
    inbox: Inbox,
    patience: Patience,
    state: S,
    reading: PhantomData<R>,
}

impl<S, R: Reading> Single<S, R> {
    /// Starts the handler on the connection, and gives it what came together with the answer to the upgrade.
    pub(crate) fn new(
        connection: Connection,
        wait: Wait,
        session: &mut Session,
        handler: &mut impl Handler<State = S>,
    ) -> Result<Single<S, R>, Failure> {
        let Connection { socket, mut decoder, leftover, .. } = connection;
        let mut inbox = Inbox::new(READ_BYTES);
        inbox.load(&leftover);
        let patience = if wait == Wait::Spin { Patience::None } else { Patience::Wait };
        let mut state = handler.start(0, &socket, session)?;
        let from = From { index: 0, socket: &socket, state: &mut state };
        let left = take_messages(from, &mut decoder, inbox.unread(), monotonic_ns(), session, handler)?;
        inbox.keep_last(left);
        Ok(Single { socket, decoder, inbox, patience, state, reading: PhantomData })
    }

    /// Reads once. All messages of the read share the time right after it.
    ///
    /// Where the core is watched, a look comes before the read: a gap that ended with data is told from the work that reading
    /// them is.
    #[inline(always)]
    pub(crate) fn poll(
        &mut self,
        session: &mut Session,
        handler: &mut impl Handler<State = S>,
    ) -> Result<(Poll, u64), Failure> {
        if session.is_watching() {
            let readable = is_readable(&self.socket);
            let now_ns = monotonic_ns();
            session.call_ended(now_ns, Brought::Answer);
            match readable {
                Ok(false) => return Ok((Poll::Nothing, now_ns)),
                Ok(true) => {}
                Err(cause) => return Err(unreadable(0, &cause, session)),
            }
        }
        let space = self.inbox.space(&self.decoder);
        let room = space.len();
        let received = R::read(&self.socket, space, self.patience);
        let now_ns = monotonic_ns();
        let bytes = received.as_ref().ok().and_then(|read| read.map(|read| read.bytes));
        session.call_ended(now_ns, Brought::Bytes(bytes.unwrap_or(0)));
        let (count, kernel_ns) = match received {
            Ok(None) => return Ok((Poll::Nothing, now_ns)),
            Ok(Some(Stamped { bytes: 0, .. })) => return Err(ended(0, session)),
            Ok(Some(Stamped { bytes, kernel_ns })) => (bytes, kernel_ns),
            Err(cause) => return Err(unreadable(0, &cause, session)),
        };
        self.inbox.add(count);
        session.recorder.read(now_ns);
        let from = From { index: 0, socket: &self.socket, state: &mut self.state };
        let left = take_messages(from, &mut self.decoder, self.inbox.unread(), now_ns, session, handler)?;
        self.inbox.keep_last(left);
        // The stamp is that of the last byte: the last message's, where that is its end.
        if let Some(kernel_ns) = kernel_ns.filter(|_| left == 0 && count < room) {
            session.recorder.stamp(kernel_ns, now_ns);
        }
        Ok((if count < room { Poll::Everything } else { Poll::Something }, now_ns))
    }

    pub(crate) fn socket(&self) -> &OwnedFd {
        &self.socket
    }
}
