//! What arrives, counted and timed.

use tickbench_protocol::Stamps;
use tickbench_record::{Distribution, Observation, Sample, Stage};

use crate::connects::Connects;
use crate::rows::Kept;
use crate::tally::Tally;
use crate::turns::Turns;
use crate::{Failure, Question};

/// Where one connection's stream is: sixteen bytes a connection.
#[derive(Debug, Clone, Default)]
pub struct Sequence {
    next: u64,
    connection: u32,
}

impl Sequence {
    /// The start of the stream of connection `index`, from 0.
    pub fn of(index: usize) -> Sequence {
        Sequence { next: 0, connection: index as u32 }
    }
}

/// Counts and histograms of one measurement.
#[derive(Debug)]
pub struct Recorder {
    question: Question,
    recording: bool,
    received: u64,
    bytes: u64,
    reads: u64,
    negative: u64,
    missing: u64,
    reordered: u64,
    first_disorder: Option<Disorder>,
    lag: Tally,
    /// Each tick of the window, where lag is to be cleaned or stages and samples are asked for.
    kept: Kept,
    /// Delivery or, for echo, round trip.
    transit: Tally,
    /// The part of it that the client's core may have delayed.
    aside: Tally,
    response: Tally,
    /// Pings that a pong to a later one made up for.
    superseded: u64,
    connects: Option<Connects>,
    turns: Turns,
    /// Whether what is read now may have waited for the client's core to come back.
    in_doubt: bool,
}

/// How far from the connections the turns under way may be: histograms are within 0.1 %.
const LITTLES_LAW_WITHIN: f64 = 0.01;

#[derive(Debug, Clone, Copy)]
struct Disorder {
    expected: u64,
    seen: u64,
}

impl Recorder {
    /// An empty recorder, which records.
    pub fn new(question: Question) -> Recorder {
        Recorder {
            question,
            recording: true,
            received: 0,
            bytes: 0,
            reads: 0,
            negative: 0,
            missing: 0,
            reordered: 0,
            first_disorder: None,
            lag: Tally::new(),
            kept: Kept::Nothing,
            transit: Tally::new(),
            aside: Tally::new(),
            response: Tally::new(),
            superseded: 0,
            connects: (question == Question::Connects).then(Connects::new),
            turns: Turns::default(),
            in_doubt: false,
        }
    }

    /// Forgets all that was recorded and follows only the sequences until [`resume`](Recorder::resume).
    pub(crate) fn pause(&mut self) {
        (self.received, self.bytes, self.reads, self.negative) = (0, 0, 0, 0);
        for histogram in [&mut self.lag, &mut self.transit, &mut self.aside, &mut self.response] {
            histogram.reset();
        }
        self.kept.reset();
        self.superseded = 0;
        self.connects.iter_mut().for_each(Connects::reset);
        self.recording = false;
    }

    /// Keeps each tick in `kept`, from now on.
    pub(crate) fn keep(&mut self, kept: Kept) {
        self.kept = kept;
    }

    /// The ticks that were kept so far.
    pub(crate) fn take_kept(&mut self) -> Kept {
        std::mem::replace(&mut self.kept, Kept::Nothing)
    }

    /// The kernel took in the last bytes of the read that ended at `received_ns` at `kernel_ns`, on its own clock, and they are the
    /// end of a message.
    #[inline]
    pub fn stamp(&mut self, kernel_ns: u64, received_ns: u64) {
        if self.recording {
            self.kept.stamp(kernel_ns, received_ns);
        }
    }

    /// Records what arrives after `opened_ns`.
    pub(crate) fn resume(&mut self, opened_ns: u64) {
        self.recording = true;
        self.turns.open(opened_ns);
    }

    /// From now on, what is recorded is set apart, or no longer.
    pub(crate) fn doubt(&mut self, in_doubt: bool) {
        self.in_doubt = in_doubt;
    }

    /// What is measured.
    pub fn question(&self) -> Question {
        self.question
    }

    /// Messages recorded so far.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// A read that brought data.
    #[inline]
    pub fn read(&mut self) {
        self.reads += u64::from(self.recording);
    }

    /// A tick of the stream that `sequence` follows, with a payload of `bytes`, received at `received_ns`.
    #[inline(always)]
    pub fn tick(&mut self, sequence: &mut Sequence, stamps: &Stamps, bytes: usize, received_ns: u64) {
        if stamps.seq != sequence.next {
            self.out_of_order(sequence, stamps.seq);
        } else {
            sequence.next += 1;
        }
        if !self.recording {
            return;
        }
        self.received += 1;
        self.bytes += bytes as u64;
        record(&mut self.transit, stamps.sent_ns, received_ns, &mut self.negative);
        if self.question == Question::Paced {
            record(&mut self.lag, stamps.due_ns, stamps.sent_ns, &mut self.negative);
            record(&mut self.response, stamps.due_ns, received_ns, &mut self.negative);
            self.kept.keep(&Sample {
                seq: stamps.seq,
                connection: sequence.connection,
                due_ns: stamps.due_ns,
                sent_ns: stamps.sent_ns,
                kernel_ns: None,
                received_ns,
                set_aside: self.in_doubt,
            });
            if self.in_doubt {
                self.set_aside(stamps.sent_ns, received_ns);
            }
        }
    }

    /// The first turn of a closed loop over `connection` begins at `begun_ns`; each later one begins where the one before it ends.
    pub fn begin(&mut self, connection: usize, begun_ns: u64) {
        self.turns.begin(connection, begun_ns);
    }

    /// A message of `bytes` is back at `received_ns` over `connection`, where the last one was back, or the first was sent, at
    /// `sent_ns`.
    ///
    /// # Panics
    /// Where that loop was never begun.
    #[inline]
    pub fn round_trip(&mut self, connection: usize, sent_ns: u64, bytes: usize, received_ns: u64) {
        self.turns.end(connection, received_ns);
        self.returned(sent_ns, bytes, received_ns);
    }

    #[inline]
    fn returned(&mut self, sent_ns: u64, bytes: usize, received_ns: u64) {
        if !self.recording {
            return;
        }
        self.received += 1;
        self.bytes += bytes as u64;
        record(&mut self.transit, sent_ns, received_ns, &mut self.negative);
        if self.in_doubt {
            self.set_aside(sent_ns, received_ns);
        }
    }

    /// A pong, with a payload of `bytes`, to a ping that was due at `due_ns` and sent at `sent_ns`. It also makes up for
    /// `superseded` pings before it.
    #[inline]
    pub fn pong(&mut self, (due_ns, sent_ns): (u64, u64), superseded: u64, bytes: usize, received_ns: u64) {
        self.returned(sent_ns, bytes, received_ns);
        if self.recording {
            record(&mut self.response, due_ns, received_ns, &mut self.negative);
            self.superseded += superseded;
        }
    }

    /// A connection was upgraded, so long after the call that began it.
    #[inline]
    pub fn handshake(&mut self, took_ns: u64) {
        if let Some(connects) = self.connects.as_mut().filter(|_| self.recording) {
            connects.handshake.record(took_ns);
        }
    }

    /// Its first tick came, with a payload of `bytes`, so long after that call.
    #[inline]
    pub fn first_tick(&mut self, bytes: usize, took_ns: u64) {
        if let Some(connects) = self.connects.as_mut().filter(|_| self.recording) {
            connects.first_tick.record(took_ns);
            self.bytes += bytes as u64;
        }
    }

    /// `connection` ended in good order at `ended_ns`, in a turn that began at `begun_ns`.
    ///
    /// # Panics
    /// Where that loop was never begun.
    #[inline]
    pub fn connection(&mut self, connection: usize, begun_ns: u64, ended_ns: u64) {
        self.turns.end(connection, ended_ns);
        if let Some(connects) = self.connects.as_mut().filter(|_| self.recording) {
            connects.whole.record(ended_ns - begun_ns);
            self.received += 1;
        }
    }

    /// A message that the client itself published at `sent_ns`, and that was due at `due_ns`.
    #[inline]
    pub fn published(&mut self, due_ns: u64, sent_ns: u64) {
        record(&mut self.lag, due_ns, sent_ns, &mut self.negative);
    }

    /// A published message with a payload of `bytes` that one subscriber received at `received_ns`. Whoever publishes follows the
    /// sequences: messages of before the window are not told of.
    #[inline]
    pub fn delivered(&mut self, due_ns: u64, sent_ns: u64, bytes: usize, received_ns: u64) {
        self.received += 1;
        self.bytes += bytes as u64;
        record(&mut self.transit, sent_ns, received_ns, &mut self.negative);
        record(&mut self.response, due_ns, received_ns, &mut self.negative);
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

    #[cold]
    fn out_of_order(&mut self, sequence: &mut Sequence, seen: u64) {
        self.first_disorder.get_or_insert(Disorder { expected: sequence.next, seen });
        if seen > sequence.next {
            self.missing += seen - sequence.next;
            sequence.next = seen.saturating_add(1);
        } else {
            self.reordered += 1;
        }
    }

    /// Delivery or, for echo, round trip, less what was set apart; and how much that was.
    pub(crate) fn cleaned(&self) -> (Option<Distribution>, u64) {
        let cleaned = self.transit.without(&self.aside);
        (Distribution::of(&cleaned.histogram()), self.aside.count())
    }

    /// What was seen in a window of `elapsed_ns` that closed at `closed_ns`, if the sequences were whole from the first connection on
    /// and no turn is missing.
    pub(crate) fn finish(self, elapsed_ns: u64, closed_ns: u64) -> Result<Observation, Failure> {
        if self.received == 0 {
            let window_ms = elapsed_ns as f64 / 1e6;
            let nothing = match self.question {
                Question::Connects => "no connection was opened, used and closed",
                _ => "no message arrived",
            };
            let reason = format!("{nothing} in the window of {window_ms:.0} ms");
            return Err(Failure::new(Stage::Measure, reason));
        }
        self.check_sequences()?;
        self.check_littles_law(elapsed_ns, closed_ns)?;
        let per_s = |count: u64| count as f64 * 1e9 / elapsed_ns as f64;
        let distribution = |tally: &Tally| Distribution::of(&tally.histogram());
        let transit = distribution(&self.transit);
        let echo = matches!(self.question, Question::RoundTrip | Question::Pings);
        let (delivery_ns, round_trip_ns) = if echo { (None, transit) } else { (transit, None) };
        let lag = distribution(&self.lag);
        let publishes = self.question == Question::Relay;
        let (lag_ns, publish_lag_ns) = if publishes { (None, lag) } else { (lag, None) };
        Ok(Observation {
            sent: self.received + self.superseded,
            received: self.received,
            lost: self.superseded,
            reordered: 0,
            negative: self.negative,
            checked: 0,
            elapsed_ns,
            messages_per_s: per_s(self.received),
            bytes_per_s: per_s(self.bytes),
            reads: self.reads,
            connect_ns: 0,
            lag_ns,
            publish_lag_ns,
            delivery_ns,
            response_ns: distribution(&self.response),
            round_trip_ns,
            handshake_ns: self.connects.as_ref().and_then(|connects| distribution(&connects.handshake)),
            first_tick_ns: self.connects.as_ref().and_then(|connects| distribution(&connects.first_tick)),
            connection_ns: self.connects.as_ref().and_then(|connects| distribution(&connects.whole)),
            ..Observation::default()
        })
    }

    /// A stream over TCP arrives whole and in order, or the server did not send it so: a figure of such a stream is none.
    fn check_sequences(&self) -> Result<(), Failure> {
        let Some(Disorder { expected, seen }) = self.first_disorder else { return Ok(()) };
        Err(Failure::new(
            Stage::Audit,
            format!(
                "the sequence is broken: {} messages missing, {} repeated or out of order; first, seq {seen} came where \
                 {expected} was due",
                self.missing, self.reordered
            ),
        ))
    }

    /// In a closed loop as many turns are under way as there are connections, as [`Turns`] says: else turns were counted twice, left
    /// out, or given another length than from one to the next.
    fn check_littles_law(&self, elapsed_ns: u64, closed_ns: u64) -> Result<(), Failure> {
        let (tally, what) = match (self.question, &self.connects) {
            (Question::Connects, Some(connects)) => (&connects.whole, "openings"),
            (Question::RoundTrip, _) => (&self.transit, "messages"),
            _ => return Ok(()),
        };
        let histogram = tally.histogram();
        let completed_ns = histogram.mean() * histogram.len() as f64;
        let (in_flight, connections) = self.turns.in_flight(completed_ns, elapsed_ns, closed_ns);
        if (in_flight - connections).abs() <= LITTLES_LAW_WITHIN * connections {
            return Ok(());
        }
        let reason = format!(
            "Little's law does not hold: {in_flight:.2} {what} in flight over {connections} connections"
        );
        Err(Failure::new(Stage::Audit, reason))
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
mod tests {
    use super::*;

    fn see(recorder: &mut Recorder, sequence: &mut Sequence, seqs: &[u64]) {
        for &seq in seqs {
            let stamps = Stamps { seq, due_ns: 100, sent_ns: 150 };
            recorder.tick(sequence, &stamps, 48, 400);
        }
    }

    #[test]
    fn three_figures_of_a_paced_tick() {
        let mut recorder = Recorder::new(Question::Paced);
        see(&mut recorder, &mut Sequence::default(), &[0, 1, 2]);
        let seen = recorder.finish(1_000_000_000, 0).unwrap();
        assert_eq!((seen.sent, seen.received, seen.lost, seen.messages_per_s), (3, 3, 0, 3.0));
        assert_eq!(seen.bytes_per_s, 144.0);
        let p50 = |figure: Option<Distribution>| figure.unwrap().p50;
        assert_eq!((p50(seen.lag_ns), p50(seen.delivery_ns), p50(seen.response_ns)), (50, 250, 300));
        assert_eq!(seen.round_trip_ns, None);
    }

    #[test]
    fn a_flood_has_delivery_alone() {
        let mut recorder = Recorder::new(Question::Flood);
        see(&mut recorder, &mut Sequence::default(), &[0]);
        let seen = recorder.finish(1, 0).unwrap();
        assert_eq!((seen.lag_ns, seen.response_ns), (None, None));
        assert_eq!(seen.delivery_ns.unwrap().count, 1);
    }

    #[test]
    fn broken_sequences_fail_the_audit_and_say_how() {
        let reason = |seqs: &[u64]| {
            let mut recorder = Recorder::new(Question::Flood);
            see(&mut recorder, &mut Sequence::default(), seqs);
            let failure = recorder.finish(1, 0).unwrap_err();
            assert_eq!(failure.stage, Stage::Audit);
            failure.reason
        };
        assert!(reason(&[0, 1, 4]).contains("2 messages missing, 0 repeated"));
        assert!(reason(&[0, 1, 1]).contains("0 messages missing, 1 repeated"));
        assert!(reason(&[0, 2, 1, 3]).contains("first, seq 2 came where 1 was due"));
        assert!(reason(&[5]).contains("first, seq 5 came where 0 was due"));
    }

    #[test]
    fn values_below_zero_are_counted_and_kept_out() {
        let mut recorder = Recorder::new(Question::Paced);
        let stamps = Stamps { seq: 0, due_ns: 100, sent_ns: 90 };
        recorder.tick(&mut Sequence::default(), &stamps, 48, 80);
        let seen = recorder.finish(1, 0).unwrap();
        assert_eq!((seen.negative, seen.received), (3, 1));
        assert_eq!((seen.lag_ns, seen.delivery_ns, seen.response_ns), (None, None, None));
    }

    #[test]
    fn what_is_recorded_in_doubt_is_set_apart_and_still_counted() {
        let (mut recorder, mut sequence) = (Recorder::new(Question::Paced), Sequence::default());
        see(&mut recorder, &mut sequence, &[0, 1]);
        recorder.doubt(true);
        see(&mut recorder, &mut sequence, &[2]);
        let early = Stamps { seq: 3, due_ns: 100, sent_ns: 500 };
        recorder.tick(&mut sequence, &early, 48, 400);
        recorder.doubt(false);
        see(&mut recorder, &mut sequence, &[4]);
        let (cleaned, set_aside) = recorder.cleaned();
        assert_eq!((cleaned.unwrap().count, set_aside), (3, 1), "what is below zero is in neither");
        let seen = recorder.finish(1, 0).unwrap();
        assert_eq!((seen.received, seen.delivery_ns.unwrap().count, seen.lag_ns.unwrap().count), (5, 4, 5));
    }

    #[test]
    fn where_all_is_in_doubt_nothing_is_left() {
        let mut recorder = Recorder::new(Question::RoundTrip);
        recorder.begin(0, 100);
        recorder.doubt(true);
        recorder.round_trip(0, 100, 1, 300);
        assert_eq!(recorder.cleaned(), (None, 1));
    }

    #[test]
    fn a_pause_forgets_figures_but_follows_the_sequence() {
        let (mut recorder, mut sequence) = (Recorder::new(Question::Flood), Sequence::default());
        see(&mut recorder, &mut sequence, &[0, 1]);
        recorder.pause();
        see(&mut recorder, &mut sequence, &[2, 3]);
        recorder.resume(0);
        see(&mut recorder, &mut sequence, &[4]);
        assert_eq!(recorder.finish(1, 0).unwrap().received, 1);
    }

    #[test]
    fn a_turn_that_is_counted_twice_breaks_littles_law() {
        let mut recorder = Recorder::new(Question::RoundTrip);
        recorder.begin(0, 0);
        recorder.resume(0);
        (0..1000).for_each(|i| recorder.round_trip(0, i * 1000, 1, i * 1000 + 1000));
        assert!(recorder.check_littles_law(1_000_000, 1_000_000).is_ok());
        (0..20).for_each(|_| recorder.round_trip(0, 999_000, 1, 1_000_000));
        let failure = recorder.check_littles_law(1_000_000, 1_000_000).unwrap_err();
        assert_eq!(failure.reason, "Little's law does not hold: 1.02 messages in flight over 1 connections");
    }
}
