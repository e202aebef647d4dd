//! What clients may send, and what they may not.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::Union;

/// Some frames, most of them as the protocol wants them; in one stream of four a bit is flipped, and one of four ends anywhere.
pub(super) fn stream() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        8 => message(),
        3 => control(),
        1 => any_frame(),
        1 => too_long(),
        1 => vec(any::<u8>(), 0..20),
        1 => close(),
    ];
    let place = || prop::option::weighted(0.25, any::<Index>());
    (vec(part, 0..12), place(), 0..8u8, place()).prop_map(|(parts, flipped, bit, end)| {
        let mut stream = parts.concat();
        if let Some(at) = flipped.filter(|_| !stream.is_empty()) {
            let at = at.index(stream.len());
            stream[at] ^= 1 << bit;
        }
        if let Some(end) = end.filter(|_| !stream.is_empty()) {
            stream.truncate(end.index(stream.len()));
        }
        stream
    })
}

/// A data message in one frame or in several, with control frames in between.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        6 => ".{0,40}".prop_map(|text| (1, text.into_bytes())),
        6 => vec(any::<u8>(), 0..200).prop_map(|bytes| (2, bytes)),
        1 => vec(any::<u8>(), 0..10).prop_map(|bytes| (1, bytes)),
        2 => (prop_oneof![Just(126), 65_530..65_540usize], any::<u8>())
            .prop_map(|(length, byte)| (2, vec![byte; length])),
        1 => (70_000..400_000usize, any::<u8>()).prop_map(|(length, byte)| (2, vec![byte; length])),
    ];
    let cuts =
        prop_oneof![3 => Just(Vec::new()), 1 => vec((any::<Index>(), prop::option::of(control())), 1..4)];
    (payload, cuts, any::<[u8; 4]>()).prop_map(|((opcode, payload), mut cuts, mask)| {
        cuts.sort_by_key(|(cut, _)| cut.index(payload.len() + 1));
        let (mut bytes, mut from) = (Vec::new(), 0);
        for (nth, (cut, between)) in cuts.iter().enumerate() {
            let to = cut.index(payload.len() + 1);
            bytes.extend(frame(if nth == 0 { opcode } else { 0 }, mask, &payload[from..to]));
            bytes.extend(between.iter().flatten());
            from = to;
        }
        let last = if cuts.is_empty() { opcode } else { 0 };
        bytes.extend(frame(128 + last, mask, &payload[from..]));
        bytes
    })
}

fn control() -> impl Strategy<Value = Vec<u8>> {
    (prop_oneof![Just(9u8), Just(10)], any::<[u8; 4]>(), vec(any::<u8>(), 0..126))
        .prop_map(|(opcode, mask, payload)| frame(128 + opcode, mask, &payload))
}

fn close() -> impl Strategy<Value = Vec<u8>> {
    let code = prop_oneof![3 => 995..1020u16, 1 => 2995..5005u16, 1 => any::<u16>()];
    let reason = prop_oneof![3 => ".{0,20}".prop_map(String::into_bytes), 1 => vec(any::<u8>(), 0..5)];
    let payload = prop_oneof![
        1 => vec(any::<u8>(), 0..2),
        4 => (code, reason).prop_map(|(code, reason)| [&code.to_be_bytes(), &reason[..]].concat()),
    ];
    (any::<[u8; 4]>(), payload).prop_map(|(mask, payload)| frame(128 + 8, mask, &payload))
}

/// Any first byte, any way to write the length.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let length_bytes = Union::new([0, 2, 8].map(Just));
    (any::<u8>(), any::<[u8; 4]>(), vec(any::<u8>(), 0..130), length_bytes).prop_map(
        |(first, mask, payload, length_bytes)| {
            let length = (payload.len() as u64).to_be_bytes();
            let short = [payload.len().min(125) as u8, 126, 127][length_bytes.min(3) - length_bytes / 8];
            let payload = if length_bytes == 0 { &payload[..payload.len().min(125)] } else { &payload };
            [&[first, 128 + short], &length[8 - length_bytes..], &mask, payload].concat()
        },
    )
}

/// The header of a frame about as long as one may be, or far longer; behind the start of its message, where it has one.
fn too_long() -> impl Strategy<Value = Vec<u8>> {
    let start = prop::option::of(vec(any::<u8>(), 1..4));
    let about = ((16 << 20) - 4..(16 << 20) + 2u64).boxed();
    let length = prop_oneof![4 => about, 1 => Just(1 << 40), 1 => Just(u64::MAX)];
    (start, length).prop_map(|(start, length)| {
        let opcode = if start.is_some() { 0 } else { 2 };
        let header = [&[128 + opcode, 255], &length.to_be_bytes()[..], &[0; 4]].concat();
        let start = start.map_or(Vec::new(), |start| frame(2, [0; 4], &start));
        [start, header].concat()
    })
}

fn frame(first: u8, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_be_bytes();
    let length = match payload.len() {
        0..=125 => &[128 + length[7]][..],
        126..=65_535 => &[&[254], &length[6..]].concat(),
        _ => &[&[255], &length[..]].concat(),
    };
    let masked = payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key);
    [&[first], length, &mask].concat().into_iter().chain(masked).collect()
}
