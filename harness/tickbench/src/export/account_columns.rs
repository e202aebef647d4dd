//! The columns of accounts: what a window owed its connections, and what came of it.

use tickbench_record::{Accounts, Measurement};

use super::columns::Columns;

type Figure = (&'static str, &'static str, &'static str, fn(&Accounts) -> Option<u64>);

const FIGURES: [Figure; 8] = [
    ("sent_in_window", "", "messages of the window that were sent before its end", |a| {
        Some(a.sent_in_window)
    }),
    ("awaited_ns", "ns", "how long the client went on receiving after the window", |a| Some(a.awaited_ns)),
    (
        "lost_age_ns",
        "ns",
        "for how long the oldest lost message had been due when the wait ended: its response is longer",
        |a| a.lost_age_ns,
    ),
    ("least_owed", "", "the fewest messages that one connection was owed", |a| Some(a.least_owed)),
    ("worst_connection", "", "the connection that lost the largest share of what it was owed", |a| {
        Some(a.worst.connection.into())
    }),
    ("worst_owed", "", "messages that it was owed", |a| Some(a.worst.owed)),
    ("worst_received", "", "of these, those that came", |a| Some(a.worst.received)),
    (
        "start_after_upgrade_ns",
        "ns",
        "the longest time from asking for an upgrade to the start of the schedule that its stream claims",
        |a| a.start_after_upgrade_ns,
    ),
];

impl Columns {
    /// Adds them.
    pub(super) fn accounts(&mut self) {
        fn of(m: &Measurement) -> Option<&Accounts> {
            m.observation.as_ref()?.accounts.as_ref()
        }
        for (name, unit, meaning, read) in FIGURES {
            self.whole(format!("accounts_{name}"), unit, meaning, move |m| of(m).and_then(read));
        }
    }
}
