//! A recorded session: JSON lines `{"ts_ns":…,"payload":"…"}`.

use std::io::{BufRead, Read as _};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::codec::{Payload, encode_json};
use crate::stamps::Stamps;

/// One recorded message: a line of a capture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapturedMessage {
    /// When it was received, in nanoseconds of any clock: only differences count.
    pub ts_ns: u64,
    /// What was received.
    pub payload: String,
}

/// A recorded session, in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    messages: Vec<CapturedMessage>,
}

/// Bytes that a message of the contract has at most.
const MOST_MESSAGE_BYTES: usize = 16 << 20;

/// Bytes that a tick has besides its payload, in either encoding, and more.
const AROUND_BYTES: usize = 256;

/// Bytes of a line: the longest payload with every byte escaped (`\u0000`), and what is around it.
const MOST_LINE_BYTES: usize = 6 * MOST_MESSAGE_BYTES + 1024;

/// Bytes of all payloads: a capture is held in memory, by a server and by who checks it.
const MOST_BYTES: usize = 1 << 30;

/// The longest recording, in nanoseconds: thirty days.
const MOST_SPAN_NS: u64 = 30 * 24 * 3600 * 1_000_000_000;

/// Why a capture cannot be used.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// A line is not a captured message.
    #[error("line {line} is no captured message {{\"ts_ns\":…,\"payload\":\"…\"}}: {cause}")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What the JSON reader said.
        cause: serde_json::Error,
    },
    /// It begins with a byte-order mark, which is no part of JSON (RFC 8259, section 8.1).
    #[error("it begins with a byte-order mark of {0}: save it as UTF-8 without one")]
    ByteOrderMark(&'static str),
    /// A line is not UTF-8.
    #[error("line {line} is not UTF-8 from byte {byte} on: save it as UTF-8")]
    Encoding {
        /// Which line, from 1.
        line: usize,
        /// Which byte of it, from 1.
        byte: usize,
    },
    /// A line's time is before that of the line above.
    #[error("line {line} is earlier than the line before it")]
    Order {
        /// Which line, from 1.
        line: usize,
    },
    /// A payload makes a message that is longer than the contract has them.
    #[error(
        "line {line} has a payload that makes a message of more than {MOST_MESSAGE_BYTES} bytes: leave it out"
    )]
    LongMessage {
        /// Which line, from 1.
        line: usize,
    },
    /// All payloads together are more than is held in memory.
    #[error("its payloads are more than {MOST_BYTES} bytes up to line {line}: cut it there")]
    Large {
        /// The line by which they are.
        line: usize,
    },
    /// It is longer than any replay could be.
    #[error("line {line} is more than 30 days after the first: `ts_ns` is in nanoseconds; cut it there")]
    Long {
        /// Which line, from 1.
        line: usize,
    },
    /// Fewer than two messages: there is no gap to replay.
    #[error("it holds {0} messages, and a replay needs at least two")]
    Short(usize),
    /// All messages are of one time: there is no gap to replay.
    #[error("its {0} messages are all of one time, and a replay needs at least two times")]
    OneTime(usize),
    /// The file could not be opened.
    #[error(transparent)]
    Open(#[from] std::io::Error),
    /// The file could not be read to its end.
    #[error("line {line} cannot be read: {cause}")]
    Read {
        /// Which line, from 1.
        line: usize,
        /// What the system, or the reader of gzip, said.
        cause: std::io::Error,
    },
}

impl Capture {
    /// Reads a capture. Blank lines are passed over.
    pub fn read(mut reader: impl BufRead) -> Result<Capture, CaptureError> {
        let (mut messages, mut text, mut bytes) = (Vec::<CapturedMessage>::new(), Vec::new(), 0);
        for line in 1.. {
            text.clear();
            let read = reader.by_ref().take(MOST_LINE_BYTES as u64).read_until(b'\n', &mut text);
            match read.map_err(|cause| CaptureError::Read { line, cause })? {
                0 => break,
                MOST_LINE_BYTES => return Err(CaptureError::LongMessage { line }),
                _ => {}
            }
            if line == 1 {
                byte_order_mark(&text).map_or(Ok(()), |of| Err(CaptureError::ByteOrderMark(of)))?;
            }
            let text = str::from_utf8(&text)
                .map_err(|cause| CaptureError::Encoding { line, byte: cause.valid_up_to() + 1 })?;
            if text.trim().is_empty() {
                continue;
            }
            let message: CapturedMessage =
                serde_json::from_str(text).map_err(|cause| CaptureError::Line { line, cause })?;
            check(&message, &messages, line)?;
            bytes += message.payload.len();
            if bytes > MOST_BYTES {
                return Err(CaptureError::Large { line });
            }
            messages.push(message);
        }
        let capture = Capture { messages };
        match capture.messages.len() {
            few @ (0 | 1) => Err(CaptureError::Short(few)),
            all if capture.span_ns() == 0 => Err(CaptureError::OneTime(all)),
            _ => Ok(capture),
        }
    }

    /// The messages, in order; at least two.
    pub fn messages(&self) -> &[CapturedMessage] {
        &self.messages
    }

    /// The payload of tick `seq`: the capture repeats once it is through.
    pub fn payload(&self, seq: u64) -> &[u8] {
        self.messages[(seq % self.messages.len() as u64) as usize].payload.as_bytes()
    }

    /// From the first message to the last, in nanoseconds.
    pub fn span_ns(&self) -> u64 {
        self.messages[self.messages.len() - 1].ts_ns - self.messages[0].ts_ns
    }

    /// One turn of the repeated capture: its span and one mean gap, in nanoseconds.
    pub fn cycle_ns(&self) -> u64 {
        self.span_ns() + self.span_ns() / (self.messages.len() as u64 - 1)
    }

    /// When tick `seq` is due, in nanoseconds after the first.
    pub fn offset_ns(&self, seq: u64) -> u64 {
        let (cycle, index) = (seq / self.messages.len() as u64, seq % self.messages.len() as u64);
        cycle * self.cycle_ns() + self.messages[index as usize].ts_ns - self.messages[0].ts_ns
    }
}

/// The byte-order mark that a text begins with, by the encoding that it is of.
fn byte_order_mark(text: &[u8]) -> Option<&'static str> {
    let marks: [(&[u8], _); 3] =
        [(b"\xef\xbb\xbf", "UTF-8"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16")];
    marks.iter().find(|(mark, _)| text.starts_with(mark)).map(|(_, of)| *of)
}

/// Checks a message against those before it and against what a tick may hold.
fn check(message: &CapturedMessage, before: &[CapturedMessage], line: usize) -> Result<(), CaptureError> {
    if before.last().is_some_and(|last| last.ts_ns > message.ts_ns) {
        return Err(CaptureError::Order { line });
    }
    if before.first().is_some_and(|first| message.ts_ns - first.ts_ns > MOST_SPAN_NS) {
        return Err(CaptureError::Long { line });
    }
    if is_too_long(message.payload.as_bytes()) {
        return Err(CaptureError::LongMessage { line });
    }
    Ok(())
}

/// Whether a tick with this payload is longer than a message may be, as JSON, which is the longer of the two.
fn is_too_long(payload: &[u8]) -> bool {
    // Where even all bytes escaped would fit, nothing need be written to know it.
    if 6 * payload.len() + AROUND_BYTES <= MOST_MESSAGE_BYTES {
        return false;
    }
    let mut tick = Vec::new();
    encode_json(&Stamps::default(), Payload::Captured(payload), 0, &mut tick);
    tick.len() > MOST_MESSAGE_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_are_passed_over_and_the_end_needs_no_line_feed() {
        let capture =
            Capture::read(&b"{\"ts_ns\":1,\"payload\":\"a\"}\n\n{\"ts_ns\":4,\"payload\":\"b\"}"[..])
                .unwrap();
        assert_eq!((capture.payload(0), capture.payload(3)), (&b"a"[..], &b"b"[..]));
        assert_eq!((capture.span_ns(), capture.cycle_ns(), capture.offset_ns(3)), (3, 6, 9));
    }

    #[test]
    fn a_bad_line_is_counted_from_one() {
        let line = |bytes: &[u8]| Capture::read(bytes).unwrap_err().to_string();
        assert!(
            line(b"{\"ts_ns\":1,\"payload\":\"a\"}\n\n{\"ts_ns\":1}\n").starts_with("line 3 is no captured")
        );
        assert!(line(b"{\"ts_ns\":1,\"payload\":\"a\",\"more\":1}\n").starts_with("line 1"));
        let earlier = b"{\"ts_ns\":2,\"payload\":\"a\"}\n{\"ts_ns\":1,\"payload\":\"a\"}\n";
        assert!(line(earlier).contains("line 2 is earlier"));
        assert!(line(b"{\"ts_ns\":2,\"payload\":\"a\"}\n").contains("at least two"));
        assert!(line(b"").contains("0 messages"));
    }
    fn refused(bytes: &[u8]) -> String {
        Capture::read(bytes).unwrap_err().to_string()
    }

    const GOOD: &[u8] = b"{\"ts_ns\":1,\"payload\":\"a\"}\n{\"ts_ns\":2,\"payload\":\"b\"}\n";

    #[test]
    fn a_byte_order_mark_is_named() {
        for (mark, of) in [(&b"\xef\xbb\xbf"[..], "UTF-8"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16")]
        {
            let error = refused(&[mark, GOOD].concat());
            assert!(error.contains(&format!("byte-order mark of {of}")), "{error}");
        }
        assert!(Capture::read(GOOD).is_ok());
    }

    #[test]
    fn what_is_no_utf_8_is_told_with_line_and_byte() {
        let error = refused(&[GOOD, b"\n{\"ts_ns\":3,\"payload\":\"\xe9t\xe9\"}\n"].concat());
        assert!(error.starts_with("line 4 is not UTF-8 from byte 23 on"), "{error}");
    }

    #[test]
    fn what_could_only_fail_later_is_refused_now() {
        let one_time = b"{\"ts_ns\":7,\"payload\":\"a\"}\n{\"ts_ns\":7,\"payload\":\"b\"}\n";
        assert!(refused(one_time).contains("all of one time"));
        let long = [GOOD, b"{\"ts_ns\":2592000000000002,\"payload\":\"c\"}\n"].concat();
        assert!(refused(&long).starts_with("line 3 is more than 30 days"));
        let last = [GOOD, b"{\"ts_ns\":2592000000000001,\"payload\":\"c\"}\n"].concat();
        assert_eq!(Capture::read(&last[..]).unwrap().messages().len(), 3);
    }

    #[test]
    fn a_message_may_be_as_long_as_the_contract_has_it_and_no_longer() {
        let of = |payload: &str| {
            let line = serde_json::to_string(&CapturedMessage { ts_ns: 3, payload: payload.into() }).unwrap();
            Capture::read(&[GOOD, line.as_bytes()].concat()[..])
                .map(|_| ())
                .map_err(|cause| cause.to_string())
        };
        let mut tick = Vec::new();
        encode_json(&Stamps::default(), Payload::Captured(b"x"), 0, &mut tick);
        let around = tick.len() - 1;
        assert_eq!(of(&"x".repeat(MOST_MESSAGE_BYTES - around)), Ok(()));
        for payload in ["x".repeat(MOST_MESSAGE_BYTES - around + 1), "\u{1}".repeat(MOST_MESSAGE_BYTES / 5)] {
            assert!(of(&payload).unwrap_err().starts_with("line 3 has a payload"));
        }
    }

    /// A line without an end is not held in memory first.
    #[test]
    fn a_line_without_an_end_is_given_up() {
        let endless = std::io::BufReader::new(std::io::repeat(b'x'));
        assert!(matches!(Capture::read(endless), Err(CaptureError::LongMessage { line: 1 })));
    }
}
