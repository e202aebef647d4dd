//! What may be called a difference, and which rows may be compared at all.

mod support;

use std::sync::LazyLock;

use support::{LATENCY, cells, completed, deliveries, noise, rate, scenario, study, usage};
use tickbench_record::{
    Band, Ceiling, Cell, Client, ClientCeiling, ClockCheck, Distribution, Encoding, Hiccups, Measurement,
    Observation, Stages, Study, Wait,
};
use tickbench_stats::{Caveat, Check, Context, Metric, Ruling, Summary, Verdict};

fn with_control(mut study: Study) -> Study {
    study.control = study.servers.first().cloned();
    study.scenarios.iter_mut().for_each(|scenario| scenario.control = true);
    study
}

/// A standard normal number, by Box and Muller.
fn normal(at: u64) -> f64 {
    (-2.0 * (1.0 - noise(2 * at)).ln()).sqrt() * (std::f64::consts::TAU * noise(2 * at + 1)).cos()
}

/// A delivery whose quantiles are set, of enough samples for each of them.
fn quantiles([p50, p99, p999]: [f64; 3]) -> Distribution {
    static ANY: LazyLock<Distribution> = LazyLock::new(|| deliveries(1, 1).delivery_ns.unwrap());
    Distribution { count: 20_000, p50: p50 as u64, p99: p99 as u64, p999: p999 as u64, ..ANY.clone() }
}

/// An iteration on a machine that drifts, with now and then a bad spell, `factor` times as slow as usual: what the machine does
/// in an iteration is common to all cells, and each has noise of its own, the wilder the farther out.
fn weathered(iteration: u32, stream: u64, factor: f64) -> Observation {
    let at = |salt: u64| stream * 1_000_003 + u64::from(iteration) * 101 + salt;
    let common = u64::from(iteration) * 7_919;
    let drift = 1.0 + 0.3 * (f64::from(iteration) / 11.0).sin() + 0.1 * normal(common).abs();
    let own = |spread: f64, salt| {
        let spell = if noise(at(salt + 50)) > 0.95 { 1.0 + 3.0 * noise(at(salt + 60)).powi(4) } else { 1.0 };
        (spread * normal(at(salt))).exp() * spell
    };
    let usual = |spreads: [f64; 3], salt: u64| {
        let base = [5_150.0, 9_400.0, 48_000.0];
        std::array::from_fn(|q| base[q] * factor * drift * own(spreads[q], salt + q as u64))
    };
    Observation {
        delivery_ns: Some(quantiles(usual([0.02, 0.3, 0.8], 0))),
        delivery_cleaned_ns: Some(quantiles(usual([0.015, 0.04, 0.1], 10))),
        client_hiccups: Some(Hiccups { set_aside: 1, ..Hiccups::default() }),
        messages_per_s: 1_000.0,
        ..rate(1.0)
    }
}

fn summed(study: &Study, observe: impl Fn(usize, &Cell, u32) -> Observation) -> Summary {
    let lines: Vec<Measurement> = cells(study)
        .iter()
        .enumerate()
        .flat_map(|(place, cell)| {
            let observe = &observe;
            (0..study.iterations).map(move |at| completed(cell, at, observe(place, cell, at)))
        })
        .collect();
    Summary::of(study, &lines, &Context::default()).unwrap()
}

/// Each server is compared with itself on six figures, which Holm's correction takes as one family: one in twenty families may hold a
/// false verdict, give or take what 200 draws scatter, and far fewer of the comparisons.
#[test]
fn of_200_servers_compared_with_themselves_one_in_twenty_has_a_false_verdict() {
    let study = with_control(study(&["a"], &scenario("paced", "latency", LATENCY)));
    let runs: Vec<Summary> = (0..200)
        .map(|run| summed(&study, |place, _, at| weathered(at, 2 * run + place as u64, 1.0)))
        .collect();
    for summary in &runs {
        // Three tails less the machine's hiccups, and three as they were.
        assert_eq!(summary.noise_floors.len(), 6);
        assert!(summary.comparisons.is_empty(), "a control is compared with its twin alone");
    }
    let alarms = |summary: &&Summary| {
        summary.noise_floors.iter().filter(|floor| floor.verdict != Verdict::NoDifference).count()
    };
    let alarmed = runs.iter().filter(|summary| alarms(summary) > 0).count();
    // Ten and two standard deviations.
    assert!(alarmed <= 16, "{alarmed} of 200 runs");
    let alarms: usize = runs.iter().map(|summary| alarms(&summary)).sum();
    assert!(alarms <= 200 * 6 / 40, "{alarms} of 1,200 comparisons");
    let median_floor = |metric| {
        let floors = runs.iter().flat_map(|summary| &summary.noise_floors);
        let mut floors: Vec<f64> =
            floors.filter(|floor| floor.metric == metric).map(|floor| floor.floor).collect();
        floors.sort_by(f64::total_cmp);
        floors[floors.len() / 2]
    };
    assert!(median_floor(Metric::DeliveryCleanedP99) < median_floor(Metric::DeliveryP99) / 3.0);
}

#[test]
fn a_server_that_is_slower_is_still_told_from_one_that_is_not() {
    let scenarios: String = (0..20).map(|at| scenario(&format!("paced {at}"), "latency", LATENCY)).collect();
    let study = with_control(study(&["a", "b"], &scenarios));
    let slower = |cell: &Cell| if cell.server == "b" { 1.1 } else { 1.0 };
    let summary = summed(&study, |place, cell, at| weathered(at, place as u64, slower(cell)));
    let lower = |metric| {
        let told = |one: &&tickbench_stats::Comparison| one.metric == metric && one.verdict == Verdict::Lower;
        summary.comparisons.iter().filter(told).count()
    };
    assert_eq!(summary.comparisons.len(), 20 * 3, "p50, p99 and p99.9, cleaned, of one pair");
    assert_eq!(lower(Metric::DeliveryCleanedP50), 20);
    assert!(lower(Metric::DeliveryCleanedP99) >= 18, "{}", lower(Metric::DeliveryCleanedP99));
}

#[test]
fn a_difference_below_the_noise_floor_is_none() {
    let study = with_control(study(&["a", "b"], &scenario("paced", "latency", LATENCY)));
    // The control comes out anywhere between 0.9 and 1.1 times its twin; the other server is always 2 % slower than it.
    let summary = summed(&study, |_, cell, at| {
        let factor = match cell.server.as_str() {
            "a" => 1.0,
            "b" => 1.02,
            _ => 0.9 + 0.2 * noise(at.into()),
        };
        let p50 = 1_000_000.0 * factor * (1.0 + 0.01 * noise(7_000 + u64::from(at)));
        Observation { delivery_ns: Some(quantiles([p50, p50, p50])), ..rate(1_000.0) }
    });
    let floor = summary.noise_floors.iter().find(|floor| floor.metric == Metric::DeliveryP50).unwrap();
    assert!(floor.floor > 0.021 && floor.verdict == Verdict::NoDifference, "{floor:?}");
    let compared = summary.comparisons.iter().find(|one| one.metric == Metric::DeliveryP50).unwrap();
    assert!(compared.p < 1e-6 && compared.ratio.high < 1.0, "{compared:?}");
    assert_eq!((compared.verdict, compared.below_floor), (Verdict::NoDifference, true));
    assert_eq!(compared.floor, Some(floor.floor));
    assert_eq!(compared.cliffs_delta, Some(-1.0));
    assert!((compared.ratio.estimate - 1.0 / 1.02).abs() < 1e-3, "{compared:?}");
}

#[test]
fn a_control_has_no_place_and_a_false_alarm_is_seen() {
    let study = with_control(study(&["a", "b"], &scenario("paced", "latency", LATENCY)));
    let summary = summed(&study, |place, cell, at| {
        weathered(at, place as u64, if cell.is_control() { 1.5 } else { 1.0 })
    });
    assert_eq!(summary.cells.len(), 3);
    let questions = summary.questions();
    assert_eq!(questions[0].len(), 2);
    assert_eq!(summary.ranking(&questions[0], Metric::DeliveryCleanedP50).len(), 2);
    let controls: Vec<_> = summary.cells.iter().filter(|cell| cell.cell.is_control()).collect();
    assert!(summary.ranking(&controls, Metric::DeliveryCleanedP50).is_empty());
    let p50 = summary.noise_floors.iter().find(|floor| floor.metric == Metric::DeliveryCleanedP50).unwrap();
    assert_eq!((p50.server.as_str(), p50.verdict), ("a", Verdict::Lower));
    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!(json["floors"].as_array().map(Vec::len), Some(summary.noise_floors.len()), "by this name");
}

#[test]
fn servers_are_compared_on_raw_tails_where_one_has_no_cleaned_tail() {
    let study = study(&["a", "b"], &scenario("paced", "latency", LATENCY));
    let summary = summed(&study, |place, cell, at| {
        let seen = weathered(at, place as u64, 1.0);
        if cell.server == "b" { Observation { delivery_cleaned_ns: None, ..seen } } else { seen }
    });
    let metrics: Vec<Metric> = summary.comparisons.iter().map(|one| one.metric).collect();
    assert_eq!(metrics, [Metric::DeliveryP50, Metric::DeliveryP99]);
    let share = summary.cells[0].estimates[&Metric::ClientSetAsideShare].estimate;
    assert_eq!(share, 0.1, "one of the ten that were received");
}

#[test]
fn a_client_near_its_ceiling_is_what_limits_a_flood() {
    let study = study(&["a"], &scenario("flood", "throughput", ""));
    let cell = &cells(&study)[0];
    let lines: Vec<Measurement> = (0..10).map(|at| completed(cell, at, rate(0.9e6))).collect();
    let ceiling = |encoding, messages_per_s, bytes_per_s| ClientCeiling {
        client: Client::Probe,
        ceiling: Ceiling {
            encoding,
            wait: Wait::Spin,
            messages_per_s,
            bytes_per_s,
            cpu_ns_per_message: 11.0,
            cpu_share: 1.0,
            messages_per_read: 100.0,
        },
    };
    let summed = |ceiling| {
        let context = Context { ceilings: vec![ceiling], ..Context::default() };
        let summary = Summary::of(&study, &lines, &context).unwrap();
        (summary.cells[0].ceiling_share, summary.cells[0].caveat())
    };
    // The server was busy, and yet the rate is nine tenths of what a throttled client takes in.
    let (share, caveat) = summed(ceiling(Encoding::Binary, 1e6, 1e9));
    assert!((share.unwrap() - 0.9).abs() < 1e-12);
    assert_eq!(caveat, Some(Caveat::ClientBound));
    assert_eq!(summed(ceiling(Encoding::Binary, 9e6, 1e9)).1, None, "a tenth of its ceiling");
    assert_eq!(
        summed(ceiling(Encoding::Binary, 9e6, 50e6)).1,
        Some(Caveat::ClientBound),
        "its ceiling in bytes"
    );
    assert_eq!(summed(ceiling(Encoding::Json, 1e6, 1e9)), (None, None), "another encoding's");
}

/// One cell of each kind, sound but for what `spoil` does to its observations.
fn audited(
    kind: &str,
    more: &str,
    context: &Context,
    spoil: impl Fn(&mut Observation),
) -> Vec<(Check, f64, Ruling)> {
    let study = study(&["a"], &scenario("s", kind, more));
    let cell = &cells(&study)[0];
    let line = |at| {
        let mut seen = support::accounted(deliveries(1_000, 100), 1_000, 1_000, 0);
        seen.messages_per_s = 1_000.0;
        if kind == "throughput" {
            seen.accounts = None;
        }
        if kind == "echo" {
            // One message in flight: a thousand round trips of a millisecond each second.
            let trips = Distribution { mean: 1e6, ..seen.delivery_ns.take().unwrap() };
            seen.round_trip_ns = Some(trips);
        }
        spoil(&mut seen);
        completed(cell, at, seen)
    };
    let lines: Vec<Measurement> = (0..8).map(line).collect();
    let summary = Summary::of(&study, &lines, context).unwrap();
    summary.cells[0].audits.iter().map(|audit| (audit.check, audit.figure, audit.ruling)).collect()
}

fn failed(audits: &[(Check, f64, Ruling)]) -> Vec<Check> {
    audits.iter().filter(|(_, _, ruling)| *ruling == Ruling::Failed).map(|(check, ..)| *check).collect()
}

#[test]
fn each_audit_finds_what_it_is_there_for() {
    let sound = Context::default();
    let checks = |kind, more| -> Vec<Check> {
        let audits = audited(kind, more, &sound, |_| {});
        assert!(failed(&audits).is_empty(), "{audits:?}");
        audits.iter().map(|(check, ..)| *check).collect()
    };
    assert_eq!(
        checks("latency", LATENCY),
        [Check::Owed, Check::Counts, Check::Schedule, Check::Clock, Check::Stationarity]
    );
    assert_eq!(checks("throughput", ""), [Check::Counts, Check::Clock, Check::Stationarity]);
    assert_eq!(checks("echo", ""), [Check::Counts, Check::LittlesLaw, Check::Clock, Check::Stationarity]);

    let spoilt = |kind, more, spoil: fn(&mut Observation)| failed(&audited(kind, more, &sound, spoil));
    assert_eq!(spoilt("latency", LATENCY, |seen| (seen.received, seen.lost) = (999, 1)), [Check::Counts]);
    assert_eq!(spoilt("echo", "", |seen| (seen.received, seen.lost) = (999, 1)), [Check::Counts]);
    assert_eq!(spoilt("latency", LATENCY, |seen| seen.negative = 1), [Check::Clock]);
    assert_eq!(spoilt("latency", LATENCY, |seen| (seen.sent, seen.received) = (985, 985)), [Check::Owed]);
    assert_eq!(spoilt("latency", LATENCY, |seen| (seen.sent, seen.received) = (999, 999)), []);
    assert_eq!(spoilt("echo", "", |seen| seen.messages_per_s = 970.0), [Check::LittlesLaw]);
    assert_eq!(spoilt("echo", "", |seen| seen.messages_per_s = 985.0), []);
    // A turn that an end of the window may have cut is allowed for, and no more than that.
    fn cut(seen: &mut Observation, per_s: f64) {
        seen.messages_per_s = per_s;
        seen.round_trip_ns.as_mut().unwrap().max = seen.elapsed_ns / 20;
    }
    assert_eq!(spoilt("echo", "", |seen| cut(seen, 940.0)), []);
    assert_eq!(spoilt("echo", "", |seen| cut(seen, 920.0)), [Check::LittlesLaw]);
    let band = Band {
        messages: 10,
        stamped: 5,
        lag_ns: 1.25,
        network_ns: 2.0,
        wake_ns: 3.0,
        unsplit_ns: 4.0,
        response_ns: 10.25,
    };
    let stages = Stages { stamped: 9, median: Some(band), ..Stages::default() };
    let staged =
        |stages: Stages| failed(&audited("latency", LATENCY, &sound, |seen| seen.stages = Some(stages)));
    assert_eq!(staged(stages), []);
    assert_eq!(staged(Stages { misplaced: 1, ..stages }), [Check::Stages]);
    let torn = Band { wake_ns: 4.5, ..band };
    assert_eq!(staged(Stages { slowest_1000th: Some(torn), ..stages }), [Check::Stages]);
    let apart = ClockCheck { readings: 1_000, backwards: 2, worst_ns: 90 };
    let apart = Context { clocks: Some(apart), ..Context::default() };
    assert_eq!(failed(&audited("latency", LATENCY, &apart, |_| {})), [Check::Clock]);
    assert_eq!(failed(&audited("echo", "", &apart, |_| {})), [], "a round trip is told by one clock");
}

#[test]
fn a_row_that_fails_an_audit_is_compared_with_nobody() {
    let study = study(&["a", "b", "c"], &scenario("flood", "throughput", ""));
    let summary = summed(&study, |_, cell, at| {
        let lost = u64::from(cell.server == "b" && at < 3);
        Observation { sent: 10 + lost, lost, server_usage: Some(usage(0.99)), ..rate(1e6) }
    });
    let pairs: Vec<(&str, &str)> =
        summary.comparisons.iter().map(|one| (one.server.as_str(), one.baseline.as_str())).collect();
    assert_eq!(pairs, [("a", "c")]);
    let failed = &summary.cells[1];
    assert!(!failed.is_sound() && failed.figure(Metric::MessagesPerS).is_none());
    assert!(failed.estimates.contains_key(&Metric::MessagesPerS), "the record keeps what was seen");
    assert_eq!(summary.ranking(&summary.questions()[0], Metric::MessagesPerS).len(), 2);
}

#[test]
fn a_drift_is_named_and_fails_nothing() {
    let study = study(&["a", "b"], &scenario("flood", "throughput", ""));
    let summary = summed(&study, |place, cell, at| {
        let drift = if cell.server == "a" { 1.0 + 0.002 * f64::from(at) } else { 1.0 };
        rate(1e6 * drift * (1.0 + 0.01 * noise(place as u64 * 500 + u64::from(at))))
    });
    let drift = summary.cells[0].drift().unwrap();
    // 39 steps of 0.2 % each.
    assert!((drift - 0.075).abs() < 0.01, "{drift}");
    assert_eq!(summary.cells[1].drift(), None);
    assert!(summary.cells[0].is_sound() && summary.comparisons.len() == 1);
}
