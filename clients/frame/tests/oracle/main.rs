//! The decoder and the writer against an independent reader of RFC 6455: on streams that are sound and on streams that are not.

mod compare;
mod reference;
mod streams;
mod writer;

use std::collections::BTreeMap;

use compare::agree;
use reference::{Breach, Outcome, may_be_sent};
use streams::{Random, Stream, stream};
use tickbench_frame::{Mask, write_close};

/// At least so many; `TICKBENCH_ORACLE_STREAMS` asks for more.
const STREAMS: u64 = 1_000_000;

fn streams_asked() -> u64 {
    let asked = std::env::var("TICKBENCH_ORACLE_STREAMS").ok();
    let asked = asked.map(|count| count.parse().expect("TICKBENCH_ORACLE_STREAMS is a number of streams"));
    STREAMS.max(asked.unwrap_or(0))
}

#[test]
fn the_decoder_tells_of_every_stream_what_the_rfc_says() {
    let mut seen = BTreeMap::new();
    for seed in 0..streams_asked() {
        let mut random = Random(seed);
        let stream = stream(&mut random);
        for (_, outcome) in agree(&stream, &mut random).outcomes {
            for name in names(&outcome) {
                *seen.entry(name).or_insert(0) += 1;
            }
        }
    }
    // What the generator no longer makes would not be compared.
    let all = [
        "CloseCode",
        "CloseReason",
        "FragmentedControl",
        "InterruptedMessage",
        "LengthForm",
        "LongControl",
        "Mask",
        "ReservedBits",
        "ReservedOpcode",
        "ShortClose",
        "StrayContinuation",
        "TooLong",
        "Utf8",
        "close",
        "empty close",
        "fragmented message",
        "ping",
        "pong",
        "whole message",
    ];
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), all);
    assert!(seen.values().all(|&count| count > STREAMS / 500), "{seen:?}");
}

fn names(outcome: &Outcome) -> Vec<&'static str> {
    let breach = |breach: &Breach| match breach {
        Breach::Mask => "Mask",
        Breach::ReservedBits(_) => "ReservedBits",
        Breach::ReservedOpcode(_) => "ReservedOpcode",
        Breach::LengthForm(_) => "LengthForm",
        Breach::LongControl => "LongControl",
        Breach::FragmentedControl => "FragmentedControl",
        Breach::StrayContinuation => "StrayContinuation",
        Breach::InterruptedMessage => "InterruptedMessage",
        Breach::TooLong { .. } => "TooLong",
        Breach::Utf8 => "Utf8",
        Breach::ShortClose => "ShortClose",
        Breach::CloseCode(_) => "CloseCode",
        Breach::CloseReason => "CloseReason",
    };
    match outcome {
        Outcome::Message { whole: true, .. } => vec!["whole message"],
        Outcome::Message { .. } => vec!["fragmented message"],
        Outcome::Ping(_) => vec!["ping"],
        Outcome::Pong(_) => vec!["pong"],
        Outcome::Close(None) => vec!["empty close"],
        Outcome::Close(_) => vec!["close"],
        Outcome::Refused(breaches) => breaches.iter().map(breach).collect(),
    }
}

#[test]
fn every_pair_of_first_bytes_is_judged_right_inside_a_message_and_outside() {
    let mut random = Random(1);
    for start in [&b""[..], b"\x02\x01a", b"\x01\x01a\x89\x00"] {
        for pair in 0..=u16::MAX {
            let bytes = [start, &pair.to_be_bytes(), &[0, 0, 0, 0, 0, 1, 0, 0, 0]].concat();
            agree(&Stream { bytes, limit: 1 << 20 }, &mut random);
        }
    }
}

#[test]
fn every_close_code_is_judged_right() {
    for code in 0..=u16::MAX {
        let mut bytes = Vec::new();
        write_close(&mut bytes, Mask::None, code);
        let reading = agree(&Stream { bytes, limit: 0 }, &mut Random(code.into()));
        let expected = if may_be_sent(code) {
            Outcome::Close(Some((code, vec![])))
        } else {
            Outcome::Refused(vec![Breach::CloseCode(code)])
        };
        assert_eq!(reading.outcomes, [(4, expected)]);
    }
}
