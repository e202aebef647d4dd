//! Whether a stream carries what its seed says. Messages are kept before the window and compared after it.

use std::sync::Arc;

use tickbench_client_kit::Failure;
use tickbench_protocol::{Capture, Payload, Stamps, Tape, encode_binary, encode_json};
use tickbench_record::{Encoding, Request, Stage};

/// Messages that are kept.
const MOST_MESSAGES: usize = 256;

/// Bytes that are kept.
const MOST_BYTES: usize = 4 << 20;

/// The first messages of one connection, and what they should be.
pub(crate) struct Audit {
    feed: Feed,
    encoding: Encoding,
    size_bytes: usize,
    kept: Vec<(Stamps, Vec<u8>)>,
    kept_bytes: usize,
}

enum Feed {
    Tape(Tape),
    Capture(Arc<Capture>),
}

impl Audit {
    /// Of the stream that `request` asks for; `capture` is its feed, where it has one.
    pub(crate) fn new(request: &Request, capture: Option<Arc<Capture>>) -> Audit {
        Audit {
            feed: capture.map_or_else(|| Feed::Tape(Tape::generate(request.seed)), Feed::Capture),
            encoding: request.encoding,
            size_bytes: request.size_bytes as usize,
            kept: Vec::with_capacity(MOST_MESSAGES),
            kept_bytes: 0,
        }
    }

    /// Keeps a copy, while there is room.
    pub(crate) fn keep(&mut self, stamps: &Stamps, message: &[u8]) {
        if self.kept.len() < MOST_MESSAGES && self.kept_bytes + message.len() <= MOST_BYTES {
            self.kept_bytes += message.len();
            self.kept.push((*stamps, message.to_vec()));
        }
    }

    /// Compares all that was kept, and tells how many messages that were.
    pub(crate) fn check(&self) -> Result<u64, Failure> {
        let mut due = Vec::new();
        for (stamps, message) in &self.kept {
            due.clear();
            self.encode(stamps, &mut due);
            if let Some(difference) = difference(message, &due) {
                let reason = format!("tick {} is not what the seed says: {difference}", stamps.seq);
                return Err(Failure::new(Stage::Audit, reason));
            }
        }
        Ok(self.kept.len() as u64)
    }

    fn encode(&self, stamps: &Stamps, out: &mut Vec<u8>) {
        let payload = match &self.feed {
            Feed::Tape(tape) => Payload::Update(tape.update(stamps.seq)),
            Feed::Capture(capture) => Payload::Captured(capture.payload(stamps.seq)),
        };
        match self.encoding {
            Encoding::Json => encode_json(stamps, payload, self.size_bytes, out),
            Encoding::Binary => encode_binary(stamps, payload, self.size_bytes, out),
        }
    }
}

/// Where two messages differ, in words; `None` where they do not.
pub(crate) fn difference(seen: &[u8], due: &[u8]) -> Option<String> {
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
