//! When the ticks of one stream are due after its start, as a client follows them.

use std::sync::Arc;

use tickbench_protocol::{Arrival, Arrivals, BURST_TICKS, Capture, TicksQuery};

/// Whole rates up to this are exact as 64-bit floating point.
const HIGHEST_WHOLE_RATE: f64 = 9e15;

const NS_PER_S: u64 = 1_000_000_000;

/// The due times of one stream, in nanoseconds after its start: an endless iterator.
///
/// For whole rates it is told apart from the contract's own [`Arrivals`], which divide 128 bits for each tick: a client does
/// this for each tick that it receives.
#[derive(Debug, Clone)]
pub struct Offsets(Gaps);

#[derive(Debug, Clone)]
enum Gaps {
    Even(Even),
    Other(Arrivals),
}

/// Equal gaps at a whole rate: what a division leaves over is carried along.
#[derive(Debug, Clone)]
struct Even {
    next_ns: u64,
    /// What is left over of `next_ns`, in parts of `rate`.
    rest: u64,
    step_ns: u64,
    step_rest: u64,
    rate: u64,
    /// Ticks at one instant, and how many of them are still to come.
    at_once: u32,
    left: u32,
}

impl Offsets {
    /// The offsets that a stream of `query` has; `None` where it is a flood, and where a capture sets the pace and there is none.
    pub fn of(query: &TicksQuery, capture: Option<&Arc<Capture>>) -> Option<Offsets> {
        if query.arrival == Arrival::Recorded {
            return Some(Offsets(Gaps::Other(Arrivals::recorded(Arc::clone(capture?), query.speed))));
        }
        let rate = query.rate_per_s.filter(|&rate| rate > 0.0)?;
        let is_whole = rate.fract() == 0.0 && rate <= HIGHEST_WHOLE_RATE;
        Some(Offsets(match query.arrival {
            Arrival::Constant if is_whole => Gaps::Even(Even::new(rate as u64, 1)),
            Arrival::Burst if is_whole => Gaps::Even(Even::new(rate as u64, BURST_TICKS as u32)),
            Arrival::Constant | Arrival::Recorded => Gaps::Other(Arrivals::constant(rate)),
            Arrival::Burst => Gaps::Other(Arrivals::burst(rate)),
            Arrival::Poisson => Gaps::Other(Arrivals::poisson(rate, query.seed)),
        }))
    }
}

impl Even {
    fn new(rate: u64, at_once: u32) -> Even {
        let step = u64::from(at_once) * NS_PER_S;
        let (step_ns, step_rest) = (step / rate, step % rate);
        Even { next_ns: 0, rest: 0, step_ns, step_rest, rate, at_once, left: at_once }
    }

    #[inline(always)]
    fn next(&mut self) -> u64 {
        let due_ns = self.next_ns;
        self.left -= 1;
        if self.left == 0 {
            self.left = self.at_once;
            self.next_ns += self.step_ns;
            self.rest += self.step_rest;
            if self.rest >= self.rate {
                self.rest -= self.rate;
                self.next_ns += 1;
            }
        }
        due_ns
    }
}

impl Iterator for Offsets {
    type Item = u64;

    #[inline(always)]
    fn next(&mut self) -> Option<u64> {
        match &mut self.0 {
            Gaps::Even(even) => Some(even.next()),
            Gaps::Other(arrivals) => arrivals.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn query(arrival: Arrival, rate: f64) -> TicksQuery {
        TicksQuery { arrival, rate_per_s: Some(rate), seed: 9, ..TicksQuery::default() }
    }

    fn assert_follows(offsets: Offsets, arrivals: Arrivals) {
        let (ours, theirs): (Vec<u64>, Vec<u64>) =
            (offsets.take(3000).collect(), arrivals.take(3000).collect());
        assert_eq!(ours, theirs);
    }

    proptest! {
        #[test]
        fn the_contracts_own_arrivals_say_the_same(
            rate in prop_oneof![0.01..3e6f64, (1u32..3_000_000).prop_map(f64::from), Just(1e9), Just(3e12), Just(1e16)],
        ) {
            let offsets = |arrival| Offsets::of(&query(arrival, rate), None).unwrap();
            assert_follows(offsets(Arrival::Constant), Arrivals::constant(rate));
            assert_follows(offsets(Arrival::Burst), Arrivals::burst(rate));
            assert_follows(offsets(Arrival::Poisson), Arrivals::poisson(rate, 9));
        }
    }

    #[test]
    fn a_capture_sets_its_own_pace() {
        let lines = &b"{\"ts_ns\":5,\"payload\":\"\"}\n{\"ts_ns\":95,\"payload\":\"\"}"[..];
        let capture = Arc::new(Capture::read(lines).unwrap());
        let query =
            TicksQuery { arrival: Arrival::Recorded, rate_per_s: None, speed: 2.0, ..TicksQuery::default() };
        assert_follows(Offsets::of(&query, Some(&capture)).unwrap(), Arrivals::recorded(capture, 2.0));
        assert!(Offsets::of(&query, None).is_none());
    }

    #[test]
    fn a_flood_has_no_schedule() {
        assert!(Offsets::of(&query(Arrival::Constant, 0.0), None).is_none());
    }
}
