//! A stream of ticks, each ready to be sent.

use tickbench_protocol::{
    BINARY_HEADER_BYTES, BINARY_TICK_BYTES, Encoding, Flush, Payload, Stamps, TicksQuery, encode_binary,
    encode_json,
};

use crate::{Feed, Pacer, Refusal, Timer, now_ns};

/// Ticks that [`Flush::Batch`] gathers at most before it flushes.
pub const BATCH_TICKS: u32 = 32;

/// A checked request for `/ticks`, its feed at hand.
#[derive(Debug, Clone)]
pub struct TickRequest {
    query: TicksQuery,
    feed: Feed,
    timer: Timer,
}

impl TickRequest {
    /// Checks the query of a request and loads what it names: everything that can be wrong, before the upgrade.
    pub fn parse(query: &str) -> Result<TickRequest, Refusal> {
        let query = TicksQuery::parse(query)?;
        let feed = Feed::open(&query).map_err(Refusal::bad_request)?;
        let timer = Timer::of_this_runtime()
            .map_err(|cause| Refusal::incapable(format!("failed to open a timer: {cause}")))?;
        Ok(TickRequest { query, feed, timer })
    }

    /// What was asked.
    pub fn query(&self) -> &TicksQuery {
        &self.query
    }

    /// What the ticks carry.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// When its ticks are due, counted from now.
    pub fn pacer(&self) -> Pacer {
        Pacer::start(&self.query, &self.feed, self.timer.clone())
    }

    /// Begins: the schedule counts from now.
    pub fn start(self) -> TickStream {
        TickStream { pacer: self.pacer(), request: self, next_seq: 0, unflushed: 0, text: 256 }
    }
}

/// The ticks of one connection.
#[derive(Debug)]
pub struct TickStream {
    request: TickRequest,
    pacer: Pacer,
    next_seq: u64,
    unflushed: u32,
    /// Bytes of the longest JSON tick so far: room for the next.
    text: usize,
}

/// One encoded tick, stamped: send it at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tick {
    /// Of a JSON stream.
    Text(String),
    /// Of a binary stream.
    Binary(Vec<u8>),
}

impl TickStream {
    /// The next tick, once it is due; `None` after the last. Given up while it waits, it loses nothing.
    ///
    /// The tick is encoded, then the clock is read and `sent_ns` written, then it is returned.
    pub async fn next(&mut self) -> Option<Tick> {
        if self.request.query.count == Some(self.next_seq) {
            return None;
        }
        let due_ns = self.pacer.due().await;
        let seq = self.next_seq;
        self.next_seq += 1;
        self.pacer.advance();
        Some(self.encode(seq, due_ns))
    }

    /// Whether what was yielded so far is to leave now: always, for `flush=each`; for `flush=batch` after [`BATCH_TICKS`], and
    /// where the next tick is not due yet or there is none.
    pub fn flushes(&mut self) -> bool {
        self.unflushed += 1;
        let flushes = self.request.query.flush == Flush::Each
            || self.unflushed == BATCH_TICKS
            || self.request.query.count == Some(self.next_seq)
            || !self.pacer.is_due();
        if flushes {
            self.unflushed = 0;
        }
        flushes
    }

    fn encode(&mut self, seq: u64, due_ns: Option<u64>) -> Tick {
        let TicksQuery { encoding, size_bytes, .. } = self.request.query;
        let payload = self.request.feed.payload(seq);
        let mut stamps = Stamps { seq, due_ns: due_ns.unwrap_or(0), sent_ns: 0 };
        match encoding {
            Encoding::Json => {
                let mut message = Vec::with_capacity(if size_bytes > 0 { size_bytes } else { self.text });
                encode_json(&stamps, payload, size_bytes, &mut message);
                self.text = self.text.max(message.len());
                stamp(&mut stamps, due_ns);
                stamps.patch_json(&mut message);
                // SAFETY: the encoder writes JSON, which is UTF-8, and the stamps are ASCII digits in place of digits.
                Tick::Text(unsafe { String::from_utf8_unchecked(message) })
            }
            Encoding::Binary => {
                let bytes = match payload {
                    Payload::Update(_) => BINARY_TICK_BYTES.max(size_bytes),
                    Payload::Captured(captured) => BINARY_HEADER_BYTES + captured.len(),
                };
                let mut message = Vec::with_capacity(bytes);
                encode_binary(&stamps, payload, size_bytes, &mut message);
                stamp(&mut stamps, due_ns);
                stamps.write_binary(&mut message);
                Tick::Binary(message)
            }
        }
    }
}

/// Reads the clock. A flood has no schedule: its ticks are due when they are sent.
fn stamp(stamps: &mut Stamps, due_ns: Option<u64>) {
    stamps.sent_ns = now_ns();
    stamps.due_ns = due_ns.unwrap_or(stamps.sent_ns);
}
