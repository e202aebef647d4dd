//! The two encodings of a tick.

use std::io::Write;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::stamps::{BINARY_HEADER_BYTES, Stamps, digits};
use crate::update::{SIZE_DECIMALS, Symbol, Update};

/// Bytes of a binary tick without padding.
pub const BINARY_TICK_BYTES: usize = 48;

/// The smallest `size` that a JSON tick can be padded to: no tick of the feed is longer than this less its pad field.
pub const MIN_JSON_SIZE: usize = 288;

/// What a tick carries behind its stamps.
#[derive(Debug, Clone, Copy)]
pub enum Payload<'a> {
    /// An update of the generated feed.
    Update(&'a Update),
    /// A captured message, as it was received.
    Captured(&'a [u8]),
}

/// Appends a binary tick to `out`, zero bytes added up to `size` where that is larger.
///
/// Layout, little-endian: `seq`, `due_ns`, `sent_ns` (u64 at 0, 8, 16), `symbol` (u16 at 24), `side` (u8 at 26),
/// one reserved zero byte, then `bid`, `ask`, `bid_size`, `ask_size`, `last` (u32 at 28, 32, 36, 40, 44).
/// A captured payload follows the stamps as it is.
pub fn encode_binary(stamps: &Stamps, payload: Payload, size: usize, out: &mut Vec<u8>) {
    let start = out.len();
    let mut header = [0; BINARY_HEADER_BYTES];
    stamps.write_binary(&mut header);
    out.extend_from_slice(&header);
    match payload {
        Payload::Captured(bytes) => out.extend_from_slice(bytes),
        Payload::Update(update) => {
            out.extend_from_slice(&(update.symbol as u16).to_le_bytes());
            out.extend_from_slice(&[update.side as u8, 0]);
            for field in [update.bid, update.ask, update.bid_size, update.ask_size, update.last] {
                out.extend_from_slice(&field.to_le_bytes());
            }
        }
    }
    if out.len() < start + size {
        out.resize(start + size, 0);
    }
}

/// Appends a JSON tick to `out`, with a `pad` field that brings it to exactly `size` bytes where `size` is not 0.
///
/// A captured payload that is one JSON value stands under `payload` as it is; any other as a JSON string.
///
/// # Panics
/// Where `size` is neither 0 nor at least [`MIN_JSON_SIZE`] for an update: [`crate::TicksQuery`] admits no other.
pub fn encode_json(stamps: &Stamps, payload: Payload, size: usize, out: &mut Vec<u8>) {
    let start = out.len();
    let (seq, due_ns, sent_ns) = (digits(stamps.seq), digits(stamps.due_ns), digits(stamps.sent_ns));
    let header = JsonHeader { seq: ascii(&seq), due_ns: ascii(&due_ns), sent_ns: ascii(&sent_ns) };
    let written = match payload {
        Payload::Update(update) => serde_json::to_writer(&mut *out, &JsonTick::new(header, update)),
        Payload::Captured(bytes) => write_captured(header, bytes, out),
    };
    written.expect("writing to memory does not fail");
    if size > 0 {
        pad_json(out, start, size);
    }
}

/// Whether `bytes` are one JSON value and nothing else.
pub fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(bytes).is_ok()
}

#[derive(Serialize)]
struct JsonHeader<'a> {
    seq: &'a str,
    due_ns: &'a str,
    sent_ns: &'a str,
}

#[derive(Serialize)]
struct JsonTick<'a> {
    #[serde(rename = "seq")]
    seq: &'a str,
    due_ns: &'a str,
    sent_ns: &'a str,
    symbol: &'a str,
    bid: Decimal,
    bid_size: Decimal,
    ask: Decimal,
    ask_size: Decimal,
    last: Decimal,
    side: &'a str,
}

impl<'a> JsonTick<'a> {
    fn new(header: JsonHeader<'a>, update: &Update) -> Self {
        let symbol: Symbol = update.symbol;
        let price = |value| Decimal { value, decimals: symbol.price_decimals() };
        let quantity = |value| Decimal { value, decimals: SIZE_DECIMALS };
        JsonTick {
            seq: header.seq,
            due_ns: header.due_ns,
            sent_ns: header.sent_ns,
            symbol: symbol.name(),
            bid: price(update.bid),
            bid_size: quantity(update.bid_size),
            ask: price(update.ask),
            ask_size: quantity(update.ask_size),
            last: price(update.last),
            side: update.side.name(),
        }
    }
}

fn write_captured(header: JsonHeader, bytes: &[u8], out: &mut Vec<u8>) -> serde_json::Result<()> {
    #[derive(Serialize)]
    struct Captured<'a, P: Serialize> {
        seq: &'a str,
        due_ns: &'a str,
        sent_ns: &'a str,
        payload: P,
    }
    let JsonHeader { seq, due_ns, sent_ns } = header;
    match serde_json::from_slice::<&RawValue>(bytes) {
        Ok(payload) => serde_json::to_writer(out, &Captured { seq, due_ns, sent_ns, payload }),
        Err(_) => {
            let payload = String::from_utf8_lossy(bytes);
            serde_json::to_writer(out, &Captured { seq, due_ns, sent_ns, payload })
        }
    }
}

/// Replaces the closing brace by `,"pad":"xx…"}` so that the message from `start` on is `size` bytes long.
fn pad_json(out: &mut Vec<u8>, start: usize, size: usize) {
    const OPEN: &[u8] = br#","pad":""#;
    const CLOSE: &[u8] = br#""}"#;
    out.pop();
    let room =
        (start + size).checked_sub(out.len() + OPEN.len() + CLOSE.len()).expect("size admits the pad field");
    out.extend_from_slice(OPEN);
    out.resize(out.len() + room, b'x');
    out.extend_from_slice(CLOSE);
}

/// A fixed-point number, written as a JSON string: exchanges do so to keep binary floating point out.
struct Decimal {
    value: u32,
    decimals: u8,
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let unit = 10u32.pow(u32::from(self.decimals));
        let mut text = [0; 16];
        let mut rest = &mut text[..];
        write!(
            rest,
            "{}.{:0width$}",
            self.value / unit,
            self.value % unit,
            width = usize::from(self.decimals)
        )
        .expect("ten digits and a point fit");
        let unused = rest.len();
        serializer.serialize_str(ascii(&text[..text.len() - unused]))
    }
}

fn ascii(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("ASCII")
}
