//! Small summaries, made by hand.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::BTreeMap;

use tickbench_record::{BuiltServer, Cell, Cores, Environment, Machine, ScenarioKind, SkippedServer, Study};
use tickbench_stats::{
    CellSummary, Comparison, Estimate, Failure, Metric, Series, StageBand, Summary, Verdict,
};

pub(crate) fn study(servers: &[&str], scenarios: &str) -> Study {
    let servers = servers.iter().map(|server| format!("{server:?}")).collect::<Vec<_>>().join(", ");
    let head = format!("name = \"small\"\niterations = 40\nseed = 3\nservers = [{servers}]\n");
    Study::from_toml(&(head + scenarios)).unwrap()
}

pub(crate) const LATENCY: &str = r#"
    [[scenario]]
    name = "latency"
    kind = "latency"
    rate_per_s = 10000
    wait = "spin"
    warmup_ms = 50
    window_ms = 250
"#;

pub(crate) const ALL_KINDS: &str = r#"
    [[scenario]]
    name = "latency"
    kind = "latency"
    encodings = ["json", "binary"]
    rate_per_s = 10000
    wait = "spin"
    warmup_ms = 50
    window_ms = 250

    [[scenario]]
    name = "flood"
    kind = "throughput"
    wait = "block"
    warmup_ms = 50
    window_ms = 200

    [[scenario]]
    name = "scaling"
    kind = "scaling"
    connections = [1, 1000]
    rate_per_s = 10000
    wait = "block"
    warmup_ms = 50
    window_ms = 250

    [[scenario]]
    name = "echo"
    kind = "echo"
    size_bytes = [64]
    wait = "spin"
    warmup_ms = 50
    window_ms = 200

    [[scenario]]
    name = "usual"
    kind = "latency"
    servers = ["swift"]
    clients = ["tungstenite"]
    rate_per_s = 10000
    wait = "block"
    warmup_ms = 50
    window_ms = 250
"#;

pub(crate) fn environment(servers: &[&str], baseline: Option<&str>) -> Environment {
    let built = |name: &&str| BuiltServer {
        name: (*name).into(),
        language: "Rust".into(),
        version: format!("{name} 1.2.3"),
        build: format!("cargo build -p {name}"),
        binary: format!("contestant/{name}"),
        sha256: Some("0123456789abcdef".repeat(4)),
        coalesces: false,
        deviations: Vec::new(),
    };
    Environment {
        tickbench_version: "0.1.0".into(),
        commit: Some("feedbeef".into()),
        command: "tickbench run --iterations 40 --seed 3".into(),
        started_at: "2024-02-03T04:05:06Z".into(),
        machine: Machine { architecture: "x86_64".into(), logical_cores: 4, ..Machine::default() },
        cores: Cores { server: Some(2), client: Some(3), harness: vec![0, 1], ..Cores::default() },
        servers: servers.iter().map(built).collect(),
        baseline: baseline.map(Into::into),
        ..Environment::default()
    }
}

pub(crate) fn skipped(name: &str, reason: &str) -> SkippedServer {
    SkippedServer { name: name.into(), reason: reason.into() }
}

/// An estimate with an interval of 1 % on either side.
pub(crate) fn about(estimate: f64) -> Estimate {
    Estimate { estimate, low: estimate * 0.99, high: estimate * 1.01, iterations: 40 }
}

/// A cell in which every figure is `factor` times a usual one.
pub(crate) fn cell(cell: Cell, factor: f64) -> CellSummary {
    let latency = |base: f64| [base, base * 1.2, base * 1.5, base * 4.0].map(|ns| about(ns * factor));
    let mut estimates: BTreeMap<Metric, Estimate> = BTreeMap::new();
    use Metric as M;
    if matches!(cell.kind, ScenarioKind::Echo | ScenarioKind::Ping) {
        estimates.extend(
            [M::RoundTripP50, M::RoundTripP90, M::RoundTripP99, M::RoundTripP999]
                .into_iter()
                .zip(latency(12_000.0)),
        );
    } else {
        estimates.extend(
            [M::DeliveryP50, M::DeliveryP90, M::DeliveryP99, M::DeliveryP999]
                .into_iter()
                .zip(latency(5_000.0)),
        );
    }
    if matches!(cell.kind, ScenarioKind::Latency | ScenarioKind::Scaling) {
        estimates.extend([M::LagP50, M::LagP90, M::LagP99, M::LagP999].into_iter().zip(latency(40_000.0)));
        estimates.extend(
            [M::ResponseP50, M::ResponseP90, M::ResponseP99, M::ResponseP999]
                .into_iter()
                .zip(latency(45_000.0)),
        );
    }
    if cell.kind == ScenarioKind::Connect {
        estimates.extend([M::HandshakeP50, M::HandshakeP99].into_iter().zip(latency(90_000.0)));
        estimates.extend([M::FirstTickP50, M::FirstTickP99].into_iter().zip(latency(130_000.0)));
    }
    if cell.kind == ScenarioKind::Ping {
        estimates
            .extend([(M::ResponseP99, about(16_000.0 * factor)), (M::ServerPssBytes, about(4e6 * factor))]);
    }
    let server_busy = if cell.kind == ScenarioKind::Throughput { 0.99 } else { 0.2 };
    estimates.extend([
        (M::MessagesPerS, about(2_000_000.0 / factor)),
        (M::BytesPerS, about(96_000_000.0 / factor)),
        (M::MessagesPerRead, about(1.5)),
        (M::ConnectNs, about(150_000.0)),
        (M::ServerCpuShare, about(server_busy)),
        (M::ServerCpuNsPerMessage, about(500.0 * factor)),
        (M::ServerRssBytes, about(5_000_000.0 * factor)),
        (M::ServerRssPeakBytes, about(5_200_000.0 * factor)),
        (M::ServerVoluntarySwitchesPerS, about(9_000.0)),
        (M::ServerInvoluntarySwitchesPerS, about(100.0)),
        (M::ClientCpuShare, about(0.4)),
        (M::ClientCpuNsPerMessage, about(200.0)),
    ]);
    CellSummary {
        cell,
        coalesces: false,
        completed: 40,
        failures: Vec::<Failure>::new(),
        lost: 0,
        reordered: 0,
        negative: 0,
        received: 100_000,
        estimates,
        merged: [M::DeliveryP999].into(),
        blocks: [(M::DeliveryCleanedP999, 7)].into(),
        beyond: 0,
        audits: Vec::new(),
        failed_executions: Vec::new(),
        ceiling_share: None,
        disturbed: None,
        searches: None,
        series: Series::default(),
    }
}

/// Cells whose servers differ by the factors given with them, and a verdict wherever those differ at all.
pub(crate) fn summary(study: &Study, factors: &[(&str, f64)]) -> Summary {
    let factor = |server: &str| factors.iter().find(|(name, _)| *name == server).unwrap().1;
    let cells = study.cells(&study.servers, |_| true);
    let cells: Vec<CellSummary> = cells
        .into_iter()
        .map(|one| {
            let by = factor(&one.server);
            cell(one, by)
        })
        .collect();
    let mut summary =
        Summary { study: study.name.clone(), iterations: study.iterations, cells, ..Summary::default() };
    summary.comparisons = comparisons(&summary);
    summary
}

/// Adds tails less the machine's hiccups, and how much was set aside: much of what *plain* sent.
pub(crate) fn clean(cell: &mut CellSummary) {
    let tails: Vec<(Metric, Estimate)> = cell
        .estimates
        .iter()
        .filter_map(|(metric, tail)| Some((metric.cleaned()?, about(tail.estimate * 0.9))))
        .collect();
    let share = if cell.cell.server == "plain" { 0.041 } else { 0.011 };
    if !tails.is_empty() && cell.cell.kind != ScenarioKind::Throughput {
        cell.estimates.extend(tails);
        cell.estimates.extend([
            (Metric::ClientSetAsideShare, about(share)),
            (Metric::ServerSetAsideShare, about(0.02)),
        ]);
    }
}

/// Adds stages to a latency cell: for *plain*, the windows are too short for the slowest 0.1 %.
pub(crate) fn add_stages(cell: &mut CellSummary, factor: f64) {
    let bands = StageBand::ALL.into_iter().zip([1.0, 2.5, 11.0]);
    for (band, slow) in bands.take(if cell.cell.server == "plain" { 2 } else { 3 }) {
        let unsplit = if slow > 1.0 { 700.0 * slow } else { 0.0 };
        let [lag, network, wake] = [40_000.0 * slow, 3_100.0 * factor * slow, 1_500.0];
        let stages = band.stages().into_iter().zip([lag, network, wake, unsplit].map(about));
        cell.estimates.extend(stages);
        cell.estimates.insert(band.response, about(lag + network + wake + unsplit));
        cell.estimates.insert(band.stamped, about(1.0 / slow.sqrt()));
    }
    cell.estimates.insert(Metric::StagesClockBoundNs, about(52.0));
}

/// Every comparison that the summary's own cells allow.
pub(crate) fn comparisons(summary: &Summary) -> Vec<Comparison> {
    let mut questions = summary.questions();
    questions.iter_mut().for_each(|asked| asked.retain(|cell| cell.is_comparable()));
    questions.iter().filter(|asked| !asked.is_empty()).flat_map(|asked| compared(asked)).collect()
}

fn compared(asked: &[&CellSummary]) -> Vec<Comparison> {
    let mut comparisons = Vec::new();
    for metric in Metric::primary(asked) {
        for (at, one) in asked.iter().enumerate() {
            for other in &asked[at + 1..] {
                let ratio = one.estimates[&metric].estimate / other.estimates[&metric].estimate;
                let verdict = match ratio {
                    ratio if ratio < 0.99 => Verdict::Lower,
                    ratio if ratio > 1.01 => Verdict::Higher,
                    _ => Verdict::NoDifference,
                };
                comparisons.push(Comparison {
                    question: one.cell.question(),
                    metric,
                    server: one.cell.server.clone(),
                    baseline: other.cell.server.clone(),
                    ratio: about(ratio),
                    ratio_of_medians: Some(about(ratio)),
                    cliffs_delta: Some(0.5),
                    floor: None,
                    below_floor: false,
                    p: if verdict == Verdict::NoDifference { 1.0 } else { 0.001 },
                    verdict,
                });
            }
        }
    }
    comparisons
}
