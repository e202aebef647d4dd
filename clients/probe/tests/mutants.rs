//! A server of this contract in Python, and the ways to break it that `verify` must catch: each by the rule that it breaks.
//!
//! `servers/smoke/mutants/server.py` has them. Those of how a process starts and ends are the harness's to catch.

#![cfg(target_os = "linux")]

mod scripted;

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use scripted::probe;
use tickbench_record::Check;

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../servers/smoke/mutants/server.py");

/// Mutants, the rule that each breaks, and words of the failure: it must be caught for what it does.
const CAUGHT: [(&str, &str, &str); 42] = [
    ("client-data-closes", "client-data", "close with code 1003 came"),
    ("close-abrupt", "close-wait", "the end of the connection came right behind"),
    (
        "close-loses-tail",
        "echo-before-close",
        "the end of the connection came where binary of 12582912 bytes",
    ),
    ("coarse-timer", "fine-timer", "counts in milliseconds"),
    ("control-breaks-fragments", "echo-fragments", "said nothing"),
    ("count-closes-1001", "count", "close with code 1001 came"),
    ("count-ignored", "count", "came where close with code 1000 was due"),
    ("drifts", "ticks", "off the schedule"),
    ("due-is-early", "ticks", "before the stream was asked for"),
    ("due-is-sent-from-1500", "ticks", "due_ns of tick 1500 is"),
    ("echo-4mib", "echo-16mib", "close with code 1009 came"),
    ("echo-as-binary", "echo", "came where text of 65535 bytes"),
    ("echo-drops-second", "echo-segments", "said nothing"),
    ("echo-merges", "echo-segments", "came where text of 5 bytes"),
    ("echo-needs-whole-frame", "echo-segments", "cut behind byte 1"),
    ("flood-hogs", "flood-lets-others-run", "no echo came"),
    ("late", "on-time", "without pause"),
    ("masks-frames", "ticks", "masked frame from the server"),
    ("no-close-answer", "close", "said nothing"),
    ("no-close-streaming", "close-while-streaming", "ticks came and no close frame"),
    ("no-pong-streaming", "pong-while-streaming", "ticks came and no pong"),
    ("pad-short", "ticks", "tick 0"),
    ("plain-get-taken", "plain-get", "HTTP 200 came"),
    ("poisson-is-constant", "ticks", "off the schedule"),
    ("refuses-the-30th", "connections", "failed to upgrade connection 29 to"),
    ("refuses-with-500", "refusals", "HTTP 500 came"),
    ("relay-returns", "relay", "the publisher: text of 48 bytes"),
    ("relay-skips", "relay", "subscriber 1, message 2"),
    ("relay-starves-the-30th", "connections", "11 of 40 connections had no published message"),
    ("repeats-from-1500", "ticks", "seq 1499 came where 1500 was due"),
    ("replay-without-gaps", "replay", "off the schedule"),
    ("root-without-version", "root", "no text \"version\""),
    ("seed-ignored", "ticks", "tick 0"),
    ("sent-in-future", "ticks", "ns before its sent_ns"),
    ("sent-is-due", "stamps", "copied"),
    ("slow-unbounded", "slow-subscriber", "no bound"),
    ("starves-the-30th", "connections", "11 of 40 connections had no tick"),
    ("unknown-key-taken", "refusals", "HTTP 101 came where 400 was due"),
    ("unknown-path-taken", "unknown-path", "HTTP 200 came where 404 was due"),
    ("unmasked-taken", "unmasked-frames", "it came back"),
    ("wrong-from-2000", "ticks", "tick 2000"),
    ("wrong-when-timed", "ticks", "tick 0"),
];

/// How a process starts and ends: caught in the harness's own tests.
const OF_THE_PROCESS: [&str; 5] = [
    "flags-end-with-0",
    "ignores-sigterm",
    "ignores-stdin",
    "taken-address-ends-with-0",
    "talks-before-ready",
];

/// Mutants at work at a time.
const AT_ONCE: usize = 4;

/// A server's process, ended when this is dropped.
struct Server {
    process: Child,
    address: String,
}

fn python(args: &[&str]) -> Child {
    let spawned = Command::new("python3")
        .arg(SERVER)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    spawned.unwrap_or_else(|cause| {
        panic!("failed to start `python3`: {cause}: install Python 3.11 or newer, which the mutants of `verify` need")
    })
}

impl Server {
    fn start(args: &[&str]) -> Server {
        let mut process = python(&[&["--listen", "127.0.0.1:0"], args].concat());
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening ").unwrap_or_else(|| panic!("{args:?}: {line:?}"));
        Server { address: address.to_owned(), process }
    }

    /// The first check that fails of those that `args` ask for, and how many were made until then.
    fn first_failure(&self, args: &[&str]) -> (Option<Check>, usize) {
        let mut probe = probe()
            .args(["verify", "--server", &self.address, "--seed", "1", "--connections", "40"])
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(probe.stdout.take().unwrap()).lines();
        let mut made = 0;
        for line in lines {
            let check: Check = serde_json::from_str(&line.unwrap()).unwrap();
            made += 1;
            if check.failure.is_some() {
                probe.kill().unwrap();
                probe.wait().unwrap();
                return (Some(check), made);
            }
        }
        assert!(probe.wait().unwrap().success());
        (None, made)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn a_server_that_keeps_the_contract_passes_every_check() {
    let (failure, made) = Server::start(&[]).first_failure(&[]);
    assert_eq!(failure, None);
    assert!(made > 100, "{made} checks");
}

#[test]
fn answers_in_chunks_are_read() {
    let (failure, made) = Server::start(&["--chunked"]).first_failure(&["--only", "root,refusals,plain-get"]);
    assert_eq!((failure, made), (None, 29));
}

#[test]
fn each_mutant_is_caught_by_the_rule_that_it_breaks() {
    let left: Mutex<Vec<_>> = Mutex::new(CAUGHT.iter().collect());
    let missed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some((mutant, rule, words)) = left.lock().unwrap().pop() else { return };
                    let server = Server::start(&["--mutant", mutant]);
                    let (failure, _) = server.first_failure(&["--only", rule]);
                    let said = failure.and_then(|check| check.failure);
                    if !said.as_ref().is_some_and(|said| said.contains(words)) {
                        missed.lock().unwrap().push(format!("{mutant}: {said:?} where {words:?} was due"));
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn every_mutant_is_in_one_of_the_lists() {
    let mut names = String::new();
    python(&["--mutants"]).stdout.take().unwrap().read_to_string(&mut names).unwrap();
    let mut listed: Vec<&str> = CAUGHT.iter().map(|(name, ..)| *name).chain(OF_THE_PROCESS).collect();
    listed.sort_unstable();
    assert_eq!(names.lines().collect::<Vec<_>>(), listed);
}
