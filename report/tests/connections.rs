//! The sections on connections: opening them, keeping them, and what each takes of memory.

mod support;

use std::collections::BTreeMap;

use support::{about, environment, study, summary};
use tickbench_record::ScenarioKind;
use tickbench_report::render;
use tickbench_stats::{Estimate, Memory, MemorySlope, Metric, Summary};

const CONNECTIONS: &str = r#"
    [[scenario]]
    name = "churn"
    kind = "connect"
    connections = [32]
    wait = "block"
    warmup_ms = 50
    window_ms = 250

    [[scenario]]
    name = "kept"
    kind = "ping"
    lanes = ["default", "tuned"]
    connections = [100, 1000]
    rate_per_s = 1000
    wait = "spin"
    warmup_ms = 50
    window_ms = 250
"#;

const SERVERS: [(&str, f64); 3] = [("swift", 1.1), ("plain", 1.3), ("wire", 1.0)];

/// The slopes of *swift*, *plain* and *wire* in both lanes; *plain* was never read.
fn slopes(summary: &Summary) -> Vec<MemorySlope> {
    let fewest = summary
        .cells
        .iter()
        .filter(|cell| cell.cell.kind == ScenarioKind::Ping && cell.cell.connections == 100);
    fewest
        .map(|cell| {
            let factor = SERVERS.iter().find(|(name, _)| *name == cell.cell.server).unwrap().1;
            let unread = cell.cell.server == "plain";
            let buffers = Estimate { estimate: -40.0, low: -900.0, high: 1_100.0, iterations: 40 };
            let bytes = BTreeMap::from([
                (Memory::ServerPss, about(9_000.0 * factor)),
                (Memory::ServerPrivate, about(8_900.0 * factor)),
                (Memory::ServerRss, about(9_100.0 * factor)),
                (Memory::KernelObjects, about(7_400.0)),
                (Memory::KernelBuffers, buffers),
            ]);
            let ratios =
                BTreeMap::from([(Memory::ServerPss, about(factor)), (Memory::KernelObjects, about(1.0))]);
            MemorySlope {
                cell: cell.cell.clone(),
                connections: vec![100, 1000],
                bytes_per_connection: if unread { BTreeMap::new() } else { bytes },
                ratios: if unread { BTreeMap::new() } else { BTreeMap::from([("wire".into(), ratios)]) },
                missing: unread.then(|| "failed to read `/proc/7/smaps_rollup`: Permission denied".into()),
            }
        })
        .collect()
}

fn report(summary: &Summary) -> String {
    let study = study(&["swift", "plain", "wire"], CONNECTIONS);
    render(&study, &environment(&["swift", "plain", "wire"], Some("wire")), summary, &[]).unwrap()
}

/// From the first of these headings up to the heading of Resource utilisation.
fn sections(report: &str) -> &str {
    let from = report.find("## Connecting").unwrap();
    &report[from..report.find("## Resource utilisation").unwrap()]
}

#[test]
fn opening_keeping_and_memory() {
    let study = study(&["swift", "plain", "wire"], CONNECTIONS);
    let mut summary = summary(&study, &SERVERS);
    summary.memory = slopes(&summary);
    let report = report(&summary);
    assert!(report.contains("used under 95 % of their core"), "{report}");
    insta::assert_snapshot!(sections(&report));
}

#[test]
fn the_rate_of_servers_that_used_their_core_is_compared() {
    let study = study(&["swift", "plain", "wire"], CONNECTIONS);
    let mut summary = summary(&study, &SERVERS);
    for cell in summary.cells.iter_mut().filter(|cell| cell.cell.kind == ScenarioKind::Connect) {
        cell.estimates.insert(Metric::ServerCpuShare, about(0.99));
    }
    summary.comparisons = support::comparisons(&summary);
    let report = report(&summary);
    assert!(report.contains("| rate ÷ wire | rate ÷ swift |"), "{}", sections(&report));
    assert!(!report.contains("ranks nobody"), "{}", sections(&report));
}

#[test]
fn a_run_without_such_questions_says_nothing_of_them() {
    let study = study(&["swift", "plain"], support::LATENCY);
    let summary = summary(&study, &[("swift", 1.0), ("plain", 1.3)]);
    let report = render(&study, &environment(&["swift", "plain"], None), &summary, &[]).unwrap();
    for heading in ["## Connecting", "## Idle connections", "## Memory per connection"] {
        assert!(!report.contains(heading), "{report}");
    }
}
