//! Replay of a capture: payloads, gaps, speed, and the turn from its end to its start.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use fastrand::Rng;
use tickbench_protocol::{
    self as protocol, Arrival, Arrivals, Capture, CapturedMessage, Payload, TicksQuery,
};
use tickbench_record::Encoding;

use super::dialogue::Dialogue;
use super::expected::{Times, expect_tick};
use super::{Protocol, Rule, Verdict};

/// Payloads of a real feed's kinds: JSON, nested JSON, text that is no JSON, text beyond ASCII, nothing, something long.
const PAYLOADS: [&str; 6] = [
    r#"{"type":"ticker","price":"61.5"}"#,
    r#"[ {"a": [1, 2.50, null]} ]"#,
    "no json \"at\" all\n",
    "Grüße, 市场",
    "",
    "",
];

/// Gaps between the messages, in microseconds.
const GAPS_US: [u64; 5] = [14, 99, 0, 2_500, 700];

/// Bytes of the longest payload: beyond a 16-bit length.
const LONG_BYTES: usize = 70_000;

pub(super) fn check(
    server: SocketAddr,
    encoding: Encoding,
    rng: &mut Rng,
    protocol: &mut Protocol,
) -> std::io::Result<()> {
    let (capture, file) = write_capture()?;
    // Twice through the capture at least, so that it turns from its end to its start.
    let least = 2 * capture.messages().len() as u64 + 1;
    let mut replay = Replay {
        server,
        query: TicksQuery {
            encoding: match encoding {
                Encoding::Json => protocol::Encoding::Json,
                Encoding::Binary => protocol::Encoding::Binary,
            },
            arrival: Arrival::Recorded,
            rate_per_s: None,
            feed: Some(file.path().to_owned()),
            ..TicksQuery::default()
        },
        capture: Arc::new(capture),
        ticks: 0,
    };
    for (name, speed) in [("with its gaps", 1.0), ("at four times the speed", 4.0)] {
        replay.ticks = rng.u64(least..2 * least);
        replay.query.speed = speed;
        let recorded = || replay.follow(Some(Arrivals::recorded(Arc::clone(&replay.capture), speed)));
        protocol.check(Rule::Replay, format!("replay {encoding} {name}"), recorded)?;
    }
    replay.ticks = rng.u64(least..100 * least);
    (replay.query.arrival, replay.query.rate_per_s) = (Arrival::Constant, Some(0.0));
    protocol.check(Rule::Replay, format!("replay {encoding} flooded"), || replay.follow(None))
}

struct Replay {
    server: SocketAddr,
    query: TicksQuery,
    capture: Arc<Capture>,
    ticks: u64,
}

impl Replay {
    fn follow(&self, offsets: Option<Arrivals>) -> Verdict {
        let mut dialogue = Dialogue::open(self.server, &format!("/ticks?{}", self.query))?;
        let mut times = Times::of(offsets, dialogue.asked_ns);
        for seq in 0..self.ticks {
            let payload = Payload::Captured(self.capture.payload(seq));
            times.check(&expect_tick(&mut dialogue, self.query.encoding, 0, seq, payload)?)?;
        }
        dialogue.leave();
        Ok(())
    }
}

/// A capture in memory and in a file, which is gone when it is dropped.
fn write_capture() -> std::io::Result<(Capture, tempfile::NamedTempFile)> {
    let mut file = tempfile::Builder::new().prefix("tickbench replay ").suffix(".jsonl").tempfile()?;
    let (mut ts_ns, mut lines) = (1_000_000, String::new());
    for (index, payload) in PAYLOADS.iter().enumerate() {
        let long = index + 1 == PAYLOADS.len();
        let payload = if long { "x".repeat(LONG_BYTES) } else { (*payload).to_string() };
        let line = serde_json::to_string(&CapturedMessage { ts_ns, payload })?;
        writeln!(lines, "{line}").expect("writing to memory does not fail");
        ts_ns += 1000 * GAPS_US.get(index).copied().unwrap_or(0);
    }
    file.write_all(lines.as_bytes())?;
    let capture = Capture::read(lines.as_bytes()).map_err(std::io::Error::other)?;
    Ok((capture, file))
}
