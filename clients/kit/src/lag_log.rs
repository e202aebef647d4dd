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

use tickbench_record::{Distribution, Hiccups, Request};

use crate::Question;
use crate::gaps::Gaps;
use crate::tally::Tally;

/// Most samples that are kept: 16 MiB.
const MOST_SAMPLES: usize = 1 << 20;

/// When the ticks of the window were due and when they were sent.
#[derive(Debug)]
pub(crate) struct LagLog {
    samples: Vec<(u64, u64)>,
    overflowed: bool,
}

impl LagLog {
    /// An empty log, where `request` allows lag to be cleaned, with room for half as many ticks again as the window should have.
    pub(crate) fn of(request: &Request) -> Option<LagLog> {
        request.server_gaps.as_ref()?;
        if Question::of(request) != Question::Paced || request.connections != 1 {
            return None;
        }
        let expected = request.rate_per_s * request.window_ns as f64 / 1e9;
        let room = if expected > 0.0 { (1.5 * expected) as usize + 1000 } else { MOST_SAMPLES };
        // Touched once, so that the window has no page to wait for.
        let mut samples = vec![(1, 1); room.min(MOST_SAMPLES)];
        samples.clear();
        Some(LagLog { samples, overflowed: false })
    }

    /// Keeps a tick.
    #[inline]
    pub(crate) fn keep(&mut self, due_ns: u64, sent_ns: u64) {
        if self.samples.len() < self.samples.capacity() {
            self.samples.push((due_ns, sent_ns));
        } else {
            self.overflowed = true;
        }
    }

    /// Forgets all.
    pub(crate) fn reset(&mut self) {
        self.samples.clear();
        self.overflowed = false;
    }

    /// Lag without the ticks that a gap delayed, and the gaps; `None` where not all ticks were kept.
    pub(crate) fn cleaned(&self, gaps: &Gaps) -> Option<(Option<Distribution>, Hiccups)> {
        if self.overflowed {
            return None;
        }
        let (mut kept, mut set_aside) = (Tally::new(), 0);
        for &(due_ns, sent_ns) in &self.samples {
            // What is below zero is counted elsewhere, and in no distribution.
            let Some(lag_ns) = sent_ns.checked_sub(due_ns) else { continue };
            if gaps.delayed(due_ns, sent_ns) {
                set_aside += 1;
            } else {
                kept.record(lag_ns);
            }
        }
        let away = gaps.gaps.iter().map(|gap| gap.back_ns - gap.from_ns);
        let hiccups = Hiccups {
            threshold_ns: gaps.threshold_ns,
            count: gaps.gaps.len() as u64,
            lost_ns: away.clone().sum(),
            longest_ns: away.max().unwrap_or(0),
            set_aside,
        };
        Some((Distribution::of(&kept.histogram()), hiccups))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gaps::Gap;

    fn log(samples: &[(u64, u64)], room: usize) -> LagLog {
        let mut log = LagLog { samples: Vec::with_capacity(room), overflowed: false };
        samples.iter().for_each(|&(due_ns, sent_ns)| log.keep(due_ns, sent_ns));
        log
    }

    fn gaps() -> Gaps {
        let gap = |from_ns, back_ns, ran_until_ns| Gap { from_ns, back_ns, ran_until_ns };
        Gaps { threshold_ns: 20, gaps: vec![gap(100, 150, 150), gap(200, 270, 300)] }
    }

    #[test]
    fn what_a_gap_delayed_is_set_apart_and_the_rest_is_kept() {
        let (cleaned, hiccups) =
            log(&[(90, 160), (210, 280), (310, 312), (400, 390)], 10).cleaned(&gaps()).unwrap();
        let cleaned = cleaned.unwrap();
        assert_eq!((cleaned.count, cleaned.min, cleaned.max), (2, 2, 70));
        let due = Hiccups { threshold_ns: 20, count: 2, lost_ns: 120, longest_ns: 70, set_aside: 1 };
        assert_eq!(hiccups, due);
    }

    #[test]
    fn a_log_that_was_too_short_gives_nothing() {
        let log = log(&[(1, 2); 9], 8);
        assert!(log.samples.capacity() > 8 || log.cleaned(&gaps()).is_none());
    }

    #[test]
    fn a_server_that_oversleeps_through_gaps_hides_nothing() {
        // Ten gaps while it sleeps, none when it wakes up.
        let gap =
            |nth: u64| Gap { from_ns: 1000 * nth, back_ns: 1000 * nth + 50, ran_until_ns: 1000 * nth + 50 };
        let gaps = Gaps { threshold_ns: 20, gaps: (1..=10).map(gap).collect() };
        let (cleaned, hiccups) = log(&[(900, 10_500)], 1).cleaned(&gaps).unwrap();
        assert_eq!((cleaned.unwrap().max / 100, hiccups.set_aside), (96, 0));
    }
}
