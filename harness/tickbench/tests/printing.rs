//! Where output cannot go: a reader who left, a full disk, a terminal that was closed. No command panics, and none loses what it keeps.

mod support;

use std::fs::OpenOptions;
use std::io::Read as _;
use std::process::{Output, Stdio};

use support::{Project, Run, assert_code, stderr, until};

/// The end of a pipe that nobody reads.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn full() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

/// A project with two finished runs.
fn measured() -> Project {
    let project = Project::watched("fine");
    for out in ["runs/out", "runs/again"] {
        let args = ["run", "--study", "study.toml", "--seed", "7", "--samples", "--out", out];
        assert_code(&project.tickbench(&args), 0);
    }
    project
}

/// Each command that prints a result, and its exit code.
const COMMANDS: [(&[&str], i32); 14] = [
    (&["list"], 0),
    (&["verify"], 0),
    (&["preflight"], 0),
    (&["study", "--check", "study.toml"], 0),
    (&["report", "runs/out"], 0),
    (&["compare", "runs/out", "runs/again"], 0),
    (&["compare", "runs/out", "runs/again", "--fail-if", "delivery.p50 > +5%"], 3),
    (&["history", "runs"], 0),
    (&["export", "runs/out", "--format", "csv"], 0),
    (&["export", "runs/out", "--samples", "--format", "json"], 0),
    (&["export", "--dictionary"], 0),
    (&["completions", "bash"], 0),
    (&["man"], 0),
    (&["--help"], 0),
];

fn printing_to(project: &Project, args: &[&str], stdout: Stdio) -> Output {
    let harness = project.command(args).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
    harness.wait_with_output().unwrap()
}

#[test]
fn a_reader_who_left_ends_no_command_and_is_no_error() {
    let project = measured();
    for (args, code) in COMMANDS {
        let output = printing_to(&project, args, unread());
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
        assert!(!stderr(&output).contains("error"), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let project = measured();
    for (args, _) in COMMANDS {
        let output = printing_to(&project, args, full());
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        let said = "error: failed to write to standard output: No space left on device";
        assert!(stderr(&output).contains(said), "{args:?}: {}", stderr(&output));
    }
}

#[track_caller]
fn is_whole(run: &Run) {
    assert_eq!((run.completed("one"), run.completed("two")), (6, 6));
    assert!(run.0.join("REPORT.md").is_file() && run.environment().spent.is_some());
}

const RUN: [&str; 5] = ["run", "--study", "study.toml", "--out", "out"];

#[test]
fn a_run_whose_result_nobody_reads_is_whole_and_ends_well() {
    let project = Project::sound();
    assert_code(&printing_to(&project, &RUN, unread()), 0);
    is_whole(&project.out());
}

#[test]
fn a_run_whose_result_cannot_be_written_is_whole_and_says_so() {
    let project = Project::sound();
    assert_code(&printing_to(&project, &RUN, full()), 2);
    is_whole(&project.out());
}

#[test]
fn a_run_whose_standard_error_is_lost_is_whole_and_ends_well() {
    for stderr in [unread(), full()] {
        let project = Project::sound();
        let harness = project.command(&RUN).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        assert_code(&harness.wait_with_output().unwrap(), 0);
        is_whole(&project.out());
    }
}

/// A server that fails each execution, so that there is something to say in the middle of the run.
#[test]
fn a_run_whose_standard_error_is_closed_in_its_middle_goes_on() {
    let project = Project::new(&[("one", "fine"), ("faulty", "dies")], "fine", "fine");
    let mut harness = project.start(&["run", "--study", "study.toml", "--iterations", "30", "--out", "out"]);
    until("an iteration", || project.out().lines() > 4);
    drop(harness.stderr.take());
    let mut text = String::new();
    harness.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(harness.wait().unwrap().code(), Some(0));
    assert!(text.contains("60 executions completed, 60 failed"), "{text}");
    assert!(project.out().0.join("REPORT.md").is_file());
}

#[test]
fn what_is_wrong_with_a_command_line_is_an_error_wherever_it_is_said() {
    let output = printing_to(&Project::sound(), &["no-such-command"], full());
    assert_code(&output, 2);
    assert!(stderr(&output).contains("unrecognized subcommand"), "{}", stderr(&output));
}
