//! What arrives, counted and timed: the figures of what belongs to the window, and the accounts of each connection.

use tickbench_protocol::Stamps;
use tickbench_record::Sample;

use crate::connects::Connects;
use crate::contents::Contents;
use crate::ledger::Ledger;
use crate::rows::Kept;
use crate::streams::{Streams, contradicts_start};
use crate::tally::Tally;
use crate::turns::Turns;
use crate::window::{Window, Wire};
use crate::{Failure, Question};

/// Counts and histograms of one measurement.
#[derive(Debug)]
pub struct Recorder {
    pub(crate) question: Question,
    pub(crate) window: Window,
    pub(crate) wire: Wire,
    pub(crate) reads: u64,
    pub(crate) negative: u64,
    pub(crate) lag: Tally,
    /// Each tick of the window, where lag is to be cleaned or stages and samples are asked for.
    pub(crate) kept: Kept,
    /// What is compared with the seed.
    pub(crate) contents: Option<Contents>,
    /// Delivery or, for echo, round trip.
    pub(crate) transit: Tally,
    /// The part of it that the client's core may have delayed.
    pub(crate) aside: Tally,
    pub(crate) response: Tally,
    pub(crate) connects: Option<Connects>,
    /// Of ticks.
    pub(crate) streams: Streams,
    /// Of closed loops.
    pub(crate) turns: Turns,
    /// Of all over which the client asks for what it gets.
    pub(crate) ledgers: Vec<Ledger>,
    /// Messages of the window that every connection is owed.
    pub(crate) published: u64,
    /// Messages of the window that were sent before its end.
    pub(crate) sent_in_window: u64,
    /// Pings of the window that have no answer yet.
    pub(crate) unanswered: u64,
    /// When the oldest message of the window that is lost for good was due.
    pub(crate) oldest_lost_ns: Option<u64>,
    /// Whether what is read now may have waited for the client's core to come back.
    pub(crate) in_doubt: bool,
}

impl Recorder {
    /// An empty recorder, which records all that comes: ticks over `streams`, or what the client asks for over `connections`.
    pub fn new(question: Question, streams: Streams, connections: u32) -> Recorder {
        let has_ticks = matches!(question, Question::Paced | Question::Flood);
        Recorder {
            question,
            window: Window::ALL,
            wire: Wire::default(),
            reads: 0,
            negative: 0,
            lag: Tally::new(),
            kept: Kept::Nothing,
            contents: None,
            transit: Tally::new(),
            aside: Tally::new(),
            response: Tally::new(),
            connects: (question == Question::Connects).then(Connects::new),
            streams,
            turns: Turns::default(),
            ledgers: if has_ticks { Vec::new() } else { vec![Ledger::BLANK; connections as usize] },
            published: 0,
            sent_in_window: 0,
            unanswered: 0,
            oldest_lost_ns: None,
            in_doubt: false,
        }
    }

    /// Forgets all that was recorded and follows only the sequences until [`resume`](Recorder::resume).
    pub(crate) fn pause(&mut self) {
        self.window = Window::NONE;
        (self.reads, self.negative) = (0, 0);
        for histogram in [&mut self.lag, &mut self.transit, &mut self.aside, &mut self.response] {
            histogram.reset();
        }
        self.kept.reset();
        self.contents.iter_mut().for_each(Contents::reset);
        self.connects.iter_mut().for_each(Connects::reset);
        (self.published, self.sent_in_window, self.unanswered) = (0, 0, 0);
        self.oldest_lost_ns = None;
    }

    /// Keeps each tick in `kept`, from now on.
    pub(crate) fn keep(&mut self, kept: Kept) {
        self.kept = kept;
    }

    /// Takes a sample of what comes, from now on, to be compared with what is due.
    pub fn compare(&mut self, contents: Option<Contents>) {
        self.contents = contents;
    }

    /// The ticks that were kept so far.
    pub(crate) fn take_kept(&mut self) -> Kept {
        std::mem::replace(&mut self.kept, Kept::Nothing)
    }

    /// The kernel took in the last bytes of the read that ended at `received_ns` at `kernel_ns`, on its own clock, and they are the
    /// end of a message.
    #[inline]
    pub fn stamp(&mut self, kernel_ns: u64, received_ns: u64) {
        self.kept.stamp(kernel_ns, received_ns, self.streams.last_seq());
    }

    /// Records what belongs to a window that opened at `opened_ns` and ends at `end_ns`; that of a flood ends with the read that
    /// [`end_at`](Recorder::end_at) tells of.
    pub(crate) fn resume(&mut self, opened_ns: u64, end_ns: u64) {
        let end_ns = if self.question == Question::Flood { u64::MAX } else { end_ns };
        self.window = Window { opened_ns, end_ns };
        self.wire = Wire::default();
        self.streams.open(&self.window);
        self.turns.open();
        self.ledgers.iter_mut().for_each(Ledger::open);
    }

    /// The window ends with the read that ended at `at_ns`.
    pub(crate) fn end_at(&mut self, at_ns: u64) {
        self.window.end_ns = at_ns;
    }

    /// From now on, what is recorded is set apart, or no longer.
    pub(crate) fn doubt(&mut self, in_doubt: bool) {
        self.in_doubt = in_doubt;
    }

    /// What is measured.
    pub fn question(&self) -> Question {
        self.question
    }

    /// Whether `at_ns` is before the end of the window, whether that is open or still to be opened: what is due or begun then is asked for.
    #[inline]
    pub fn is_before_end(&self, at_ns: u64) -> bool {
        at_ns < self.window.end_ns
    }

    /// Messages that came since the window opened, whichever window they belong to.
    pub(crate) fn wire_messages(&self) -> u64 {
        self.wire.messages + self.wire.after
    }

    /// Whether all that belongs to the window has come, as far as this recorder is told of what is sent.
    pub(crate) fn is_nothing_owed(&self) -> bool {
        self.streams.is_nothing_owed() && self.turns.under_way() == 0 && self.unanswered == 0
    }

    /// A read that brought data, at `now_ns`.
    #[inline]
    pub fn read(&mut self, now_ns: u64) {
        self.reads += u64::from(self.window.holds(now_ns));
    }

    /// A tick over `connection`, with this payload, received at `received_ns`.
    ///
    /// # Panics
    /// Where there is no such stream.
    #[inline(always)]
    pub fn tick(&mut self, connection: usize, stamps: &Stamps, payload: &[u8], received_ns: u64) {
        if self.question == Question::Flood {
            if self.streams.follow_flood(connection, stamps) && self.window.opened_ns <= received_ns {
                self.wire.messages += 1;
                self.wire.bytes += payload.len() as u64;
                record(&mut self.transit, stamps.sent_ns, received_ns, &mut self.negative);
                self.offer(connection, stamps, payload);
            }
            return;
        }
        let followed = self.streams.follow(connection, stamps, received_ns, &self.window);
        let Some(is_of_window) = followed else { return };
        self.wire.count(&self.window, payload.len(), received_ns);
        if !is_of_window {
            return;
        }
        self.sent_in_window += u64::from(stamps.sent_ns.min(received_ns) < self.window.end_ns);
        record(&mut self.lag, stamps.due_ns, stamps.sent_ns, &mut self.negative);
        record(&mut self.transit, stamps.sent_ns, received_ns, &mut self.negative);
        record(&mut self.response, stamps.due_ns, received_ns, &mut self.negative);
        self.kept.keep(&Sample {
            seq: stamps.seq,
            connection: connection as u32,
            due_ns: stamps.due_ns,
            sent_ns: stamps.sent_ns,
            kernel_ns: None,
            received_ns,
            set_aside: self.in_doubt,
        });
        self.offer(connection, stamps, payload);
        if self.in_doubt {
            self.set_aside(stamps.sent_ns, received_ns);
        }
    }

    /// A message of the window came, and may be copied.
    #[inline(always)]
    fn offer(&mut self, connection: usize, stamps: &Stamps, payload: &[u8]) {
        if let Some(contents) = &mut self.contents {
            contents.offer(connection, stamps, payload);
        }
    }

    /// Something is asked of `connection` at `at_ns`.
    #[inline]
    fn ask(&mut self, connection: usize, at_ns: u64) -> &mut Ledger {
        let ledger = &mut self.ledgers[connection];
        ledger.asked_ns = ledger.asked_ns.min(at_ns);
        ledger
    }

    /// Something that belongs to the time `belongs_ns` came over `connection`: tells whether that is in the window.
    #[inline]
    fn hear(&mut self, connection: usize, belongs_ns: u64) -> bool {
        let is_of_window = self.window.holds(belongs_ns);
        let ledger = &mut self.ledgers[connection];
        ledger.is_heard = true;
        ledger.received += u64::from(is_of_window);
        is_of_window
    }

    /// A turn of a closed loop over `connection` begins at `begun_ns`.
    ///
    /// # Panics
    /// Where there is no such connection.
    #[inline]
    pub fn begin(&mut self, connection: usize, begun_ns: u64) {
        let belongs = u64::from(self.window.holds(begun_ns));
        self.turns.begin(connection, begun_ns);
        self.ask(connection, begun_ns).owed += belongs;
        self.sent_in_window += belongs;
    }

    /// The message of `bytes` that was sent over `connection` when its turn began is back at `received_ns`.
    ///
    /// # Errors
    /// Where no turn is under way.
    #[inline]
    pub fn round_trip(&mut self, connection: usize, bytes: usize, received_ns: u64) -> Result<(), Failure> {
        let sent_ns = self.turns.end(connection, received_ns, &self.window)?;
        self.wire.count(&self.window, bytes, received_ns);
        if self.hear(connection, sent_ns) {
            self.transit(sent_ns, received_ns);
        }
        Ok(())
    }

    /// A ping that was due at `due_ns` was sent over `connection` at `sent_ns`.
    ///
    /// # Panics
    /// Where there is no such connection.
    #[inline]
    pub fn ping(&mut self, connection: usize, due_ns: u64, sent_ns: u64) {
        let belongs = u64::from(self.window.holds(due_ns));
        self.ask(connection, sent_ns).owed += belongs;
        self.unanswered += belongs;
        self.sent_in_window += u64::from(belongs > 0 && self.is_before_end(sent_ns));
    }

    /// A pong, with a payload of `bytes`, to a ping over `connection` that was due at `due_ns` and sent at `sent_ns`.
    #[inline]
    pub fn pong(&mut self, connection: usize, (due_ns, sent_ns): (u64, u64), bytes: usize, received_ns: u64) {
        self.wire.count(&self.window, bytes, received_ns);
        if self.hear(connection, due_ns) {
            self.unanswered -= 1;
            self.transit(sent_ns, received_ns);
            record(&mut self.response, due_ns, received_ns, &mut self.negative);
        }
    }

    /// A ping that was due at `due_ns` will have no pong of its own: one to a later ping made up for it.
    pub fn superseded(&mut self, due_ns: u64) {
        if self.window.holds(due_ns) {
            self.unanswered -= 1;
            self.lost(due_ns);
        }
    }

    /// The connection of the turn under way was upgraded, so long after the call that began it.
    #[inline]
    pub fn handshake(&mut self, connection: usize, took_ns: u64) {
        let is_of_window = self.window.holds(self.turns.begun_ns(connection));
        if let Some(connects) = self.connects.as_mut().filter(|_| is_of_window) {
            connects.handshake.record(took_ns);
        }
    }

    /// Its first tick came, with this payload, at `received_ns`; the connection was called for at `called_ns`.
    #[inline]
    pub fn first_tick(
        &mut self,
        connection: usize,
        stamps: &Stamps,
        payload: &[u8],
        called_ns: u64,
        received_ns: u64,
    ) {
        self.ledgers[connection].is_heard = true;
        if let Some(contradiction) = contradicts_start(connection, stamps, called_ns, received_ns) {
            self.streams.contradict(contradiction);
        }
        let is_of_window = self.window.holds(self.turns.begun_ns(connection));
        if self.window.holds(received_ns) {
            self.wire.bytes += payload.len() as u64;
        }
        if is_of_window {
            self.offer(connection, stamps, payload);
        }
        if let Some(connects) = self.connects.as_mut().filter(|_| is_of_window) {
            connects.first_tick.record(received_ns - called_ns);
            self.negative +=
                u64::from(stamps.sent_ns < stamps.due_ns) + u64::from(received_ns < stamps.sent_ns);
        }
    }

    /// The connection of the turn under way ended in good order at `ended_ns`.
    ///
    /// # Errors
    /// Where no turn is under way.
    #[inline]
    pub fn connection(&mut self, connection: usize, ended_ns: u64) -> Result<(), Failure> {
        let begun_ns = self.turns.end(connection, ended_ns, &self.window)?;
        self.wire.count(&self.window, 0, ended_ns);
        let is_of_window = self.hear(connection, begun_ns);
        if let Some(connects) = self.connects.as_mut().filter(|_| is_of_window) {
            connects.whole.record(ended_ns - begun_ns);
        }
        Ok(())
    }

    /// The client itself published a message to all connections at `sent_ns` that was due at `due_ns`: tells whether it belongs to the
    /// window.
    #[inline]
    pub fn published(&mut self, due_ns: u64, sent_ns: u64) -> bool {
        if self.ledgers.first().is_some_and(|first| first.asked_ns > sent_ns) {
            self.ledgers.iter_mut().for_each(|ledger| ledger.asked_ns = sent_ns);
        }
        let is_of_window = self.window.holds(due_ns);
        if is_of_window {
            self.published += 1;
            self.sent_in_window += self.ledgers.len() as u64 * u64::from(self.is_before_end(sent_ns));
            record(&mut self.lag, due_ns, sent_ns, &mut self.negative);
        }
        is_of_window
    }

    /// A published message with this payload that the subscriber `connection` received at `received_ns`, for the first time: tells whether
    /// it belongs to the window, by its stamps. Whoever publishes follows the sequences, and knows the stamps.
    #[inline]
    pub fn delivered(
        &mut self,
        connection: usize,
        stamps: &Stamps,
        payload: &[u8],
        received_ns: u64,
    ) -> bool {
        self.wire.count(&self.window, payload.len(), received_ns);
        let is_of_window = self.hear(connection, stamps.due_ns);
        if is_of_window {
            self.transit(stamps.sent_ns, received_ns);
            record(&mut self.response, stamps.due_ns, received_ns, &mut self.negative);
            self.offer(connection, stamps, payload);
        }
        is_of_window
    }

    /// A message that was due at `due_ns` is lost, or has not come until now.
    pub fn lost(&mut self, due_ns: u64) {
        if self.window.holds(due_ns) {
            self.oldest_lost_ns = self.oldest_lost_ns.into_iter().chain([due_ns]).min();
        }
    }

    #[inline]
    fn transit(&mut self, sent_ns: u64, received_ns: u64) {
        record(&mut self.transit, sent_ns, received_ns, &mut self.negative);
        if self.in_doubt {
            self.set_aside(sent_ns, received_ns);
        }
    }

    #[cold]
    fn set_aside(&mut self, sent_ns: u64, received_ns: u64) {
        if let Some(ns) = received_ns.checked_sub(sent_ns) {
            self.aside.record(ns);
        }
    }
}

/// Records `to - from`, or counts it as negative.
#[inline(always)]
fn record(tally: &mut Tally, from_ns: u64, to_ns: u64, negative: &mut u64) {
    match to_ns.checked_sub(from_ns) {
        Some(ns) => tally.record(ns),
        None => *negative += 1,
    }
}

#[cfg(test)]
mod tests;
