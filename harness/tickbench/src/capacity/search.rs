//! Which rate to try next, given which ones held: upwards by doubling until one does not hold, then by halving the ratio between
//! the highest that held and the lowest that did not. Knows no server and no clock.

use std::ops::RangeInclusive;

/// Where a search begins, in messages a second: any server of the kind keeps this up, and a step at it is short.
pub(crate) const FIRST_PER_S: f64 = 10_000.0;

/// No search leaves this: below, a step that holds enough samples takes seconds; above, no client takes the messages in.
pub(crate) const RATES_PER_S: RangeInclusive<f64> = LOWEST_PER_S..=40_000_000.0;

/// The lowest rate that a search tries.
pub(crate) const LOWEST_PER_S: f64 = 1_000.0;

/// The search ends where the lowest rate that did not hold is at most this much above the highest that did.
pub(crate) const RESOLUTION: f64 = 0.05;

/// How many times the ratio of two, by which a search goes up, is halved until it is within the resolution: 2^(1/16) is 1.044.
const HALVINGS: i32 = 4;

/// A search under way.
///
/// A rate that does not hold is tried once more before it counts: a hiccup of the machine is not the server's. One that holds at
/// the second try holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Search {
    first: f64,
    /// The highest rate that held.
    held: Option<f64>,
    /// The lowest rate that did not, twice.
    failed: Option<f64>,
    is_second_try: bool,
}

impl Search {
    /// A search from a rate.
    pub(crate) fn from(first: f64) -> Search {
        Search { first, held: None, failed: None, is_second_try: false }
    }

    /// The search of an iteration. The rates that a search can find are a sixteenth of an octave apart; those of each
    /// iteration lie elsewhere between those of the others (multiples of the golden ratio, as evenly as can be), so that the
    /// median over iterations is not bound to them and its interval holds what the resolution leaves open.
    pub(crate) fn of_iteration(iteration: u32) -> Search {
        let golden = (5f64.sqrt() - 1.0) / 2.0;
        let offset = (f64::from(iteration) * golden).fract();
        Search::from(FIRST_PER_S * 2f64.powf(offset / 2f64.powi(HALVINGS)))
    }

    /// The rate to try next; `None` where the search is over.
    pub(crate) fn next(&self) -> Option<f64> {
        let (lowest, highest) = (*RATES_PER_S.start(), *RATES_PER_S.end());
        match (self.held, self.failed) {
            (None, None) => Some(self.first),
            (Some(held), None) => (held < highest).then(|| (2.0 * held).min(highest)),
            (None, Some(failed)) => (failed > lowest).then(|| (failed / 2.0).max(lowest)),
            (Some(held), Some(failed)) => (failed / held > 1.0 + RESOLUTION).then(|| (held * failed).sqrt()),
        }
    }

    /// Tells whether the rate that was next held.
    pub(crate) fn tell(&mut self, held: bool) {
        let tried = self.next();
        if held {
            self.held = tried;
        } else if self.is_second_try {
            self.failed = tried;
        }
        self.is_second_try = !held && !self.is_second_try;
    }

    /// The highest rate that held so far.
    pub(crate) fn held(&self) -> Option<f64> {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers from 0 to 1 that look random.
    struct Noise(u64);

    impl Noise {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 11) as f64 / (1u64 << 53) as f64
        }
    }

    /// Searches a server that holds what `holds` says; returns what was found, and the rates that were tried.
    fn searched(mut search: Search, mut holds: impl FnMut(f64) -> bool) -> (Option<f64>, Vec<f64>) {
        let mut tried = Vec::new();
        while let Some(rate) = search.next() {
            assert!(tried.len() < 100, "a search ends");
            tried.push(rate);
            search.tell(holds(rate));
        }
        (search.held(), tried)
    }

    #[test]
    fn rates_double_until_one_fails_twice_and_then_close_in() {
        let (found, tried) = searched(Search::from(10_000.0), |rate| rate <= 70_000.0);
        let rounded: Vec<u64> = tried.iter().map(|rate| rate.round() as u64).collect();
        assert_eq!(
            rounded,
            [10_000, 20_000, 40_000, 80_000, 80_000, 56_569, 67_272, 73_360, 73_360, 70_250, 70_250]
        );
        assert_eq!(found.map(f64::round), Some(67_272.0));
    }

    #[test]
    fn the_capacity_of_a_steady_server_is_found_within_the_resolution() {
        let mut noise = Noise(1);
        for iteration in 0..200 {
            let truth = 2_000.0 * 10f64.powf(4.0 * noise.next());
            let (found, tried) = searched(Search::of_iteration(iteration), |rate| rate <= truth);
            let found = found.unwrap();
            assert!(found <= truth && truth <= found * (1.0 + RESOLUTION), "{found} for {truth}");
            assert!(tried.len() <= 22, "{} steps", tried.len());
        }
    }

    /// A server whose capacity varies by 2 % from step to step, on a machine that spoils one step of ten: the median over ten
    /// searches, which is what a report shows, is within the resolution and the variation.
    #[test]
    fn the_median_of_ten_searches_stands_noise_and_hiccups() {
        let mut noise = Noise(7);
        for _ in 0..50 {
            let truth = 20_000.0 * 10f64.powf(1.8 * noise.next());
            let mut found: Vec<f64> = (0..10)
                .filter_map(|iteration| {
                    let holds = |rate: f64| {
                        noise.next() > 0.1
                            && rate <= truth * (1.0 + 0.02 * (noise.next() + noise.next() - 1.0))
                    };
                    searched(Search::of_iteration(iteration), holds).0
                })
                .collect();
            found.sort_by(f64::total_cmp);
            let median = f64::midpoint(found[4], found[5]);
            assert!((median / truth - 1.0).abs() < RESOLUTION + 0.02, "{median} for {truth}: {found:?}");
        }
    }

    #[test]
    fn one_hiccup_costs_a_step_and_no_capacity() {
        let (undisturbed, steps) = searched(Search::from(10_000.0), |rate| rate <= 300_000.0);
        for spoilt in 0..steps.len() {
            let mut step = 0;
            let (found, _) = searched(Search::from(10_000.0), |rate| {
                step += 1;
                step != spoilt + 1 && rate <= 300_000.0
            });
            assert_eq!(found, undisturbed, "step {spoilt} was spoilt");
        }
    }

    #[test]
    fn a_slow_server_is_searched_downwards_and_a_hopeless_one_given_up() {
        let (found, _) = searched(Search::from(10_000.0), |rate| rate <= 1_900.0);
        let found = found.unwrap();
        assert!(found <= 1_900.0 && 1_900.0 <= found * (1.0 + RESOLUTION), "{found}");
        let (found, tried) = searched(Search::from(10_000.0), |_| false);
        assert_eq!((found, tried.last()), (None, Some(RATES_PER_S.start())));
    }

    #[test]
    fn a_server_that_holds_everything_ends_the_search_at_the_highest_rate() {
        let (found, tried) = searched(Search::of_iteration(3), |_| true);
        assert_eq!((found, tried.last().copied()), (Some(*RATES_PER_S.end()), Some(*RATES_PER_S.end())));
    }

    #[test]
    fn iterations_find_rates_that_lie_between_those_of_the_others() {
        let firsts: Vec<f64> = (0..8).map(|iteration| Search::of_iteration(iteration).first).collect();
        let mut sorted = firsts.clone();
        sorted.sort_by(f64::total_cmp);
        let grid = 2f64.powf(1.0 / 16.0);
        assert!(sorted.windows(2).all(|pair| pair[1] / pair[0] > 1.002), "{sorted:?}");
        assert!(sorted[0] >= FIRST_PER_S && sorted[7] < FIRST_PER_S * grid, "{sorted:?}");
    }
}
