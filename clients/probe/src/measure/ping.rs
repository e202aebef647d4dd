//! The job of pinging: connections that carry nothing else, each pinged in its turn on one absolute schedule.
//!
//! Ping *i* goes to connection *i* modulo connections and is due at start + *i* / rate, however late the one before it was. From when it
//! was due, its pong tells the response; from when it was sent, the round trip. The difference is what the client itself was late.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;

use tickbench_client_kit::{Failure, Session, monotonic_ns};
use tickbench_frame::{Kind, Mask, Opcode, write_frame};
use tickbench_record::{Observation, Request, Stage};

use super::intake::{From, Handler};
use super::many::Many;
use super::{farewell, poll};
use crate::link::{Connection, random_bytes, socket};

/// RFC 6455, section 5.5: what a control frame carries at most.
const MOST_BYTES: usize = 125;

/// Serial number, when it was due and when it was sent: eight bytes each, little-endian.
const STAMP_BYTES: usize = 24;

/// Pings that are sent between two polls at most, where the client has fallen behind.
const AT_ONCE: u32 = 64;

/// The pings of a measurement.
pub(crate) struct Pings {
    period_ns: f64,
    connections: u64,
    size_bytes: usize,
    stall_ns: u64,
    mask: [u8; 4],
    frame: Vec<u8>,
    started_ns: u64,
    sent: u64,
    /// The last of those sent, from the first that has no pong yet.
    under_way: VecDeque<Ping>,
}

struct Ping {
    due_ns: u64,
    sent_ns: u64,
    /// Whether its pong, or one to a later ping of its connection, has come.
    is_settled: bool,
}

impl Pings {
    pub(crate) fn new(request: &Request) -> Result<Pings, Failure> {
        let failed = |reason: String| Failure::own(Stage::Connect, reason);
        if request.rate_per_s <= 0.0 {
            return Err(failed("pings are paced: ask for a rate above 0".into()));
        }
        if request.size_bytes > MOST_BYTES as u64 {
            return Err(failed(format!("a ping carries at most {MOST_BYTES} bytes")));
        }
        let mask =
            random_bytes().map_err(|cause: io::Error| failed(format!("failed to draw a mask: {cause}")))?;
        Ok(Pings {
            period_ns: 1e9 / request.rate_per_s,
            connections: request.connections.into(),
            size_bytes: (request.size_bytes as usize).max(STAMP_BYTES),
            stall_ns: request.stall_ns,
            mask,
            frame: Vec::new(),
            started_ns: 0,
            sent: 0,
            under_way: VecDeque::new(),
        })
    }

    fn due_ns(&self, serial: u64) -> u64 {
        self.started_ns + (serial as f64 * self.period_ns) as u64
    }

    /// Sends what is due before the window's end, and looks for a ping that has waited too long.
    fn send_due(&mut self, many: &mut Many<()>, session: &mut Session) -> Result<(), Failure> {
        let mut now_ns = monotonic_ns();
        let mut any = false;
        for _ in 0..AT_ONCE {
            let due_ns = self.due_ns(self.sent);
            if due_ns > now_ns || !session.recorder.is_before_end(due_ns) {
                break;
            }
            now_ns = self.send(many, session)?;
            any = true;
        }
        let next_ns = self.due_ns(self.sent);
        let is_more_due = session.recorder.is_before_end(next_ns);
        session.expect_more(is_more_due);
        let waits = |oldest: &&Ping| now_ns - oldest.sent_ns > self.stall_ns;
        // When the window is over, what has not come is lost.
        if let Some(oldest) = self.under_way.front().filter(waits).filter(|_| !session.is_awaiting()) {
            return Err(self.unanswered(now_ns - oldest.sent_ns, session));
        }
        many.sleep_at_most(if is_more_due { next_ns.saturating_sub(now_ns) } else { u64::MAX });
        if any {
            session.own_work_ended();
        }
        Ok(())
    }

    fn send(&mut self, many: &Many<()>, session: &mut Session) -> Result<u64, Failure> {
        let serial = self.sent;
        let index = (serial % self.connections) as usize;
        let ping = Ping { due_ns: self.due_ns(serial), sent_ns: monotonic_ns(), is_settled: false };
        let payload = self.payload(serial, &ping);
        self.frame.clear();
        write_frame(&mut self.frame, true, Opcode::Ping, Mask::Key(self.mask), &payload[..self.size_bytes]);
        socket::send_all(many.socket(index), &self.frame)
            .map_err(|cause| session.failure(format!("failed to ping on connection {index}: {cause}")))?;
        let sent_ns = ping.sent_ns;
        session.recorder.ping(index, ping.due_ns, sent_ns);
        self.under_way.push_back(ping);
        self.sent += 1;
        Ok(sent_ns)
    }

    fn payload(&self, serial: u64, ping: &Ping) -> [u8; MOST_BYTES] {
        let mut payload = [0; MOST_BYTES];
        for (place, number) in payload.chunks_exact_mut(8).zip([serial, ping.due_ns, ping.sent_ns]) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        payload
    }

    /// Where in `under_way` the ping stands that this pong answers; `None` where there is no such ping.
    fn answered(&self, index: usize, payload: &[u8]) -> Option<usize> {
        let serial = u64::from_le_bytes(*payload.first_chunk()?);
        let first = self.sent - self.under_way.len() as u64;
        let at = usize::try_from(serial.checked_sub(first)?).ok()?;
        let ping = self.under_way.get(at).filter(|ping| !ping.is_settled)?;
        let is_its_own = serial % self.connections == index as u64;
        (is_its_own && self.payload(serial, ping)[..self.size_bytes] == *payload).then_some(at)
    }

    /// Marks the ping at `at` and those of the same connection before it, which its pong makes up for.
    fn settle(&mut self, at: usize, session: &mut Session) {
        self.under_way[at].is_settled = true;
        let (connections, mut at) = (self.connections as usize, at);
        while at >= connections {
            at -= connections;
            if std::mem::replace(&mut self.under_way[at].is_settled, true) {
                break;
            }
            session.recorder.superseded(self.under_way[at].due_ns);
        }
        while self.under_way.front().is_some_and(|ping| ping.is_settled) {
            self.under_way.pop_front();
        }
    }

    /// Tells the recorder of pings that nobody answered.
    fn give_up(&self, session: &mut Session) {
        let unsettled = self.under_way.iter().filter(|ping| !ping.is_settled);
        unsettled.for_each(|ping| session.recorder.lost(ping.due_ns));
    }

    #[cold]
    fn unanswered(&self, waited_ns: u64, session: &Session) -> Failure {
        let index = (self.sent - self.under_way.len() as u64) % self.connections;
        session.failure(format!(
            "connection {index} has not answered a ping for {:.1} s",
            waited_ns as f64 / 1e9
        ))
    }
}

impl Handler for Pings {
    type State = ();

    fn start(&mut self, _: usize, _: &OwnedFd, _: &mut Session) -> Result<(), Failure> {
        Ok(())
    }

    fn message(
        &mut self,
        from: From<'_, ()>,
        _: Kind,
        payload: &[u8],
        _: u64,
        session: &mut Session,
    ) -> Result<(), Failure> {
        let (index, bytes) = (from.index, payload.len());
        Err(session.failure(format!(
            "a message of {bytes} bytes came on connection {index}, where only pongs were due"
        )))
    }

    #[inline(always)]
    fn pong(
        &mut self,
        from: From<'_, ()>,
        payload: &[u8],
        now_ns: u64,
        session: &mut Session,
    ) -> Result<(), Failure> {
        let Some(at) = self.answered(from.index, payload) else {
            return Err(answers_nothing(from.index, payload.len()));
        };
        let Ping { due_ns, sent_ns, .. } = self.under_way[at];
        self.settle(at, session);
        session.recorder.pong(from.index, (due_ns, sent_ns), payload.len(), now_ns);
        Ok(())
    }
}

#[cold]
fn answers_nothing(index: usize, bytes: usize) -> Failure {
    let reason = format!(
        "a pong of {bytes} bytes on connection {index} answers no ping that is under way: its payload is another, or it came twice"
    );
    Failure::new(Stage::Audit, reason)
}

/// Pings until the window is over, and all its pings are answered or lost.
pub(crate) fn run(
    request: &Request,
    mut session: Session,
    connections: Vec<Connection>,
    pings: &mut Pings,
) -> Result<Observation, Failure> {
    let mut many = Many::new(connections, request.wait, &mut session, pings)?;
    pings.started_ns = monotonic_ns();
    let (mut session, closed_ns) = poll(session, |session| {
        pings.send_due(&mut many, session)?;
        many.poll(session, pings)
    })?;
    pings.give_up(&mut session);
    let observation = session.finish(closed_ns)?;
    farewell::close(&many.into_sockets());
    Ok(observation)
}
