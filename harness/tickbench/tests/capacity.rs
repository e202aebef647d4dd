//! Searches for a capacity, and load at several rates, on fake contestants whose responses are slow above 50,000 messages a second.

mod support;

use support::{Project, assert_code, stderr, stdout};
use tickbench_record::{Outcome, ScenarioKind, Stage};

/// What the fake client's target is held against, a second.
const SATURATES_PER_S: f64 = 50_000.0;

fn saturating() -> Project {
    let project = Project::new(&[("one", "fine"), ("two", "fine")], "saturates", "fine");
    let manifest = project.server("one", "fine") + &project.server("base", "fine") + "baseline = true\n";
    project.write("servers/servers.toml", &manifest);
    project
}

fn capacity(project: &Project, more: &[&str]) -> std::process::Output {
    project.tickbench(&[&["capacity", "--seed", "7", "--out", "out"], more].concat())
}

fn study(scenario: &str) -> String {
    format!(
        "name = 'test'\niterations = 3\nstall_ms = 20000\n[[scenario]]\nname = 's'\nwait = 'block'\nwarmup_ms = 1\nwindow_ms = 5\n\
         {scenario}"
    )
}

#[test]
fn the_highest_rate_that_holds_is_found_in_every_iteration() {
    let project = saturating().watching("fine");
    let output = capacity(&project, &["--p99", "500us", "--iterations", "3", "--servers", "one"]);
    assert_code(&output, 0);
    let (run, text) = (project.out(), stdout(&output));
    assert!(text.contains("p99 ≤ 500us of the response, binary messages, flush=each"), "{text}");
    assert_eq!((run.completed("one"), run.completed("base")), (3, 3), "the baseline is always asked too");
    let mut found: Vec<f64> = Vec::new();
    for measurement in run.measurements() {
        let seen = measurement.observation.unwrap();
        let capacity = seen.capacity.unwrap();
        assert!(capacity.rate_per_s <= SATURATES_PER_S && SATURATES_PER_S <= 1.05 * capacity.rate_per_s);
        assert_eq!(seen.messages_per_s, capacity.rate_per_s, "all else is of the highest step that held");
        let failed = capacity.steps.iter().filter(|step| !step.held);
        assert!(failed.clone().all(|step| step.rate_per_s > SATURATES_PER_S));
        assert_eq!(failed.count() % 2, 0, "each rate that fails is tried twice");
        found.push(capacity.rate_per_s);
    }
    found.sort_by(f64::total_cmp);
    found.dedup();
    assert_eq!(found.len(), 3, "the rates of each iteration lie between those of the others: {found:?}");
    let report = run.text("REPORT.md");
    assert!(
        report.contains("## Capacity at a target") && report.contains("Target: p99 of the response ≤ 500 µs")
    );
    assert!(run.0.join("graphs/capacity-capacity.svg").is_file());
    assert_code(&project.tickbench(&["report", "out"]), 0);
}

#[test]
fn a_server_that_keeps_no_target_fails_with_what_was_seen() {
    let project = saturating();
    project.write("study.toml", &study("kind = 'capacity'\np99_us = 0.5\n"));
    let (output, run) = project.run(&["--servers", "one"]);
    assert_code(&output, 3);
    for (stage, reason) in run.failures("one") {
        assert_eq!(stage, Stage::Measure);
        assert!(reason.contains("not even 1000 messages a second keep the target"), "{reason}");
    }
}

#[test]
fn a_server_that_dies_in_a_search_fails_the_execution() {
    let project = Project::new(&[("one", "dies")], "saturates", "fine");
    project.write("study.toml", &study("kind = 'capacity'\np99_us = 500\n"));
    let (output, run) = project.run(&[]);
    assert_code(&output, 3);
    let failures = run.failures("one");
    assert_eq!(failures.len(), 3);
    assert!(failures.iter().all(|(_, reason)| reason.contains("the server was killed")), "{failures:?}");
}

#[test]
fn each_rate_of_a_load_is_a_cell_and_the_knee_lies_where_responses_slow_down() {
    let project = saturating();
    project.write("study.toml", &study("kind = 'load'\nrates_per_s = [10000, 40000, 60000]\n"));
    let (output, run) = project.run(&[]);
    assert_code(&output, 0);
    let measurements = run.measurements();
    assert_eq!(measurements.len(), 2 * 3 * 3);
    assert!(
        measurements.iter().all(|m| m.outcome == Outcome::Completed && m.cell.kind == ScenarioKind::Load)
    );
    let summary: serde_json::Value = serde_json::from_str(&run.text("summary.json")).unwrap();
    for knee in summary["knees"].as_array().unwrap() {
        assert_eq!((&knee["before_per_s"], &knee["beyond_per_s"]), (&40_000.0.into(), &60_000.0.into()));
    }
    let report = run.text("REPORT.md");
    assert!(report.contains("## Offered load") && report.contains("**knee**"), "{report}");
    assert!(run.0.join("graphs/s-response.svg").is_file());
}

#[test]
fn a_wrong_target_names_the_flag_the_value_and_a_right_one() {
    let project = saturating();
    for (args, words) in [
        (&["--p99", "500"][..], &["--p99", "'500'", "such as 500us"][..]),
        (&["--p999", "soon"], &["--p999", "'soon'", "such as 500us"]),
        (&["--p99", "0us"], &["--p99", "nothing arrives in no time"]),
        (&[], &["needs a target", "--p99 500us", "--p999 2ms"]),
        (&["--p99", "1ms", "--servers", "three"], &["there is no server \"three\""]),
        (&["--p99", "1ms", "--encoding", "xml"], &["xml", "json, binary"]),
    ] {
        let output = capacity(&project, args);
        assert_code(&output, 2);
        let error = stderr(&output);
        assert!(words.iter().all(|word| error.contains(word)), "{args:?}: {error}");
    }
}

#[test]
fn a_plan_knows_how_long_searches_take() {
    let project = saturating();
    let study = project.write("study.toml", &study("kind = 'capacity'\np99_us = 500\n"));
    let output = project.tickbench(&["study", "--check", study.to_str().unwrap()]);
    assert_code(&output, 0);
    let text = stdout(&output);
    assert!(text.contains("each execution a search: some"), "{text}");
}
