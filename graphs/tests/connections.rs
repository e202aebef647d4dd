//! The charts on connections: opening them, keeping them, and what each takes of memory.

mod support;

use std::collections::BTreeMap;

use roxmltree::Document;
use support::{SERVERS, cell, summed};
use tickbench_graphs::{Chart, Options, Section, charts};
use tickbench_record::{Cell, Lane, ScenarioKind, Wait};
use tickbench_stats::{Estimate, Memory, MemorySlope, Metric, Series, Summary};

/// How much more than the floor each of the servers takes.
const MORE: [f64; 4] = [2.4, 3.1, 1.9, 1.0];

fn connect(server: &str) -> Cell {
    Cell { connections: 32, wait: Wait::Block, ..cell("churn", ScenarioKind::Connect, server) }
}

fn ping(server: &str, lane: Lane, connections: u32) -> Cell {
    Cell { connections, lane, rate_per_s: 1_000.0, ..cell("kept", ScenarioKind::Ping, server) }
}

fn slope(server: &str, lane: Lane, more: f64) -> MemorySlope {
    let around =
        |bytes: f64| Estimate { estimate: bytes, low: bytes * 0.97, high: bytes * 1.03, iterations: 20 };
    MemorySlope {
        cell: ping(server, lane, 100),
        connections: vec![100, 1_000, 10_000],
        bytes_per_connection: BTreeMap::from([
            (Memory::ServerPss, around(more * if lane == Lane::Tuned { 4_000.0 } else { 6_000.0 })),
            (Memory::KernelObjects, around(7_400.0)),
        ]),
        ratios: BTreeMap::new(),
        missing: None,
    }
}

fn summary() -> Summary {
    let servers = || SERVERS.into_iter().zip(MORE);
    let mut cells = Vec::new();
    for (server, more) in servers() {
        let figures = [
            (Metric::MessagesPerS, 24_000.0 / more),
            (Metric::HandshakeP50, 310_000.0 * more),
            (Metric::FirstTickP99, 900_000.0 * more),
            (Metric::ServerCpuNsPerMessage, 21_000.0 * more),
        ];
        cells.push(summed(connect(server), 20, &figures, Series::default()));
    }
    for lane in [Lane::Default, Lane::Tuned] {
        for connections in [100, 1_000, 10_000] {
            for (server, more) in servers() {
                let figures = [
                    (Metric::RoundTripP50, 9_000.0 * more.sqrt()),
                    (Metric::RoundTripP99, 19_000.0 * more.sqrt()),
                    (Metric::ServerCpuShare, 0.02 * more),
                    (Metric::ServerPssBytes, 3e6 + 6_000.0 * more * f64::from(connections)),
                ];
                cells.push(summed(ping(server, lane, connections), 20, &figures, Series::default()));
            }
        }
    }
    let lanes = [Lane::Default, Lane::Tuned].into_iter();
    let memory =
        lanes.flat_map(|lane| servers().map(move |(server, more)| slope(server, lane, more))).collect();
    Summary { study: "connections".into(), iterations: 20, cells, memory, ..Summary::default() }
}

fn drawn(summary: &Summary) -> Vec<Chart> {
    charts(summary, Options { baseline: Some("floor") }).expect("charts are drawn into memory")
}

fn texts(chart: &Chart) -> Vec<String> {
    let document = Document::parse(&chart.svg).expect("a chart is XML");
    let texts = document.descendants().filter(|node| node.has_tag_name("text"));
    texts.map(|node| node.text().unwrap_or_default().trim().to_owned()).collect()
}

#[test]
fn each_question_on_connections_has_its_chart() {
    let charts = drawn(&summary());
    let names: Vec<&str> = charts.iter().map(|chart| chart.name.as_str()).collect();
    assert_eq!(names, ["churn-connecting", "kept-idle-default", "kept-idle-tuned", "kept-memory"]);
    assert!(charts.is_sorted_by_key(|chart| chart.section));
    assert_eq!(charts[3].section, Section::Memory);
}

#[test]
fn memory_is_shown_by_lane_and_for_user_and_kernel_apart() {
    let charts = drawn(&summary());
    let said = texts(charts.last().unwrap());
    for text in [
        "Binary, default lane",
        "Binary, tuned lane",
        "Server, PSS a connection",
        "Kernel objects, both ends",
        "connections study · 20 iterations · 100, 1,000, 10,000 connections",
        "18.2 KiB",
    ] {
        assert!(said.iter().any(|one| one == text), "{text:?} is none of {said:?}");
    }
}

#[test]
fn what_has_no_slope_is_named_and_noise_below_zero_is_no_bar() {
    let mut summary = summary();
    summary.memory.truncate(2);
    summary.memory[0].bytes_per_connection.clear();
    summary.memory[0].missing = Some("it takes at least two connection counts".into());
    let below = Estimate { estimate: -50.0, low: -400.0, high: 300.0, iterations: 20 };
    summary.memory[1].bytes_per_connection.insert(Memory::KernelObjects, below);
    let charts = drawn(&summary);
    let said = texts(charts.last().unwrap()).join(" ");
    assert!(said.contains("axum: it takes at least two connection counts"), "{said}");
    assert_eq!(said.matches("no data").count(), 3, "{said}");
    summary.memory.truncate(1);
    assert!(drawn(&summary).iter().all(|chart| chart.section != Section::Memory), "nothing to draw");
}
