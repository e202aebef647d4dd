//! The sections on offered load and on capacity.

mod support;

use support::{about, cell, environment, study};
use tickbench_report::render;
use tickbench_stats::{Caveat, CellSummary, Knee, Metric, Searches, Summary};

const SCENARIOS: &str = r#"
    [[scenario]]
    name = "load"
    kind = "load"
    rates_per_s = [10000, 400000, 800000]
    wait = "block"
    warmup_ms = 40
    window_ms = 100

    [[scenario]]
    name = "capacity"
    kind = "capacity"
    p99_us = 500
    p999_us = 2000
    wait = "block"
    warmup_ms = 40
    window_ms = 100
"#;

const SERVERS: [&str; 3] = ["swift", "plain", "wire"];

/// Three servers that saturate at 500,000/s, times what sets them apart.
fn summary() -> Summary {
    let study = study(&SERVERS, SCENARIOS);
    let cells = study.cells(&SERVERS.map(String::from), |_| true).into_iter().map(|of| {
        let offered = of.rate_per_s;
        let limit = if of.server == "plain" { 450_000.0 } else { 500_000.0 };
        let mut summed: CellSummary = cell(of, 1.0);
        let response = if offered > limit { 9e6 } else { 50_000.0 };
        summed.estimates.extend([
            (Metric::ResponseP50, about(response)),
            (Metric::ResponseP99, about(2.0 * response)),
            (Metric::ResponseP999, about(4.0 * response)),
        ]);
        if offered > 0.0 {
            summed.estimates.insert(Metric::MessagesPerS, about(offered.min(limit)));
            summed.estimates.insert(Metric::AchievedShare, about((limit / offered).min(1.0)));
        } else {
            summed.estimates.insert(Metric::CapacityPerS, about(0.95 * limit));
            summed.searches =
                Some(Searches { steps: 14.0, ended_by_lag: 38, ended_by_delivery: 2, ..Searches::default() });
        }
        summed
    });
    let cells: Vec<CellSummary> = cells.collect();
    let first = |one: &&CellSummary| one.cell.rate_per_s == 10_000.0;
    let knee = |one: &CellSummary| Knee {
        cell: one.cell.clone(),
        before_per_s: 400_000.0,
        beyond_per_s: Some(800_000.0),
        low_per_s: 400_000.0,
        high_per_s: if one.cell.server == "plain" { None } else { Some(800_000.0) },
        least_p99_ns: 100_000.0,
        iterations: 40,
    };
    let knees = cells.iter().filter(first).map(knee).collect();
    Summary { study: "small".into(), iterations: 40, cells, knees, ..Summary::default() }
}

fn report(summary: &Summary) -> String {
    let study = study(&SERVERS, SCENARIOS);
    render(&study, &environment(&SERVERS, Some("wire")), summary, &[]).unwrap()
}

fn line<'a>(report: &'a str, after: &str, start: &str) -> &'a str {
    let section = &report[report.find(after).unwrap_or_else(|| panic!("no {after:?}"))..];
    section
        .lines()
        .find(|line| line.starts_with(start))
        .unwrap_or_else(|| panic!("no {start:?} in {section}"))
}

#[test]
fn a_curve_has_a_knee_and_its_saturated_rates_are_marked() {
    let report = report(&summary());
    assert!(report.contains("10,000 to 800,000 ticks/s"), "{report}");
    let knee = line(&report, "### load", "| plain");
    assert!(knee.contains("| 400 | 800 | 400 to beyond the highest | 1.00 |"), "{knee}");
    let after = "plain: response by offered rate";
    assert!(line(&report, after, "| 400,000").contains("**knee**"));
    assert!(
        line(&report, after, "| 800,000").contains("| 56.2 <sup>"),
        "{}",
        line(&report, after, "| 800,000")
    );
    assert!(report.contains("saturated: ticks stay due on their schedule"));
    let answer = report.split("## Environment").next().unwrap();
    assert!(!answer.contains("offered/s"), "a line a rate would bury the answer: {answer}");
}

#[test]
fn a_capacity_is_shown_with_its_target_and_what_ended_the_searches() {
    let report = report(&summary());
    assert!(
        report.contains("Target: p99 of the response ≤ 500 µs and p99.9 of the response ≤ 2,000 µs."),
        "{report}"
    );
    let row = line(&report, "### capacity", "| swift");
    assert!(row.contains("| 475 [470, 480] |") && row.contains("| lag 38×, delivery 2× | 14.0 |"), "{row}");
    assert!(
        row.contains("| 2,000 [1,980, 2,020] |"),
        "500 ns a message are two million messages a CPU second: {row}"
    );
}

#[test]
fn a_lower_bound_is_marked_and_has_no_place() {
    let mut summary = summary();
    for cell in &mut summary.cells {
        cell.searches.iter_mut().for_each(|searches| searches.lower_bound = Some(Caveat::ClientBound));
    }
    let report = report(&summary);
    let row = line(&report, "### capacity", "| swift");
    assert!(row.contains("**client-bound**") && row.contains("| ≥ 475 [470, 480] |"), "{row}");
    assert!(
        report.contains(
            "swift and plain: no verdict: the rate is another's than this server's, or of another class (see Capacity at a target)"
        ),
        "{report}"
    );
}
