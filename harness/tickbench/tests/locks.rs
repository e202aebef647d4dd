//! Two runs at once: neither writes into the other's folder, and neither measures on the other's cores without being told.

#![cfg(target_os = "linux")]

mod support;

use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};
use support::{Project, assert_code, stderr, stdout, study, until};

/// A project with a run under way, which no test waits for.
fn under_way() -> (Project, Child) {
    let project = Project::injecting("fine");
    project.write("long.toml", &study(5, 100_000));
    let harness = project.start(&["run", "--study", "long.toml", "--out", "out"]);
    until("an iteration", || project.out().lines() > 2);
    (project, harness)
}

fn end(harness: Child) {
    kill_process(Pid::from_child(&harness), Signal::TERM).unwrap();
    let output = harness.wait_with_output().unwrap();
    assert_code(&output, 143);
}

#[test]
fn a_run_in_progress_is_not_resumed_and_says_who_writes_to_it() {
    let (project, harness) = under_way();
    for args in [&["run", "--resume", "out"][..], &["run", "--study", "long.toml", "--out", "out"]] {
        let output = project.tickbench(args);
        assert_code(&output, 2);
        for words in [
            "`out` is in use by process",
            &harness.id().to_string(),
            "tickbench --root",
            "wait until it ends",
        ] {
            assert!(stderr(&output).contains(words), "{words} is missing from {}", stderr(&output));
        }
        assert!(!stderr(&output).contains("building"), "{}", stderr(&output));
    }
    let report = project.tickbench(&["report", "out"]);
    assert_code(&report, 0);
    assert!(stderr(&report).contains("`out` is in progress"), "{}", stderr(&report));
    assert!(stdout(&report).contains("**In progress: "), "{}", stdout(&report));
    end(harness);
    let report = project.out().text("REPORT.md");
    assert!(report.contains("**Interrupted after") && !report.contains("In progress"), "{report}");
    assert!(!project.out().0.join("run.lock").exists());
}

#[test]
fn two_runs_that_begin_in_one_second_have_folders_of_their_own() {
    let project = Project::sound();
    let args = ["run", "--study", "study.toml", "--iterations", "1", "--anyway"];
    // More than two, so that some begin in one second wherever the seconds end.
    let runs: Vec<Child> = (0..4).map(|_| project.start(&args)).collect();
    for run in runs {
        assert_code(&run.wait_with_output().unwrap(), 0);
    }
    let folders: Vec<_> =
        project.path().join("runs").read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(folders.len(), 4);
    for folder in folders {
        assert_eq!(support::Run(folder).measurements().len(), 4);
    }
}

#[test]
fn a_second_run_on_the_same_cores_is_refused_before_anything_is_built() {
    let (first, harness) = under_way();
    let cores = first.out().environment().cores;
    let cores = format!("{},{}", cores.server.unwrap(), cores.client.unwrap());
    let second = Project::injecting("fine");
    let on_cores = |args: &[&str]| {
        let mut command = second.command(&[args, &["--cores", &cores]].concat());
        command.env("TICKBENCH_MACHINE_DIR", first.path()).output().unwrap()
    };
    let run = ["run", "--study", "study.toml", "--out", "out"];
    for args in [
        &run[..],
        &["control", "--study", "study.toml", "--out", "out"],
        &["capacity", "--p99", "1ms", "--out", "out"],
        &["resolution", "--iterations", "2", "--out", "out"],
        &["selftest"],
        &["preflight"],
    ] {
        let output = on_cores(args);
        assert_code(&output, 2);
        let pid = format!("process {} on ", harness.id());
        for words in ["another run measures on core", &pid, "--cores", "--anyway"] {
            assert!(stderr(&output).contains(words), "{args:?}: {words} is missing from {}", stderr(&output));
        }
        assert!(!stderr(&output).contains("building"), "{args:?}: {}", stderr(&output));
        assert!(!second.out().0.exists(), "{args:?}");
    }
    assert_code(&on_cores(&[&run[..], &["--anyway"]].concat()), 0);
    let warnings = second.out().environment().warnings;
    let said =
        warnings.iter().filter(|warning| warning.contains("Neither's figures are to be trusted")).count();
    assert_eq!(said, 2, "{warnings:?}");
    end(harness);
    assert_code(&on_cores(&["preflight"]), 0);
}

#[test]
fn cores_of_a_run_that_was_killed_are_free() {
    let (project, mut harness) = under_way();
    harness.kill().unwrap();
    harness.wait().unwrap();
    let cores = project.out().environment().cores;
    let cores = format!("{},{}", cores.server.unwrap(), cores.client.unwrap());
    assert_code(&project.tickbench(&["preflight", "--cores", &cores]), 0);
}
