//! Replay of a capture: payloads, gaps, speed, and the turn from its end to its start.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use tickbench_protocol::{Arrivals, Capture, CapturedMessage, Payload};
use tickbench_record::Encoding;

use super::dialogue::Dialogue;
use super::stream::{Times, expect_end, expect_tick};
use super::{Protocol, Verdict};

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

pub(super) fn check(server: SocketAddr, encoding: Encoding, protocol: &mut Protocol) -> std::io::Result<()> {
    let (capture, file) = write_capture()?;
    let replay = Replay { server, encoding, capture: Arc::new(capture), path: file.path() };
    protocol.check(format!("replay {encoding} with its gaps"), replay.check_recorded(1.0))?;
    protocol.check(format!("replay {encoding} at four times the speed"), replay.check_recorded(4.0))?;
    protocol.check(format!("replay {encoding} flooded"), replay.check_flood())
}

struct Replay<'p> {
    server: SocketAddr,
    encoding: Encoding,
    capture: Arc<Capture>,
    path: &'p std::path::Path,
}

impl Replay<'_> {
    fn check_recorded(&self, speed: f64) -> Verdict {
        let offsets = Arrivals::recorded(Arc::clone(&self.capture), speed);
        self.follow(&format!("speed={speed}"), Times::of(Some(offsets)))
    }

    fn check_flood(&self) -> Verdict {
        self.follow("rate=0", Times::of(None))
    }

    fn follow(&self, pace: &str, mut times: Times) -> Verdict {
        let Replay { server, encoding, capture, path } = self;
        let count = 2 * capture.messages().len() as u64 + 1;
        let target =
            format!("/ticks?encoding={encoding}&count={count}&{pace}&feed={}", percent_encoded(path));
        let mut dialogue = Dialogue::open(*server, &target)?;
        for seq in 0..count {
            let payload = Payload::Captured(capture.payload(seq));
            times.check(&expect_tick(&mut dialogue, *encoding, 0, seq, payload)?)?;
        }
        expect_end(&mut dialogue)
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

/// All but unreserved characters and slashes escaped: RFC 3986, section 2.
fn percent_encoded(path: &std::path::Path) -> String {
    path.as_os_str().as_encoded_bytes().iter().fold(String::new(), |mut text, &byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                text.push(char::from(byte))
            }
            _ => write!(text, "%{byte:02X}").expect("writing to memory does not fail"),
        }
        text
    })
}
