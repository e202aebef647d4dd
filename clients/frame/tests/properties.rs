//! What holds for every stream of bytes.

use proptest::prelude::*;
use tickbench_frame::{Decoder, Event, Inbox, Kind, Mask, Opcode, Violation, write_close, write_frame};

const LIMIT: u64 = 200_000;

/// An event without borrowed parts.
#[derive(Debug, Clone, PartialEq)]
enum Owned {
    Message(Kind, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>),
}

fn owned(event: Event) -> Owned {
    match event {
        Event::Message { kind, payload } => Owned::Message(kind, payload.into_owned()),
        Event::Ping(payload) => Owned::Ping(payload.to_vec()),
        Event::Pong(payload) => Owned::Pong(payload.to_vec()),
        Event::Close(frame) => Owned::Close(frame.map(|frame| frame.code)),
    }
}

/// All events of `bytes`, read through an inbox in parts that end at `cuts`, and the violation that ends them, if one does.
fn read(bytes: &[u8], cuts: &[usize], usual: usize) -> (Vec<Owned>, Option<Violation>) {
    let (mut inbox, mut decoder, mut events) = (Inbox::new(usual), Decoder::new(LIMIT), Vec::new());
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).chain([bytes.len()]).collect();
    cuts.sort_unstable();
    let mut at = 0;
    for cut in cuts {
        while at < cut {
            let space = inbox.space(&decoder);
            let count = space.len().min(cut - at);
            space[..count].copy_from_slice(&bytes[at..at + count]);
            inbox.add(count);
            at += count;
            let mut unread = inbox.unread();
            loop {
                match decoder.next(&mut unread) {
                    Ok(Some(event)) => events.push(owned(event)),
                    Ok(None) => break,
                    Err(violation) => return (events, Some(violation)),
                }
            }
            let left = unread.len();
            inbox.keep_last(left);
        }
    }
    (events, None)
}

fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![6 => 0..200usize, 1 => 65_530..65_545usize, 1 => 100_000..150_000usize]
}

/// What a sound server sends, and its bytes: each message cut into fragments, with pings between them.
fn sound_message() -> impl Strategy<Value = (Vec<Owned>, Vec<u8>)> {
    let data = (any::<bool>(), sizes(), proptest::collection::vec(any::<usize>(), 0..4), any::<bool>());
    prop_oneof![
        8 => data.prop_map(|(is_text, size, cuts, ping)| fragmented(is_text, size, &cuts, ping)),
        1 => proptest::collection::vec(any::<u8>(), 0..=125).prop_map(|payload| {
            let mut bytes = Vec::new();
            write_frame(&mut bytes, true, Opcode::Pong, Mask::None, &payload);
            (vec![Owned::Pong(payload)], bytes)
        }),
        1 => Just({
            let mut bytes = Vec::new();
            write_close(&mut bytes, Mask::None, 1001);
            (vec![Owned::Close(Some(1001))], bytes)
        }),
    ]
}

fn fragmented(is_text: bool, size: usize, cuts: &[usize], ping: bool) -> (Vec<Owned>, Vec<u8>) {
    let (kind, first) = if is_text { (Kind::Text, Opcode::Text) } else { (Kind::Binary, Opcode::Binary) };
    // Two-byte characters: fragments may end inside one.
    let payload = if is_text { "é".repeat(size / 2).into_bytes() } else { vec![0xa5; size] };
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (payload.len() + 1)).collect();
    ends.push(payload.len());
    ends.sort_unstable();
    let (mut events, mut bytes, mut start) = (Vec::new(), Vec::new(), 0);
    for (nth, &end) in ends.iter().enumerate() {
        let (opcode, fin) = (if nth == 0 { first } else { Opcode::Continuation }, nth + 1 == ends.len());
        if ping && nth > 0 {
            write_frame(&mut bytes, true, Opcode::Ping, Mask::None, b"between");
            events.push(Owned::Ping(b"between".to_vec()));
        }
        write_frame(&mut bytes, fin, opcode, Mask::None, &payload[start..end]);
        start = end;
    }
    events.push(Owned::Message(kind, payload));
    (events, bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_split_of_a_sound_stream_gives_its_messages(
        messages in proptest::collection::vec(sound_message(), 1..6),
        cuts in proptest::collection::vec(any::<usize>(), 0..40),
        usual in 16usize..5000,
    ) {
        let bytes = messages.iter().flat_map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>();
        let expected: Vec<Owned> = messages.into_iter().flat_map(|(events, _)| events).collect();
        prop_assert_eq!(read(&bytes, &cuts, usual), (expected, None));
    }

    #[test]
    fn any_split_of_garbage_gives_the_same_events_and_violation(
        bytes in proptest::collection::vec(prop_oneof![any::<u8>(), proptest::sample::select(&[0x81u8, 0x82, 0x01, 0x80, 0x89, 0x88, 2, 0][..])], 0..400),
        cuts in proptest::collection::vec(any::<usize>(), 0..40),
    ) {
        prop_assert_eq!(read(&bytes, &cuts, 64), read(&bytes, &[], 4096));
    }

    #[test]
    fn a_masked_frame_reads_back_when_it_is_unmasked(payload in proptest::collection::vec(any::<u8>(), 0..70_000), key: [u8; 4]) {
        let (mut masked, mut plain) = (Vec::new(), Vec::new());
        write_frame(&mut masked, true, Opcode::Binary, Mask::Key(key), &payload);
        write_frame(&mut plain, true, Opcode::Binary, Mask::None, &payload);
        let head = masked.len() - payload.len() - 4;
        prop_assert_eq!(masked[0], plain[0]);
        prop_assert_eq!(masked[1], plain[1] | 0x80);
        prop_assert_eq!(&masked[2..head], &plain[2..head]);
        prop_assert_eq!(&masked[head..head + 4], &key);
        let unmasked: Vec<u8> = masked[head + 4..].iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]).collect();
        prop_assert_eq!(unmasked, payload);
    }
}
