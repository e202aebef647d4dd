//! Many connections behind one poller, sharing one read buffer.

use std::io;
use std::os::fd::OwnedFd;

use tickbench_client_kit::{Brought, Failure, Poll, Session, monotonic_ns};
use tickbench_frame::{Decoder, Inbox};
use tickbench_record::{Stage, Wait};

use super::intake::{From, Handler, bytes_of, ended, take_messages, unreadable};
use super::rest::Rest;
use crate::link::Connection;
use crate::link::poller::{Interest, Poller};
use crate::link::socket::{Patience, receive};

/// Bytes of one read, shared by all connections.
const READ_BYTES: usize = 64 << 10;

/// How long a blocked poll sleeps before it lets the session look at the time.
const SLEEP_NS: u32 = 10_000_000;

/// All connections of a measurement.
pub(crate) struct Many<S> {
    poller: Poller,
    sleep_ns: u32,
    rest: Option<Rest>,
    links: Vec<Link<S>>,
    /// Connections to be read again without a report: those that filled the buffer, and those that are ending.
    unfinished: Vec<usize>,
    inbox: Inbox,
}

struct Link<S> {
    socket: OwnedFd,
    decoder: Decoder,
    /// The start of a frame, while there is one: an empty `Vec` has no memory.
    leftover: Vec<u8>,
    state: S,
}

impl<S> Many<S> {
    /// Starts the handler on each connection, and gives it what came together with the answer to the upgrade.
    pub(crate) fn new(
        connections: Vec<Connection>,
        wait: Wait,
        session: &mut Session,
        handler: &mut impl Handler<State = S>,
    ) -> Result<Many<S>, Failure> {
        let failed =
            |cause: io::Error| Failure::own(Stage::Connect, format!("failed to set up a poll: {cause}"));
        let mut poller = Poller::new().map_err(failed)?;
        let mut links = Vec::with_capacity(connections.len());
        for (index, Connection { socket, mut decoder, leftover, .. }) in connections.into_iter().enumerate() {
            let mut state = handler.start(index, &socket, session)?;
            let from = From { index, socket: &socket, state: &mut state };
            let left = take_messages(from, &mut decoder, &leftover, monotonic_ns(), session, handler)?;
            let leftover = leftover[leftover.len() - left..].to_vec();
            poller.add(&socket, index, Interest::Arrival).map_err(failed)?;
            links.push(Link { socket, decoder, leftover, state });
        }
        let sleep_ns = if wait == Wait::Spin { 0 } else { SLEEP_NS };
        let rest = Rest::of(wait, session.recorder.question(), links.len() as u32).map_err(failed)?;
        Ok(Many { poller, sleep_ns, rest, links, unfinished: Vec::new(), inbox: Inbox::new(READ_BYTES) })
    }

    /// As [`poll_within`](Many::poll_within), sleeping as long as the session lets it.
    #[inline(always)]
    pub(crate) fn poll(
        &mut self,
        session: &mut Session,
        handler: &mut impl Handler<State = S>,
    ) -> Result<(Poll, u64), Failure> {
        self.poll_within(SLEEP_NS, session, handler)
    }

    /// Reads each connection that has data, once. The messages of a read share the time right after it. Where there are none, it
    /// sleeps for `most_ns` at most, unless it spins.
    #[inline(always)]
    pub(crate) fn poll_within(
        &mut self,
        most_ns: u32,
        session: &mut Session,
        handler: &mut impl Handler<State = S>,
    ) -> Result<(Poll, u64), Failure> {
        let sleep_ns = if self.unfinished.is_empty() { self.sleep_ns.min(most_ns) } else { 0 };
        let ready = self
            .wait(sleep_ns)
            .map_err(|cause| Failure::own(session.stage(), format!("failed to poll: {cause}")))?;
        if session.is_watching() {
            session.call_ended(monotonic_ns(), Brought::Sockets(ready));
        }
        let mut last_ns = None;
        for index in std::mem::take(&mut self.unfinished) {
            last_ns = Some(self.read(index, false, session, handler)?);
        }
        for nth in 0..ready {
            let ending = self.poller.is_ending(nth);
            last_ns = Some(self.read(self.poller.index(nth), ending, session, handler)?);
        }
        let more = self.poller.is_full() || !self.unfinished.is_empty();
        Ok(match last_ns {
            None => (Poll::Nothing, monotonic_ns()),
            Some(now_ns) => (if more { Poll::Something } else { Poll::Everything }, now_ns),
        })
    }

    /// Waits until a connection has data, or for `sleep_ns`; returns how many have.
    #[inline(always)]
    fn wait(&mut self, sleep_ns: u32) -> io::Result<usize> {
        let Some(rest) = &mut self.rest else { return self.poller.wait(sleep_ns) };
        let ready = self.poller.wait(rest.take(sleep_ns)?)?;
        if ready > 0 {
            rest.woken();
        }
        Ok(ready)
    }

    /// Reads a connection once, and remembers it where that was not all.
    #[inline(always)]
    fn read(
        &mut self,
        index: usize,
        ending: bool,
        session: &mut Session,
        handler: &mut impl Handler<State = S>,
    ) -> Result<u64, Failure> {
        let (emptied, now_ns) = self.links[index].read(index, &mut self.inbox, session, handler)?;
        if ending || !emptied {
            self.unfinished.push(index);
        }
        Ok(now_ns)
    }

    /// The socket of connection `index`.
    pub(crate) fn socket(&self, index: usize) -> &OwnedFd {
        &self.links[index].socket
    }

    /// Lets the next polls sleep for `ns` at most, where they sleep at all.
    pub(crate) fn sleep_at_most(&mut self, ns: u64) {
        if self.sleep_ns > 0 {
            // Not 0, which would be never to sleep again.
            self.sleep_ns = ns.clamp(1, SLEEP_NS.into()) as u32;
        }
    }

    pub(crate) fn into_sockets(self) -> Vec<OwnedFd> {
        self.links.into_iter().map(|link| link.socket).collect()
    }
}

impl<S> Link<S> {
    /// Reads once; tells whether that was all there was, and when it was read.
    #[inline(always)]
    fn read(
        &mut self,
        index: usize,
        inbox: &mut Inbox,
        session: &mut Session,
        handler: &mut impl Handler<State = S>,
    ) -> Result<(bool, u64), Failure> {
        inbox.load(&self.leftover);
        let space = inbox.space(&self.decoder);
        let room = space.len();
        session.own_work_ended();
        let received = receive(&self.socket, space, Patience::None);
        let now_ns = monotonic_ns();
        session.call_ended(now_ns, Brought::Bytes(bytes_of(&received)));
        let count = match received {
            Ok(None) => return Ok((true, now_ns)),
            Ok(Some(0)) => return Err(ended(index, session)),
            Ok(Some(count)) => count,
            Err(cause) => return Err(unreadable(index, &cause, session)),
        };
        inbox.add(count);
        session.recorder.read(now_ns);
        let from = From { index, socket: &self.socket, state: &mut self.state };
        let left = take_messages(from, &mut self.decoder, inbox.unread(), now_ns, session, handler)?;
        inbox.keep_last(left);
        if left > 0 || !self.leftover.is_empty() {
            self.leftover = inbox.unread().to_vec();
        }
        Ok((count < room, now_ns))
    }
}
