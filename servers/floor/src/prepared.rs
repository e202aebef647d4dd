//! Every tick of a stream as the frame that carries it, made once and stamped in place each time it is sent.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tickbench_protocol::{
    BINARY_HEADER_BYTES, BINARY_TICK_BYTES, Encoding, JSON_HEADER_BYTES, MIN_JSON_SIZE, Stamps, TAPE_UPDATES,
    encode_binary, encode_json,
};
use tickbench_server_kit::{Feed, TickRequest};

use crate::connection::Outbox;
use crate::frame::{Opcode, append_header};

/// Padding is sent from here as often as it takes, so that no frame holds its own.
const PADDING_BYTES: usize = 64 << 10;
static ZEROS: [u8; PADDING_BYTES] = [0; PADDING_BYTES];
static LETTERS: [u8; PADDING_BYTES] = [b'x'; PADDING_BYTES];

/// A padded frame is sent in three pieces or more, and the kernel takes 1,024 of them at once.
const MAX_PADDED_FRAMES: usize = 256;

/// What closes a padded JSON tick.
const JSON_END: &[u8] = br#""}"#;

/// The frames of one feed in one encoding and size, for all connections that stream it.
#[derive(Debug)]
pub(crate) struct Prepared {
    encoding: Encoding,
    frames: Vec<Frame>,
    /// Bytes of padding that each frame is sent with.
    padding: usize,
    bytes: Mutex<Vec<u8>>,
}

/// Where one frame stands in the bytes, up to its padding.
#[derive(Debug, Clone, Copy)]
struct Frame {
    start: usize,
    /// Where the tick begins, behind the frame's header.
    tick: usize,
    end: usize,
}

impl Prepared {
    /// The frames that `request` asks for. Those in use by another connection are shared.
    pub(crate) fn of(request: &TickRequest) -> Arc<Prepared> {
        type Key = (usize, Encoding, usize);
        thread_local! {
            static IN_USE: RefCell<HashMap<Key, (Feed, Weak<Prepared>)>> = RefCell::default();
        }
        let (feed, query) = (request.feed(), request.query());
        let address = match feed {
            Feed::Generated(tape) => Arc::as_ptr(tape).addr(),
            Feed::Captured(capture) => Arc::as_ptr(capture).addr(),
        };
        let key = (address, query.encoding, query.size_bytes);
        IN_USE.with_borrow_mut(|in_use| {
            if let Some(prepared) = in_use.get(&key).and_then(|(_, prepared)| prepared.upgrade()) {
                return prepared;
            }
            // The feed is kept beside its frames, so that its address cannot come to mean another.
            in_use.retain(|_, (_, prepared)| prepared.strong_count() > 0);
            let prepared = Arc::new(Prepared::make(feed, query.encoding, query.size_bytes));
            in_use.insert(key, (feed.clone(), Arc::downgrade(&prepared)));
            prepared
        })
    }

    fn make(feed: &Feed, encoding: Encoding, size: usize) -> Prepared {
        let count = match feed {
            Feed::Generated(_) => TAPE_UPDATES,
            Feed::Captured(capture) => capture.messages().len(),
        };
        let (opcode, least) = match encoding {
            Encoding::Json => (Opcode::Text, MIN_JSON_SIZE),
            Encoding::Binary => (Opcode::Binary, BINARY_TICK_BYTES),
        };
        let padding = size.saturating_sub(least);
        let mut bytes = Vec::new();
        let frames = (0..count as u64).map(|seq| {
            let start = bytes.len();
            let tick = encode(encoding, feed, seq, size.min(least));
            append_header(opcode, tick.len() + padding, &mut bytes);
            let at = bytes.len();
            bytes.extend_from_slice(&tick);
            if padding > 0 && encoding == Encoding::Json {
                bytes.truncate(bytes.len() - JSON_END.len());
            }
            Frame { start, tick: at, end: bytes.len() }
        });
        let frames = frames.collect();
        Prepared { encoding, frames, padding, bytes: Mutex::new(bytes) }
    }

    /// How many ticks one [`Batch`] may hold so that it has about `bytes`.
    pub(crate) fn batch_limit(&self, bytes: usize) -> u64 {
        let last = self.frames[self.frames.len() - 1];
        let mean = last.end / self.frames.len() + self.padding;
        let most = if self.padding > 0 { MAX_PADDED_FRAMES } else { self.frames.len() };
        (bytes / mean).clamp(1, most) as u64
    }

    /// Begins a batch with tick `seq`.
    pub(crate) fn batch(&self, seq: u64) -> Batch<'_> {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let first = (seq % self.frames.len() as u64) as usize;
        Batch { prepared: self, bytes, seq, slots: first..first }
    }
}

/// Consecutive frames, stamped, to be sent at once.
pub(crate) struct Batch<'a> {
    prepared: &'a Prepared,
    bytes: MutexGuard<'a, Vec<u8>>,
    seq: u64,
    slots: Range<usize>,
}

impl Batch<'_> {
    /// Whether the frame after this one stands elsewhere, so that the batch is at its end.
    #[inline]
    pub(crate) fn is_at_end(&self) -> bool {
        self.slots.end == self.prepared.frames.len()
    }

    /// Adds the next tick.
    #[inline]
    pub(crate) fn push(&mut self, due_ns: u64, sent_ns: u64) {
        let frame = self.prepared.frames[self.slots.end];
        let stamps = Stamps { seq: self.seq, due_ns, sent_ns };
        match self.prepared.encoding {
            Encoding::Json => stamps.patch_json(&mut self.bytes[frame.tick..frame.end]),
            Encoding::Binary => stamps.write_binary(&mut self.bytes[frame.tick..frame.end]),
        }
        self.seq += 1;
        self.slots.end += 1;
    }

    /// Changes the first byte behind the stamps of the next tick, or changes it back. ASCII stays ASCII.
    pub(crate) fn spoil_next(&mut self) {
        let frame = self.prepared.frames[self.slots.end];
        let stamps = match self.prepared.encoding {
            Encoding::Json => JSON_HEADER_BYTES,
            Encoding::Binary => BINARY_HEADER_BYTES,
        };
        // A captured payload may be empty.
        if let Some(byte) = self.bytes[frame.tick..frame.end].get_mut(stamps) {
            *byte ^= 1;
        }
    }

    /// Sends it.
    #[inline]
    pub(crate) fn send(self, outbox: &mut Outbox) -> io::Result<()> {
        let frames = &self.prepared.frames[self.slots.clone()];
        let (Some(first), Some(last)) = (frames.first(), frames.last()) else { return Ok(()) };
        if self.prepared.padding == 0 {
            return outbox.send(&self.bytes[first.start..last.end]);
        }
        let (filler, end): (&[u8], &[u8]) = match self.prepared.encoding {
            Encoding::Json => (&LETTERS, JSON_END),
            Encoding::Binary => (&ZEROS, &[]),
        };
        let mut pieces = Vec::with_capacity(4 * frames.len());
        for frame in frames {
            pieces.push(IoSlice::new(&self.bytes[frame.start..frame.end]));
            let mut padding = self.prepared.padding;
            while padding > 0 {
                let piece = padding.min(filler.len());
                pieces.push(IoSlice::new(&filler[..piece]));
                padding -= piece;
            }
            pieces.push(IoSlice::new(end));
        }
        outbox.send_pieces(&pieces)
    }
}

fn encode(encoding: Encoding, feed: &Feed, seq: u64, size: usize) -> Vec<u8> {
    let (stamps, payload, mut tick) = (Stamps::default(), feed.payload(seq), Vec::new());
    match encoding {
        Encoding::Json => encode_json(&stamps, payload, size, &mut tick),
        Encoding::Binary => encode_binary(&stamps, payload, size, &mut tick),
    }
    tick
}
