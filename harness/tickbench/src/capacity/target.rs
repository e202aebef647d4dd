//! What a capacity scenario demands of a step, and how long a step must be to tell.

use std::time::Duration;

use tickbench_record::{Cell, Distribution, Observation, Scenario, Step, StepSeen, samples_needed};
use tickbench_stats::Achieved;

use super::search::Search;

/// More messages than a quantile needs, so that a capture or a random arrival, which owes a window now more and now less, leaves enough.
const SPARE: f64 = 1.02;

/// The capacity that is assumed where the time of a search is estimated: about that of a framework which sends each message alone.
const ASSUMED_PER_S: f64 = 300_000.0;

/// Limits of quantiles of the response.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Target {
    p99_ns: Option<u64>,
    p999_ns: Option<u64>,
}

impl Target {
    /// The target of a scenario; `None` of one that searches for nothing.
    pub(crate) fn of(scenario: &Scenario) -> Option<Target> {
        let ns = |us: f64| (us * 1e3).round() as u64;
        let target = Target { p99_ns: scenario.p99_us.map(ns), p999_ns: scenario.p999_us.map(ns) };
        (target.p99_ns.is_some() || target.p999_ns.is_some()).then_some(target)
    }

    /// The window of a step: as long as the scenario says, and longer where fewer messages than the farthest quantile needs would
    /// come in it.
    pub(crate) fn window_ns(self, rate_per_s: f64, least_ns: u64) -> u64 {
        let farthest = if self.p999_ns.is_some() { 0.999 } else { 0.99 };
        let needed_ns = SPARE * samples_needed(farthest) as f64 / rate_per_s * 1e9;
        least_ns.max(needed_ns.ceil() as u64)
    }

    /// What a step of the cell came to. It holds where each quantile of the response that the target names is within its limit, no message is
    /// lost, and 99 % of what was due was sent before the window's end: what comes while the client waits for the rest is no capacity.
    pub(crate) fn judge(self, cell: &Cell, rate_per_s: f64, seen: &Observation) -> Step {
        let step = |held, seen, failure: Option<String>| Step { rate_per_s, held, seen, failure };
        let all = (seen.lag_ns.as_ref(), seen.delivery_ns.as_ref(), seen.response_ns.as_ref());
        let (Some(lag), Some(delivery), Some(response)) = all else {
            return step(false, None, Some("no message came in the window".into()));
        };
        let Some(achieved) = Achieved::of(cell.arrival, seen) else {
            return step(false, None, Some("the client kept no accounts of the window".into()));
        };
        step(
            achieved.is_kept() && seen.lost == 0 && self.allows(response),
            Some(figures(seen, achieved, lag, delivery, response)),
            None,
        )
    }

    fn allows(self, response: &Distribution) -> bool {
        let within = |limit: Option<u64>, ns: u64| limit.is_none_or(|limit| ns <= limit);
        within(self.p99_ns, response.p99) && within(self.p999_ns, response.p999)
    }

    /// Why not even the lowest rate will do.
    pub(crate) fn refusal(self, step: &Step) -> String {
        let (rate, limits) = (step.rate_per_s.round(), self.words());
        let what = match (&step.seen, &step.failure) {
            (_, Some(failure)) => failure.clone(),
            (Some(seen), None) => format!(
                "p99 of the response was {} µs, p99.9 {} µs, {:.1} % of what was due was sent in time, and {} messages were lost",
                seen.p99_ns / 1000,
                seen.p999_ns / 1000,
                100.0 * seen.achieved_share.unwrap_or_default(),
                seen.lost
            ),
            (None, None) => "nothing is known of it".into(),
        };
        format!("not even {rate} messages a second keep the target ({limits}), tried twice: {what}")
    }

    fn words(self) -> String {
        let limits = [("p99", self.p99_ns), ("p99.9", self.p999_ns)];
        let limit = |(name, ns): (&str, Option<u64>)| {
            Some(format!("{name} of the response at most {} µs", ns? as f64 / 1e3))
        };
        limits.into_iter().filter_map(limit).collect::<Vec<_>>().join(", ")
    }
}

fn figures(
    seen: &Observation,
    achieved: Achieved,
    lag: &Distribution,
    delivery: &Distribution,
    response: &Distribution,
) -> StepSeen {
    StepSeen {
        elapsed_ns: seen.elapsed_ns,
        achieved_per_s: seen.messages_per_s,
        achieved_share: Some(achieved.share()),
        lost: seen.lost,
        p50_ns: response.p50,
        p99_ns: response.p99,
        p999_ns: response.p999,
        lag_p99_ns: lag.p99,
        delivery_p99_ns: delivery.p99,
        client_cpu_share: seen.client_usage.map(|usage| usage.cpu_share),
        server_cpu_share: seen.server_usage.map(|usage| usage.cpu_share),
    }
}

/// The measurements that one execution of a scenario at this rate is expected to make: one, or the steps of a search.
pub(crate) fn expected(scenario: &Scenario, rate_per_s: f64) -> Expected {
    let warmup = Duration::from_millis(scenario.warmup_ms);
    let window_ns = scenario.window_ms * 1_000_000;
    let Some(target) = Target::of(scenario) else {
        let measured = warmup + Duration::from_nanos(window_ns) + awaited(rate_per_s, window_ns);
        return Expected { measurements: 1, measured };
    };
    let mut expected = Expected { measurements: 0, measured: Duration::ZERO };
    let mut search = Search::of_iteration(0);
    while let Some(rate) = search.next() {
        expected.measurements += 1;
        let window_ns = target.window_ns(rate, window_ns);
        expected.measured += warmup + Duration::from_nanos(window_ns) + awaited(rate, window_ns);
        search.tell(rate <= ASSUMED_PER_S);
    }
    expected
}

/// How long the client is expected to wait after a window for what was due in it: a server that is offered more than it can send
/// is behind by what is above that.
fn awaited(rate_per_s: f64, window_ns: u64) -> Duration {
    Duration::from_nanos(((rate_per_s / ASSUMED_PER_S - 1.0).max(0.0) * window_ns as f64) as u64)
}

/// What one execution is expected to take, besides starting and ending processes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Expected {
    /// Clients that measure, one after another.
    pub(crate) measurements: u32,
    /// Their warm-ups and windows.
    pub(crate) measured: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickbench_record::{Accounts, new_histogram};

    fn target(p99_ns: Option<u64>, p999_ns: Option<u64>) -> Target {
        Target { p99_ns, p999_ns }
    }

    fn cell() -> Cell {
        let text = "name='t'\niterations=1\n[[scenario]]\nname='s'\nkind='capacity'\np99_us=1\nwait='spin'\nwarmup_ms=1\n\
                    window_ms=1\n";
        let study = tickbench_record::Study::from_toml(text).unwrap();
        study.cells(&["a".into()], |_| true).remove(0)
    }

    /// 10,000 responses of 100 µs, 150 of which take 2 ms where `slow`.
    fn seen(sent_in_window: u64, slow: bool) -> Observation {
        let mut response = new_histogram();
        response.record_n(100_000, 9_850).unwrap();
        response.record_n(if slow { 2_000_000 } else { 100_000 }, 150).unwrap();
        let response = Distribution::of(&response);
        Observation {
            elapsed_ns: 100_000_000,
            // All of it came in the end.
            sent: 10_000,
            received: 10_000,
            messages_per_s: 100_000.0,
            accounts: Some(Accounts { sent_in_window, ..Accounts::default() }),
            lag_ns: response.clone(),
            delivery_ns: response.clone(),
            response_ns: response,
            ..Observation::default()
        }
    }

    #[test]
    fn a_step_holds_where_the_quantiles_do_and_all_that_was_offered_arrives() {
        let p99 = target(Some(500_000), None);
        let judged = |target: Target, seen: &Observation| target.judge(&cell(), 100_000.0, seen).held;
        assert!(judged(p99, &seen(10_000, false)));
        assert!(judged(p99, &seen(9_899, false)), "1 % is allowed, and the one due right before the end");
        assert!(!judged(p99, &seen(9_898, false)), "more is not, although all of it came in the end");
        assert!(!judged(p99, &seen(10_000, true)));
        assert!(judged(target(Some(3_000_000), None), &seen(10_000, true)));
        assert!(!judged(target(Some(3_000_000), Some(500_000)), &seen(10_000, true)));
        assert!(!judged(p99, &Observation { lost: 1, ..seen(10_000, false) }));
        assert!(
            !judged(p99, &Observation { accounts: None, ..seen(10_000, false) }),
            "nothing is known of it"
        );
    }

    #[test]
    fn a_window_without_messages_does_not_hold() {
        let step = target(Some(500_000), None).judge(&cell(), 100_000.0, &Observation::default());
        assert!(!step.held && step.seen.is_none() && step.failure.is_some());
    }

    #[test]
    fn a_window_holds_the_samples_that_the_farthest_quantile_needs() {
        let ms = |target: Target, rate| target.window_ns(rate, 100_000_000) / 1_000_000;
        assert_eq!(ms(target(Some(1), None), 100_000.0), 100);
        assert_eq!(ms(target(Some(1), None), 2_000.0), 510);
        assert_eq!(ms(target(Some(1), Some(1)), 10_000.0), 1_020);
    }

    #[test]
    fn what_fails_at_the_lowest_rate_says_what_was_asked_and_what_came() {
        let target = target(Some(50_000), None);
        let refusal = target.refusal(&target.judge(&cell(), 1_000.0, &seen(10_000, true)));
        for words in
            ["not even 1000 messages", "p99 of the response at most 50 µs", "was 2000 µs", "tried twice"]
        {
            assert!(refusal.contains(words), "{refusal}");
        }
    }

    #[test]
    fn a_search_is_expected_to_take_its_steps_and_any_other_execution_one_window() {
        let of = |kind: &str| {
            let text = format!(
                "name='t'\niterations=1\n[[scenario]]\nname='s'\n{kind}\nwait='spin'\nwarmup_ms=40\nwindow_ms=100\n"
            );
            tickbench_record::Study::from_toml(&text).unwrap().scenarios.remove(0)
        };
        let load = of("kind='load'\nrates_per_s=[5]");
        let ms = |rate| expected(&load, rate).measured.as_millis();
        assert_eq!((expected(&load, 5.0).measurements, ms(5.0)), (1, 140));
        assert_eq!(ms(2.0 * ASSUMED_PER_S), 240, "as much again is under way when the window ends");
        let of = |kind: &str| expected(&of(kind), 0.0);
        let search = of("kind='capacity'\np99_us=500");
        assert!((10..=18).contains(&search.measurements), "{search:?}");
        assert!(search.measured >= Duration::from_millis(140) * search.measurements);
        assert!(of("kind='capacity'\np999_us=500").measured > search.measured, "p99.9 needs more samples");
    }
}
