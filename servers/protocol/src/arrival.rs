//! When the ticks of a paced stream are due.

use crate::capture::Capture;
use crate::feed::SplitMix64;
use std::sync::Arc;

/// Ticks that are due at one instant in [`Arrival::Burst`].
pub const BURST_TICKS: u64 = 32;

const NS_PER_S: u128 = 1_000_000_000;

/// How the ticks of a paced stream are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arrival {
    /// Tick *i* is due at *i / rate*.
    Constant,
    /// Gaps are exponential with mean *1 / rate*: independent arrivals.
    Poisson,
    /// [`BURST_TICKS`] ticks at one instant, the bursts apart so that the mean rate holds.
    Burst,
    /// The gaps of the capture, divided by `speed`.
    Recorded,
}

impl Arrival {
    /// The word that stands for it in a query.
    pub const fn name(self) -> &'static str {
        match self {
            Arrival::Constant => "constant",
            Arrival::Poisson => "poisson",
            Arrival::Burst => "burst",
            Arrival::Recorded => "recorded",
        }
    }
}

/// The due times of one stream, in nanoseconds after its start: an endless iterator that never goes back.
#[derive(Debug, Clone)]
pub struct Arrivals {
    next_seq: u64,
    gaps: Gaps,
}

#[derive(Debug, Clone)]
enum Gaps {
    Constant { rate: f64 },
    Burst { rate: f64 },
    Poisson { rate: f64, random: SplitMix64, due_ns: f64 },
    Recorded { capture: Arc<Capture>, speed: f64 },
}

impl Arrivals {
    /// Ticks at `1/rate` seconds. `rate_per_s` must be above 0.
    pub fn constant(rate_per_s: f64) -> Arrivals {
        Arrivals { next_seq: 0, gaps: Gaps::Constant { rate: rate_per_s } }
    }

    /// Bursts of [`BURST_TICKS`], `rate_per_s` ticks a second on average.
    pub fn burst(rate_per_s: f64) -> Arrivals {
        Arrivals { next_seq: 0, gaps: Gaps::Burst { rate: rate_per_s } }
    }

    /// Independent arrivals, `rate_per_s` a second on average, drawn from `seed`.
    pub fn poisson(rate_per_s: f64, seed: u64) -> Arrivals {
        let gaps = Gaps::Poisson { rate: rate_per_s, random: SplitMix64 { state: seed }, due_ns: 0.0 };
        Arrivals { next_seq: 0, gaps }
    }

    /// The recorded gaps of `capture`, `speed` times as fast, over and over.
    pub fn recorded(capture: Arc<Capture>, speed: f64) -> Arrivals {
        Arrivals { next_seq: 0, gaps: Gaps::Recorded { capture, speed } }
    }
}

impl Iterator for Arrivals {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let seq = self.next_seq;
        self.next_seq += 1;
        Some(match &mut self.gaps {
            Gaps::Constant { rate } => nth_due_ns(seq, *rate),
            Gaps::Burst { rate } => nth_due_ns(seq - seq % BURST_TICKS, *rate),
            Gaps::Poisson { rate, random, due_ns } => {
                let due = *due_ns as u64;
                *due_ns += -random.next_unit().ln() * 1e9 / *rate;
                due
            }
            Gaps::Recorded { capture, speed } => (capture.offset_ns(seq) as f64 / *speed) as u64,
        })
    }
}

/// `seq / rate` in nanoseconds, exact for whole rates however long the stream runs.
fn nth_due_ns(seq: u64, rate: f64) -> u64 {
    if rate.fract() == 0.0 && rate >= 1.0 {
        (u128::from(seq) * NS_PER_S / rate as u128) as u64
    } else {
        (seq as f64 * 1e9 / rate) as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn capture(lines: &str) -> Arc<Capture> {
        Arc::new(Capture::read(lines.as_bytes()).unwrap())
    }

    #[test]
    fn a_whole_rate_never_drifts() {
        let mut arrivals = Arrivals::constant(3.0);
        assert_eq!(arrivals.nth(3_000_000), Some(1_000_000 * 1_000_000_000));
    }

    #[test]
    fn a_burst_falls_on_one_instant_and_keeps_the_mean_rate() {
        let due: Vec<u64> = Arrivals::burst(1000.0).take(65).collect();
        assert!(due[..32].iter().all(|&at| at == 0));
        assert!(due[32..64].iter().all(|&at| at == 32_000_000));
        assert_eq!(due[64], 64_000_000);
    }

    #[test]
    fn poisson_gaps_are_exponential() {
        let due: Vec<u64> = Arrivals::poisson(1000.0, 5).take(20_001).collect();
        let gaps: Vec<u64> = due.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean_ns = gaps.iter().sum::<u64>() / gaps.len() as u64;
        assert!((980_000..1_020_000).contains(&mean_ns), "{mean_ns}");
        // P(gap > mean) = 1/e.
        let above = gaps.iter().filter(|&&gap| gap > 1_000_000).count();
        assert!((7_100..7_600).contains(&above), "{above}");
    }

    #[test]
    fn a_capture_is_replayed_over_and_over_at_its_speed() {
        let lines = "{\"ts_ns\":100,\"payload\":\"\"}\n{\"ts_ns\":140,\"payload\":\"\"}\n{\"ts_ns\":300,\"payload\":\"\"}";
        let due: Vec<u64> = Arrivals::recorded(capture(lines), 2.0).take(5).collect();
        // One turn lasts the span of 200 and one mean gap of 100.
        assert_eq!(due, [0, 20, 100, 150, 170]);
    }

    proptest! {
        #[test]
        fn due_times_never_go_back(rate in 0.001..1e9f64, seed: u64) {
            for arrivals in [Arrivals::constant(rate), Arrivals::burst(rate), Arrivals::poisson(rate, seed)] {
                let due: Vec<u64> = arrivals.take(200).collect();
                prop_assert_eq!(due[0], 0);
                prop_assert!(due.is_sorted());
            }
        }
    }
}
