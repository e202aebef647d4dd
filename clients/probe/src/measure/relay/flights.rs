//! The messages of the window on their way to the subscribers.

use tickbench_client_kit::Tally;
use tickbench_protocol::Stamps;
use tickbench_record::Distribution;

/// Every message of the window that was published.
pub(super) struct Flights {
    first_seq: u64,
    flights: Vec<Flight>,
}

/// One message: when it was due and sent, and its deliveries so far.
pub(super) struct Flight {
    pub(super) due_ns: u64,
    pub(super) sent_ns: u64,
    delivered: u32,
    first_ns: u64,
    last_ns: u64,
}

impl Flights {
    /// None so far, with room for `expected`.
    pub(super) fn new(expected: usize) -> Flights {
        Flights { first_seq: 0, flights: Vec::with_capacity(expected) }
    }

    /// Messages so far.
    pub(super) fn count(&self) -> u64 {
        self.flights.len() as u64
    }

    /// The next message of the window was sent.
    pub(super) fn took_off(&mut self, stamps: &Stamps) {
        if self.flights.is_empty() {
            self.first_seq = stamps.seq;
        }
        debug_assert_eq!(stamps.seq, self.first_seq + self.count());
        let Stamps { due_ns, sent_ns, .. } = *stamps;
        self.flights.push(Flight { due_ns, sent_ns, delivered: 0, first_ns: 0, last_ns: 0 });
    }

    /// Message `seq` was delivered once more, at `now_ns`; `None` where it is not of the window.
    #[inline]
    pub(super) fn landed(&mut self, seq: u64, now_ns: u64) -> Option<&Flight> {
        let flight = self.flights.get_mut(seq.checked_sub(self.first_seq)? as usize)?;
        if flight.delivered == 0 {
            flight.first_ns = now_ns;
        }
        flight.delivered += 1;
        flight.last_ns = now_ns;
        Some(flight)
    }

    /// When the first message was due that not all `subscribers` have received; they are published as they are due.
    pub(super) fn oldest_missing_ns(&self, subscribers: u32) -> Option<u64> {
        self.flights.iter().find(|flight| flight.delivered < subscribers).map(|flight| flight.due_ns)
    }

    /// Messages that were sent at least `gap_ns` late.
    pub(super) fn late_by(&self, gap_ns: u64) -> u64 {
        self.flights.iter().filter(|flight| flight.sent_ns.saturating_sub(flight.due_ns) >= gap_ns).count()
            as u64
    }

    /// The time from first to last delivery, of each message that all of several `subscribers` received.
    pub(super) fn skew(&self, subscribers: u32) -> Option<Distribution> {
        let mut skew = Tally::new();
        if subscribers > 1 {
            let whole = self.flights.iter().filter(|flight| flight.delivered == subscribers);
            whole.for_each(|flight| skew.record(flight.last_ns - flight.first_ns));
        }
        skew.distribution()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tickbench_record::new_histogram;

    use super::*;

    fn flights(first_seq: u64, count: u64) -> Flights {
        let mut flights = Flights::new(0);
        for seq in first_seq..first_seq + count {
            flights.took_off(&Stamps { seq, due_ns: 100 * seq, sent_ns: 100 * seq + 10 * (seq - first_seq) });
        }
        flights
    }

    #[test]
    fn messages_outside_the_window_are_none_of_it() {
        let mut flights = flights(5, 3);
        assert!(flights.landed(4, 1).is_none() && flights.landed(8, 1).is_none());
        assert_eq!(flights.landed(7, 1).unwrap().sent_ns, 720);
        assert_eq!([flights.oldest_missing_ns(1), flights.oldest_missing_ns(0)], [Some(500), None]);
        flights.landed(5, 2);
        flights.landed(6, 2);
        assert_eq!([flights.oldest_missing_ns(1), flights.oldest_missing_ns(2)], [None, Some(500)]);
        assert_eq!([flights.late_by(0), flights.late_by(10), flights.late_by(21)], [3, 2, 0]);
    }

    #[test]
    fn one_subscriber_has_no_skew_and_neither_has_what_is_not_whole() {
        let mut flights = flights(0, 2);
        flights.landed(0, 50);
        assert_eq!((flights.skew(1), flights.skew(2)), (None, None));
    }

    proptest! {
        /// The oracle: all deliveries of each message written down, the earliest taken from the latest.
        #[test]
        fn skew_is_from_the_first_delivery_to_the_last(
            deliveries in proptest::collection::vec((0u64..6, 1u64..1000), 0..60), subscribers in 2u32..4,
        ) {
            let mut flights = flights(0, 6);
            let (mut written, mut now_ns) = (vec![Vec::new(); 6], 0);
            for (seq, gap_ns) in deliveries {
                now_ns += gap_ns;
                flights.landed(seq, now_ns);
                written[seq as usize].push(now_ns);
            }
            let mut oracle = new_histogram();
            for times in written.iter().filter(|times| times.len() == subscribers as usize) {
                oracle += times.iter().max().unwrap() - times.iter().min().unwrap();
            }
            prop_assert_eq!(flights.skew(subscribers), Distribution::of(&oracle));
        }
    }
}
