//! Whether messages carry what the seed says: a sample of those of the window, over all connections, copied as they come and compared
//! when the window is over.

use std::sync::Arc;

use tickbench_protocol::{Capture, Payload, Stamps, TAPE_UPDATES, Tape, encode_binary, encode_json};
use tickbench_record::{Encoding, Request, Stage};

use crate::reservoir::Reservoir;
use crate::unforeseen::unforeseen;
use crate::{Failure, Question};

/// Messages that are compared at most.
const MOST_MESSAGES: usize = 256;

/// Bytes that are copied for that at most.
const MOST_BYTES: usize = 4 << 20;

/// A sample of the messages of a window, each as likely to be in it as any other, and what they should be.
///
/// Servers know the request's seed, so that the sample is drawn from a generator of this process alone.
#[derive(Debug)]
pub struct Contents {
    due: Due,
    reservoir: Reservoir,
    /// One for each place of the reservoir.
    copies: Vec<Copied>,
}

#[derive(Debug)]
struct Copied {
    connection: usize,
    stamps: Stamps,
    bytes: usize,
    /// All of the message, or of one that is longer than any should be, one byte more than that.
    head: Vec<u8>,
}

impl Contents {
    /// Of the messages that `request` asks for, where they come from a feed; `capture` is that, if it is one. Memory for the copies is
    /// touched here: call it before the first connection is opened.
    ///
    /// # Errors
    /// Where the system has no random bytes.
    pub fn of(request: &Request, capture: Option<Arc<Capture>>) -> Result<Option<Contents>, Failure> {
        if matches!(Question::of(request), Question::RoundTrip | Question::Pings) {
            return Ok(None);
        }
        let random = unforeseen(Stage::Connect)?;
        let due = Due::of(request, capture);
        let head_bytes = due.longest() + 1;
        let room = (MOST_BYTES / head_bytes).clamp(1, MOST_MESSAGES);
        let blank =
            || Copied { connection: 0, stamps: Stamps::default(), bytes: 0, head: vec![1; head_bytes] };
        let copies = (0..room).map(|_| blank()).collect();
        Ok(Some(Contents { due, reservoir: Reservoir::new(room, random), copies }))
    }

    /// The window opens: forgets all that came before.
    pub(crate) fn reset(&mut self) {
        self.reservoir.reset();
    }

    /// A message of the window came over `connection`. Nearly always it is let pass, at the cost of a comparison.
    #[inline(always)]
    pub(crate) fn offer(&mut self, connection: usize, stamps: &Stamps, payload: &[u8]) {
        if let Some(place) = self.reservoir.offer() {
            self.copies[place].copy(connection, stamps, payload);
        }
    }

    /// Compares all copies with what is due, and tells how many there are.
    pub(crate) fn check(&self) -> Result<u64, Failure> {
        let copies = &self.copies[..self.reservoir.filled()];
        // The first that is wrong is named, of those that were copied.
        let wrong = copies.iter().filter_map(|copied| Some((copied, copied.differs_from(&self.due)?)));
        match wrong.min_by_key(|(copied, _)| (copied.stamps.seq, copied.connection)) {
            None => Ok(copies.len() as u64),
            Some((Copied { connection, stamps, .. }, difference)) => {
                let reason = format!(
                    "tick {} on connection {connection} is not what the seed says: {difference}",
                    stamps.seq
                );
                Err(Failure::new(Stage::Audit, reason))
            }
        }
    }
}

impl Copied {
    #[cold]
    fn copy(&mut self, connection: usize, stamps: &Stamps, payload: &[u8]) {
        (self.connection, self.stamps, self.bytes) = (connection, *stamps, payload.len());
        let head_bytes = payload.len().min(self.head.capacity());
        self.head.clear();
        self.head.extend_from_slice(&payload[..head_bytes]);
    }

    fn differs_from(&self, due: &Due) -> Option<String> {
        let message = due.message(&self.stamps);
        if self.bytes > self.head.len() {
            return Some(format!("{} bytes came and {} were due", self.bytes, message.len()));
        }
        difference(&self.head, &message)
    }
}

/// The messages that a seed or a capture, an encoding and a size make.
#[derive(Debug)]
struct Due {
    feed: Feed,
    encoding: Encoding,
    size_bytes: usize,
}

#[derive(Debug)]
enum Feed {
    Tape(Tape),
    Capture(Arc<Capture>),
}

impl Due {
    fn of(request: &Request, capture: Option<Arc<Capture>>) -> Due {
        Due {
            feed: capture.map_or_else(|| Feed::Tape(Tape::generate(request.seed)), Feed::Capture),
            encoding: request.encoding,
            size_bytes: request.size_bytes as usize,
        }
    }

    fn message(&self, stamps: &Stamps) -> Vec<u8> {
        let payload = match &self.feed {
            Feed::Tape(tape) => Payload::Update(tape.update(stamps.seq)),
            Feed::Capture(capture) => Payload::Captured(capture.payload(stamps.seq)),
        };
        let mut message = Vec::new();
        match self.encoding {
            Encoding::Json => encode_json(stamps, payload, self.size_bytes, &mut message),
            Encoding::Binary => encode_binary(stamps, payload, self.size_bytes, &mut message),
        }
        message
    }

    /// The bytes of the longest message: a feed repeats itself.
    fn longest(&self) -> usize {
        let period = match &self.feed {
            Feed::Tape(_) => TAPE_UPDATES,
            Feed::Capture(capture) => capture.messages().len(),
        };
        let bytes = |seq| self.message(&Stamps { seq, ..Stamps::default() }).len();
        (0..period as u64).map(bytes).max().unwrap_or(0)
    }
}

/// Where two messages differ, in words; `None` where they do not.
pub fn difference(seen: &[u8], due: &[u8]) -> Option<String> {
    if seen == due {
        return None;
    }
    let at = seen.iter().zip(due).position(|(seen, due)| seen != due).unwrap_or(seen.len().min(due.len()));
    let excerpt = |bytes: &[u8]| {
        let part = &bytes[at..bytes.len().min(at + 24)];
        String::from_utf8_lossy(part).escape_debug().to_string()
    };
    Some(format!(
        "{} bytes came and {} were due; from byte {at} on, \"{}\" came and \"{}\" was due",
        seen.len(),
        due.len(),
        excerpt(seen),
        excerpt(due)
    ))
}
