//! What came of a window: its accounts, what must hold of them, and the observation.

use tickbench_record::{Account, Accounts, Distribution, Observation, Stage};

use crate::ledger::{Balance, Ledger, check_heard, check_silence};
use crate::window::Window;
use crate::{Failure, Question, Recorder};

/// How far from the connections the turns under way may be: histograms are within 0.1 %.
const LITTLES_LAW_WITHIN: f64 = 0.01;

impl Recorder {
    /// Every connection of which something was asked by `asked_by_ns` has brought something.
    pub(crate) fn check_heard(&self, asked_by_ns: u64) -> Result<(), Failure> {
        let is_unheard = |ledger: &Ledger| !ledger.is_heard && ledger.asked_ns <= asked_by_ns;
        let asked =
            self.ledgers.iter().enumerate().filter(|(_, ledger)| is_unheard(ledger)).map(|(nth, _)| nth);
        check_heard(self.streams.unheard().chain(asked), self.streams.count() + self.ledgers.len())
    }

    /// No stamp was seen so far that cannot be true.
    pub(crate) fn check_stamps(&self) -> Result<(), Failure> {
        if self.streams.is_contradicted() { self.streams.check() } else { Ok(()) }
    }

    /// Delivery or, for echo, round trip, less what was set apart; and how much that was.
    pub(crate) fn cleaned(&self) -> (Option<Distribution>, u64) {
        (self.transit.without(&self.aside).distribution(), self.aside.count())
    }

    /// What was seen, where the sequences were whole from the first connection on, no stamp was a lie, no connection was silent and no
    /// turn is missing. `closed_ns` is when the waiting for what belongs to the window ended.
    pub(crate) fn finish(self, closed_ns: u64) -> Result<Observation, Failure> {
        self.streams.check()?;
        let elapsed_ns = self.window.end_ns - self.window.opened_ns;
        let (accounts, oldest_lost_ns) = self.accounts();
        let balance = Balance::of(&accounts);
        self.check_connections(&accounts, &balance)?;
        self.check_littles_law()?;
        let per_s = |count: u64| count as f64 * 1e9 / elapsed_ns.max(1) as f64;
        let is_flood = self.question == Question::Flood;
        let (sent, received) = if is_flood {
            (self.wire.messages, self.wire.messages)
        } else {
            (balance.owed, balance.received)
        };
        let transit = self.transit.distribution();
        let echo = matches!(self.question, Question::RoundTrip | Question::Pings);
        let (delivery_ns, round_trip_ns) = if echo { (None, transit) } else { (transit, None) };
        let lag = self.lag.distribution();
        let publishes = self.question == Question::Relay;
        let (lag_ns, publish_lag_ns) = if publishes { (None, lag) } else { (lag, None) };
        let connects = self.connects.as_ref();
        Ok(Observation {
            sent,
            received,
            lost: sent.saturating_sub(received),
            negative: self.negative,
            elapsed_ns,
            messages_per_s: per_s(self.wire.messages),
            bytes_per_s: per_s(self.wire.bytes),
            reads: self.reads,
            accounts: (!is_flood).then(|| Accounts {
                sent_in_window: self.sent_in_window,
                awaited_ns: closed_ns.saturating_sub(self.window.end_ns),
                lost_age_ns: oldest_lost_ns.map(|due_ns| closed_ns.saturating_sub(due_ns)),
                least_owed: balance.least_owed,
                worst: balance.worst,
                start_after_upgrade_ns: self.streams.start_after_ns(),
            }),
            lag_ns,
            publish_lag_ns,
            delivery_ns,
            response_ns: self.response.distribution(),
            round_trip_ns,
            handshake_ns: connects.and_then(|connects| connects.handshake.distribution()),
            first_tick_ns: connects.and_then(|connects| connects.first_tick.distribution()),
            connection_ns: connects.and_then(|connects| connects.whole.distribution()),
            ..Observation::default()
        })
    }

    /// The account of each connection, but of floods; and when the oldest message that did not come was due, or its turn began.
    fn accounts(&self) -> (Vec<Account>, Option<u64>) {
        if self.question == Question::Paced {
            return self.streams.accounts(&self.window);
        }
        let account = |(connection, ledger): (usize, &Ledger)| Account {
            connection: connection as u32,
            owed: ledger.owed + self.published,
            received: ledger.received,
        };
        let begun_ns = self.turns.unfinished().map(|(_, begun_ns)| begun_ns);
        let lost_turns = begun_ns.filter(|&begun_ns| self.window.holds(begun_ns));
        let oldest_ns = self.oldest_lost_ns.into_iter().chain(lost_turns).min();
        (self.ledgers.iter().enumerate().map(account).collect(), oldest_ns)
    }

    fn check_connections(&self, accounts: &[Account], balance: &Balance) -> Result<(), Failure> {
        let Window { opened_ns, end_ns } = self.window;
        let window_ms = (end_ns - opened_ns) as f64 / 1e6;
        if self.question == Question::Flood {
            // A flood owes nothing to any one of several connections, but something to all of them.
            let reason = || format!("no message arrived in the window of {window_ms:.0} ms");
            let is_empty = self.wire.messages == 0;
            return if is_empty { Err(Failure::new(Stage::Measure, reason())) } else { Ok(()) };
        }
        if let Some((connection, _)) = self.turns.unfinished().find(|&(_, begun_ns)| begun_ns < opened_ns) {
            let what = match self.question {
                Question::Connects => {
                    "was begun before the window opened, and has not ended in good order since"
                }
                _ => "has brought nothing since before the window opened",
            };
            return Err(Failure::new(Stage::Audit, format!("connection {connection} {what}")));
        }
        if balance.owed == 0 {
            let reason = format!(
                "nothing was due in the window of {window_ms:.0} ms: make it longer, or the rate higher"
            );
            return Err(Failure::new(Stage::Measure, reason));
        }
        check_silence(accounts)
    }

    /// In a closed loop as many turns are under way as there are connections, as [`Turns`](crate::turns::Turns) says: else turns were
    /// counted twice, left out, or given another length than from one to the next.
    fn check_littles_law(&self) -> Result<(), Failure> {
        let (tally, what) = match (self.question, &self.connects) {
            (Question::Connects, Some(connects)) => (&connects.whole, "openings"),
            (Question::RoundTrip, _) => (&self.transit, "messages"),
            _ => return Ok(()),
        };
        let histogram = tally.histogram();
        let completed_ns = histogram.mean() * histogram.len() as f64;
        let (in_flight, connections) = self.turns.in_flight(completed_ns, &self.window);
        if (in_flight - connections).abs() <= LITTLES_LAW_WITHIN * connections {
            return Ok(());
        }
        let reason = format!(
            "Little's law does not hold: {in_flight:.2} {what} in flight over {connections} connections"
        );
        Err(Failure::new(Stage::Audit, reason))
    }
}
