//! Comparing runs, their history, and exporting them: on invented runs, in which what changed is known.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use support::{assert_code, stderr, stdout};
use tempfile::TempDir;
use tickbench_record::{
    Account, Accounts, BuiltServer, CoreKind, CoreKinds, Distribution, Environment, Holder, Machine,
    Measurement, Observation, Outcome, RunFolder, Stage, Study, Usage,
};

const STUDY: &str = "name = 'invented'\niterations = 40\nseed = 1\nservers = ['one', 'two', 'ground']\n[[scenario]]\n\
                     name = 'latency'\nkind = 'latency'\nrate_per_s = 10000\nwait = 'spin'\nwarmup_ms = 1\nwindow_ms = 200\n";

/// A run in which each server's latency is so many times its usual one.
struct Invented {
    seed: u64,
    slower: [(&'static str, f64); 3],
    /// A server that completes nothing.
    failing: Option<&'static str>,
    /// A server that does not send the last of its messages.
    loses: Option<&'static str>,
    study: String,
    environment: Environment,
}

fn invented(seed: u64) -> Invented {
    let built = |name: &str| BuiltServer {
        name: name.into(),
        language: "Rust".into(),
        version: format!("{name} 1.0"),
        build: "true".into(),
        binary: name.into(),
        sha256: Some(name.len().to_string().repeat(64)),
        coalesces: false,
        deviations: Vec::new(),
    };
    let environment = Environment {
        started_at: format!("2026-01-{:02}T00:00:00Z", seed % 28 + 1),
        machine: Machine { cpu_model: Some("Invented".into()), logical_cores: 2, ..Machine::default() },
        servers: ["one", "two", "ground"].map(built).to_vec(),
        baseline: Some("ground".into()),
        ..Environment::default()
    };
    let slower = [("one", 1.0), ("two", 1.0), ("ground", 1.0)];
    Invented { seed, slower, failing: None, loses: None, study: STUDY.into(), environment }
}

/// A stream of uniform numbers.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

impl Invented {
    fn write(&self, path: &Path) {
        let study = Study::from_toml(&self.study).unwrap();
        let run = RunFolder::create(path).unwrap();
        run.write_study(&study).unwrap();
        run.write_environment(&self.environment).unwrap();
        let (mut log, mut random) = (run.log().unwrap(), Random(self.seed));
        for iteration in 0..study.iterations {
            let weather = 1.0 + 0.05 * random.next();
            for (position, cell) in (0..).zip(study.cells(&study.servers, |_| true)) {
                let slower = self.slower.iter().find(|(name, _)| *name == cell.server).unwrap().1;
                let mut observation = observation(5_000.0 * weather * slower, &mut random);
                let lost = if self.loses == Some(&cell.server) { 10 } else { 0 };
                (observation.received, observation.lost) = (2_000 - lost, lost);
                observation.accounts = Some(Accounts {
                    sent_in_window: 2000,
                    least_owed: 2000,
                    lost_age_ns: (lost > 0).then_some(2_000_000_000),
                    worst: Account { connection: 0, owed: 2000, received: 2000 - lost },
                    ..Accounts::default()
                });
                let failed =
                    iteration == 0 && cell.server == "two" || self.failing == Some(cell.server.as_str());
                let outcome = if failed {
                    Outcome::Failed { stage: Stage::Warmup, reason: "it said \"no\", twice".into() }
                } else {
                    Outcome::Completed
                };
                log.append(&Measurement {
                    iteration,
                    position,
                    started_at_s: 1_700_000_000.0 + f64::from(3 * iteration + position),
                    wall_ns: 230_000_000,
                    stolen: None,
                    throttled: None,
                    cell,
                    outcome,
                    observation: (!failed).then_some(observation),
                })
                .unwrap();
            }
        }
    }
}

fn observation(center: f64, random: &mut Random) -> Observation {
    // Far narrower than a client's own, so that writing some thousands of them is quick.
    let mut histogram = Histogram::new_with_bounds(1, 20_000, 3).unwrap();
    (0..1000).for_each(|_| histogram.record((center * (0.9 + 0.2 * random.next())) as u64).unwrap());
    let distribution = Distribution::of(&histogram);
    let usage = Usage {
        interval_ns: 200_000_000,
        cpu_user_ns: 1,
        cpu_system_ns: 2,
        cpu_share: 0.25,
        cpu_ns_per_message: 1000.0,
        rss_bytes: 4096,
        rss_peak_bytes: 8192,
        voluntary_switches: 7,
        involuntary_switches: 0,
        threads: 1,
        run_delay_ns: None,
    };
    Observation {
        sent: 2000,
        received: 2000,
        lost: 0,
        reordered: 0,
        negative: 0,
        checked: 2000,
        elapsed_ns: 200_000_000,
        messages_per_s: 10_000.0,
        bytes_per_s: 480_000.0,
        reads: 2000,
        connect_ns: 1000,
        lag_ns: distribution.clone(),
        delivery_ns: distribution.clone(),
        response_ns: distribution,
        server_usage: Some(usage),
        client_usage: Some(usage),
        ..Observation::default()
    }
}

fn tickbench(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tickbench")).args(args).output().unwrap()
}

fn word(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Two runs, the later one changed by `change`.
fn two(change: impl FnOnce(&mut Invented)) -> (TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (before, after) = (folder.path().join("before"), folder.path().join("after"));
    invented(1).write(&before);
    let mut later = invented(2);
    change(&mut later);
    later.write(&after);
    (folder, before, after)
}

fn compare(before: &Path, after: &Path, more: &[&str]) -> Output {
    tickbench(&[&["compare", word(before), word(after)], more].concat())
}

#[test]
fn where_nothing_changed_the_comparison_says_so() {
    let (_folder, before, after) = two(|_| ());
    let output = compare(&before, &after, &["--fail-if", "delivery.p99 > +5%"]);
    assert_code(&output, 0);
    let text = stdout(&output);
    for words in ["Nothing changed beyond the noise", "passed by 2 figures", "the same program in both runs"]
    {
        assert!(text.contains(words), "{words} is missing from {text}");
    }
}

#[test]
fn a_server_that_is_a_fifth_slower_is_named_and_fails_the_gate() {
    let (_folder, before, after) = two(|run| {
        run.slower[0].1 = 1.2;
        run.environment.servers[0].version = "one 1.1".into();
    });
    let output = compare(
        &before,
        &after,
        &["--fail-if", "delivery.p99 > +5%", "--fail-if", "delivery.p50>+5% server=two"],
    );
    assert_code(&output, 1);
    let text = stdout(&output);
    for words in [
        "2 of 4 figures changed",
        "**one**, latency",
        "worse",
        "**failed** by one: latency",
        "passed by 1 figure",
        "one 1.1",
    ] {
        assert!(text.contains(words), "{words} is missing from {text}");
    }
    assert!(!text.contains("**two**"), "{text}");
    assert_code(&compare(&before, &after, &["--fail-if", "delivery.p99 > +40%"]), 0);
    assert_code(&compare(&before, &after, &["--fail-if", "delivery.p50 < -5%"]), 0);
    assert_code(&compare(&after, &before, &["--fail-if", "delivery.p50 < -5%"]), 1);
}

/// Its figures would be those of the messages that came, and better than before.
#[test]
fn a_server_that_loses_messages_now_is_compared_with_nothing_and_fails_every_gate_on_it() {
    let (_folder, before, after) = two(|later| later.loses = Some("two"));
    let output = compare(&before, &after, &["--fail-if", "delivery.p99 > +50% server=two"]);
    assert_code(&output, 1);
    let text = stdout(&output);
    for words in [
        "## Rows that are not compared",
        "| two | latency binary each ×1 | sound | **failed an audit** |",
        "| `delivery.p99 > +50% server=two` | **failed** by two: latency binary each ×1 |",
    ] {
        assert!(text.contains(words), "{words:?} is missing from {text}");
    }
    assert!(!text.contains("| two | latency binary each ×1 | delivery"), "{text}");
    let other = compare(&before, &after, &["--fail-if", "delivery.p99 > +50% server=one"]);
    assert_code(&other, 0);
    // Of the lost messages nothing can be said, and so nothing of the gate.
    let back = compare(&after, &before, &["--fail-if", "delivery.p99 > +50% server=two"]);
    assert_code(&back, 3);
}

#[test]
fn what_drifted_for_all_is_no_change_of_any_server() {
    let (_folder, before, after) = two(|run| run.slower.iter_mut().for_each(|(_, slower)| *slower = 1.3));
    let output = compare(&before, &after, &["--fail-if", "delivery.p50 > +5%"]);
    assert_code(&output, 0);
    let text = stdout(&output);
    assert!(text.contains("Nothing changed") && text.contains("1.3"), "the drift is shown: {text}");
}

#[test]
fn without_a_baseline_drift_and_change_are_said_to_be_one() {
    let (_folder, before, after) = two(|run| {
        run.environment.baseline = None;
        run.slower.iter_mut().for_each(|(_, slower)| *slower = 1.3);
    });
    let text = stdout(&compare(&before, &after, &[]));
    assert!(text.contains("cannot be told apart") && text.contains("6 of 6 figures changed"), "{text}");
}

#[test]
fn another_machine_or_workload_is_refused_unless_told_otherwise() {
    let (_folder, before, after) = two(|run| {
        run.environment.machine.cpu_model = Some("Other".into());
        run.study = STUDY.replace("window_ms = 200", "window_ms = 300");
    });
    let refused = compare(&before, &after, &[]);
    assert_code(&refused, 2);
    for words in [
        "the processor (\"Invented\" before, \"Other\" after)",
        "window_ms (200 before, 300 after)",
        "--anyway",
    ] {
        assert!(stderr(&refused).contains(words), "{words} is missing from {}", stderr(&refused));
    }
    let output = compare(&before, &after, &["--anyway"]);
    assert_code(&output, 0);
    assert!(stdout(&output).contains("**These runs are not comparable**"), "{}", stdout(&output));
}

#[test]
fn a_gate_that_cannot_be_read_or_guards_nothing_is_explained() {
    let (_folder, before, after) = two(|_| ());
    for (gate, words) in [
        ("delivery > +5%", "delivery.p50"),
        ("speed > +5%", "is no figure"),
        ("delivery.p99 +5%", "no < or >"),
        ("delivery.p99 > five", "with its sign"),
        ("delivery.p99 > +5% server=three", "about no figure that the runs have"),
        ("round_trip.p50 > +5%", "about no figure that the runs have"),
    ] {
        let output = compare(&before, &after, &["--fail-if", gate]);
        assert_code(&output, 2);
        assert!(stderr(&output).contains(words), "{gate}: {}", stderr(&output));
    }
}

#[test]
fn runs_that_are_too_short_to_tell_say_so_and_pass_no_gate() {
    let (_folder, long, _) = two(|_| ());
    let folder = tempfile::tempdir().unwrap();
    let short = |name: &str, slower: f64| {
        let mut run = invented(3);
        run.study = STUDY.replace("iterations = 40", "iterations = 3");
        run.slower[0].1 = slower;
        run.write(&folder.path().join(name));
        folder.path().join(name)
    };
    let (before, after) = (short("before", 1.0), short("after", 3.0));
    // Three times as slow, and yet three iterations a side are no evidence.
    let gated = compare(&before, &after, &["--fail-if", "delivery.p50 > +5%"]);
    assert_code(&gated, 3);
    let text = stdout(&gated);
    assert!(text.contains("too short to tell") && text.contains("**undecided**: 2 of 2 figures"), "{text}");
    // Against forty they are.
    let told = compare(&long, &after, &["--fail-if", "delivery.p50 > +5%"]);
    assert_code(&told, 1);
    assert!(!stdout(&told).contains("too short"), "{}", stdout(&told));
}

#[test]
fn a_gate_on_what_one_run_did_not_measure_is_undecided() {
    let (_folder, before, after) = two(|run| run.failing = Some("one"));
    let output = compare(&before, &after, &["--fail-if", "delivery.p50 > +5% server=one"]);
    assert_code(&output, 3);
    let text = stdout(&output);
    assert!(text.contains("**undecided**: one of the runs has no such figure"), "{text}");
    // What fails a gate is worse than what leaves one open.
    let (_folder, before, after) = two(|run| {
        run.failing = Some("one");
        run.slower[1].1 = 1.5;
    });
    let gates = ["--fail-if", "delivery.p50 > +5% server=one", "--fail-if", "delivery.p50 > +5% server=two"];
    assert_code(&compare(&before, &after, &gates), 1);
}

#[test]
fn runs_on_cores_of_one_kind_are_compared_with_a_note() {
    let kind = CoreKind { package: 0, shares_cache_with: Some("0-1".into()), ..CoreKind::default() };
    let folder = tempfile::tempdir().unwrap();
    let [before, after] = ["before", "after"].map(|name| folder.path().join(name));
    for (seed, path, server) in [(1, &before, 0), (2, &after, 1)] {
        let mut run = invented(seed);
        let kinds = CoreKinds { server: kind.clone(), client: kind.clone(), siblings: false };
        let cores = &mut run.environment.cores;
        (cores.server, cores.client, cores.kinds) = (Some(server), Some(1 - server), Some(kinds));
        run.write(path);
    }
    let output = compare(&before, &after, &[]);
    assert_code(&output, 0);
    let (text, note) =
        (stdout(&output), "> The runs had other cores (server 0, client 1 before, server 1, client 0 after)");
    assert!(text.contains(note) && !text.contains("not comparable"), "{text}");
}

#[test]
fn a_run_that_was_interrupted_or_is_in_progress_is_compared_as_such() {
    let (_folder, before, after) = two(|_| ());
    let path = after.join("measurements.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    // Three servers an iteration: ten iterations and a part of the next.
    let part: String = text.split_inclusive('\n').take(3 * 10 + 1).collect();
    std::fs::write(&path, part).unwrap();
    let me = Holder { pid: 7, host: "here".into(), since: "now".into(), command: "tickbench run".into() };
    let lock = RunFolder::open(&after).unwrap().lock(&me).unwrap();
    let output = compare(&before, &after, &[]);
    assert_code(&output, 0);
    assert!(stdout(&output).contains("study invented, 10 of 40 iterations"), "{}", stdout(&output));
    assert!(stderr(&output).contains("is in progress") && stderr(&output).contains("process 7 on here"));
    assert_code(&tickbench(&["report", word(&after)]), 0);
    let report = std::fs::read_to_string(after.join("REPORT.md")).unwrap();
    let said = "**In progress: 10 of 40 iterations were executed when this was derived.**";
    assert!(report.contains(said), "{report}");
    drop(lock);
    assert!(!stderr(&compare(&before, &after, &[])).contains("is in progress"));
}

#[test]
fn a_history_holds_every_run_in_order() {
    let folder = tempfile::tempdir().unwrap();
    for seed in [9, 3, 6] {
        let path = folder.path().join(format!("runs/{seed}"));
        let mut run = invented(seed);
        if seed == 9 {
            run.environment.machine.cpu_model = Some("Other".into());
        }
        run.write(&path);
        assert_code(&tickbench(&["report", word(&path)]), 0);
    }
    invented(4).write(&folder.path().join("runs/unfinished"));
    let output = tickbench(&["history", word(folder.path())]);
    assert_code(&output, 0);
    let page = std::fs::read_to_string(folder.path().join("HISTORY.md")).unwrap();
    let place = |run: &str| page.find(run).unwrap_or_else(|| panic!("{run} is missing from {page}"));
    assert!(place("1: `runs/3`") < place("2: `runs/6`") && place("2: `runs/6`") < place("3: `runs/9`"));
    assert!(page.contains("**another**: Other") && page.contains("runs/unfinished"));
    let chart = std::fs::read_to_string(folder.path().join("history/history-latency.svg")).unwrap();
    for words in ["01-04", "01-07", "01-10", "delivery.p50", "ground (baseline)"] {
        assert!(chart.contains(words), "{words} is missing from the chart");
    }
    let none = tempfile::tempdir().unwrap();
    let refused = tickbench(&["history", word(none.path())]);
    assert_code(&refused, 2);
    assert!(stderr(&refused).contains("holds no run"), "{}", stderr(&refused));
}

/// A run, and the text of its export.
fn export(format: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    invented(5).write(&run);
    assert_code(&tickbench(&["report", word(&run)]), 0);
    let output = tickbench(&["export", word(&run), "--format", format]);
    assert_code(&output, 0);
    (folder, stdout(&output))
}

fn dictionary() -> Vec<String> {
    let text = stdout(&tickbench(&["export", "--dictionary"]));
    let row = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    text.lines().filter_map(row).collect()
}

#[test]
fn the_rows_are_those_of_the_records_under_the_columns_of_the_dictionary() {
    let (folder, text) = export("csv");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header: Vec<String> = reader.headers().unwrap().iter().map(Into::into).collect();
    assert_eq!(header, dictionary());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let measurements = RunFolder::open(&folder.path().join("run")).unwrap().records().unwrap().measurements;
    assert_eq!(rows.len(), measurements.len());
    let at = |name: &str| header.iter().position(|column| column == name).unwrap();
    for (row, measurement) in rows.iter().zip(&measurements) {
        let p99 =
            measurement.observation.as_ref().map(|seen| seen.delivery_ns.as_ref().unwrap().p99.to_string());
        assert_eq!(row[at("delivery_p99_ns")], p99.unwrap_or_default());
        assert_eq!(row[at("server")], measurement.cell.server);
    }
    assert_eq!(&rows[1][at("failed_reason")], "it said \"no\", twice", "quotes and commas survive");

    let (_folder, text) = export("json");
    let array: Vec<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(&text).unwrap();
    assert_eq!(array.len(), rows.len());
    assert_eq!(array[0].len(), header.len());
    assert_eq!(array[0]["delivery_p99_ns"].to_string(), rows[0][at("delivery_p99_ns")]);
    assert!(array[1]["delivery_p99_ns"].is_null() && array[0]["failed_stage"].is_null());
}

/// What a record holds and no column has would be lost: the dictionary must grow with the records.
#[test]
fn nothing_of_a_record_is_left_out() {
    let mut seen = observation(5000.0, &mut Random(1));
    let hiccups = Some(tickbench_record::Hiccups::default());
    (seen.client_hiccups, seen.server_hiccups) = (hiccups, hiccups);
    seen.capacity = Some(tickbench_record::Capacity::default());
    seen.round_trip_ns.clone_from(&seen.lag_ns);
    seen.lag_cleaned_ns.clone_from(&seen.lag_ns);
    seen.delivery_cleaned_ns.clone_from(&seen.lag_ns);
    seen.round_trip_cleaned_ns.clone_from(&seen.lag_ns);
    seen.handshake_ns.clone_from(&seen.lag_ns);
    seen.first_tick_ns.clone_from(&seen.lag_ns);
    seen.connection_ns.clone_from(&seen.lag_ns);
    let memory = Some(tickbench_record::MemoryReading::default());
    (seen.server_memory_before, seen.server_memory_after) = (memory, memory);
    seen.server_memory_missing = Some("another reason".into());
    seen.accounts = Some(tickbench_record::Accounts {
        lost_age_ns: Some(1),
        start_after_upgrade_ns: Some(1),
        ..Default::default()
    });
    seen.lag_ns.as_mut().unwrap().beyond = 1;
    let study = Study::from_toml(STUDY).unwrap();
    let columns = dictionary();
    let band = Some(tickbench_record::Band::default());
    seen.stages = Some(tickbench_record::Stages {
        median: band,
        slowest_100th: band,
        slowest_1000th: band,
        ..Default::default()
    });
    for part in [serde_json::json!(seen), serde_json::json!(study.cells(&study.servers, |_| true)[0])] {
        for (name, value) in part.as_object().unwrap() {
            let stem = name.trim_end_matches("_ns").trim_end_matches("_usage");
            let mut inner = Vec::new();
            match value.as_object() {
                Some(_) => figures(stem, value, &mut inner),
                None if value.is_null() => continue,
                None => inner.push(name.clone()),
            }
            for wanted in inner {
                let has = |column: &String| *column == wanted || *column == format!("{wanted}_ns");
                assert!(columns.iter().any(has), "no column has {wanted}: add it to export/columns.rs");
            }
        }
    }
}

/// The names of all figures within a part of a record. Curves and samples over time are no figures of a row.
fn figures(stem: &str, value: &serde_json::Value, found: &mut Vec<String>) {
    let Some(fields) = value.as_object() else { return found.push(stem.into()) };
    for (name, value) in fields.iter().filter(|(name, _)| *name != "histogram") {
        figures(&format!("{stem}_{name}"), value, found);
    }
}

#[test]
fn a_histogram_log_gives_back_the_counts_of_each_iteration() {
    let folder = tempfile::tempdir().unwrap();
    let (run, logs) = (folder.path().join("run"), folder.path().join("logs"));
    invented(5).write(&run);
    assert_code(&tickbench(&["export", word(&run), "--format", "hlog", "--out", word(&logs)]), 0);
    let text = std::fs::read(logs.join("one-latency-binary-each-x1.delivery.hlog")).unwrap();
    let measurements = RunFolder::open(&run).unwrap().records().unwrap().measurements;
    let expected: Vec<Histogram<u64>> = measurements
        .iter()
        .filter(|measurement| measurement.cell.server == "one")
        .map(|measurement| {
            measurement.observation.as_ref().unwrap().delivery_ns.as_ref().unwrap().histogram().unwrap()
        })
        .collect();
    let intervals = IntervalLogIterator::new(&text).map(Result::unwrap).filter_map(|entry| match entry {
        LogEntry::Interval(interval) => Some(interval),
        _ => None,
    });
    let read: Vec<Histogram<u64>> = intervals
        .map(|interval| {
            let bytes = STANDARD.decode(interval.encoded_histogram()).unwrap();
            Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap()
        })
        .collect();
    assert_eq!(read.len(), 40);
    assert!(read == expected);
    assert_eq!(std::fs::read_dir(&logs).unwrap().count(), 9, "three servers, three latencies");
}

#[test]
fn open_metrics_are_gauges_in_base_units_and_end_as_they_must() {
    let (_folder, text) = export("openmetrics");
    assert!(text.ends_with("# EOF\n"), "{text}");
    for words in [
        "# TYPE tickbench_delivery_seconds gauge\n# UNIT tickbench_delivery_seconds seconds\n",
        "tickbench_run_info{study=\"invented\"",
        "server=\"one\",scenario=\"latency\"",
        "quantile=\"0.99\"",
    ] {
        assert!(text.contains(words), "{words} is missing from {text}");
    }
}

#[test]
fn a_parquet_file_holds_the_same_rows() {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    let folder = tempfile::tempdir().unwrap();
    let (run, file) = (folder.path().join("run"), folder.path().join("run.parquet"));
    invented(5).write(&run);
    let args = ["export", word(&run), "--format", "parquet"];
    let refused = tickbench(&args);
    assert_code(&refused, 2);
    assert!(stderr(&refused).contains("--out FILE"));
    assert_code(&tickbench(&[&args[..], &["--out", word(&file)]].concat()), 0);
    let reader = SerializedFileReader::new(std::fs::File::open(&file).unwrap()).unwrap();
    let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 120);
    let names: Vec<String> = rows[0].get_column_iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, dictionary());
}

#[test]
fn what_cannot_be_exported_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    invented(5).write(&run);
    for (args, words) in [
        (&["export", word(&run), "--format", "hlog"][..], "--out DIR"),
        (&["export", word(&run), "--format", "openmetrics"], "tickbench report"),
        (&["export", word(folder.path()), "--format", "csv"], "holds no run"),
        (&["export", word(&run), "--format", "excel"], "possible values: csv, json"),
        (&["export", word(&run)], "--format"),
    ] {
        let refused = tickbench(args);
        assert_code(&refused, 2);
        assert!(stderr(&refused).contains(words), "{words} is missing from {}", stderr(&refused));
    }
}
