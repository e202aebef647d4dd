//! The parity ledger, of fakes: a server that sets nothing on its sockets and writes each message by itself.
#![cfg(target_os = "linux")]

mod support;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use support::*;
use tickbench_record::{Lane, Ledger, LedgerEntry, Reading, RunFolder, Sizes};

fn ledger(project: &Project) -> Ledger {
    serde_json::from_str(&std::fs::read_to_string(project.path().join("ledger.json")).unwrap()).unwrap()
}

/// Whether a machine let it be read; one that did not must have said why.
fn was_read<T: std::fmt::Debug>(reading: &Reading<T>, refusal: &str) -> bool {
    if let Reading::Missing { missing } = reading {
        eprintln!("this machine did not let it be read: {missing}");
        assert!(missing.starts_with(refusal), "{missing}");
    }
    reading.read().is_some()
}

const NO_SOCKET: &str = "pidfd_getfd was refused: ";
const NO_TRACE: &str = "ptrace of thread ";

fn assert_looked_at(entry: &LedgerEntry) {
    if was_read(&entry.socket, NO_SOCKET) {
        let socket = entry.socket.read().unwrap();
        assert!(!socket.no_delay && !socket.keep_alive, "the fake sets nothing: {socket:?}");
    }
    if was_read(&entry.backlog, NO_SOCKET) {
        assert!(*entry.backlog.read().unwrap() > 0);
    }
    assert_eq!(entry.executable.read().unwrap().sha256.len(), 64);
    assert_eq!(entry.threads.read().unwrap().len(), 2, "the fake accepts on a second thread");
    assert_eq!(entry.streams.len(), 3);
    for pass in &entry.streams {
        let messages = pass.seen.read().unwrap().messages;
        if was_read(&pass.calls, NO_TRACE) {
            let calls = pass.calls.read().unwrap();
            let each = Sizes { calls: messages, bytes: 5 * messages, min: 5, median: 5, max: 5 };
            assert_eq!((calls.messages, calls.writes, calls.failed_writes), (messages, each, 0));
        }
    }
}

#[test]
fn the_ledger_tells_what_each_lane_does_and_a_broken_promise_fails() {
    let project = Project::streaming("fine");
    let output = project.tickbench(&["parity", "--out", "ledger.json"]);
    let entries = ledger(&project).entries;
    let lanes: Vec<(&str, Lane)> = entries.iter().map(|entry| (entry.server.as_str(), entry.lane)).collect();
    assert_eq!(lanes, [("one", Lane::Default), ("one", Lane::Tuned)]);
    entries.iter().for_each(assert_looked_at);
    // The fake takes no notice of --tuned. Where its socket could not be read, nothing is known to be broken.
    let is_known = entries[1].socket.read().is_some();
    assert_code(&output, i32::from(is_known));
    assert_eq!(stderr(&output).contains("broken promise: one left TCP_NODELAY off"), is_known);
    assert!(project.processes().is_empty());
}

#[test]
fn a_run_keeps_the_lanes_that_it_measures_unless_told_not_to() {
    let project = Project::streaming("fine");
    let (output, run) = project.run(&["--iterations", "1"]);
    assert_code(&output, 0);
    let kept = RunFolder::open(&run.0).unwrap().ledger().unwrap().unwrap();
    assert_eq!(kept.entries.iter().map(|entry| entry.lane).collect::<Vec<_>>(), [Lane::Default]);
    assert!(run.text("REPORT.md").contains("\n## Parity\n"));

    let output = project.tickbench(&[
        "run",
        "--study",
        "study.toml",
        "--iterations",
        "1",
        "--out",
        "bare",
        "--no-parity",
    ]);
    assert_code(&output, 0);
    let bare = Run(project.path().join("bare"));
    assert_eq!(RunFolder::open(&bare.0).unwrap().ledger().unwrap(), None);
    assert!(!bare.text("REPORT.md").contains("## Parity"));
}

#[test]
fn what_the_kernel_refuses_is_missing_with_its_reason() {
    // This thread alone, and all that it starts from now on.
    let filter = SeccompFilter::new(
        [(libc::SYS_ptrace, Vec::new()), (libc::SYS_pidfd_getfd, Vec::new())].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM as u32),
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let program: BpfProgram = filter.unwrap().try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();

    let project = Project::streaming("fine");
    assert_code(&project.tickbench(&["parity", "--out", "ledger.json"]), 0);
    for entry in ledger(&project).entries {
        let Reading::Missing { missing } = &entry.socket else { panic!("it was refused: {entry:?}") };
        assert!(missing.starts_with(NO_SOCKET) && missing.contains("ptrace_scope"), "{missing}");
        for pass in &entry.streams {
            let Reading::Missing { missing } = &pass.calls else { panic!("it was refused: {pass:?}") };
            assert!(missing.starts_with(NO_TRACE) && missing.contains("ptrace_scope"), "{missing}");
        }
    }
    let page = stdout(&project.tickbench(&["parity"]));
    assert!(page.contains("| — <sup>1</sup> |") && page.contains("pidfd_getfd was refused"), "{page}");
}

#[test]
fn a_client_that_gets_no_stream_leaves_a_ledger_that_says_why() {
    let project = Project::streaming("fails");
    assert_code(&project.tickbench(&["parity", "--out", "ledger.json"]), 0);
    for entry in ledger(&project).entries {
        assert_eq!(entry.streams.len(), 3);
        for pass in entry.streams {
            let Reading::Missing { missing } = pass.seen else { panic!("there was no stream") };
            assert!(missing.contains("the server closed the stream"), "{missing}");
        }
    }
}

#[test]
fn bad_input_is_refused_with_the_way_out() {
    let output = Project::sound().tickbench(&["parity"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("give one a `stream` command"), "{}", stderr(&output));
    let output = Project::streaming("fine").tickbench(&["parity", "--servers", "nobody"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("there is no server \"nobody\""), "{}", stderr(&output));
}
