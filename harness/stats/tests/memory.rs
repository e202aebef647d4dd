//! Memory for each connection: the slopes of made-up runs, and what is said where there is none.

mod support;

use support::{cells, completed, failed, noise, rate, scenario, study};
use tickbench_record::{Measurement, MemoryReading, Observation};
use tickbench_stats::{Context, Memory, MemorySlope, Summary};

const COUNTS: &str = "rate_per_s = 1000\nconnections = [1, 10, 100, 1000]";

/// What a server with so many bytes a connection leaves behind, some noise on top.
fn seen(connections: u32, bytes_each: f64, noise_bytes: f64) -> Observation {
    let reading = |grown: f64| MemoryReading {
        rss_bytes: 5_000_000 + grown as u64,
        pss_bytes: 3_000_000 + grown as u64,
        private_bytes: 2_000_000 + grown as u64 / 2,
        kernel_buffer_bytes: 8192,
        kernel_slab_bytes: 700_000_000 + 2 * grown as u64,
        tcp_sockets: 2 + 2 * u64::from(connections),
    };
    Observation {
        server_memory_before: Some(reading(0.0)),
        server_memory_after: Some(reading(f64::from(connections) * bytes_each + noise_bytes)),
        ..rate(1_000.0)
    }
}

fn slopes(scenarios: &str, run: impl Fn(&tickbench_record::Cell, u32) -> Measurement) -> Vec<MemorySlope> {
    let study = study(&["thin", "fat"], scenarios);
    let run = &run;
    let measurements: Vec<Measurement> =
        cells(&study).iter().flat_map(|cell| (0..20).map(move |iteration| run(cell, iteration))).collect();
    Summary::of(&study, &measurements, &Context::default()).unwrap().memory
}

fn bytes_each(server: &str) -> f64 {
    if server == "thin" { 2_000.0 } else { 9_000.0 }
}

#[test]
fn the_slope_is_what_each_connection_takes() {
    let slopes = slopes(&scenario("wide", "scaling", COUNTS), |cell, iteration| {
        let noise = 40_000.0 * noise(u64::from(iteration * 10_000 + cell.connections));
        completed(cell, iteration, seen(cell.connections, bytes_each(&cell.server), noise))
    });
    assert_eq!(slopes.iter().map(|slope| slope.cell.server.as_str()).collect::<Vec<_>>(), ["thin", "fat"]);
    for slope in &slopes {
        assert_eq!(slope.connections, [1, 10, 100, 1000]);
        let due = bytes_each(&slope.cell.server);
        let bytes = slope.bytes_per_connection[&Memory::ServerPss];
        assert!(
            bytes.low <= due && due <= bytes.high && bytes.high - bytes.low < 40.0,
            "{bytes:?} for {due}"
        );
        assert_eq!(bytes.iterations, 20);
        let kernel = slope.bytes_per_connection[&Memory::KernelObjects];
        assert!((kernel.estimate - 2.0 * due).abs() < 80.0, "{kernel:?}");
        assert_eq!(slope.bytes_per_connection[&Memory::KernelBuffers].estimate, 0.0);
        assert_eq!(slope.missing, None);
    }
    let ratio = slopes[1].ratios["thin"][&Memory::ServerPss];
    assert!(
        (ratio.estimate - 4.5).abs() < 0.1 && ratio.low <= ratio.estimate && ratio.estimate <= ratio.high
    );
    assert!(!slopes[1].ratios["thin"].contains_key(&Memory::KernelBuffers), "nothing is divided by 0");
}

#[test]
fn an_iteration_that_went_wrong_is_one_of_many() {
    let slopes = slopes(&scenario("wide", "scaling", COUNTS), |cell, iteration| {
        let leak = if iteration == 7 && cell.connections == 1000 { 90e6 } else { 0.0 };
        match (iteration, cell.connections) {
            // Two counts are enough for a line; one is not.
            (3, 10 | 100) | (4, 10 | 100 | 1000) => failed(cell, iteration, "the server left"),
            _ => completed(cell, iteration, seen(cell.connections, bytes_each(&cell.server), leak)),
        }
    });
    let bytes = slopes[0].bytes_per_connection[&Memory::ServerPss];
    assert_eq!((bytes.estimate.round(), bytes.iterations), (2_000.0, 19));
}

#[test]
fn what_cannot_be_told_is_said() {
    let one = "rate_per_s = 1000\nconnections = [100]";
    let with_one = slopes(&scenario("narrow", "ping", one), |cell, iteration| {
        completed(cell, iteration, seen(100, 1.0, 0.0))
    });
    assert!(with_one[0].missing.as_ref().unwrap().starts_with("it takes at least two connection counts"));
    let unread = slopes(&scenario("wide", "ping", COUNTS), |cell, iteration| {
        let server_memory_missing = Some("failed to read `/proc/7/smaps_rollup`: Permission denied".into());
        completed(cell, iteration, Observation { server_memory_missing, ..rate(1_000.0) })
    });
    assert!(unread[0].bytes_per_connection.is_empty());
    assert!(unread[0].missing.as_ref().unwrap().contains("Permission denied"));
}

/// A run from before memory was looked at has the summary that it had.
#[test]
fn nobody_asked_nobody_answered() {
    let never = slopes(&scenario("wide", "scaling", COUNTS), |cell, iteration| {
        completed(cell, iteration, rate(1_000.0))
    });
    assert_eq!(never, []);
    let gone = slopes(&scenario("churn", "connect", "connections = [1, 100]"), |cell, iteration| {
        completed(cell, iteration, seen(cell.connections, 1.0, 0.0))
    });
    assert_eq!(gone, [], "connections that come and go have no count");
}
