//! Nanoseconds a message of decoding, reading stamps and recording, with no socket in between: the best of many short runs,
//! so that other work of the machine stays out. `cargo run --profile contestant -p tickbench-client-kit --example in_memory`

use std::hint::black_box;

use tickbench_client_kit::{Question, Recorder, Streams, monotonic_ns};
use tickbench_frame::{Decoder, Event, Mask, Opcode, write_frame};
use tickbench_protocol::{Payload, Stamps, TAPE_UPDATES, Tape, encode_binary, encode_json};

const RUNS: usize = 3000;

fn main() {
    for (name, opcode) in [("binary", Opcode::Binary), ("json", Opcode::Text)] {
        let frames = frames(opcode);
        println!("{name}: {} bytes a message", frames.len() / TAPE_UPDATES);
        println!("  decode                  {:6.2} ns", best(|| decode(&frames, |_| ())));
        println!(
            "  decode, read stamps     {:6.2} ns",
            best(|| decode(&frames, |message| {
                black_box(read(opcode, message));
            }))
        );
        // A stream for each run, as each begins at the first tick.
        let streams = Streams::new(None, 0, vec![0; RUNS]);
        let mut recorder = Recorder::new(Question::Flood, streams, RUNS as u32);
        let mut connections = 0..RUNS;
        println!(
            "  decode, read, record    {:6.2} ns",
            best(|| {
                let connection = connections.next().expect("there are as many as runs");
                decode(&frames, |message| {
                    let stamps = read(opcode, message);
                    recorder.tick(connection, &stamps, message, 1_000_000);
                });
            })
        );
    }
}

fn frames(opcode: Opcode) -> Vec<u8> {
    let (tape, mut frames, mut message) = (Tape::generate(1), Vec::new(), Vec::new());
    for (seq, update) in tape.updates().iter().enumerate() {
        let stamps = Stamps { seq: seq as u64, due_ns: 10 * seq as u64, sent_ns: 10 * seq as u64 };
        message.clear();
        match opcode {
            Opcode::Text => encode_json(&stamps, Payload::Update(update), 0, &mut message),
            _ => encode_binary(&stamps, Payload::Update(update), 0, &mut message),
        }
        write_frame(&mut frames, true, opcode, Mask::None, &message);
    }
    frames
}

#[inline(always)]
fn decode(mut bytes: &[u8], mut each: impl FnMut(&[u8])) {
    let mut decoder = Decoder::new(1 << 20);
    while let Ok(Some(Event::Message { payload, .. })) = decoder.next(&mut bytes) {
        each(black_box(&payload));
    }
}

#[inline(always)]
fn read(opcode: Opcode, message: &[u8]) -> Stamps {
    match opcode {
        Opcode::Text => Stamps::read_json(message),
        _ => Stamps::read_binary(message),
    }
    .expect("the frames are sound")
}

fn best(mut run: impl FnMut()) -> f64 {
    let fastest = (0..RUNS)
        .map(|_| {
            let start_ns = monotonic_ns();
            run();
            monotonic_ns() - start_ns
        })
        .min();
    fastest.unwrap_or(0) as f64 / TAPE_UPDATES as f64
}
