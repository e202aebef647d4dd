//! Damaged records: every command that reads a run refuses the same lies, with the line and the key, and tells of a line that was cut off.

mod support;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{Project, assert_code, stderr, stdout};

/// A project with a small run of invented figures in it.
struct Kept(Project);

impl Kept {
    fn new() -> Kept {
        let kept = Kept(Project::sound());
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../report/tests/small_run");
        for run in ["run", "other"] {
            std::fs::create_dir_all(kept.path(run, "")).unwrap();
            for name in ["study.toml", "environment.json", "measurements.jsonl", "summary.json"] {
                std::fs::copy(from.join(name), kept.path(run, name)).unwrap();
            }
        }
        kept
    }

    fn path(&self, run: &str, name: &str) -> PathBuf {
        self.0.path().join(run).join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path("run", name)).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path("run", name), text).unwrap();
    }

    /// Changes the record in a line, counted from 1.
    fn damage(&self, line: usize, change: impl FnOnce(&mut Value)) {
        let text = self.text("measurements.jsonl");
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut record = serde_json::from_str(&lines[line - 1]).unwrap();
        change(&mut record);
        lines[line - 1] = record.to_string();
        self.write("measurements.jsonl", &(lines.join("\n") + "\n"));
    }
}

/// Every command that reads the records of a run.
const COMMANDS: [&[&str]; 6] = [
    &["report", "run"],
    &["compare", "run", "other", "--anyway"],
    &["compare", "other", "run", "--anyway"],
    &["export", "run", "--format", "csv"],
    &["export", "run", "--format", "hlog", "--out", "logs"],
    &["run", "--resume", "run"],
];

#[test]
fn every_command_refuses_the_same_lies() {
    type Lie = (&'static str, fn(&mut Value), &'static str);
    let lies: [Lie; 8] = [
        (
            "a key that is gone",
            |one| drop(one.as_object_mut().unwrap().remove("received")),
            "missing field `received`",
        ),
        ("a word for a number", |one| one["delivery_ns"]["p99"] = json!("9"), "key `delivery_ns.p99`"),
        (
            "an iteration beyond the plan",
            |one| one["iteration"] = json!(999),
            "key `iteration`: 999 is beyond",
        ),
        ("another's cell", |one| one["server"] = json!("nobody"), "key `server`"),
        ("a rate below zero", |one| one["messages_per_s"] = json!(-5.0), "key `messages_per_s`"),
        (
            "a median above p99",
            |one| one["delivery_ns"]["p50"] = one["delivery_ns"]["max"].clone(),
            "key `delivery_ns.p90`",
        ),
        (
            "a count of another histogram",
            |one| one["delivery_ns"]["count"] = json!(3),
            "key `delivery_ns.count`",
        ),
        ("counts that do not add up", |one| one["lost"] = json!(77), "key `sent`"),
    ];
    for (what, lie, words) in lies {
        let kept = Kept::new();
        kept.damage(5, lie);
        for command in COMMANDS {
            let output = kept.0.tickbench(command);
            assert_code(&output, 2);
            let told = stderr(&output);
            assert!(
                told.contains("measurements.jsonl`, line 5") && told.contains(words),
                "{what}: {command:?}: {told}"
            );
        }
    }
}

#[test]
fn every_command_refuses_a_line_that_stands_there_twice() {
    let kept = Kept::new();
    let text = kept.text("measurements.jsonl");
    let first = text.lines().next().unwrap();
    kept.write("measurements.jsonl", &format!("{text}{first}\n"));
    let line = format!("line {}, key `iteration`: line 1 has", text.lines().count() + 1);
    for command in COMMANDS {
        let output = kept.0.tickbench(command);
        assert_code(&output, 2);
        assert!(stderr(&output).contains(&line), "{command:?}: {}", stderr(&output));
    }
}

#[test]
fn every_command_tells_of_a_last_line_that_was_cut_off() {
    let kept = Kept::new();
    let text = kept.text("measurements.jsonl");
    kept.write("measurements.jsonl", &text[..text.len() - 30]);
    let history: &[&str] = &["history", "run"];
    for command in COMMANDS.into_iter().chain([history]) {
        let output = kept.0.tickbench(command);
        let told = stderr(&output);
        assert!(
            told.contains("note: the last line of `") && told.contains("was cut off"),
            "{command:?}: {told}"
        );
        // The run is of other servers than the project has, and so it cannot go on; all else can be read.
        let code = if command[0] == "run" { 2 } else { 0 };
        assert_code(&output, code);
    }
}

#[test]
fn a_history_leaves_broken_runs_out_and_says_why() {
    let kept = Kept::new();
    let folder = |name: &str| kept.0.path().join("runs").join(name);
    let copy = |name: &str| {
        std::fs::create_dir_all(folder(name)).unwrap();
        for file in ["study.toml", "environment.json", "summary.json"] {
            std::fs::copy(kept.path("run", file), folder(name).join(file)).unwrap();
        }
    };
    let change = |name: &str, file: &str, change: &dyn Fn(&mut Value)| {
        copy(name);
        let path = folder(name).join(file);
        let mut value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        change(&mut value);
        std::fs::write(path, value.to_string()).unwrap();
    };
    copy("good");
    change("figure", "summary.json", &|summary| {
        summary["cells"][0]["estimates"]["delivery_p50"]["estimate"] = json!("5");
    });
    change("bounds", "summary.json", &|summary| {
        let estimate = &mut summary["cells"][0]["estimates"]["delivery_p50"];
        (estimate["low"], estimate["high"]) = (json!(9.0), json!(1.0));
    });
    change("twice", "summary.json", &|summary| summary["cells"][1] = summary["cells"][0].clone());
    change("time", "environment.json", &|environment| environment["started_at"] = json!("noon"));
    copy("cut");
    std::fs::write(folder("cut").join("summary.json"), "{\"study\":").unwrap();
    copy("none");
    std::fs::remove_file(folder("none").join("summary.json")).unwrap();
    copy("nowhere");
    std::fs::remove_file(folder("nowhere").join("environment.json")).unwrap();

    let output = kept.0.tickbench(&["history", "runs"]);
    assert_code(&output, 0);
    assert!(stdout(&output).contains("1 runs,"), "{}", stdout(&output));
    let page = std::fs::read_to_string(kept.0.path().join("runs/HISTORY.md")).unwrap();
    for (name, words) in [
        ("figure", "cells[0].estimates.delivery_p50.estimate: invalid type"),
        ("bounds", "cells[0].estimates.delivery_p50: "),
        ("twice", "cells[1].cell: "),
        ("time", "started_at: \"noon\" is no time"),
        ("cut", "summary.json"),
        ("none", "it has no summary.json"),
        ("nowhere", "environment.json"),
    ] {
        let line = page.lines().find(|line| line.starts_with(&format!("- `{name}`: "))).unwrap_or(&page);
        assert!(line.contains(words), "{name}: {line}");
        assert!(stderr(&output).contains(&format!("note: `{name}` was left out: ")), "{}", stderr(&output));
    }
    assert!(page.contains("1: `good`"));

    // What a page leaves out, a table of one run refuses.
    std::fs::copy(folder("bounds").join("summary.json"), kept.path("run", "summary.json")).unwrap();
    let refused = kept.0.tickbench(&["export", "run", "--format", "openmetrics"]);
    assert_code(&refused, 2);
    assert!(stderr(&refused).contains("delivery_p50: "), "{}", stderr(&refused));
}
