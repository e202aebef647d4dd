//! Whose time it was, between two readings of the clock that are far apart.

use tickbench_client_kit::gaps::Gap;

/// What is known of a thread at an instant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// CLOCK_MONOTONIC.
    pub(super) at_ns: u64,
    /// Its CPU time.
    pub(super) cpu_ns: u64,
    /// How often it was switched out.
    pub(super) switches: u64,
}

/// A spinning thread's account of its time.
#[derive(Debug)]
pub(super) struct Account {
    threshold_ns: u64,
    last: Reading,
}

impl Account {
    pub(super) fn open(threshold_ns: u64, now: Reading) -> Account {
        Account { threshold_ns, last: now }
    }

    /// What happened between two readings of the clock, `before_ns` and `after_ns`, if the core was away for long; the kernel was read
    /// just after.
    pub(super) fn settle(&mut self, before_ns: u64, after_ns: u64, now: Reading) -> Option<Gap> {
        let last = std::mem::replace(&mut self.last, now);
        if now.switches == last.switches {
            return Some(Gap { from_ns: before_ns, back_ns: after_ns, ran_until_ns: after_ns });
        }
        // It spun before the two readings and after them, and that is its own.
        let spun_ns = before_ns.saturating_sub(last.at_ns) + now.at_ns.saturating_sub(after_ns);
        let away_ns = (now.cpu_ns - last.cpu_ns).saturating_sub(spun_ns).min(after_ns - before_ns);
        let back_ns = before_ns + away_ns;
        (away_ns > self.threshold_ns).then_some(Gap { from_ns: before_ns, back_ns, ran_until_ns: after_ns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENED: Reading = Reading { at_ns: 1_000, cpu_ns: 500, switches: 3 };

    fn settle(before_ns: u64, after_ns: u64, now: Reading) -> Option<Gap> {
        Account::open(6_000, OPENED).settle(before_ns, after_ns, now)
    }

    #[test]
    fn never_switched_out_the_core_was_away() {
        let now = Reading { at_ns: 30_100, cpu_ns: 29_600, switches: 3 };
        assert_eq!(
            settle(10_000, 30_000, now),
            Some(Gap { from_ns: 10_000, back_ns: 30_000, ran_until_ns: 30_000 })
        );
    }

    #[test]
    fn what_others_ran_is_no_gap() {
        // 9 µs of its own before, 100 ns after, and 1 µs for being switched; 19 µs are the others'.
        let now = Reading { at_ns: 30_100, cpu_ns: 500 + 9_000 + 100 + 1_000, switches: 4 };
        assert_eq!(settle(10_000, 30_000, now), None);
    }

    #[test]
    fn what_was_nobodys_before_others_ran_is_a_gap() {
        let now = Reading { at_ns: 30_100, cpu_ns: 500 + 9_000 + 100 + 8_000, switches: 4 };
        assert_eq!(
            settle(10_000, 30_000, now),
            Some(Gap { from_ns: 10_000, back_ns: 18_000, ran_until_ns: 30_000 })
        );
    }

    #[test]
    fn an_account_is_settled_each_time() {
        let mut account = Account::open(6_000, OPENED);
        let first = Reading { at_ns: 30_100, cpu_ns: 500 + 9_000 + 100 + 8_000, switches: 4 };
        assert!(account.settle(10_000, 30_000, first).is_some());
        let second = Reading { at_ns: 60_100, cpu_ns: first.cpu_ns + 9_900 + 100 + 2_000, switches: 5 };
        assert_eq!(account.settle(40_000, 60_000, second), None);
    }

    #[test]
    fn no_gap_is_longer_than_the_time_between_the_readings() {
        let now = Reading { at_ns: 30_100, cpu_ns: 90_000, switches: 4 };
        assert_eq!(settle(10_000, 30_000, now).unwrap().back_ns, 30_000);
    }
}
