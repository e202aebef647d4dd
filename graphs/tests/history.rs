//! Figures over runs: every run has its place, and no line joins two machines.

use tickbench_graphs::{Counts, History, PastPanel, PastRun, PastScene, PastSeries, history};
use tickbench_stats::Estimate;

/// Runs of one server; `another` is the one from which on the machine is another.
fn runs(count: usize, another: Option<usize>) -> History {
    let figure = |at: usize| {
        let estimate = 5_000.0 + 10.0 * at as f64;
        Estimate { estimate, low: estimate - 50.0, high: estimate + 50.0, iterations: 100 }
    };
    let run = |at: usize| PastRun { label: format!("day {}", at + 1), same_machine: another != Some(at) };
    let series = PastSeries { server: "one".into(), points: (0..count).map(|at| (at, figure(at))).collect() };
    let panel = PastPanel { title: "p50".into(), counts: Counts::Nanoseconds, series: vec![series] };
    History {
        servers: vec!["one".into()],
        baseline: None,
        runs: (0..count).map(run).collect(),
        scenes: vec![PastScene { name: "latency".into(), scenario: "latency".into(), panels: vec![panel] }],
    }
}

fn drawn(history: &History) -> String {
    let mut charts = tickbench_graphs::history(history).unwrap();
    assert_eq!((charts.len(), charts[0].name.as_str()), (1, "history-latency"));
    let svg = charts.remove(0).svg;
    roxmltree::Document::parse(&svg).unwrap();
    svg
}

fn bands(svg: &str) -> usize {
    svg.matches("opacity=\"0.18\"").count()
}

#[test]
fn a_line_breaks_where_the_machine_changes() {
    assert_eq!(bands(&drawn(&runs(6, None))), 1);
    assert_eq!(bands(&drawn(&runs(6, Some(0)))), 1, "there is nothing before the first run");
    assert_eq!(bands(&drawn(&runs(6, Some(3)))), 2);
}

#[test]
fn of_many_runs_some_are_labelled_and_the_last_always() {
    let svg = drawn(&runs(50, None));
    let labels = svg.matches("day ").count();
    assert!((3..=6).contains(&labels), "{labels} labels");
    assert!(svg.contains("day 50"));
    assert!(drawn(&runs(1, None)).contains("day 1"));
}

#[test]
fn equal_histories_give_equal_bytes_and_none_no_chart() {
    assert_eq!(drawn(&runs(9, Some(4))), drawn(&runs(9, Some(4))));
    let nothing = History { scenes: Vec::new(), ..runs(2, None) };
    assert_eq!(history(&nothing).unwrap(), []);
}
