//! The two encodings of a tick.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::stamps::{BINARY_HEADER_BYTES, JSON_HEADER_BYTES, Stamps};
use crate::update::{SIZE_DECIMALS, Update};

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
    out.resize(start + JSON_HEADER_BYTES, 0);
    stamps.write_json(&mut out[start..]);
    let body = out.len();
    let written = match payload {
        Payload::Update(update) => serde_json::to_writer(&mut *out, &JsonUpdate::new(update)),
        Payload::Captured(bytes) => write_captured(bytes, out),
    };
    written.expect("writing to memory does not fail");
    // The stamps and the body are one object: the brace that opens the body becomes the comma between them.
    out[body] = b',';
    if size > 0 {
        pad_json(out, start, size);
    }
}

/// Whether `bytes` are one JSON value and nothing else.
pub fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(bytes).is_ok()
}

#[derive(Serialize)]
struct JsonUpdate {
    symbol: &'static str,
    bid: Decimal,
    bid_size: Decimal,
    ask: Decimal,
    ask_size: Decimal,
    last: Decimal,
    side: &'static str,
}

impl JsonUpdate {
    fn new(update: &Update) -> Self {
        let symbol = update.symbol;
        let price = |value| Decimal { value, decimals: symbol.price_decimals() };
        let quantity = |value| Decimal { value, decimals: SIZE_DECIMALS };
        JsonUpdate {
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

fn write_captured(bytes: &[u8], out: &mut Vec<u8>) -> serde_json::Result<()> {
    #[derive(Serialize)]
    struct Captured<P: Serialize> {
        payload: P,
    }
    match serde_json::from_slice::<&RawValue>(bytes) {
        Ok(payload) => serde_json::to_writer(out, &Captured { payload }),
        Err(_) => serde_json::to_writer(out, &Captured { payload: String::from_utf8_lossy(bytes) }),
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
    /// By hand: `format!` takes 150 ns for each of the five numbers, several times what all else of a tick does.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Ten digits of a u32 and a point.
        let mut text = [0; 11];
        let (mut at, mut rest) = (text.len(), self.value);
        let mut push = |byte| {
            at -= 1;
            text[at] = byte;
        };
        for _ in 0..self.decimals {
            push(b'0' + (rest % 10) as u8);
            rest /= 10;
        }
        push(b'.');
        loop {
            push(b'0' + (rest % 10) as u8);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        serializer.serialize_str(ascii(&text[at..]))
    }
}

fn ascii(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("ASCII")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::{MAX_MESSAGE_BYTES, Side, Symbol, Tape};

    fn json(stamps: &Stamps, payload: Payload, size: usize) -> (Vec<u8>, Value) {
        let mut out = Vec::new();
        encode_json(stamps, payload, size, &mut out);
        let value = serde_json::from_slice(&out).expect("it is JSON");
        (out, value)
    }

    #[test]
    fn the_longest_json_tick_leaves_room_for_its_pad_field() {
        let longest = Update {
            symbol: Symbol::BtcUsd,
            side: Side::Sell,
            bid: u32::MAX,
            ask: u32::MAX,
            bid_size: u32::MAX,
            ask_size: u32::MAX,
            last: u32::MAX,
        };
        let (message, _) = json(&Stamps::default(), Payload::Update(&longest), MIN_JSON_SIZE);
        assert_eq!(message.len(), MIN_JSON_SIZE);
    }

    #[test]
    fn decimals_are_written_out_whole() {
        for (value, decimals, text) in
            [(0, 2, "0.00"), (7, 5, "0.00007"), (100, 2, "1.00"), (u32::MAX, 4, "429496.7295")]
        {
            assert_eq!(serde_json::to_string(&Decimal { value, decimals }).unwrap(), format!("{text:?}"));
        }
    }

    #[test]
    fn a_captured_payload_stands_as_it_is_where_it_is_json() {
        let stamps = Stamps::default();
        assert_eq!(json(&stamps, Payload::Captured(br#"{"a": 1}"#), 0).1["payload"]["a"], 1);
        assert!(json(&stamps, Payload::Captured(br#"{"a": 1}"#), 0).0.ends_with(br#""payload":{"a": 1}}"#));
        assert_eq!(json(&stamps, Payload::Captured(b"say \"hi\""), 0).1["payload"], "say \"hi\"");
        assert_eq!(json(&stamps, Payload::Captured(b""), 0).1["payload"], "");
    }

    #[test]
    fn sixteen_mebibytes_can_be_asked_for() {
        let tape = Tape::generate(1);
        let mut out = Vec::new();
        encode_binary(&Stamps::default(), Payload::Update(tape.update(0)), MAX_MESSAGE_BYTES, &mut out);
        assert_eq!(out.len(), MAX_MESSAGE_BYTES);
    }

    proptest! {
        #[test]
        fn both_encodings_carry_the_stamps_and_the_size(
            seq: u64, due_ns: u64, sent_ns: u64, seed in 0..9u64, size in MIN_JSON_SIZE..3000,
        ) {
            let (stamps, tape) = (Stamps { seq, due_ns, sent_ns }, Tape::generate(seed));
            let payload = Payload::Update(tape.update(seq));
            for size in [0, size] {
                let (message, value) = json(&stamps, payload, size);
                prop_assert_eq!(Stamps::read_json(&message), Ok(stamps));
                prop_assert_eq!(value["symbol"].as_str(), Some(tape.update(seq).symbol.name()));
                let mut binary = Vec::new();
                encode_binary(&stamps, payload, size, &mut binary);
                prop_assert_eq!(Stamps::read_binary(&binary), Ok(stamps));
                prop_assert_eq!(binary.len(), size.max(BINARY_TICK_BYTES));
                prop_assert!(size == 0 || message.len() == size);
            }
        }

        #[test]
        fn stamps_can_be_patched_in_place(seq: u64, due_ns: u64, sent_ns: u64) {
            let (stamps, tape) = (Stamps { seq, due_ns, sent_ns }, Tape::generate(1));
            let payload = Payload::Update(tape.update(seq));
            let (mut patched, _) = json(&Stamps::default(), payload, 0);
            stamps.patch_json(&mut patched);
            prop_assert_eq!(patched, json(&stamps, payload, 0).0);
        }

        #[test]
        fn any_captured_text_makes_json(text: String) {
            let (_, value) = json(&Stamps::default(), Payload::Captured(text.as_bytes()), 0);
            prop_assert!(is_json(text.as_bytes()) || value["payload"].as_str() == Some(&*text));
        }
    }
}
