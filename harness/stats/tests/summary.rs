//! Summaries of small runs, made by hand or drawn from a fixed seed.

mod support;

use support::{LATENCY, cells, completed, deliveries, failed, noise, rate, scenario, study, usage};
use tickbench_record::{Cell, Measurement, Observation, Study};
use tickbench_stats::{Caveat, Context, Metric, Summary, SummaryError, Verdict};

#[test]
fn cells_stand_in_the_order_of_the_study_whatever_the_order_of_the_lines() {
    let study = study(&["b", "a"], &scenario("latency", "latency", LATENCY));
    let mut lines: Vec<Measurement> = cells(&study)
        .iter()
        .flat_map(|cell| (0..4).map(|at| completed(cell, at, deliveries(1_000 + u64::from(at), 30))))
        .collect();
    let summary = Summary::of(&study, &lines, &Context::default()).unwrap();
    lines.reverse();
    assert_eq!(Summary::of(&study, &lines, &Context::default()).unwrap(), summary);
    let servers: Vec<&str> = summary.cells.iter().map(|cell| cell.cell.server.as_str()).collect();
    assert_eq!(servers, ["b", "a"]);
    assert_eq!(summary.cells[0].received, 40);
}

#[test]
fn a_quantile_is_the_median_over_iterations_or_that_of_the_merged_samples_or_absent() {
    let study = study(&["a"], &scenario("latency", "latency", LATENCY));
    let cell = &cells(&study)[0];
    // 400 samples an iteration: enough for p90 in each, for p99 in all six together, for p99.9 in neither.
    let lines: Vec<Measurement> =
        (0..6).map(|at| completed(cell, at, deliveries(1_000 + 100 * u64::from(at), 400))).collect();
    let summary = &Summary::of(&study, &lines, &Context::default()).unwrap().cells[0];
    let p50 = summary.estimates[&Metric::DeliveryP50];
    // The medians of the iterations are 1,199, 1,299 … 1,699; that of the middle two is 1,449.
    assert_eq!((p50.estimate, p50.iterations), (1_449.0, 6));
    assert!(p50.low >= 1_199.0 && p50.low < 1_449.0 && p50.high > 1_449.0 && p50.high <= 1_699.0, "{p50:?}");
    let merged = &summary.merged;
    assert!(merged.contains(&Metric::DeliveryP99) && !merged.contains(&Metric::DeliveryP90), "{merged:?}");
    let mut all: Vec<u64> = (0..6).flat_map(|at| 1_000 + 100 * at..1_400 + 100 * at).collect();
    all.sort_unstable();
    assert_eq!(summary.estimates[&Metric::DeliveryP99].estimate, all[2_400 * 99 / 100 - 1] as f64);
    assert!(!summary.estimates.contains_key(&Metric::DeliveryP999));
    assert!(!summary.estimates.contains_key(&Metric::LagP50), "there is no lag in these records");
    assert_eq!(summary.series.p50_by_iteration, [1_199.0, 1_299.0, 1_399.0, 1_499.0, 1_599.0, 1_699.0]);
}

#[test]
fn who_is_surely_better_by_iteration_comes_first_whatever_the_medians_say() {
    let study = study(&["a", "b"], &scenario("flood", "throughput", ""));
    let cells = cells(&study);
    // The machine is slow in nine iterations of twenty. The second server is 5 % ahead in all but two, which it lost altogether: its
    // median falls among the slow ones.
    let lines: Vec<Measurement> = (0..20)
        .flat_map(|at| {
            let level = if at < 9 { 10.0 } else { 100.0 };
            let second = if at < 18 { 1.05 * level } else { 1.0 };
            [completed(&cells[0], at, rate(level)), completed(&cells[1], at, rate(second))]
        })
        .collect();
    let summary = Summary::of(&study, &lines, &Context::default()).unwrap();
    let places = summary.ranking(&summary.questions()[0], Metric::MessagesPerS);
    let told: Vec<(&str, usize)> = places.iter().map(|place| (place.server, place.rank)).collect();
    assert_eq!(told, [("b", 1), ("a", 2)]);
    assert!(places[0].estimate.estimate < places[1].estimate.estimate);
}

#[test]
fn ratios_are_paired_by_the_iterations_that_both_completed() {
    let study = study(&["a", "b"], &scenario("flood", "throughput", ""));
    let cells = cells(&study);
    let mut lines: Vec<Measurement> = Vec::new();
    for (at, base) in [10.0, 20.0, 30.0, 40.0].into_iter().enumerate() {
        lines.push(completed(&cells[0], at as u32, rate(3.0 * base)));
        lines.push(completed(&cells[1], at as u32, rate(base)));
    }
    // Only one of the two completed these.
    lines.push(completed(&cells[0], 4, rate(1_000_000.0)));
    lines.push(failed(&cells[1], 4, "refused"));
    lines.push(completed(&cells[1], 5, rate(0.001)));
    let summary = Summary::of(&study, &lines, &Context::default()).unwrap();
    let [comparison] = summary.comparisons.as_slice() else { panic!("{:?}", summary.comparisons) };
    let ratio = comparison.ratio;
    // Every pair has the ratio 3, so every mean of two has, and every resample.
    for figure in [ratio, comparison.ratio_of_medians.unwrap()] {
        let tickbench_stats::Estimate { estimate, low, high, iterations } = figure;
        assert!([estimate, low, high].iter().all(|ratio| (ratio - 3.0).abs() < 1e-12), "{figure:?}");
        assert_eq!(iterations, 4);
    }
    assert_eq!((comparison.server.as_str(), comparison.baseline.as_str()), ("a", "b"));
    // Four pairs of one sign come about once in eight: no ground for a verdict.
    assert_eq!((comparison.p, comparison.verdict), (0.125, Verdict::NoDifference));
    assert_eq!(summary.cells[1].failures[0].reason, "connect: refused");
    assert_eq!((summary.cells[1].completed, summary.cells[1].failures[0].count), (5, 1));
}

#[test]
fn clear_differences_are_found_and_can_be_read_either_way() {
    let study = study(&["slow", "fast", "same"], &scenario("flood", "throughput", ""));
    let cells = cells(&study);
    let speed = [1.0, 1.5, 1.5];
    let line = |at: u32, server: usize| {
        let jitter = 1.0 + 0.05 * noise(u64::from(at) * 3 + server as u64);
        completed(&cells[server], at, rate(1e6 * speed[server] * jitter))
    };
    let lines: Vec<Measurement> = (0..40)
        .flat_map(|at| (0..3).map(move |server| (at, server)))
        .map(|(at, server)| line(at, server))
        .collect();
    let summary = Summary::of(&study, &lines, &Context::default()).unwrap();
    let verdict = |server, baseline| {
        summary.compared(&cells[0], Metric::MessagesPerS, server, baseline).unwrap().verdict
    };
    assert_eq!(verdict("slow", "fast"), Verdict::Lower);
    assert_eq!(verdict("fast", "slow"), Verdict::Higher);
    assert_eq!(verdict("fast", "same"), Verdict::NoDifference);
    let questions = summary.questions();
    let places = summary.ranking(&questions[0], Metric::MessagesPerS);
    let ranks: Vec<(&str, usize)> = places.iter().map(|place| (place.server, place.rank)).collect();
    assert_eq!(ranks[2], ("slow", 3));
    assert_eq!((ranks[0].1, ranks[1].1), (1, 1));
    assert_eq!(places[0].tied, [places[1].server]);
}

/// 200 studies of two equal servers, and one of many equal servers: verdicts of "different" are false.
#[test]
fn false_verdicts_stay_within_the_error_that_is_promised() {
    let scenarios: String = (0..200).map(|at| scenario(&format!("flood {at}"), "throughput", "")).collect();
    let noisy = |study: &Study| {
        let lines: Vec<Measurement> = cells(study)
            .iter()
            .enumerate()
            .flat_map(|(place, cell)| {
                (0..20).map(move |at| {
                    let spike = noise(900_000 + place as u64 * 1_000 + u64::from(at)).powi(20);
                    completed(
                        cell,
                        at,
                        rate(100.0 + noise(place as u64 * 1_000 + u64::from(at)) + 50.0 * spike),
                    )
                })
            })
            .collect();
        let summary = Summary::of(study, &lines, &Context::default()).unwrap();
        let false_ones =
            summary.comparisons.iter().filter(|one| one.verdict != Verdict::NoDifference).count();
        (summary.comparisons.len(), false_ones)
    };
    let (compared, false_ones) = noisy(&study(&["a", "b"], &scenarios));
    assert!(compared == 200 && (1..=14).contains(&false_ones), "{false_ones} of {compared}");
    let servers = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    let (compared, false_ones) = noisy(&study(&servers, &scenario("flood", "throughput", "")));
    assert_eq!((compared, false_ones), (66, 0), "66 comparisons at 5 % each would give three by chance");
}

#[test]
fn a_flood_that_the_server_did_not_limit_is_compared_with_nothing() {
    let study = study(&["a", "b", "c", "d"], &scenario("flood", "throughput", ""));
    let cells = cells(&study);
    let with =
        |server, client| Observation { server_usage: server, client_usage: Some(usage(client)), ..rate(1e6) };
    let seen = [
        with(Some(usage(0.99)), 0.9),
        with(Some(usage(0.7)), 0.9),
        with(Some(usage(0.7)), 0.3),
        with(None, 0.3),
    ];
    let lines: Vec<Measurement> = (0..10)
        .flat_map(|at| cells.iter().zip(&seen).map(move |(cell, seen)| completed(cell, at, seen.clone())))
        .collect();
    let summary = Summary::of(&study, &lines, &Context::default()).unwrap();
    let caveats: Vec<Option<Caveat>> = summary.cells.iter().map(|cell| cell.caveat()).collect();
    let expected = [None, Some(Caveat::ClientBound), Some(Caveat::Idle), Some(Caveat::Unknown)];
    assert_eq!(caveats, expected);
    assert!(summary.comparisons.is_empty());
    // What gathers messages by itself is no verdict where each is to be sent alone, however busy it was.
    let coalescing = [cells[0].server.clone()];
    let context = Context { coalescing: coalescing.into(), ..Context::default() };
    let summary = Summary::of(&study, &lines, &context).unwrap();
    assert_eq!(summary.cells[0].caveat(), Some(Caveat::Coalesced));
}

#[test]
fn merged_quantiles_are_compared_too() {
    let study = study(&["a", "b"], &scenario("latency", "latency", LATENCY));
    let cells = cells(&study);
    let lines: Vec<Measurement> = (0..20)
        .flat_map(|at| {
            let jitter = (noise(at) * 20.0) as u64;
            [deliveries(1_000 + jitter, 100), deliveries(2_000 + jitter, 100)]
                .into_iter()
                .zip(&cells)
                .map(move |(seen, cell)| completed(cell, at as u32, seen))
        })
        .collect();
    let summary = Summary::of(&study, &lines, &Context::default()).unwrap();
    assert!(summary.cells.iter().all(|cell| cell.merged.contains(&Metric::DeliveryP99)));
    let compared = summary.compared(&cells[0], Metric::DeliveryP99, "a", "b").unwrap();
    assert_eq!(compared.verdict, Verdict::Lower, "{compared:?}");
}

#[test]
fn one_short_iteration_does_not_become_the_tail_of_all() {
    let study = study(&["a"], &scenario("paced", "latency", LATENCY));
    let cell = &cells(&study)[0];
    let stalled = completed(cell, 0, deliveries(50_000_000, 900));
    let lines: Vec<Measurement> =
        (1..12).map(|at| completed(cell, at, deliveries(1_000, 1_500))).chain([stalled]).collect();
    let summary = Summary::of(&study, &lines, &Context::default()).unwrap();
    let p99 = &summary.cells[0].estimates[&Metric::DeliveryP99];
    assert!(!summary.cells[0].merged.contains(&Metric::DeliveryP99) && p99.iterations == 12);
    assert!(p99.estimate < 10_000.0, "{p99:?}");
}

#[test]
fn an_iteration_without_the_figure_leaves_those_of_the_others_by_iteration() {
    let study = study(&["slow", "quick"], &scenario("latency", "latency", LATENCY));
    let cells = cells(&study);
    let observe = |cell: usize, iteration: u32| match (cell, iteration) {
        // Nothing came through whole.
        (0, 5) | (1, 9) => rate(1.0),
        _ => deliveries(1_000 + 500 * (1 - cell as u64) + u64::from(iteration), 100),
    };
    let measurements: Vec<_> = (0..20)
        .flat_map(|iteration| {
            let cells = cells.iter().enumerate();
            cells.map(move |(at, cell)| completed(cell, iteration, observe(at, iteration)))
        })
        .collect();
    let summary = Summary::of(&study, &measurements, &Context::default()).unwrap();
    for cell in &summary.cells {
        assert!(!cell.merged.contains(&Metric::DeliveryP50));
        assert_eq!(cell.estimates[&Metric::DeliveryP50].iterations, 19);
    }
    let p50 = summary.comparisons.iter().find(|one| one.metric == Metric::DeliveryP50).unwrap();
    assert_eq!((p50.ratio.iterations, p50.verdict), (18, Verdict::Higher));
    assert_eq!(p50.cliffs_delta, Some(1.0));
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let study = study(&["a"], &scenario("paced", "latency", LATENCY));
    let cell = &cells(&study)[0];
    let twice = [completed(cell, 1, rate(1.0)), completed(cell, 1, rate(2.0))];
    assert!(matches!(
        Summary::of(&study, &twice, &Context::default()),
        Err(SummaryError::Twice { iteration: 1, .. })
    ));
    let foreign = Cell { connections: 9, ..cell.clone() };
    let error = Summary::of(&study, &[completed(&foreign, 0, rate(1.0))], &Context::default()).unwrap_err();
    assert!(
        error.to_string().starts_with("failed to sum up `a: paced binary each ×9`, iteration 0"),
        "{error}"
    );
    let mut damaged = deliveries(1_000, 100);
    let stored = &mut damaged.delivery_ns.as_mut().unwrap().histogram;
    *stored = stored.text()[..20].to_owned().into();
    let error = Summary::of(&study, &[completed(cell, 0, damaged)], &Context::default()).unwrap_err();
    assert!(error.to_string().starts_with("failed to merge the histograms of `a: paced"), "{error}");
}

#[test]
fn a_cell_that_always_failed_has_failures_and_no_figures() {
    let study = study(&["a", "b"], &scenario("flood", "throughput", ""));
    let cells = cells(&study);
    let mut lines: Vec<Measurement> =
        (0..3).map(|at| failed(&cells[0], at, if at == 0 { "rare" } else { "usual" })).collect();
    lines.push(completed(&cells[1], 0, rate(1.0)));
    let summary = Summary::of(&study, &lines, &Context::default()).unwrap();
    let reasons: Vec<(&str, usize)> =
        summary.cells[0].failures.iter().map(|failure| (failure.reason.as_str(), failure.count)).collect();
    assert_eq!(reasons, [("connect: usual", 2), ("connect: rare", 1)]);
    assert!(summary.cells[0].estimates.is_empty() && summary.comparisons.is_empty());
    assert_eq!(Summary::of(&study, &[], &Context::default()).unwrap().cells, []);
}

#[test]
fn the_json_of_a_summary() {
    let study = study(&["a", "b"], &scenario("flood", "throughput", ""));
    let cells = cells(&study);
    let lines: Vec<Measurement> = (0..2)
        .flat_map(|at| cells.iter().map(move |cell| completed(cell, at, rate(4.0 + f64::from(at)))))
        .collect();
    let json = serde_json::to_value(Summary::of(&study, &lines, &Context::default()).unwrap()).unwrap();
    let rate = &json["cells"][0]["estimates"]["messages_per_s"];
    assert_eq!(*rate, serde_json::json!({"estimate": 4.5, "low": 4.0, "high": 5.0, "iterations": 2}));
    assert_eq!(json["cells"][0]["cell"]["server"], "a");
    assert_eq!(json["comparisons"][0]["verdict"], "no_difference");
    assert_eq!(json["comparisons"][0]["ratio"]["estimate"], 1.0);
    assert!(json["cells"][0].get("series").is_none());
}
