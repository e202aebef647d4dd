//! Servers that fail: each failure is a record with its reason, and the study goes on.

mod support;

use support::{Project, assert_code, stderr, stdout};
use tickbench_record::Stage;

/// A sound server beside a faulty one: the faulty one's every iteration fails, the sound one's every iteration completes.
#[track_caller]
fn failure(mode: &str) -> (Stage, String) {
    let project = Project::new(&[("sound", "fine"), ("faulty", mode)], "fine", "fine");
    let (output, run) = project.run(&[]);
    assert_code(&output, 0);
    assert_eq!(run.completed("sound"), 6, "{}", stderr(&output));
    let failures = run.failures("faulty");
    assert_eq!(failures.len(), 6);
    assert_eq!(project.processes(), [0_u32; 0]);
    failures[0].clone()
}

#[test]
fn a_server_that_dies_is_recorded_with_its_signal() {
    let (stage, reason) = failure("dies");
    assert_eq!(stage, Stage::Measure);
    assert!(reason.contains("connection closed") && reason.contains("SIGABRT"), "{reason}");
}

#[test]
fn a_server_that_freezes_is_recorded_as_stopped() {
    let project = Project::new(&[("faulty", "freezes")], "fine", "fine").impatient();
    let (output, run) = project.run(&["--iterations", "1"]);
    assert_code(&output, 3);
    let failures = run.failures("faulty");
    assert_eq!((failures.len(), project.processes()), (2, vec![]));
    let (stage, reason) = &failures[0];
    assert_eq!(*stage, Stage::Measure);
    assert!(reason.contains("no message for 200 ms") && reason.contains("stopped by a signal"), "{reason}");
}

#[test]
fn a_server_that_freezes_when_its_client_does_not_notice_is_recorded_all_the_same() {
    let project = Project::new(&[("faulty", "freezes")], "oblivious", "fine").impatient();
    let (output, run) = project.run(&["--iterations", "1"]);
    assert_code(&output, 3);
    let (stage, reason) = run.failures("faulty").remove(0);
    assert_eq!(stage, Stage::Measure);
    assert!(reason.contains("the server was stopped by a signal"), "{reason}");
}

#[test]
fn a_server_that_sends_garbage_is_recorded() {
    let (stage, reason) = failure("garbage");
    assert_eq!(stage, Stage::Measure);
    assert!(reason.contains("protocol violation"), "{reason}");
}

/// What verification finds is not timed, and is named with its reason.
#[track_caller]
fn unfit(mode: &str) -> String {
    let project = Project::new(&[("sound", "fine"), ("faulty", mode)], "fine", "fine");
    let (output, run) = project.run(&[]);
    assert_code(&output, 0);
    assert_eq!((run.completed("sound"), run.measurements().len()), (6, 6));
    let environment = tickbench_record::RunFolder::open(&run.0).unwrap().environment().unwrap();
    assert_eq!(environment.skipped.len(), 1);
    assert_eq!(environment.skipped[0].name, "faulty");
    assert_eq!(project.processes(), [0_u32; 0]);
    environment.skipped[0].reason.clone()
}

#[test]
fn a_server_that_exits_at_once_is_not_timed() {
    let reason = unfit("exits");
    assert!(reason.contains("exited with status 3") && reason.contains("no licence found"), "{reason}");
}

#[test]
fn a_server_that_is_never_ready_is_not_timed() {
    assert!(unfit("silent").contains("no ready line within 5 s"));
}

#[test]
fn a_server_that_prints_something_else_is_not_timed() {
    assert!(unfit("babbles").contains("\"Hello!\" instead of a ready line"));
}

#[test]
fn a_server_that_will_not_end_is_killed_and_not_timed() {
    assert!(unfit("deaf").contains("it was killed"));
}

#[test]
fn a_server_that_ends_uncleanly_is_not_timed() {
    let reason = unfit("unclean");
    assert!(reason.contains("exited with status 7") && reason.contains("lost a lock\\u{1b}[0m"), "{reason}");
}

#[test]
fn a_server_that_fails_a_check_is_not_timed_and_nothing_else_is_left() {
    let project = Project::new(&[("one", "fine")], "fine", "fails");
    let (output, run) = project.run(&[]);
    assert_code(&output, 3);
    assert!(stderr(&output).contains("streams the golden vectors: byte 3 differs"), "{}", stderr(&output));
    assert!(!run.0.exists());
}

#[test]
fn verify_tells_which_check_failed() {
    let project = Project::new(&[("one", "fine")], "fine", "fails");
    let output = project.tickbench(&["verify", "--server", "one"]);
    assert_code(&output, 1);
    assert!(
        stdout(&output).contains("FAILED  streams the golden vectors: byte 3 differs"),
        "{}",
        stdout(&output)
    );
    let output = Project::sound().tickbench(&["verify"]);
    assert_code(&output, 0);
    assert!(stdout(&output).contains("ok      ends on SIGTERM"), "{}", stdout(&output));
}

#[test]
fn what_a_server_says_on_standard_error_does_not_fail_it() {
    let project = Project::new(&[("noisy", "noisy")], "fine", "fine");
    let (output, run) = project.run(&[]);
    assert_code(&output, 0);
    assert_eq!(run.completed("noisy"), 6);
}
