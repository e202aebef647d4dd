//! Lag, less what the machine did to the server's core.
//!
//! The process that keeps the server's core awake gives way to the server at once. Where its own CPU time went on without it getting
//! on, the core was away while nobody else had it; where others ran directly after that, they had been waiting for the core to come back
//! ([`Gap`](crate::gaps::Gap)). A tick that was due by then and was sent in that run was late because of the machine too, and is set apart.
//!
//! This hides no fault of a server. While a server runs, well or badly, the idle process does not, and sees no gap. While a server sleeps
//! too long, gaps come and go and set nothing apart, but for the one that its waking up runs into; and whether it does is as
//! likely for a server that is late as for one that is not. Only one thing that a server does may look like the core being away: the
//! kernel's work in an interrupt, where a thousand timers are due at once. So this is done for one connection alone: one timer.

use tickbench_record::{Distribution, Hiccups};

use crate::gaps::Gaps;
use crate::rows::Lag;
use crate::tally::Tally;

/// Lag without the ticks that a gap delayed, and the gaps of a window that ended at `end_ns`. Ticks of the window may have been sent behind
/// it, and gaps behind it may have delayed them.
pub(crate) fn cleaned(lags: &[Lag], gaps: &Gaps, end_ns: u64) -> (Option<Distribution>, Hiccups) {
    let (mut kept, mut set_aside) = (Tally::new(), 0);
    for &(due_ns, sent_ns) in lags {
        // What is below zero is counted elsewhere, and in no distribution.
        let Some(lag_ns) = sent_ns.checked_sub(due_ns) else { continue };
        if gaps.delayed(due_ns, sent_ns) {
            set_aside += 1;
        } else {
            kept.record(lag_ns);
        }
    }
    let in_window = gaps.gaps.iter().filter(|gap| gap.back_ns <= end_ns);
    let away = in_window.map(|gap| gap.back_ns - gap.from_ns);
    let hiccups = Hiccups {
        threshold_ns: gaps.threshold_ns,
        count: away.clone().count() as u64,
        lost_ns: away.clone().sum(),
        longest_ns: away.max().unwrap_or(0),
        set_aside,
    };
    (kept.distribution(), hiccups)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gaps::Gap;

    fn gaps() -> Gaps {
        let gap = |from_ns, back_ns, ran_until_ns| Gap { from_ns, back_ns, ran_until_ns };
        Gaps { threshold_ns: 20, gaps: vec![gap(100, 150, 150), gap(200, 270, 300)] }
    }

    #[test]
    fn what_a_gap_delayed_is_set_apart_and_the_rest_is_kept() {
        let lags = [(90, 160), (210, 280), (310, 312), (400, 390)];
        let (all, hiccups) = cleaned(&lags, &gaps(), 1000);
        let all = all.unwrap();
        assert_eq!((all.count, all.min, all.max), (2, 2, 70));
        let due = Hiccups { threshold_ns: 20, count: 2, lost_ns: 120, longest_ns: 70, set_aside: 1 };
        assert_eq!(hiccups, due);
        let (same, hiccups) = cleaned(&lags, &gaps(), 269);
        assert_eq!(
            same.unwrap().count,
            2,
            "a tick that a gap behind the window delayed is set apart all the same"
        );
        assert_eq!(hiccups, Hiccups { count: 1, lost_ns: 50, longest_ns: 50, ..due });
    }

    #[test]
    fn a_server_that_oversleeps_through_gaps_hides_nothing() {
        // Ten gaps while it sleeps, none when it wakes up.
        let gap =
            |nth: u64| Gap { from_ns: 1000 * nth, back_ns: 1000 * nth + 50, ran_until_ns: 1000 * nth + 50 };
        let gaps = Gaps { threshold_ns: 20, gaps: (1..=10).map(gap).collect() };
        let (cleaned, hiccups) = cleaned(&[(900, 10_500)], &gaps, u64::MAX);
        assert_eq!((cleaned.unwrap().max / 100, hiccups.set_aside), (96, 0));
    }
}
