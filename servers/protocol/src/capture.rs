//! A recorded session: JSON lines `{"ts_ns":…,"payload":"…"}`.

use std::io::BufRead;

use serde::{Deserialize, Serialize};
use thiserror::Error;

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
    /// A line's time is before that of the line above.
    #[error("line {line} is earlier than the line before it")]
    Order {
        /// Which line, from 1.
        line: usize,
    },
    /// Fewer than two messages: there is no gap to replay.
    #[error("it holds {0} messages, and a replay needs at least two")]
    Short(usize),
    /// The file could not be read to its end.
    #[error(transparent)]
    Read(#[from] std::io::Error),
}

impl Capture {
    /// Reads a capture. Blank lines are passed over.
    pub fn read(reader: impl BufRead) -> Result<Capture, CaptureError> {
        let mut messages: Vec<CapturedMessage> = Vec::new();
        for (index, line) in reader.lines().enumerate() {
            let (text, line) = (line?, index + 1);
            if text.trim().is_empty() {
                continue;
            }
            let message: CapturedMessage =
                serde_json::from_str(&text).map_err(|cause| CaptureError::Line { line, cause })?;
            if messages.last().is_some_and(|last| last.ts_ns > message.ts_ns) {
                return Err(CaptureError::Order { line });
            }
            messages.push(message);
        }
        if messages.len() < 2 {
            return Err(CaptureError::Short(messages.len()));
        }
        Ok(Capture { messages })
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
}
