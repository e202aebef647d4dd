//! Capacities and the knees of curves against offered load.

mod support;

use support::{cells, completed, deliveries, rate, scenario, study, usage};
use tickbench_record::{
    Accounts, Capacity, Ceiling, Client, ClientCeiling, Distribution, Encoding, Measurement, Observation,
    Step, StepSeen, Wait, new_histogram,
};
use tickbench_stats::{Caveat, Context, Metric, Summary};

fn step(rate_per_s: f64, held: bool, lag_p99_ns: u64, shares: (f64, f64)) -> Step {
    let seen = StepSeen {
        elapsed_ns: 1,
        achieved_per_s: rate_per_s,
        achieved_share: None,
        lost: 0,
        p50_ns: 1,
        p99_ns: 2,
        p999_ns: 3,
        lag_p99_ns,
        delivery_p99_ns: 1_000,
        client_cpu_share: Some(shares.0),
        server_cpu_share: Some(shares.1),
    };
    Step { rate_per_s, held, seen: Some(seen), failure: None }
}

/// A search that found `found`; the shares of client and server are those of the step that ended it.
fn searched(found: f64, shares: (f64, f64)) -> Observation {
    let over = 1.04 * found;
    let steps = vec![
        step(found, true, 1, (0.2, 0.9)),
        step(over, false, 9_000, shares),
        step(over, false, 9_000, shares),
    ];
    Observation { capacity: Some(Capacity { rate_per_s: found, steps }), ..rate(found) }
}

fn summed(wait: &str, found: impl Fn(&str, u32) -> Observation, context: &Context) -> Summary {
    let scenario = scenario("capacity", "capacity", "p99_us = 500").replace("\"spin\"", wait);
    let study = study(&["a", "b"], &scenario);
    let measurements: Vec<Measurement> = cells(&study)
        .iter()
        .flat_map(|cell| (0..12).map(|at| completed(cell, at, found(&cell.server, at))).collect::<Vec<_>>())
        .collect();
    Summary::of(&study, &measurements, context).unwrap()
}

#[test]
fn capacities_are_compared_and_ranked_highest_first() {
    let found = |server: &str, at: u32| {
        searched(if server == "a" { 200_000.0 } else { 300_000.0 } + 500.0 * f64::from(at), (0.4, 1.0))
    };
    let summary = summed("\"block\"", found, &Context::default());
    let cells: Vec<_> = summary.cells.iter().collect();
    let places = summary.ranking(&cells, Metric::CapacityPerS);
    assert_eq!(
        places.iter().map(|place| (place.server, place.rank)).collect::<Vec<_>>(),
        [("b", 1), ("a", 2)]
    );
    let searches = cells[0].searches.unwrap();
    assert_eq!((searches.ended_by_lag, searches.ended_by_delivery, searches.lower_bound), (12, 0, None));
    assert_eq!(searches.steps, 3.0);
}

#[test]
fn a_sleeping_client_that_is_busy_while_the_server_is_not_makes_a_lower_bound() {
    let found =
        |server: &str, _: u32| searched(200_000.0, if server == "a" { (0.9, 0.7) } else { (0.9, 0.99) });
    let summary = summed("\"block\"", found, &Context::default());
    assert_eq!(summary.cells[0].caveat(), Some(Caveat::ClientBound));
    assert_eq!(summary.cells[1].caveat(), None, "a busy server is what limited it");
    assert!(summary.comparisons.is_empty(), "a lower bound is compared with nothing");
    let spinning = summed("\"spin\"", found, &Context::default());
    assert_eq!(spinning.cells[0].caveat(), None, "a client that polls is always busy");
}

#[test]
fn a_client_near_its_ceiling_makes_a_lower_bound() {
    let ceiling = Ceiling {
        encoding: Encoding::Binary,
        wait: Wait::Spin,
        messages_per_s: 220_000.0,
        bytes_per_s: 1e12,
        cpu_ns_per_message: 1.0,
        cpu_share: 1.0,
        messages_per_read: 1.0,
    };
    let context =
        Context { ceilings: vec![ClientCeiling { client: Client::Probe, ceiling }], ..Context::default() };
    let found =
        |server: &str, _: u32| searched(if server == "a" { 100_000.0 } else { 200_000.0 }, (1.0, 1.0));
    let summary = summed("\"spin\"", found, &context);
    assert_eq!(summary.cells[0].caveat(), None);
    assert_eq!(summary.cells[1].caveat(), Some(Caveat::ClientBound));
}

/// Searches that may have found too little matter only where they could move the median.
#[test]
fn a_few_bounded_searches_above_the_median_leave_the_verdict() {
    let bound = |from: u32| {
        move |_: &str, at: u32| {
            searched(200_000.0 + f64::from(at), if at >= from { (0.9, 0.7) } else { (0.4, 1.0) })
        }
    };
    let few = summed("\"block\"", bound(8), &Context::default());
    assert_eq!((few.cells[0].searches.unwrap().client_bound, few.cells[0].caveat()), (4, None));
    let many = summed("\"block\"", bound(6), &Context::default());
    assert_eq!(many.cells[0].caveat(), Some(Caveat::ClientBound));
}

#[test]
fn a_search_that_nothing_ended_makes_a_lower_bound() {
    let found = |_: &str, _: u32| {
        let steps = vec![step(200_000.0, true, 1, (0.2, 0.9))];
        Observation { capacity: Some(Capacity { rate_per_s: 200_000.0, steps }), ..rate(200_000.0) }
    };
    let summary = summed("\"block\"", found, &Context::default());
    assert_eq!(summary.cells[0].caveat(), Some(Caveat::Unbounded));
}

/// An execution at an offered rate: 2,000 responses around `response_ns`, and the share of the messages that was sent in time.
fn offered(rate_per_s: f64, response_ns: u64, arrived: f64, shares: (f64, f64)) -> Observation {
    let mut histogram = new_histogram();
    (0..2_000).for_each(|at| histogram += response_ns + at);
    let due = (rate_per_s / 10.0) as u64;
    let accounts =
        Accounts { sent_in_window: (arrived * due as f64) as u64, least_owed: due, ..Accounts::default() };
    Observation {
        elapsed_ns: 100_000_000,
        messages_per_s: arrived * rate_per_s,
        // The client waits until all of it has come.
        sent: due,
        received: due,
        accounts: Some(accounts),
        response_ns: Distribution::of(&histogram),
        client_usage: Some(usage(shares.0)),
        server_usage: Some(usage(shares.1)),
        ..deliveries(1_000, 2_000)
    }
}

fn curve(rates: &str, of: impl Fn(f64, u32) -> Observation) -> Summary {
    let text = scenario("load", "load", &format!("rates_per_s = {rates}")).replace("\"spin\"", "\"block\"");
    let study = study(&["a"], &text);
    let measurements: Vec<Measurement> = cells(&study)
        .iter()
        .flat_map(|cell| (0..20).map(|at| completed(cell, at, of(cell.rate_per_s, at))).collect::<Vec<_>>())
        .collect();
    Summary::of(&study, &measurements, &Context::default()).unwrap()
}

#[test]
fn a_knee_is_between_two_rates_with_an_interval_over_iterations() {
    // At 300 every other iteration is slow: resamples disagree on which side of the knee it is.
    let of = |rate: f64, at: u32| {
        let slow = rate > 300_000.0 || (rate == 300_000.0 && at.is_multiple_of(2));
        offered(rate, if slow { 900_000 } else { 50_000 }, 1.0, (0.3, 0.5))
    };
    let summary = curve("[400000, 100000, 200000, 300000]", of);
    let [knee] = summary.knees.as_slice() else { panic!("one curve, one knee: {:?}", summary.knees) };
    assert_eq!((knee.low_per_s, knee.high_per_s), (200_000.0, Some(400_000.0)));
    assert_eq!((knee.cell.rate_per_s, knee.iterations), (100_000.0, 20));
    assert!(knee.beyond_per_s.is_some_and(|beyond| beyond > knee.before_per_s));
}

#[test]
fn a_knee_may_be_beyond_the_highest_rate() {
    let summary = curve("[100000, 200000]", |rate, _| offered(rate, 50_000, 1.0, (0.3, 0.5)));
    let knee = &summary.knees[0];
    assert_eq!((knee.before_per_s, knee.beyond_per_s, knee.high_per_s), (200_000.0, None, None));
}

#[test]
fn overload_fails_no_audit_and_ends_the_curve() {
    let of = |rate: f64, _: u32| offered(rate, 50_000, if rate > 150_000.0 { 0.9 } else { 1.0 }, (0.3, 1.0));
    let summary = curve("[100000, 200000]", of);
    assert!(summary.cells.iter().all(|cell| cell.is_sound() && cell.caveat().is_none()));
    assert_eq!(summary.knees[0].beyond_per_s, Some(200_000.0));
}

#[test]
fn where_the_client_limits_the_curve_is_not_the_servers() {
    let of = |rate: f64, _: u32| {
        let busy = rate > 150_000.0;
        offered(rate, if busy { 900_000 } else { 50_000 }, 1.0, if busy { (0.95, 0.6) } else { (0.3, 0.4) })
    };
    let summary = curve("[100000, 200000]", of);
    assert_eq!(summary.cells[1].caveat(), Some(Caveat::ClientBound));
    assert_eq!((summary.knees[0].before_per_s, summary.knees[0].beyond_per_s), (100_000.0, None));
}
