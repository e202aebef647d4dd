//! From CLOCK_REALTIME to CLOCK_MONOTONIC, with a bound on the error.
//!
//! Both run at one speed: the kernel steers them together, and only setting the time moves one against the other. How far apart they
//! are is read before the window and after it, each time as the tightest of many brackets: a reading of the one between two of the
//! other. The true difference lies within half a bracket of what its middle says. What the two brackets differ by, the clocks may
//! have moved in between.

use crate::clock::{monotonic_ns, realtime_ns};

/// Brackets of one reading: some 4 µs, and the chance that each of them is interrupted is none.
const BRACKETS: usize = 64;

/// How far CLOCK_REALTIME is ahead, as one moment saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offset {
    ahead_ns: i64,
    within_ns: u64,
}

impl Offset {
    /// Reads the clocks.
    pub(crate) fn read() -> Offset {
        let brackets = [(); BRACKETS].map(|()| [monotonic_ns(), realtime_ns(), monotonic_ns()]);
        Offset::tightest(&brackets)
    }

    /// The offset in the middle of the shortest of some brackets: monotonic, real, monotonic.
    fn tightest(brackets: &[[u64; 3]]) -> Offset {
        let width = |&[before, _, after]: &[u64; 3]| after.saturating_sub(before);
        let tightest = brackets.iter().min_by_key(|bracket| width(bracket)).expect("there are brackets");
        let &[before_ns, real_ns, _] = tightest;
        // Rounding up: the middle may be half a nanosecond off.
        let half_ns = width(tightest).div_ceil(2);
        Offset { ahead_ns: real_ns.wrapping_sub(before_ns + half_ns) as i64, within_ns: half_ns }
    }
}

/// The map over a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClockMap {
    ahead_ns: i64,
    /// How far off a mapped time may be.
    pub(crate) bound_ns: u64,
}

impl ClockMap {
    /// Between two readings: by the tighter of them. The bound holds even where the time was set in between.
    pub(crate) fn between(before: Offset, after: Offset) -> ClockMap {
        let moved_ns = before.ahead_ns.abs_diff(after.ahead_ns);
        let [tighter, wider] =
            if before.within_ns <= after.within_ns { [before, after] } else { [after, before] };
        ClockMap { ahead_ns: tighter.ahead_ns, bound_ns: wider.within_ns + moved_ns }
    }

    /// When it was, on CLOCK_MONOTONIC.
    pub(crate) fn monotonic_ns(&self, real_ns: u64) -> u64 {
        real_ns.wrapping_sub_signed(self.ahead_ns)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        /// Brackets of a clock that is ahead by so much.
        fn brackets(ahead_ns: u64)(
            read in proptest::collection::vec((1_000_000u64..1 << 50, 0u64..5_000, 0u64..5_000), 1..20),
        ) -> Vec<[u64; 3]> {
            read.into_iter().map(|(at, to, fro)| [at, at + to + ahead_ns, at + to + fro]).collect()
        }
    }

    prop_compose! {
        /// The clocks before a window and after it, between which the one was set by so much or so.
        fn two_readings()(before_ns in 1u64 << 40..1 << 60, after_ns in prop_oneof![Just(0i64), -100_000i64..100_000])(
            ahead_ns in Just([before_ns, before_ns.saturating_add_signed(after_ns)]),
            before in brackets(before_ns),
            after in brackets(before_ns.saturating_add_signed(after_ns)),
        ) -> ([u64; 2], [Vec<[u64; 3]>; 2]) {
            (ahead_ns, [before, after])
        }
    }

    proptest! {
        #[test]
        fn a_mapped_time_is_off_by_no_more_than_the_bound(
            (ahead_ns, [before, after]) in two_readings(), at_ns in 1u64 << 30..1 << 50,
        ) {
            let map = ClockMap::between(Offset::tightest(&before), Offset::tightest(&after));
            for ahead_ns in ahead_ns {
                let off_ns = map.monotonic_ns(at_ns + ahead_ns).abs_diff(at_ns);
                prop_assert!(off_ns <= map.bound_ns, "{off_ns} > {}", map.bound_ns);
            }
        }
    }

    #[test]
    fn the_tightest_bracket_counts() {
        let offset = Offset::tightest(&[[100, 1_190, 300], [400, 1_420, 441], [500, 1_600, 700]]);
        assert_eq!(offset, Offset { ahead_ns: 999, within_ns: 21 });
        let later = Offset { ahead_ns: 1_009, within_ns: 30 };
        let map = ClockMap::between(offset, later);
        assert_eq!(map, ClockMap { ahead_ns: 999, bound_ns: 40 });
        assert_eq!(map.monotonic_ns(5_999), 5_000);
    }

    #[test]
    fn the_clocks_of_this_machine_are_mapped() {
        let before = Offset::read();
        let (from_ns, real_ns, to_ns) = (monotonic_ns(), realtime_ns(), monotonic_ns());
        let map = ClockMap::between(before, Offset::read());
        let at_ns = map.monotonic_ns(real_ns);
        assert!(from_ns <= at_ns + map.bound_ns && at_ns <= to_ns + map.bound_ns);
    }
}
