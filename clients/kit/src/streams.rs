//! The ticks of each connection, held against what the client knows by itself: their sequence, the schedule that it asked for, and
//! when it asked.
//!
//! A server's stamps are claims. Of the schedule the client does not know the start, and of that it knows the bounds: a stream cannot
//! have begun before its upgrade was asked for, nor after its first tick was there. From then on each tick has one time at which it was due.

use std::sync::Arc;

use tickbench_protocol::{Arrival, Capture, Stamps};
use tickbench_record::{Account, Request, Stage};

use crate::query::ticks_query;
use crate::window::Window;
use crate::{Failure, Offsets};

/// Where a language's logarithm rounds otherwise, random arrivals may differ by so much: the contract of servers says so.
const RANDOM_WITHIN_NS: u64 = 1;

/// The streams of all connections of a measurement.
#[derive(Debug, Clone, Default)]
pub struct Streams {
    streams: Vec<Stream>,
    /// From the start of a stream on; `None` of floods.
    schedule: Option<Offsets>,
    /// How far a tick's due time may be from the schedule's.
    within_ns: u64,
    /// Connections that the window owes another tick.
    owing: usize,
    claims: Claims,
}

#[derive(Debug, Clone)]
struct Stream {
    /// The number of the next tick.
    next: u64,
    /// When the tick before it was sent.
    sent_ns: u64,
    /// When it is due; of the first, when the upgrade was asked for.
    due_ns: u64,
    start_ns: u64,
    /// Ticks of the window so far.
    received: u64,
    offsets: Option<Offsets>,
}

/// What the stamps of all streams claim beyond what is known.
#[derive(Debug, Clone, Default)]
struct Claims {
    missing: u64,
    reordered: u64,
    first_disorder: Option<Disorder>,
    first_contradiction: Option<String>,
    /// The longest time from asking for an upgrade to the start that a stream claims.
    start_after_ns: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Disorder {
    connection: usize,
    expected: u64,
    seen: u64,
}

impl Streams {
    /// Those of a measurement without ticks.
    pub fn none() -> Streams {
        Streams::default()
    }

    /// Those that `request` asks for, on connections whose upgrades were asked for at `asked_ns`; `capture` is its feed, where it has one.
    ///
    /// # Errors
    /// Where a capture is to set the pace and there is none.
    pub fn of(
        request: &Request,
        capture: Option<&Arc<Capture>>,
        asked_ns: impl IntoIterator<Item = u64>,
    ) -> Result<Streams, Failure> {
        let query = ticks_query(request);
        if query.arrival == Arrival::Recorded && capture.is_none() {
            return Err(Failure::new(
                Stage::Connect,
                "a recorded arrival replays a capture: name one as the feed",
            ));
        }
        let schedule = Offsets::of(&query, capture);
        let within_ns = if query.arrival == Arrival::Poisson { RANDOM_WITHIN_NS } else { 0 };
        Ok(Streams::new(schedule, within_ns, asked_ns))
    }

    /// Those on connections whose upgrades were asked for at `asked_ns`: floods, or ticks that follow `schedule` to within `within_ns`.
    pub fn new(
        schedule: Option<Offsets>,
        within_ns: u64,
        asked_ns: impl IntoIterator<Item = u64>,
    ) -> Streams {
        let stream = |due_ns| Stream {
            next: 0,
            sent_ns: 0,
            due_ns,
            start_ns: 0,
            received: 0,
            offsets: schedule.clone(),
        };
        let streams = asked_ns.into_iter().map(stream).collect();
        Streams { streams, schedule, within_ns, ..Streams::default() }
    }

    /// A tick of the flood on `connection`: tells whether it is the next, and due when it was sent.
    #[inline(always)]
    pub(crate) fn follow_flood(&mut self, connection: usize, stamps: &Stamps) -> bool {
        let stream = &mut self.streams[connection];
        let is_next = stamps.seq == stream.next && stamps.sent_ns >= stream.sent_ns;
        if !is_next || stamps.due_ns != stamps.sent_ns {
            self.claims.refuse(stream, connection, stamps);
            return false;
        }
        stream.next = behind(stream.next);
        stream.sent_ns = stamps.sent_ns;
        true
    }

    /// A paced tick of `connection`, received at `received_ns`: tells whether it belongs to the window; `None` where it breaks the sequence
    /// or contradicts the schedule.
    #[inline(always)]
    pub(crate) fn follow(
        &mut self,
        connection: usize,
        stamps: &Stamps,
        received_ns: u64,
        window: &Window,
    ) -> Option<bool> {
        let stream = &mut self.streams[connection];
        if stream.next == 0 {
            self.claims.begin(stream, connection, stamps, received_ns);
        }
        let is_next = stamps.seq == stream.next && stamps.sent_ns >= stream.sent_ns;
        if !is_next || stamps.due_ns.abs_diff(stream.due_ns) > self.within_ns {
            self.claims.refuse(stream, connection, stamps);
            return None;
        }
        let due_ns = stream.due_ns;
        stream.next = behind(stream.next);
        stream.sent_ns = stamps.sent_ns;
        stream.due_ns = stream.start_ns.saturating_add(stream.offsets.as_mut()?.next()?);
        if due_ns < window.end_ns && stream.due_ns >= window.end_ns {
            // A tick that is never due crosses the end of no window, and was not counted.
            self.owing = self.owing.saturating_sub(1);
        }
        let is_of_window = window.holds(due_ns);
        stream.received += u64::from(is_of_window);
        Some(is_of_window)
    }

    /// The window opens: counts from here on.
    pub(crate) fn open(&mut self, window: &Window) {
        self.owing = 0;
        for stream in &mut self.streams {
            stream.received = 0;
            self.owing += usize::from(stream.due_ns < window.end_ns);
        }
    }

    /// Whether the window owes no connection another tick, or that is of no interest any more.
    pub(crate) fn is_nothing_owed(&self) -> bool {
        self.owing == 0 || self.claims.first_disorder.is_some() || self.claims.first_contradiction.is_some()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.streams.len()
    }

    /// The number of the last tick of the first connection.
    pub(crate) fn last_seq(&self) -> Option<u64> {
        self.streams.first()?.next.checked_sub(1)
    }

    /// Connections that have had no tick.
    pub(crate) fn unheard(&self) -> impl Iterator<Item = usize> {
        self.streams
            .iter()
            .enumerate()
            .filter(|(_, stream)| stream.next == 0)
            .map(|(connection, _)| connection)
    }

    pub(crate) fn start_after_ns(&self) -> Option<u64> {
        self.claims.start_after_ns
    }

    /// What the schedule owed each connection in the window and what came of it; and when the oldest that did not come was due.
    pub(crate) fn accounts(&self, window: &Window) -> (Vec<Account>, Option<u64>) {
        let mut oldest_ns: Option<u64> = None;
        let account = |(connection, stream): (usize, &Stream)| {
            let (mut owed, mut first_lost_ns) = (0, None);
            for due_ns in stream.due_times(self.schedule.as_ref(), window) {
                // They come in order: the first that is missing is that behind the last that came.
                if owed == stream.received {
                    first_lost_ns = Some(due_ns);
                }
                owed += 1;
            }
            oldest_ns = oldest_ns.into_iter().chain(first_lost_ns).min();
            Account { connection: connection as u32, owed, received: stream.received }
        };
        let accounts = self.streams.iter().enumerate().map(account).collect();
        (accounts, oldest_ns)
    }

    /// A stream over TCP arrives whole and in order, or the server did not send it so: a figure of such a stream is none. Nor is one of
    /// a stream whose stamps cannot be true.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let Claims { missing, reordered, first_disorder, first_contradiction, .. } = &self.claims;
        let reason = if let Some(Disorder { connection, expected, seen }) = first_disorder {
            format!(
                "the sequence is broken: {missing} messages missing, {reordered} repeated or out of order; first, seq {seen} came \
                 where {expected} was due on connection {connection}"
            )
        } else if let Some(contradiction) = first_contradiction {
            contradiction.clone()
        } else {
            return Ok(());
        };
        Err(Failure::new(Stage::Audit, reason))
    }

    /// Whether a stamp was seen that cannot be true.
    pub(crate) fn is_contradicted(&self) -> bool {
        self.claims.first_contradiction.is_some()
    }

    /// The stamps of a connection that no stream follows cannot be true, for this reason.
    pub(crate) fn contradict(&mut self, contradiction: String) {
        self.claims.first_contradiction.get_or_insert(contradiction);
    }
}

impl Claims {
    /// The first tick of `connection` says when its schedule began.
    #[cold]
    fn begin(&mut self, stream: &mut Stream, connection: usize, stamps: &Stamps, received_ns: u64) {
        let asked_ns = stream.due_ns;
        if stamps.seq == 0 {
            match contradicts_start(connection, stamps, asked_ns, received_ns) {
                Some(contradiction) => _ = self.first_contradiction.get_or_insert(contradiction),
                None => self.start_after_ns = self.start_after_ns.max(Some(stamps.due_ns - asked_ns)),
            }
        }
        (stream.start_ns, stream.due_ns) = (stamps.due_ns, stamps.due_ns);
        // The first is at the start itself.
        stream.offsets.as_mut().and_then(Offsets::next);
    }

    /// What breaks the sequence, or contradicts the schedule; the first of each is kept, and fails the execution.
    #[cold]
    fn refuse(&mut self, stream: &mut Stream, connection: usize, stamps: &Stamps) {
        if stamps.seq != stream.next {
            let (expected, seen) = (stream.next, stamps.seq);
            self.first_disorder.get_or_insert(Disorder { connection, expected, seen });
            if stamps.seq > stream.next {
                self.missing = self.missing.saturating_add(stamps.seq - stream.next);
                stream.next = behind(stamps.seq);
            } else {
                self.reordered += 1;
            }
            return;
        }
        // What comes behind a break contradicts the schedule because of it.
        if self.first_disorder.is_none() && self.first_contradiction.is_none() {
            self.first_contradiction = Some(stream.contradiction(connection, stamps));
        }
        stream.next = behind(stream.next);
    }
}

impl Stream {
    /// What is wrong with the stamps of the next tick.
    fn contradiction(&self, connection: usize, stamps: &Stamps) -> String {
        let Stamps { seq, due_ns, sent_ns } = stamps;
        let claim = if *sent_ns < self.sent_ns {
            format!("sent at {sent_ns} ns, and the tick before it was sent at {} ns", self.sent_ns)
        } else if self.offsets.is_some() {
            format!("due at {due_ns} ns, and its schedule says {} ns", self.due_ns)
        } else {
            format!(
                "due at {due_ns} ns and sent at {sent_ns} ns, and a flood's ticks are due when they are sent"
            )
        };
        format!("tick {seq} of connection {connection} claims to have been {claim}")
    }

    /// When the ticks were due that belong to the window, by the schedule alone.
    fn due_times(&self, schedule: Option<&Offsets>, window: &Window) -> impl Iterator<Item = u64> {
        let due_times =
            schedule.cloned().into_iter().flatten().map(|offset_ns| self.start_ns.saturating_add(offset_ns));
        let Window { opened_ns, end_ns } = *window;
        due_times.skip_while(move |&due_ns| due_ns < opened_ns).take_while(move |&due_ns| due_ns < end_ns)
    }
}

/// The number behind `seq`. Where a server claims the last number of all, which has none, its sequence is broken already.
#[inline(always)]
fn behind(seq: u64) -> u64 {
    seq.wrapping_add(1)
}

/// What is wrong with the stamps of a stream's first tick, where its upgrade was asked for at `asked_ns` and it was there at
/// `received_ns`.
pub(crate) fn contradicts_start(
    connection: usize,
    stamps: &Stamps,
    asked_ns: u64,
    received_ns: u64,
) -> Option<String> {
    let due_ns = stamps.due_ns;
    (due_ns < asked_ns || received_ns < due_ns).then(|| {
        format!(
            "tick 0 of connection {connection} claims to have been due at {due_ns} ns, and its upgrade was asked for at {asked_ns} ns \
             and it was there at {received_ns} ns"
        )
    })
}

#[cfg(test)]
mod tests;
