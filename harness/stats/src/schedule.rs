//! How much of its schedule a server kept: what it sent before the window's end, over what was due in the window.

use tickbench_record::{Arrival, Observation};

/// The share of what was due that may be sent after the window's end.
const LATE_AT_MOST: f64 = 0.01;

/// Ticks of one instant in burst arrival: the contract of servers says so.
const BURST_TICKS: u64 = 32;

/// What was due in one window, and what of it was sent before the window's end.
///
/// A server that is late and catches up before the end has kept its schedule, and its lag shows that it was late; one that falls
/// behind has not, however long the client waits for the rest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Achieved {
    due: u64,
    in_time: u64,
    one_instant: u64,
    window_ns: u64,
}

impl Achieved {
    /// `None` where the client kept no accounts of the window, or nothing was due in it.
    pub fn of(arrival: Arrival, seen: &Observation) -> Option<Achieved> {
        let in_time = seen.accounts?.sent_in_window;
        (seen.sent > 0).then_some(Achieved {
            due: seen.sent,
            in_time,
            one_instant: one_instant(arrival),
            window_ns: seen.elapsed_ns,
        })
    }

    /// What was sent in time over what was due: 1 is all of it.
    pub fn share(&self) -> f64 {
        self.in_time as f64 / self.due as f64
    }

    /// Whether all but 1 % of it was, besides the ticks of one instant: what is due right before the end cannot be sent before it.
    pub fn is_kept(&self) -> bool {
        let late = self.due.saturating_sub(self.in_time);
        late as f64 <= LATE_AT_MOST * self.due as f64 + self.one_instant as f64
    }

    /// How far behind its schedule the server was at the window's end: the part of the window in which as much is due as was late.
    pub(crate) fn behind_ns(&self) -> u64 {
        ((1.0 - self.share()) * self.window_ns as f64) as u64
    }
}

/// How many messages are due at the same time.
pub(crate) fn one_instant(arrival: Arrival) -> u64 {
    match arrival {
        Arrival::Burst => BURST_TICKS,
        Arrival::Constant | Arrival::Poisson | Arrival::Recorded => 1,
    }
}

#[cfg(test)]
mod tests {
    use tickbench_record::Accounts;

    use super::*;

    fn achieved(arrival: Arrival, due: u64, sent_in_window: u64) -> Option<Achieved> {
        let accounts = Some(Accounts { sent_in_window, ..Accounts::default() });
        // All of it came in the end: waiting for stragglers makes no overload into a schedule that was kept.
        let seen = Observation {
            sent: due,
            received: due,
            elapsed_ns: 200_000_000,
            accounts,
            ..Observation::default()
        };
        Achieved::of(arrival, &seen)
    }

    #[test]
    fn what_was_sent_after_the_windows_end_was_not_sent_in_time() {
        let kept =
            |arrival, in_time| achieved(arrival, 2_000, in_time).is_some_and(|achieved| achieved.is_kept());
        assert!(kept(Arrival::Constant, 2_000) && kept(Arrival::Constant, 1_979));
        assert!(!kept(Arrival::Constant, 1_978), "20 are 1 %, and one is due right before the end");
        assert!(kept(Arrival::Burst, 1_948) && !kept(Arrival::Burst, 1_947), "32 are due at one instant");
        assert_eq!(achieved(Arrival::Constant, 2_000, 1_900).unwrap().behind_ns(), 10_000_000);
    }

    #[test]
    fn without_accounts_or_anything_due_nothing_is_known() {
        assert_eq!(Achieved::of(Arrival::Constant, &Observation { sent: 5, ..Observation::default() }), None);
        assert_eq!(achieved(Arrival::Constant, 0, 0), None);
    }
}
