//! Signals to the harness: what was measured is kept, nothing is left running, and a resumed run completes the same plan.

mod support;

use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use support::{Project, Run, assert_code, stderr, study, until};
use tickbench_record::{Measurement, RunFolder};

const RUN: [&str; 7] = ["run", "--study", "long.toml", "--seed", "7", "--out", "out"];
const CELLS: usize = 4;

fn long_running(iterations: u32) -> (Project, Child) {
    let project = Project::sound();
    project.write("long.toml", &study(5, iterations));
    let harness = project.start(&RUN);
    until("the second iteration", || project.out().lines() > CELLS);
    (project, harness)
}

fn signal(harness: &Child, signal: Signal) {
    kill_process(Pid::from_child(harness), signal).unwrap();
}

/// What was executed, in order; the order is part of the plan.
fn order(measurements: &[Measurement]) -> Vec<String> {
    measurements.iter().map(|m| format!("{} {} {}", m.iteration, m.position, m.cell)).collect()
}

#[test]
fn one_signal_ends_after_the_iteration_with_a_report_that_says_so() {
    for (interrupt, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 143)] {
        let (project, harness) = long_running(100_000);
        signal(&harness, interrupt);
        let output = harness.wait_with_output().unwrap();
        assert_code(&output, code);
        assert!(stderr(&output).contains("ends after this iteration"), "{}", stderr(&output));
        let run = project.out();
        assert_eq!(run.lines() % CELLS, 0, "the last iteration is whole");
        let whole = run.lines() / CELLS;
        assert!(
            stderr(&output).contains(&format!(
                "interrupted after {whole} of 100000 iterations: `tickbench run --resume out`"
            )),
            "{}",
            stderr(&output)
        );
        says_interrupted(&run, whole, "100,000");
        assert_eq!(project.processes(), [0_u32; 0]);
    }
}

#[test]
fn a_second_signal_ends_at_once_with_a_report() {
    let project = Project::sound();
    // The first iteration would take a quarter of an hour.
    project.write(
        "long.toml",
        &study(5, 1).replace("encodings = ['json', 'binary']", "size_bytes = [SIZES]").replace(
            "SIZES",
            &(0..20_000).map(|size| (size + 300).to_string()).collect::<Vec<_>>().join(","),
        ),
    );
    let harness = project.start(&RUN);
    until("a measurement", || project.out().lines() > 0);
    signal(&harness, Signal::INT);
    let seen = project.out().lines();
    until("another measurement: one signal waits for the iteration", || project.out().lines() > seen + 1);
    signal(&harness, Signal::INT);
    let output = harness.wait_with_output().unwrap();
    assert_code(&output, 130);
    assert!(project.out().lines() < 40_000);
    says_interrupted(&project.out(), 0, "1");
    assert_eq!(project.processes(), [0_u32; 0]);
}

#[test]
fn a_killed_harness_leaves_no_orphan_and_resuming_completes_the_same_plan() {
    let (project, mut harness) = long_running(30);
    signal(&harness, Signal::KILL);
    harness.wait().unwrap();
    until("the end of every server and client", || project.processes().is_empty());
    let before = project.out().measurements();
    assert!(before.len() < 30 * CELLS, "the harness was killed in the middle");
    assert_code(&project.tickbench(&["report", "out"]), 0);
    says_interrupted(&project.out(), before.len() / CELLS, "30");

    let output = project.tickbench(&["run", "--resume", "out"]);
    assert_code(&output, 0);
    let after = project.out().measurements();
    assert_eq!(order(&after[..before.len()]), order(&before), "what was measured is kept");

    let whole = Project::sound();
    whole.write("long.toml", &study(5, 30));
    assert_code(&whole.tickbench(&RUN), 0);
    assert_eq!(order(&after), order(&whole.out().measurements()));
    let environment = RunFolder::open(&project.out().0).unwrap().environment().unwrap();
    assert!(environment.warnings.iter().any(|warning| warning.contains("resumed at")));
    assert!(project.out().text("REPORT.md").contains("Iterations: 30. Each executes every cell"));
    assert!(!project.out().text("summary.json").contains("whole_iterations"));
}

/// Report and summary say that so many iterations were executed, and not that each was.
#[track_caller]
fn says_interrupted(run: &Run, whole: usize, planned: &str) {
    let report = run.text("REPORT.md");
    assert!(report.contains(&format!("**Interrupted after {whole} of {planned} iterations.**")), "{report}");
    assert!(!report.contains("Each executes every cell"), "{report}");
    assert!(run.text("summary.json").contains(&format!("\"whole_iterations\": {whole},")));
}

#[test]
fn a_run_that_is_interrupted_before_anything_is_measured_leaves_nothing() {
    let project = Project::sound();
    let build = "build = ['sh', '-c', 'echo > building; exec sleep 600']";
    let entry = project.server("slow", "fine").replace("build = ['true']", build);
    project.write("servers/servers.toml", &entry);
    let harness = project.start(&["run", "--study", "study.toml", "--out", "out"]);
    until("the build", || project.path().join("servers/slow/building").exists());
    assert!(project.out().0.exists(), "the folder is taken before anything is built");
    signal(&harness, Signal::TERM);
    let output = harness.wait_with_output().unwrap();
    assert_code(&output, 143);
    assert!(stderr(&output).contains("interrupted while slow was being built"), "{}", stderr(&output));
    assert!(!project.out().0.exists());
}

#[test]
fn a_run_that_was_told_to_ignore_a_hangup_goes_on() {
    let project = Project::sound();
    project.write("long.toml", &study(5, 100_000));
    let mut command = project.command(&RUN);
    let ignore = || {
        // SAFETY: to ignore a signal is no handler, which could be unsafe.
        unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
        Ok(())
    };
    // SAFETY: it makes a system call alone, as is demanded between fork and exec.
    unsafe { std::os::unix::process::CommandExt::pre_exec(&mut command, ignore) };
    let harness = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("the second iteration", || project.out().lines() > CELLS);
    signal(&harness, Signal::HUP);
    let seen = project.out().lines();
    until("two more iterations", || project.out().lines() > seen + 2 * CELLS);
    signal(&harness, Signal::TERM);
    assert_code(&harness.wait_with_output().unwrap(), 143);
}

#[test]
fn a_line_that_was_cut_off_is_measured_again() {
    let project = Project::sound();
    let (output, run) = project.run(&[]);
    assert_code(&output, 0);
    let whole = order(&run.measurements());
    let text = run.text("measurements.jsonl");
    std::fs::write(run.0.join("measurements.jsonl"), &text[..text.len() - 100]).unwrap();
    assert_code(&project.tickbench(&["run", "--resume", "out"]), 0);
    assert_eq!(order(&run.measurements()), whole);
}
