//! A made-up summary with the shapes of a real one: the same on every machine.

#![allow(dead_code, reason = "each test and the example use a part of it")]

use std::collections::{BTreeMap, BTreeSet};

use tickbench_record::{Arrival, Cell, Client, Disturbance, Encoding, Flush, Idle, Lane, ScenarioKind, Wait};
use tickbench_stats::{CellSummary, Estimate, Failure, Knee, Metric, Series, StageBand, Summary};

/// Names of the made-up servers; the last is the baseline.
pub(crate) const SERVERS: [&str; 4] = ["axum", "actix", "tungstenite", "floor"];
/// How much slower each is than the baseline.
const SLOWNESS: [f64; 4] = [1.04, 1.13, 1.02, 1.0];

/// Numbers that look random.
struct Noise(u64);

impl Noise {
    /// Between 0 and 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// A summary of every scenario, with every series.
pub(crate) fn summary(servers: &[&str], iterations: usize) -> Summary {
    let mut cells = Vec::new();
    for encoding in [Encoding::Json, Encoding::Binary] {
        for server in servers {
            cells.push(latency(server, encoding, Client::Probe, iterations));
        }
    }
    for flush in [Flush::Each, Flush::Batch] {
        for encoding in [Encoding::Json, Encoding::Binary] {
            for server in servers {
                cells.push(throughput(server, encoding, flush, iterations));
            }
        }
    }
    for server in servers {
        cells.push(echo(server, iterations));
    }
    for connections in [1, 10, 100, 1_000] {
        for server in servers {
            cells.push(scaling(server, connections, iterations));
        }
    }
    for (client, server) in
        [Client::Probe, Client::Tungstenite].into_iter().zip(std::iter::repeat(servers.last()))
    {
        let Some(server) = server else { break };
        let mut usual = latency(server, Encoding::Binary, client, iterations);
        usual.cell.scenario = "Usual client".into();
        usual.cell.wait = Wait::Block;
        cells.push(usual);
    }
    Summary { study: "default".into(), iterations: iterations as u32, cells, ..Summary::default() }
}

fn slowness(server: &str) -> f64 {
    SERVERS.iter().position(|known| *known == server).map_or(1.3, |index| SLOWNESS[index])
}

pub(crate) fn cell(scenario: &str, kind: ScenarioKind, server: &str) -> Cell {
    Cell {
        scenario: scenario.into(),
        kind,
        server: server.into(),
        lane: Lane::Default,
        client: Client::Probe,
        idle: Idle::Sleep,
        wait: Wait::Spin,
        encoding: Encoding::Binary,
        flush: Flush::Each,
        arrival: Arrival::Constant,
        connections: 1,
        rate_per_s: 0.0,
        size_bytes: 0,
        beside: Disturbance::Nothing,
    }
}

pub(crate) fn summed(
    cell: Cell,
    iterations: usize,
    figures: &[(Metric, f64)],
    series: Series,
) -> CellSummary {
    let around =
        |figure: f64| Estimate { estimate: figure, low: figure * 0.97, high: figure * 1.04, iterations };
    CellSummary {
        cell,
        coalesces: false,
        completed: iterations,
        failures: Vec::new(),
        lost: 0,
        reordered: 0,
        negative: 0,
        received: 1_000_000,
        estimates: figures
            .iter()
            .map(|(metric, figure)| (*metric, around(*figure)))
            .collect::<BTreeMap<_, _>>(),
        merged: BTreeSet::new(),
        blocks: BTreeMap::new(),
        beyond: 0,
        audits: Vec::new(),
        failed_executions: Vec::new(),
        ceiling_share: None,
        disturbed: None,
        searches: None,
        series,
    }
}

/// A histogram's quantiles: flat to 90 %, then ever steeper.
fn quantiles(p50: f64, tail: f64) -> Vec<(f64, u64)> {
    let place = |step: u32| 1.0 - 10f64.powf(-f64::from(step) / 20.0);
    let value = |quantile: f64| {
        let nines = -(1.0 - quantile).log10();
        p50 * (0.86 + 0.45 * quantile.powi(3) + (tail * (nines - 0.7).max(0.0)).powf(2.6) / 30.0)
    };
    let mut points: Vec<_> = (0..=84).map(place).map(|quantile| (quantile, value(quantile) as u64)).collect();
    points.push((1.0, (value(0.99999) * 3.0) as u64));
    points
}

fn by_iteration(noise: &mut Noise, iterations: usize, around: f64, spread: f64) -> Vec<f64> {
    (0..iterations)
        .map(|_| {
            let bell = (0..6).map(|_| noise.next()).sum::<f64>() / 3.0 - 1.0;
            let outlier = if noise.next() > 0.94 { 1.0 + 4.0 * spread * noise.next() } else { 1.0 };
            around * (1.0 + spread * bell) * outlier
        })
        .collect()
}

fn usage(noise: &mut Noise, cpu: f64, rss_mib: f64, client: f64) -> Vec<(f64, f64, f64, f64)> {
    (0..20)
        .map(|step| {
            let wave = 1.0 + 0.06 * (noise.next() - 0.5);
            let memory = (rss_mib + 0.02 * f64::from(step)) * 1024.0 * 1024.0;
            (f64::from(step) * 50.0, (cpu * wave).min(1.0), memory, (client * wave).min(1.0))
        })
        .collect()
}

fn noise(server: &str, salt: u64) -> Noise {
    let mut noise =
        Noise(server.bytes().fold(salt, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte))));
    noise.next();
    noise
}

fn latency(server: &str, encoding: Encoding, client: Client, iterations: usize) -> CellSummary {
    let slow = slowness(server);
    let size = if encoding == Encoding::Json { 1.12 } else { 1.0 };
    let added = if client == Client::Probe { 1.0 } else { 1.9 };
    let (p50, p99) = (4_950.0 * slow * size * added, 9_400.0 * slow * slow * size * added);
    let mut noise = noise(server, encoding as u64 + 7);
    let series = Series {
        merged_quantiles: quantiles(p50, 2.4 + slow),
        typical_quantiles: quantiles(p50, 1.2 + slow),
        merged_lag_quantiles: quantiles(33_000.0 * slow, 1.1 + slow),
        typical_lag_quantiles: quantiles(33_000.0 * slow, 1.0 + slow),
        p50_by_iteration: by_iteration(&mut noise, iterations, p50, 0.05),
        p99_by_iteration: by_iteration(&mut noise, iterations, p99, 0.3),
        usage: usage(&mut noise, 0.22 * slow, 3.2 * slow * slow, 1.0),
    };
    let cell =
        Cell { encoding, client, rate_per_s: 10_000.0, ..cell("latency", ScenarioKind::Latency, server) };
    let figures = [
        (Metric::DeliveryP50, p50),
        (Metric::DeliveryP99, p99),
        (Metric::ServerCpuNsPerMessage, 22_000.0 * slow),
        (Metric::ServerRssBytes, 3.4e6 * slow),
    ];
    summed(cell, iterations, &figures, series)
}

/// Adds stages to a latency cell: a usual message mostly waits for its timer, a slow one in the server.
pub(crate) fn add_stages(cell: &mut CellSummary) {
    let slow = slowness(&cell.cell.server);
    for (band, [lag, network, wake, unsplit]) in StageBand::ALL.into_iter().zip([
        [33_000.0, 3_100.0 * slow, 1_500.0, 0.0],
        [90_000.0 * slow * slow, 4_600.0 * slow, 1_900.0, 2_400.0],
        [410_000.0 * slow * slow, 9_000.0 * slow, 2_300.0, 11_000.0],
    ]) {
        let around = |figure: f64| Estimate {
            estimate: figure,
            low: figure * 0.96,
            high: figure * 1.05,
            iterations: cell.completed,
        };
        let stages = band.stages().into_iter().zip([lag, network, wake, unsplit]);
        let whole = (band.response, lag + network + wake + unsplit);
        cell.estimates.extend(stages.chain([whole]).map(|(metric, figure)| (metric, around(figure))));
        cell.estimates.insert(band.stamped, around(1.0 - unsplit / 40_000.0));
    }
}

fn throughput(server: &str, encoding: Encoding, flush: Flush, iterations: usize) -> CellSummary {
    let slow = slowness(server);
    let fastest = match (flush, encoding) {
        (Flush::Each, Encoding::Json) => 0.47e6,
        (Flush::Each, Encoding::Binary) => 0.56e6,
        (Flush::Batch, Encoding::Json) => 1.9e6,
        (Flush::Batch, Encoding::Binary) => 8.9e6,
    };
    let rate = fastest / slow.powi(3);
    let mut noise = noise(server, 99);
    let series = Series { usage: usage(&mut noise, 0.99, 3.3 * slow, 0.4), ..Series::default() };
    let cell = Cell { encoding, flush, ..cell("throughput", ScenarioKind::Throughput, server) };
    let figures = [
        (Metric::MessagesPerS, rate),
        (Metric::ServerCpuShare, 0.99),
        (Metric::ClientCpuShare, 0.4),
        (Metric::ServerCpuNsPerMessage, 1e9 / rate),
        (Metric::ServerRssBytes, 3.4e6),
    ];
    summed(cell, iterations, &figures, series)
}

fn echo(server: &str, iterations: usize) -> CellSummary {
    let slow = slowness(server);
    let p50 = 11_400.0 * slow;
    let mut noise = noise(server, 5);
    let series = Series {
        merged_quantiles: quantiles(p50, 2.0 + slow),
        typical_quantiles: quantiles(p50, 1.5 + slow),
        p50_by_iteration: by_iteration(&mut noise, iterations, p50, 0.04),
        p99_by_iteration: by_iteration(&mut noise, iterations, p50 * 1.6, 0.2),
        usage: usage(&mut noise, 0.9, 3.3 * slow, 1.0),
        ..Series::default()
    };
    let cell = Cell { size_bytes: 64, ..cell("echo", ScenarioKind::Echo, server) };
    let figures = [
        (Metric::MessagesPerS, 0.95e9 / p50),
        (Metric::RoundTripP50, p50),
        (Metric::RoundTripP99, p50 * 1.6),
        (Metric::ServerCpuNsPerMessage, p50 * 0.6),
    ];
    summed(cell, iterations, &figures, series)
}

fn scaling(server: &str, connections: u32, iterations: usize) -> CellSummary {
    let (slow, many) = (slowness(server), f64::from(connections));
    let p50 = (47_000.0 + 2_100.0 * many) * slow;
    let mut noise = noise(server, 11);
    let rss = 3.3 * slow + many * 0.016 * slow;
    let series = Series { usage: usage(&mut noise, 0.25 + many * 3e-4, rss, 0.2), ..Series::default() };
    let cell = Cell {
        connections,
        rate_per_s: 10_000.0,
        wait: Wait::Block,
        ..cell("scaling", ScenarioKind::Scaling, server)
    };
    let figures = [
        (Metric::DeliveryP50, p50),
        (Metric::DeliveryP99, p50 * (1.9 + slow)),
        (Metric::ServerRssBytes, rss * 1024.0 * 1024.0),
        (Metric::ServerCpuNsPerMessage, (22_000.0 - 4_000.0 * many.log10()) * slow),
    ];
    summed(cell, iterations, &figures, series)
}

/// Response against offered load, flat until a server's limit, and the capacity at a target.
pub(crate) fn limits(servers: &[&str], iterations: usize) -> Summary {
    let (mut cells, mut knees) = (Vec::new(), Vec::new());
    for server in servers {
        let limit = 520_000.0 / slowness(server).powi(3);
        for rate in [10_000.0, 30_000.0, 100_000.0, 300_000.0, 400_000.0, 600_000.0, 800_000.0] {
            let busy: f64 = rate / limit;
            let p50 = if busy < 1.0 { 30_000.0 / (1.05 - busy) } else { 4e6 * busy * busy };
            let cell = Cell {
                rate_per_s: rate,
                idle: Idle::Spin,
                wait: Wait::Block,
                ..cell("load", ScenarioKind::Load, server)
            };
            let figures = [
                (Metric::ResponseP50, p50),
                (Metric::ResponseP99, 3.0 * p50),
                (Metric::ResponseP999, 7.0 * p50),
                (Metric::MessagesPerS, rate.min(limit)),
                (Metric::ServerCpuShare, busy.min(1.0)),
            ];
            if rate == 10_000.0 {
                knees.push(Knee {
                    cell: cell.clone(),
                    before_per_s: 300_000.0,
                    beyond_per_s: Some(400_000.0),
                    low_per_s: 300_000.0,
                    high_per_s: None,
                    least_p99_ns: 86_000.0,
                    iterations,
                });
            }
            cells.push(summed(cell, iterations, &figures, Series::default()));
        }
        let figures = [(Metric::CapacityPerS, 0.93 * limit), (Metric::ServerCpuNsPerMessage, 0.96e9 / limit)];
        cells.push(summed(
            cell("capacity", ScenarioKind::Capacity, server),
            iterations,
            &figures,
            Series::default(),
        ));
    }
    Summary { cells, knees, ..summary(&[], iterations) }
}

/// Makes a cell one that failed each time.
pub(crate) fn fail(cell: &mut CellSummary, reason: &str) {
    cell.failures = vec![Failure { reason: reason.into(), count: cell.completed }];
    cell.completed = 0;
    cell.estimates.clear();
    cell.series = Series::default();
}
