//! What `--inject` does to a stream, against the real process.

use std::process::Command;

use tickbench_protocol::{Payload, Stamps, Tape, encode_binary, encode_json};
use tickbench_server_smoke::{answer_of, stream_of};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tickbench-floor");

/// Twelve binary ticks with faults.
fn ticks(faults: &[&str]) -> Vec<(Stamps, Vec<u8>)> {
    let flags: Vec<&str> = faults.iter().flat_map(|fault| ["--inject", fault]).collect();
    let messages = stream_of(PROGRAM, &flags, "/ticks?encoding=binary&rate=2000&seed=42&count=12");
    messages.into_iter().map(|message| (Stamps::read_binary(&message).unwrap(), message)).collect()
}

fn seqs(faults: &[&str]) -> Vec<u64> {
    ticks(faults).iter().map(|(stamps, _)| stamps.seq).collect()
}

#[test]
fn ticks_are_lost_repeated_and_out_of_order() {
    assert_eq!(seqs(&["drop=5"]), [0, 1, 2, 3, 5, 6, 7, 8, 10, 11]);
    assert_eq!(seqs(&["duplicate=5"]), [0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 9, 9, 10, 11]);
    assert_eq!(seqs(&["reorder=5"]), [0, 1, 2, 3, 5, 4, 6, 7, 8, 10, 9, 11]);
    assert_eq!(seqs(&["reorder=12"]).last(), Some(&11), "there is none that the last could wait for");
    assert_eq!(seqs(&["drop=5", "duplicate=4"]), [0, 1, 2, 3, 3, 5, 6, 7, 7, 8, 10, 11, 11]);
}

#[test]
fn a_tail_is_never_sent_and_a_stream_ends_early() {
    assert_eq!(seqs(&["tail=5"]), [0, 1, 2, 3, 4]);
    assert_eq!(seqs(&["close=7"]), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(seqs(&["close=20"]).len(), 12, "the count that was asked for comes first");
    assert_eq!(seqs(&["silent=0"]), [0_u64; 0]);
    assert_eq!(seqs(&["silent=1"]).len(), 12, "the first stream is served");
}

#[test]
fn due_stamps_are_lies() {
    let ticks = ticks(&["due=zero/3", "due=sent/4", "due=-1ms/5"]);
    let start_ns = ticks[0].0.due_ns;
    for (Stamps { seq, due_ns, sent_ns }, _) in ticks {
        let true_ns = start_ns + seq * 500_000;
        let expected_ns = match seq {
            // The last one named is told.
            4 | 9 => true_ns - 1_000_000,
            3 | 7 | 11 => sent_ns,
            2 | 5 | 8 => 0,
            _ => true_ns,
        };
        assert_eq!(due_ns, expected_ns, "tick {seq}");
    }
}

#[test]
fn sent_stamps_lie_in_the_past_or_in_the_future() {
    for (stamps, _) in ticks(&["skew=-50s/3", "skew=50s/4"]) {
        let off_ns = stamps.sent_ns.cast_signed() - stamps.due_ns.cast_signed();
        let expected_s = match stamps.seq {
            2 | 5 | 8 => -50,
            3 | 7 => 50,
            _ => 0,
        };
        // A tick is late by what the machine does: by less than this, or the test would not have come so far.
        let late_ns = off_ns - expected_s * 1_000_000_000;
        assert!((0..40_000_000_000).contains(&late_ns), "tick {}: {off_ns}", stamps.seq);
    }
}

#[test]
fn a_stall_lies_between_the_stamp_and_what_comes_after_it() {
    let ticks = ticks(&["stall=5ms/4", "delay=1ms"]);
    for pair in ticks.windows(2) {
        let [(one, _), (next, _)] = pair else { unreachable!() };
        let least_ns = if one.seq % 4 == 3 { 6_000_000 } else { 1_000_000 };
        assert!(next.sent_ns - one.sent_ns >= least_ns, "after tick {}", one.seq);
    }
}

#[test]
fn a_byte_behind_the_stamps_is_another_and_only_there() {
    let tape = Tape::generate(42);
    for (stamps, message) in ticks(&["corrupt=3"]) {
        let mut due = Vec::new();
        encode_binary(&stamps, Payload::Update(tape.update(stamps.seq)), 0, &mut due);
        let differing: Vec<usize> = (0..due.len()).filter(|&at| message[at] != due[at]).collect();
        assert_eq!(differing.is_empty(), stamps.seq % 3 != 2, "tick {}: {differing:?}", stamps.seq);
        assert_eq!(message.len(), due.len());
    }
    // JSON stays text. The tape begins again after its 1,024 updates, and there a frame that was spoilt is whole again.
    let target = "/ticks?rate=0&seed=42&count=2050";
    for message in stream_of(PROGRAM, &["--inject", "corrupt=1000"], target) {
        let (stamps, mut due) = (Stamps::read_json(&message).unwrap(), Vec::new());
        encode_json(&stamps, Payload::Update(tape.update(stamps.seq)), 0, &mut due);
        assert_eq!(message == due, !matches!(stamps.seq, 999 | 1999), "tick {}", stamps.seq);
        assert!(message.is_ascii());
    }
}

#[test]
fn what_cannot_be_injected_is_refused() {
    let flags = ["--inject", "drop=5"];
    for target in ["/ticks?flush=batch", "/echo", "/relay"] {
        let (status, sentence) = answer_of(PROGRAM, &flags, target);
        assert_eq!(status, 400, "{target}");
        assert!(sentence.contains("flush=each alone"), "{target}: {sentence}");
    }
    let output = Command::new(PROGRAM).args(["--inject", "freeze=1s"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no such fault"), "{output:?}");
}
