//! Lies of a record: one field of a good run is damaged at a time, and reading it names the line and the key.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tickbench_record::{
    Account, Accounts, Capacity, Cell, ClosedWith, Distribution, Disturbed, Measurement, Observation,
    Outcome, Relayed, RunFolder, ScenarioKind, Stage, Step, StepSeen, Study, Usage, UsageSamples,
    new_histogram,
};

const STUDY: &str = "
name = 'good'
iterations = 2
servers = ['one', 'two']
control = 'one'
[[scenario]]
name = 'latency'
kind = 'latency'
control = true
rate_per_s = 1000
wait = 'spin'
warmup_ms = 1
window_ms = 1000
[[scenario]]
name = 'relay'
kind = 'relay'
connections = [4]
rate_per_s = 250
wait = 'spin'
warmup_ms = 1
window_ms = 1000
[[scenario]]
name = 'echo'
kind = 'echo'
wait = 'spin'
warmup_ms = 1
window_ms = 1000
[[scenario]]
name = 'capacity'
kind = 'capacity'
p99_us = 500.0
wait = 'spin'
warmup_ms = 1
window_ms = 1000
[[scenario]]
name = 'flood'
kind = 'throughput'
wait = 'block'
warmup_ms = 1
window_ms = 1000
";

fn distribution(samples: u64) -> Option<Distribution> {
    let mut histogram = new_histogram();
    (0..samples).for_each(|sample| histogram += 5_000 + 7 * sample);
    Distribution::of(&histogram)
}

/// 1,000 messages, of which 10 were lost.
fn observation(cell: &Cell) -> Observation {
    let usage = Usage {
        interval_ns: 1_000_000_000,
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
    let all = distribution(990);
    let mut seen = Observation {
        sent: 1000,
        received: 990,
        lost: 10,
        elapsed_ns: 1_000_000_000,
        messages_per_s: 990.0,
        bytes_per_s: 47_520.0,
        delivery_ns: all.clone(),
        server_usage: Some(usage),
        usage_samples: Some(UsageSamples {
            at_ns: vec![1, 2],
            server_cpu_ns: vec![1, 2],
            server_rss_bytes: vec![1, 2],
            client_cpu_ns: vec![1, 2],
            client_rss_bytes: vec![1, 2],
        }),
        ..Observation::default()
    };
    let worst =
        Account { connection: cell.connections - 1, owed: 1000 / u64::from(cell.connections), received: 240 };
    let worst = if cell.connections == 1 { Account { received: 990, ..worst } } else { worst };
    let accounts = Accounts {
        sent_in_window: 995,
        awaited_ns: 2_000_000_000,
        lost_age_ns: Some(2_100_000_000),
        least_owed: worst.owed,
        worst,
        start_after_upgrade_ns: None,
    };
    seen.accounts = (cell.kind != ScenarioKind::Throughput).then_some(accounts);
    match cell.kind {
        ScenarioKind::Latency => {
            (seen.lag_ns, seen.response_ns, seen.delivery_cleaned_ns) = (all.clone(), all, distribution(980));
        }
        ScenarioKind::Echo => seen.round_trip_ns = all,
        ScenarioKind::Relay => {
            seen.relayed = Some(Relayed { published: 250, ..Relayed::default() });
            let closed = vec![ClosedWith { code: Some(1008), count: 2 }];
            seen.disturbed = Some(Disturbed { attempted: 3, left: 1, closed, ..Disturbed::default() });
        }
        ScenarioKind::Capacity => {
            let held = StepSeen {
                elapsed_ns: 1_000_000_000,
                achieved_per_s: 990.0,
                achieved_share: Some(0.99),
                lost: 0,
                p50_ns: 5,
                p99_ns: 6,
                p999_ns: 7,
                lag_p99_ns: 3,
                delivery_p99_ns: 3,
                client_cpu_share: None,
                server_cpu_share: Some(0.5),
            };
            let step = Step { rate_per_s: 1000.0, held: true, seen: Some(held), failure: None };
            let failed =
                Step { rate_per_s: 2000.0, held: false, seen: None, failure: Some("far too much".into()) };
            seen.capacity = Some(Capacity { rate_per_s: 1000.0, steps: vec![step, failed] });
        }
        _ => {}
    }
    seen
}

fn lines() -> Vec<String> {
    let study = Study::from_toml(STUDY).unwrap();
    let cells = study.cells(&study.servers, |_| true);
    let measurement = |iteration: u32, (position, cell): (u32, &Cell)| Measurement {
        iteration,
        position,
        started_at_s: 1.7e9,
        wall_ns: 1_100_000_000,
        stolen: None,
        throttled: None,
        cell: cell.clone(),
        outcome: Outcome::Completed,
        observation: Some(observation(cell)),
    };
    let mut all: Vec<Measurement> =
        (0..2).flat_map(|k| (0..).zip(&cells).map(move |place| measurement(k, place))).collect();
    let last = all.last_mut().unwrap();
    last.outcome = Outcome::Failed { stage: Stage::Connect, reason: "refused".into() };
    last.observation = None;
    all.iter().map(|one| serde_json::to_string(one).unwrap()).collect()
}

struct Run {
    folder: TempDir,
    lines: Vec<String>,
}

impl Run {
    fn good() -> Run {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("study.toml"), STUDY).unwrap();
        Run { folder, lines: lines() }
    }

    fn read(&self) -> Result<tickbench_record::Records, String> {
        let text = self.lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        self.read_text(text.as_bytes())
    }

    fn read_text(&self, text: &[u8]) -> Result<tickbench_record::Records, String> {
        std::fs::write(self.folder.path().join("measurements.jsonl"), text).unwrap();
        RunFolder::open(self.folder.path()).unwrap().records().map_err(|wrong| wrong.to_string())
    }

    /// The line of the first measurement of a scenario, and the line counted from 1.
    fn line(&self, scenario: &str) -> (Value, usize) {
        let named = format!("\"scenario\":\"{scenario}\"");
        let at = self.lines.iter().position(|line| line.contains(&named)).unwrap();
        (serde_json::from_str(&self.lines[at]).unwrap(), at + 1)
    }
}

/// Puts a value where a path of keys leads; `None` takes the key away.
fn damage(line: &mut Value, path: &str, value: Option<Value>) {
    let (parent, key) = path.rsplit_once('.').unwrap_or(("", path));
    let parent = line.pointer_mut(format!("/{}", parent.replace('.', "/")).trim_end_matches('/')).unwrap();
    match value {
        Some(value) => parent[key] = value,
        None => drop(parent.as_object_mut().unwrap().remove(key).unwrap()),
    }
}

#[test]
fn a_good_run_is_read_whole() {
    let run = Run::good();
    let records = run.read().unwrap();
    assert_eq!((records.measurements.len(), records.note), (run.lines.len(), None));
    assert!(records.measurements.iter().any(|one| one.cell.server == "one#control"));
    let again: Vec<String> =
        records.measurements.iter().map(|one| serde_json::to_string(one).unwrap()).collect();
    assert_eq!(again, run.lines, "what is read is what was written");
}

/// Which line, which key, what stands there, and what is said of it.
type Lie = (&'static str, &'static str, Option<Value>, &'static str);

fn lies() -> Vec<Lie> {
    vec![
        // What is no record at all.
        ("latency", "iteration", Some(json!("0")), "key `iteration`: invalid type"),
        ("latency", "wall_ns", Some(json!(-1)), "key `wall_ns`: invalid value"),
        ("latency", "outcome.status", Some(json!("done")), "key `outcome.status`: unknown variant `done`"),
        ("latency", "scenario", None, "missing field `scenario`"),
        ("latency", "kind", Some(json!("latence")), "key `kind`: unknown variant"),
        ("latency", "received", None, "missing field `received`"),
        ("latency", "delivery_ns.p99", Some(json!("6")), "key `delivery_ns.p99`: invalid type"),
        ("latency", "delivery_ns.p99", None, "key `delivery_ns`: missing field `p99`"),
        ("latency", "messages_per_s", Some(json!(null)), "key `messages_per_s`: invalid type: null"),
        // What the study does not ask.
        ("latency", "iteration", Some(json!(2)), "key `iteration`: 2 is beyond the 2 of study.toml"),
        (
            "latency",
            "server",
            Some(json!("three")),
            "key `server`: study.toml does not ask \"three\", but one, two",
        ),
        ("latency", "server", Some(json!("two#control")), "key `server`"),
        ("relay", "server", Some(json!("one#control")), "key `scenario`"),
        ("latency", "scenario", Some(json!("lattice")), "key `scenario`: study.toml asks one nothing"),
        ("latency", "rate_per_s", Some(json!(1001.0)), "key `rate_per_s`"),
        ("latency", "encoding", Some(json!("json")), "key `encoding`"),
        ("latency", "idle", Some(json!("spin")), "key `idle`"),
        // What contradicts another line.
        ("latency", "iteration", Some(json!(1)), "of iteration 1 already"),
        ("latency", "position", Some(json!(1)), "line 1 has position 1 of iteration 0 already"),
        // Numbers that no machine has.
        ("latency", "messages_per_s", Some(json!(-1.0)), "key `messages_per_s`: -1 is no number from 0"),
        ("latency", "bytes_per_s", Some(json!(1e308)), "key `bytes_per_s`"),
        ("latency", "started_at_s", Some(json!(-1.0)), "key `started_at_s`"),
        ("latency", "reordered", Some(json!(u64::MAX)), "key `reordered`"),
        ("latency", "elapsed_ns", Some(json!(0)), "key `elapsed_ns`"),
        ("latency", "server_usage.cpu_share", Some(json!(-0.5)), "key `server_usage.cpu_share`"),
        ("latency", "server_usage.interval_ns", Some(json!(0)), "key `server_usage.interval_ns`"),
        ("latency", "usage_samples.client_cpu_ns", Some(json!([1])), "key `usage_samples.client_cpu_ns`"),
        // Counts that do not add up.
        ("latency", "sent", Some(json!(999)), "key `sent`: 999 is not the 990 received and the 10 lost"),
        ("relay", "relayed.published", Some(json!(249)), "key `relayed.published`"),
        ("relay", "disturbed.attempted", Some(json!(4)), "key `disturbed.attempted`: 4 were begun, and 3"),
        // Distributions.
        ("latency", "delivery_ns.min", Some(json!(9_000)), "key `delivery_ns.p50`"),
        ("latency", "delivery_ns.p50", Some(json!(11_800)), "key `delivery_ns.p90`"),
        (
            "latency",
            "response_ns.p90",
            Some(json!(11_230)),
            "key `response_ns.p90`: 11230 is not the 0.9 quantile",
        ),
        ("latency", "lag_ns.p50", Some(json!(8_600)), "key `lag_ns.p50`: 8600 is not the 0.5 quantile"),
        ("latency", "lag_ns.max", Some(json!(12_000)), "key `lag_ns.max`"),
        ("latency", "lag_ns.min", Some(json!(0)), "key `lag_ns.min`: 0, and its histogram begins at 5000"),
        ("latency", "lag_ns.mean", Some(json!(4_000.0)), "key `lag_ns.mean`"),
        (
            "latency",
            "lag_ns.count",
            Some(json!(989)),
            "key `lag_ns.count`: 989 samples, and its histogram holds 990",
        ),
        ("latency", "lag_ns.count", Some(json!(0)), "key `lag_ns.count`"),
        ("latency", "lag_ns.beyond", Some(json!(991)), "key `lag_ns.beyond`"),
        ("latency", "lag_ns.histogram", Some(json!("SGlz")), "key `lag_ns.histogram`"),
        ("latency", "lag_ns.histogram", Some(json!("not base64!")), "key `lag_ns.histogram`"),
        (
            "latency",
            "lag_ns",
            None,
            "key `lag_ns`: 990 messages of a latency scenario came, and it is missing",
        ),
        (
            "latency",
            "delivery_cleaned_ns",
            Some(json!(distribution(991))),
            "key `delivery_cleaned_ns.count`: 991 are more",
        ),
        ("echo", "round_trip_ns", None, "key `round_trip_ns`"),
        ("flood", "delivery_ns", None, "key `delivery_ns`"),
        // Accounts.
        ("latency", "accounts.sent_in_window", Some(json!(1001)), "key `accounts.sent_in_window`"),
        ("relay", "accounts.worst.connection", Some(json!(4)), "key `accounts.worst.connection`"),
        ("relay", "accounts.worst.owed", Some(json!(1001)), "key `accounts.worst.owed`"),
        ("relay", "accounts.least_owed", Some(json!(251)), "key `accounts.least_owed`"),
        (
            "relay",
            "accounts.worst.received",
            Some(json!(251)),
            "key `accounts.worst.received`: 251 are more than the 250",
        ),
        (
            "relay",
            "accounts.worst.received",
            Some(json!(239)),
            "key `accounts.worst.received`: 11 are missing there, and 10",
        ),
        (
            "relay",
            "accounts.worst.received",
            Some(json!(250)),
            "key `accounts.worst.received`: 10 were lost, and none",
        ),
        ("flood", "accounts", Some(json!(Accounts::default())), "key `accounts`: a flood owes nothing"),
        // Searches.
        ("capacity", "capacity", None, "key `capacity`"),
        (
            "capacity",
            "capacity.rate_per_s",
            Some(json!(2000.0)),
            "key `capacity.rate_per_s`: no step of 2000/s held",
        ),
        ("capacity", "capacity.steps.0.seen.p50_ns", Some(json!(9)), "key `capacity.steps[0].seen.p99_ns`"),
        ("capacity", "capacity.steps.0.seen", None, "key `capacity.steps[0].seen`"),
    ]
}

#[test]
fn one_damaged_field_is_told_with_its_line_and_key() {
    for (scenario, path, value, words) in lies() {
        let mut run = Run::good();
        let (mut line, at) = run.line(scenario);
        let told = format!("{scenario}: {path} = {value:?}");
        damage(&mut line, path, value);
        run.lines[at - 1] = line.to_string();
        let error = run.read().expect_err(&told);
        // Of two lines that contradict each other, the later one is told.
        let later = run.lines.iter().skip(at).position(|_| words.contains("already"));
        assert!(later.is_some() || error.contains(&format!(", line {at}")), "{told}: {error}");
        assert!(error.contains(words), "{told}: {error}");
        assert!(
            error.contains("measurements.jsonl`, line ") && error.contains("remove that line"),
            "{error}"
        );
    }
}

#[test]
fn a_line_that_is_damaged_as_text_is_told() {
    let run = Run::good();
    let with = |line: &[u8]| [run.lines[0].as_bytes(), b"\n", line, b"\n"].concat();
    for line in [&b""[..], b"{", b"[]", b"null", b"{\"iteration\":0,\"iteration\":0}", b"\xff\xfe", b"{}\x00"]
    {
        let error = run.read_text(&with(line)).unwrap_err();
        assert!(error.contains("measurements.jsonl`, line 2"), "{line:?}: {error}");
    }
    let twice = run.read_text(&with(run.lines[0].as_bytes())).unwrap_err();
    assert!(twice.contains("line 2, key `iteration`: line 1 has one: latency"), "{twice}");
}

#[test]
fn a_last_line_that_was_cut_off_is_left_out_with_a_note() {
    let run = Run::good();
    let whole = run.lines.join("\n") + "\n";
    let note = |text: &str| {
        let records = run.read_text(text.as_bytes()).unwrap();
        let short = RunFolder::open(run.folder.path()).unwrap().note().unwrap();
        assert_eq!(records.note, short, "both ways to the note tell the same");
        (records.measurements.len(), records.note.unwrap_or_default())
    };
    assert_eq!(note(&whole), (run.lines.len(), String::new()));
    assert_eq!(note(""), (0, String::new()));
    for cut in [whole.len() - 1, whole.len() - 100] {
        let (left, said) = note(&whole[..cut]);
        assert_eq!(left, run.lines.len() - 1);
        assert!(said.contains("measurements.jsonl` was cut off") && said.contains("--resume"), "{said}");
    }
}

/// What a client tells and no reader would take is not written: what was measured before stays readable.
#[test]
fn figures_that_contradict_each_other_are_not_written() {
    let run = Run::good();
    let mut lines = run.read().unwrap().measurements;
    let folder = RunFolder::open(run.folder.path()).unwrap();
    let mut log = folder.log().unwrap();
    let before = std::fs::read(run.folder.path().join("measurements.jsonl")).unwrap();
    lines[0].observation.as_mut().unwrap().lost = 11;
    let refused = log.append(&lines[0]).unwrap_err().to_string();
    assert!(refused.contains("one: latency") && refused.contains("`sent`: 1000 is not the 990"), "{refused}");
    assert_eq!(std::fs::read(run.folder.path().join("measurements.jsonl")).unwrap(), before);
}

#[test]
fn another_file_of_a_run_is_told_with_its_key() {
    let run = Run::good();
    let path: &Path = run.folder.path();
    std::fs::write(path.join("environment.json"), "{\n\"tickbench_version\": 3\n}").unwrap();
    let error = RunFolder::open(path).unwrap().environment().unwrap_err().to_string();
    assert!(error.contains("environment.json`, line 2: tickbench_version: invalid type"), "{error}");
}
