//! Whole reports of small summaries, as they stand in `snapshots`.

mod support;

use support::{ALL_KINDS, LATENCY, about, environment, skipped, study, summary};
use tickbench_record::{ScenarioKind, Study};
use tickbench_report::{Figure, Section, render};
use tickbench_stats::{Failure, Metric, Summary};

fn report(study: &Study, summary: &Summary, baseline: Option<&str>) -> String {
    let servers: Vec<&str> = study.servers.iter().map(String::as_str).collect();
    render(study, &environment(&servers, baseline), summary, &[]).unwrap()
}

fn first_sentence(report: &str) -> &str {
    report.lines().nth(2).unwrap().trim_matches('*')
}

#[test]
fn a_whole_study() {
    let study = study(&["swift", "plain", "wire"], ALL_KINDS);
    let summary = summary(&study, &[("swift", 1.1), ("plain", 1.3), ("wire", 1.0)]);
    let figure = |section, name: &str| Figure {
        path: format!("graphs/{name}.svg"),
        title: format!("{name} of each server"),
        caption: "Lower is better.".into(),
        section,
    };
    let figures = [figure(Section::Latency, "latency"), figure(Section::Resources, "memory")];
    let environment = environment(&["swift", "plain", "wire"], Some("wire"));
    let report = render(&study, &environment, &summary, &figures).unwrap();
    assert_eq!(report, render(&study, &environment, &summary, &figures).unwrap(), "equal input, equal bytes");
    insta::assert_snapshot!(report);
}

#[test]
fn failures_and_missing_figures() {
    let study = study(&["swift", "plain"], ALL_KINDS);
    let mut summary = summary(&study, &[("swift", 1.0), ("plain", 1.3)]);
    for cell in summary.cells.iter_mut().filter(|cell| cell.cell.server == "plain") {
        match cell.cell.kind {
            ScenarioKind::Latency => {
                cell.estimates.remove(&Metric::DeliveryP999);
                (cell.lost, cell.negative) = (3, 12_345);
            }
            ScenarioKind::Throughput => {
                cell.estimates.insert(Metric::ServerCpuShare, about(0.6));
                cell.estimates.insert(Metric::ClientCpuShare, about(0.97));
            }
            ScenarioKind::Scaling => {
                cell.estimates.clear();
                cell.completed = 0;
                let reason = "connect: refused | <closed>\nby the server".to_string();
                cell.failures = vec![Failure { reason, count: 40 }];
            }
            ScenarioKind::Echo => cell.completed = 12,
        }
    }
    let is_gone = |question: &str| question.starts_with("flood") || question.starts_with("scaling");
    summary.comparisons.retain(|comparison| !is_gone(&comparison.question));
    let mut environment = environment(&["swift", "plain", "late"], None);
    environment.skipped = vec![skipped("far", "its toolchain is missing: `go` was not found")];
    environment.warnings = vec!["The server could not be pinned.".into()];
    environment.cores.server = None;
    environment.machine.hypervisor = Some("KVM".into());
    insta::assert_snapshot!(render(&study, &environment, &summary, &[]).unwrap());
}

#[test]
fn where_nothing_differs_the_first_sentence_says_so() {
    let study = study(&["swift", "plain", "wire"], LATENCY);
    let report =
        report(&study, &summary(&study, &[("swift", 1.0), ("plain", 1.0), ("wire", 0.8)]), Some("wire"));
    assert_eq!(
        first_sentence(&report),
        "No difference that this run can resolve between swift and plain, in any of the 2 figures compared."
    );
    insta::assert_snapshot!(report);
}

#[test]
fn one_server_is_compared_with_nothing() {
    let study = study(&["swift"], LATENCY);
    let report = report(&study, &summary(&study, &[("swift", 1.0)]), None);
    assert_eq!(first_sentence(&report), "Only swift was measured, so nothing is compared.");
    insta::assert_snapshot!(report);
}

#[test]
fn a_run_without_measurements_still_has_a_report() {
    let study = study(&["swift"], ALL_KINDS);
    let empty = Summary {
        study: "small".into(),
        iterations: 40,
        cells: Vec::new(),
        comparisons: Vec::new(),
        floors: Vec::new(),
    };
    let report = report(&study, &empty, Some("wire"));
    assert_eq!(first_sentence(&report), "Nothing was measured to its end, so there is nothing to compare.");
    assert!(report.contains("were not made: the run ended early"), "{report}");
}

#[test]
fn few_iterations_give_no_verdict() {
    let study = study(&["swift", "plain"], LATENCY);
    let mut summary = summary(&study, &[("swift", 1.0), ("plain", 1.0)]);
    for cell in &mut summary.cells {
        cell.completed = 5;
        cell.estimates.values_mut().for_each(|estimate| estimate.iterations = 5);
    }
    let report = report(&study, &summary, None);
    assert_eq!(
        first_sentence(&report),
        "5 iterations are too few for a verdict between swift and plain, in any of the 2 figures compared: \
         it takes at least 7."
    );
    assert!(!report.contains("**1** ·"), "no ranks without verdicts");
}

/// Markdown tables fall apart where a row has another number of cells than its heading.
#[test]
fn every_table_has_rows_of_one_length() {
    let study = study(&["swift", "plain", "wire"], ALL_KINDS);
    let report =
        report(&study, &summary(&study, &[("swift", 1.0), ("plain", 1.3), ("wire", 0.9)]), Some("wire"));
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    let lines: Vec<&str> = report.lines().collect();
    let rows = lines.windows(2).filter(|pair| pair.iter().all(|line| line.starts_with('|')));
    let mut seen = 0;
    for pair in rows {
        assert_eq!(cells(pair[0]), cells(pair[1]), "{pair:?}");
        seen += 1;
    }
    assert!(seen > 50, "{seen}");
}
