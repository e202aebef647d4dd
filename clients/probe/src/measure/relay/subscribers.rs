//! Those that receive what is published, each following its own stream; and the publisher, whose schedule does not wait for them.

use std::io;
use std::os::fd::OwnedFd;

use tickbench_client_kit::{Failure, Session};
use tickbench_frame::Kind;
use tickbench_protocol::{SUBSCRIBED, Stamps};
use tickbench_record::{Encoding, Request, Stage};

use super::flights::{Flight, Flights};
use super::publisher::Publisher;
use crate::measure::intake::{From, Handler};

/// All of a relay: connections up to `subscribers` receive, the one behind them publishes.
pub(super) struct Subscribers {
    subscribers: u32,
    /// Those that were told that they are.
    subscribed: u32,
    expected: Kind,
    publisher: Option<Publisher>,
    /// The messages of the window, once it is open.
    flights: Option<Flights>,
    /// Deliveries that are still to come.
    owed: u64,
    reordered: u64,
    /// The connection of the first of them.
    first_reordered: Option<usize>,
}

/// Where one connection is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// Not told yet that it subscribes.
    Waiting,
    /// The message that it will get next.
    Next(u64),
    /// It publishes.
    Publisher,
}

impl Subscribers {
    pub(super) fn new(request: &Request) -> Subscribers {
        Subscribers {
            subscribers: request.connections,
            subscribed: 0,
            expected: if request.encoding == Encoding::Json { Kind::Text } else { Kind::Binary },
            publisher: None,
            flights: None,
            owed: 0,
            reordered: 0,
            first_reordered: None,
        }
    }

    pub(super) fn are_all_subscribed(&self) -> bool {
        self.subscribed == self.subscribers
    }

    pub(super) fn still_waited_for(&self) -> u32 {
        self.subscribers - self.subscribed
    }

    /// From now on there is a schedule.
    pub(super) fn set_publisher(&mut self, publisher: Publisher) {
        self.publisher = Some(publisher);
    }

    pub(super) fn publisher(&self) -> Option<&Publisher> {
        self.publisher.as_ref()
    }

    /// From now on messages count, until those are published that are due before `end_ns`; there is room for `expected` of them.
    pub(super) fn open_window(&mut self, end_ns: u64, expected: usize) {
        if let Some(publisher) = &mut self.publisher {
            self.flights = Some(Flights::new(expected));
            publisher.end_at(end_ns);
        }
    }

    /// Bytes of payload that each subscriber was sent in the window so far.
    pub(super) fn sent_bytes(&self) -> u64 {
        let count = self.flights.as_ref().map_or(0, Flights::count);
        count * self.publisher.as_ref().map_or(0, Publisher::message_bytes)
    }

    /// Messages that were published so far.
    #[inline]
    pub(super) fn published(&self) -> u64 {
        self.publisher.as_ref().map_or(0, Publisher::published)
    }

    /// Whether all that was published has been delivered, or is known to be lost.
    #[inline]
    pub(super) fn is_nothing_owed(&self) -> bool {
        self.owed == 0
    }

    /// Publishes the next message, where it is due.
    #[inline(always)]
    pub(super) fn publish_due(&mut self, now_ns: u64, session: &mut Session) -> Result<bool, Failure> {
        match &self.publisher {
            Some(publisher) if publisher.due_ns().is_some_and(|due_ns| due_ns <= now_ns) => {
                self.publish(session).map(|()| true)
            }
            _ => Ok(false),
        }
    }

    fn publish(&mut self, session: &mut Session) -> Result<(), Failure> {
        let Some(publisher) = &mut self.publisher else { return Ok(()) };
        let published = match publisher.publish() {
            Ok(published) => published,
            Err(cause) => return Err(cannot_publish(&cause, session)),
        };
        if let Some(stamps) = published {
            self.owed += u64::from(self.subscribers);
            let is_of_window = session.recorder.published(stamps.due_ns, stamps.sent_ns);
            if let Some(flights) = self.flights.as_mut().filter(|_| is_of_window) {
                flights.took_off(&stamps);
            }
        }
        Ok(())
    }

    /// The subscriber `index` that was to get `next` got `seq`, and is to get what is returned now; `None` where it was to get that no more.
    #[cold]
    fn out_of_order(
        &mut self,
        index: usize,
        next: u64,
        seq: u64,
        session: &Session,
    ) -> Result<Option<u64>, Failure> {
        let published = self.published();
        if seq >= published {
            let reason = format!("message {seq} came on connection {index}, and {published} were published");
            return Err(session.failure(reason));
        }
        if seq < next {
            self.reordered += 1;
            self.first_reordered.get_or_insert(index);
            return Ok(None);
        }
        self.owed = self.owed.saturating_sub(seq - next);
        Ok(Some(seq + 1))
    }

    #[inline(always)]
    fn deliver(
        &mut self,
        index: usize,
        next: u64,
        kind: Kind,
        payload: &[u8],
        now_ns: u64,
        session: &mut Session,
    ) -> Result<u64, Failure> {
        if kind != self.expected {
            return Err(
                session.failure(format!("a {kind:?} message came, of another kind than was published"))
            );
        }
        let stamps = match kind {
            Kind::Text => Stamps::read_json(payload),
            Kind::Binary => Stamps::read_binary(payload),
        };
        let stamps = match stamps {
            Ok(stamps) => stamps,
            Err(cause) => return Err(session.failure(format!("a message has no stamps: {cause}"))),
        };
        let after = if stamps.seq == next && next < self.published() {
            Some(next + 1)
        } else {
            self.out_of_order(index, next, stamps.seq, session)?
        };
        let Some(after) = after else { return Ok(next) };
        self.owed = self.owed.saturating_sub(1);
        let is_of_window = session.recorder.delivered(index, &stamps, payload, now_ns);
        if let Some(flights) = &mut self.flights {
            // What was due before the window and claims to belong to it has other stamps, too.
            let flight = flights.landed(stamps.seq, now_ns);
            let is_own = |flight: &Flight| (flight.due_ns, flight.sent_ns) == (stamps.due_ns, stamps.sent_ns);
            if flight.map_or(is_of_window, |flight| !is_own(flight)) {
                return Err(changed(stamps.seq, index));
            }
        }
        Ok(after)
    }

    /// What is known when all is over, where a message that was `gap_ns` late has fallen behind. The session is told of what is missing.
    pub(super) fn finish(self, gap_ns: u64, session: &mut Session) -> Result<Finished, Failure> {
        if let Some(first) = self.first_reordered {
            return Err(out_of_sequence(self.reordered, first));
        }
        let Some(flights) = self.flights else {
            return Err(Failure::new(Stage::Measure, "the window never opened"));
        };
        if let Some(due_ns) = flights.oldest_missing_ns(self.subscribers) {
            session.recorder.lost(due_ns);
        }
        Ok(Finished {
            published: flights.count(),
            behind: flights.late_by(gap_ns),
            skew: flights.skew(self.subscribers),
        })
    }
}

/// What came of a window.
pub(super) struct Finished {
    pub(super) published: u64,
    /// Messages that were published too late.
    pub(super) behind: u64,
    pub(super) skew: Option<tickbench_record::Distribution>,
}

impl Handler for Subscribers {
    type State = Place;

    fn start(&mut self, index: usize, _: &OwnedFd, _: &mut Session) -> Result<Place, Failure> {
        Ok(if index < self.subscribers as usize { Place::Waiting } else { Place::Publisher })
    }

    #[inline(always)]
    fn message(
        &mut self,
        from: From<'_, Place>,
        kind: Kind,
        payload: &[u8],
        now_ns: u64,
        session: &mut Session,
    ) -> Result<(), Failure> {
        *from.state = match *from.state {
            Place::Next(next) => Place::Next(self.deliver(from.index, next, kind, payload, now_ns, session)?),
            Place::Waiting if kind == Kind::Text && payload == SUBSCRIBED.as_bytes() => {
                self.subscribed += 1;
                Place::Next(0)
            }
            Place::Waiting => return Err(not_subscribed(from.index)),
            Place::Publisher => return Err(session.failure("a message came back to the publisher")),
        };
        // The schedule does not wait until all are read.
        self.publish_due(now_ns, session).map(drop)
    }
}

#[cold]
fn not_subscribed(index: usize) -> Failure {
    let reason = format!("connection {index} got another message than `{SUBSCRIBED}` first");
    Failure::new(Stage::Connect, reason)
}

#[cold]
fn out_of_sequence(messages: u64, first: usize) -> Failure {
    let reason = format!(
        "the sequence is broken: {messages} messages came twice or out of order, the first on connection {first}"
    );
    Failure::new(Stage::Audit, reason)
}

#[cold]
fn changed(seq: u64, index: usize) -> Failure {
    let reason = format!("the stamps of message {seq} on connection {index} are others than were published");
    Failure::new(Stage::Audit, reason)
}

#[cold]
fn cannot_publish(cause: &io::Error, session: &Session) -> Failure {
    session.failure(format!("failed to publish: {cause}"))
}
