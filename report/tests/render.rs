//! Whole reports of small summaries, as they stand in `snapshots`.

mod support;

use support::{ALL_KINDS, LATENCY, about, environment, skipped, study, summary};
use tickbench_record::{
    Ceiling, Client, ClientCeiling, ClockCheck, CoreHiccups, Disturbance, Disturbed, Encoding, Finding,
    HIGHEST_NS, ScenarioKind, SelfTest, Study, Wait,
};
use tickbench_report::{Figure, Section, render};
use tickbench_stats::{
    Audit, Blame, CellSummary, Check, FailedCount, FailedExecution, Failure, Metric, NoiseFloor, Ruling,
    StolenShares, Summary, ThrottledExecutions, Verdict,
};

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
fn sizes_stand_side_by_side() {
    let sized = LATENCY.replace("rate_per_s", "size_bytes = [48, 1024, 65536]\n    rate_per_s");
    let study = study(&["swift", "plain"], &sized);
    let summary = summary(&study, &[("swift", 1.0), ("plain", 1.2)]);
    let report = report(&study, &summary, None);
    let (_, section) = report.split_once("## Latency").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let headings: Vec<&str> = section.lines().filter(|line| line.starts_with("### ")).collect();
    assert_eq!(headings, ["### latency, by size"]);
    assert!(section.contains("| server | 48 B | 1,024 B | 65,536 B |"), "{section}");
    assert!(section.contains(" of growing size"), "{section}");
}

#[test]
fn failures_and_missing_figures() {
    let study = study(&["swift", "plain"], ALL_KINDS);
    let mut summary = summary(&study, &[("swift", 1.0), ("plain", 1.3)]);
    for cell in summary.cells.iter_mut().filter(|cell| cell.cell.server == "plain") {
        match cell.cell.kind {
            ScenarioKind::Latency | ScenarioKind::Load | ScenarioKind::Relay => {
                cell.estimates.remove(&Metric::DeliveryP999);
                (cell.lost, cell.negative) = (3, 12_345);
            }
            ScenarioKind::Throughput | ScenarioKind::Capacity | ScenarioKind::Connect => {
                cell.estimates.insert(Metric::ServerCpuShare, about(0.6));
                cell.estimates.insert(Metric::ClientCpuShare, about(0.97));
            }
            ScenarioKind::Scaling => {
                cell.estimates.clear();
                cell.completed = 0;
                let reason = "connect: refused | <closed>\nby the server".to_string();
                cell.failures = vec![Failure { reason, count: 40 }];
            }
            ScenarioKind::Echo | ScenarioKind::Ping => cell.completed = 12,
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

/// Cleaned tails, a control, an audit that failed, a drift, a difference below the floor, and all that was found of the machine.
#[test]
fn a_run_that_proves_its_figures() {
    let study = study(&["swift", "plain", "wire"], ALL_KINDS);
    let mut summary = summary(&study, &[("swift", 1.0), ("plain", 1.02), ("wire", 0.9)]);
    summary.cells.iter_mut().for_each(support::clean);
    for cell in summary.cells.iter_mut().filter(|cell| cell.cell.kind == ScenarioKind::Throughput) {
        cell.ceiling_share = Some(if cell.cell.server == "plain" { 0.91 } else { 0.22 });
    }
    summary.stolen =
        Some(StolenShares { server_core: 0.004, client_core: 0.031, executions: 3_200, disturbed: 113 });
    summary.throttled =
        Some(ThrottledExecutions { executions: 3_200, stopped: 41, periods: 77, stopped_ns: 5_300_000_000 });
    let audit = |check, figure, ruling| Audit { check, figure, ruling, executions: None };
    let of = FailedCount { of: 40, ..FailedCount::default() };
    for cell in &mut summary.cells {
        let executions = Some(of);
        cell.audits = vec![
            Audit { executions, ..audit(Check::Counts, 0.0, Ruling::Held) },
            audit(Check::Clock, 0.0, Ruling::Held),
        ];
        if cell.cell.kind == ScenarioKind::Latency {
            cell.estimates.insert(Metric::StartAfterUpgradeNs, about(1_200_000.0));
        }
    }
    summary.cells[0].audits.push(audit(Check::Stationarity, 0.123, Ruling::Noted));
    let short = |ruling, figure, executions| Audit {
        executions: Some(executions),
        ..audit(Check::Schedule, figure, ruling)
    };
    let execution = |behind_ns, taken_ns, blame| FailedExecution {
        iteration: 7,
        check: Check::Schedule,
        figure: 0.934,
        behind_ns: Some(behind_ns),
        taken_ns,
        blame,
    };
    let failed = summary.cells.iter_mut().find(|cell| cell.cell.server == "plain").unwrap();
    failed.audits.push(short(Ruling::Failed, 0.934, FailedCount { server: 12, machine: 1, ..of }));
    failed.failed_executions = vec![execution(16_500_000, 10_000_000, Blame::Server)];
    let noisy = &mut summary.cells[0];
    noisy.audits.push(short(Ruling::Noisy, 0.95, FailedCount { machine: 4, undecided: 1, ..of }));
    noisy.failed_executions = vec![execution(12_500_000, 20_000_000, Blame::Machine)];
    noisy.beyond = 3;
    noisy.estimates.insert(Metric::ResponseP999, about(2.0 * HIGHEST_NS as f64));
    let undecided = summary.cells.iter_mut().find(|cell| cell.cell.kind == ScenarioKind::Scaling).unwrap();
    undecided.audits.push(short(Ruling::Undecided, 0.9, FailedCount { undecided: 9, ..of }));
    summary.comparisons = support::comparisons(&summary);
    let below = summary.comparisons.iter_mut().find(|one| one.metric == Metric::DeliveryCleanedP50).unwrap();
    (below.floor, below.below_floor, below.verdict) = (Some(0.12), true, Verdict::NoDifference);
    let floor = |metric, ratio, verdict| NoiseFloor {
        scenario: "latency".into(),
        question: "latency json each ×1".into(),
        server: "swift".into(),
        metric,
        ratio: about(ratio),
        p: if verdict == Verdict::NoDifference { 0.6 } else { 0.001 },
        floor: 0.12,
        verdict,
    };
    summary.noise_floors = vec![
        floor(Metric::DeliveryCleanedP50, 1.001, Verdict::NoDifference),
        floor(Metric::DeliveryCleanedP99, 1.08, Verdict::Higher),
        floor(Metric::DeliveryP50, 1.002, Verdict::NoDifference),
    ];
    let mut environment = environment(&["swift", "plain", "wire"], Some("wire"));
    environment.findings = vec![
        Finding { subject: "clock source".into(), found: "tsc".into(), advice: None },
        Finding {
            subject: "governor".into(),
            found: "powersave".into(),
            advice: Some("`cpupower frequency-set -g performance`".into()),
        },
    ];
    let (watched_ns, threshold_ns, longest_ns) = (1_000_000_000, 4_800, 1_200_000);
    let core = |core, per_s, lost_share| CoreHiccups {
        core,
        watched_ns,
        threshold_ns,
        per_s,
        lost_share,
        longest_ns,
    };
    environment.hiccups = vec![core(2, 120.0, 0.011), core(3, 90.5, 0.004)];
    environment.clocks = Some(ClockCheck { readings: 100_000, backwards: 0, worst_ns: 0 });
    environment.ceilings = vec![ClientCeiling {
        client: Client::Probe,
        ceiling: Ceiling {
            encoding: Encoding::Binary,
            wait: Wait::Block,
            messages_per_s: 88e6,
            bytes_per_s: 4.2e9,
            cpu_ns_per_message: 11.4,
            cpu_share: 0.99,
            messages_per_read: 5_400.0,
        },
    }];
    environment.self_test = Some(SelfTest {
        at: "2024-02-03T01:02:03Z".into(),
        tickbench_version: "0.1.0".into(),
        done: 11,
        caught: 11,
    });
    let report = render(&study, &environment, &summary, &[]).unwrap();
    for said in [
        "**A server was told from itself: p99 delivery, cleaned of swift (latency).**",
        "that took back 1",
        "rows failed an audit. Such a row is shown as failed",
        "93.4 % of what was due; wrong in 13 of 40 executions",
        "swift (latency, JSON) by +12.3 %",
        "below the noise floor of 12.0 %: no difference",
        "**client-bound**",
        "**noisy** <sup>",
        "schedule begins after the request, ms |",
        "≥ ",
        "caught 11 of 11 injected faults on 2024-02-03",
        "**plain failed an audit (schedule; see Audits).**",
    ] {
        assert!(report.contains(said), "{said:?} is missing from {report}");
    }
    insta::assert_snapshot!(report);
}

/// A row that failed an audit has samples enough: what is wrong with it is said, and never that they are too few.
#[test]
fn a_lack_of_figures_is_told_with_its_own_reason() {
    let study = study(&["swift", "plain", "wire"], LATENCY);
    let said = |spoil: fn(&mut CellSummary)| {
        let mut summary = summary(&study, &[("swift", 1.0), ("plain", 1.3), ("wire", 1.0)]);
        summary.cells.iter_mut().filter(|cell| cell.cell.server != "wire").for_each(spoil);
        summary.comparisons.clear();
        report(&study, &summary, Some("wire")).split("## Environment").next().unwrap().to_owned()
    };
    fn ruled(cell: &mut CellSummary, ruling: Ruling) {
        let executions = Some(FailedCount { of: 40, server: 40, ..FailedCount::default() });
        cell.audits.push(Audit { check: Check::Schedule, figure: 0.9, ruling, executions });
    }
    let failed = said(|cell| ruled(cell, Ruling::Failed));
    for words in [
        "figures that can be compared: of 2 rows 2 failed an audit.",
        "nobody has a figure that can be ranked; swift and plain: failed an audit (schedule; see Audits)",
    ] {
        assert!(failed.contains(words), "{words:?} is missing from {failed}");
    }
    assert!(!failed.contains("too few") && !failed.contains("samples"), "{failed}");
    assert!(failed.contains("**swift failed an audit (schedule; see Audits).**"), "{failed}");
    let undecided = said(|cell| ruled(cell, Ruling::Undecided));
    assert!(undecided.contains("of 2 rows 2 are no verdict"), "{undecided}");
    assert!(undecided.contains("too many executions fell short, and nobody can tell why"), "{undecided}");
    let late = said(|cell| ruled(cell, Ruling::ClientBound));
    assert!(late.contains("the client did not keep its own schedule"), "{late}");
    let dead = said(|cell| (cell.completed, cell.estimates) = (0, Default::default()));
    assert!(dead.contains("swift and plain: no iteration completed (see Failures)"), "{dead}");
    let silent = said(|cell| (cell.received, cell.estimates) = (0, Default::default()));
    assert!(silent.contains("no message came in any window"), "{silent}");
    let few = said(|cell| cell.estimates.clear());
    assert!(few.contains("p50 needs 20 samples, and all iterations together hold fewer"), "{few}");
    let mixed = said(|cell| {
        if cell.cell.server == "swift" {
            ruled(cell, Ruling::Failed);
        }
    });
    assert!(mixed.contains("only plain has a figure that can be ranked, 6.50 µs;"), "{mixed}");
}

#[test]
fn stages_have_a_section_of_their_own() {
    let stages = LATENCY.replace("rate_per_s", "stages = true\nrate_per_s");
    let study = study(&["swift", "plain", "wire", "bare"], &stages);
    let factors = [("swift", 1.1), ("plain", 1.3), ("wire", 1.0), ("bare", 1.0)];
    let mut summary = summary(&study, &factors);
    for (cell, (_, factor)) in summary.cells.iter_mut().zip(factors) {
        support::add_stages(cell, factor);
    }
    let bare = summary.cells.last_mut().unwrap();
    (bare.completed, bare.estimates) = (0, Default::default());
    let figure = Figure {
        path: "graphs/latency-stages.svg".into(),
        title: "Stages of the response".into(),
        caption: "Lower is better.".into(),
        section: Section::Stages,
    };
    let environment = environment(&["swift", "plain", "wire", "bare"], Some("wire"));
    let report = render(&study, &environment, &summary, &[figure]).unwrap();
    let section = report.split("\n## ").find(|section| section.starts_with("Stages")).unwrap();
    insta::assert_snapshot!(section);
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
    let empty = Summary { study: "small".into(), iterations: 40, ..Summary::default() };
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

/// What a flood of pings did: how much of it each server took, beside what its memory grew by.
#[test]
fn a_flood_of_pings_shows_what_was_taken_of_it() {
    let relay = r#"
    [[scenario]]
    name = "disturbed"
    kind = "relay"
    connections = [10]
    rate_per_s = 4000
    beside = ["nothing", "churn", "ping-flood"]
    wait = "spin"
    warmup_ms = 100
    window_ms = 1000
    "#;
    let study = study(&["swift", "plain"], relay);
    let mut summary = summary(&study, &[("swift", 1.0), ("plain", 1.3)]);
    for cell in &mut summary.cells {
        let pinged_bytes = match (cell.cell.beside, cell.cell.server.as_str()) {
            (Disturbance::Nothing, _) => continue,
            (Disturbance::PingFlood, "swift") => Some((40 * 9) << 20),
            _ => None,
        };
        cell.disturbed = Some(Disturbed { attempted: 40, open: 40, pinged_bytes, ..Disturbed::default() });
    }
    let report = report(&study, &summary, None);
    let (_, section) = report.split_once("## Disturbed").unwrap();
    let lines = |from: &str| -> Vec<Vec<String>> {
        let (_, part) = section.split_once(from).unwrap();
        let rows =
            part.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
        rows.map(|row| row.split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
    };
    let flood = lines("a flood of pings beside: one connection");
    let column = flood[0].iter().position(|heading| heading == "pings taken MiB an execution").unwrap();
    let taken = |server: &str| &flood.iter().find(|row| row[1].contains(server)).unwrap()[column];
    assert_eq!(taken("swift"), "9.00");
    assert!(taken("plain").starts_with('—'), "{}", taken("plain"));
    let churn = lines("churn beside: ");
    assert!(churn[0].iter().all(|heading| !heading.contains("pings")), "{:?}", churn[0]);
    assert!(section.contains("up to 160 MB a second and 128 MiB an execution"), "{section}");
}
