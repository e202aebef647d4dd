//! Golden vectors: the examples of RFC 6455, section 5.7, each refusal, and each boundary.

use std::borrow::Cow;

use tickbench_frame::{CloseFrame, Decoder, Event, Kind, Mask, Opcode, Violation, write_close, write_frame};

const LIMIT: u64 = 1 << 20;

fn events(mut bytes: &[u8]) -> Result<Vec<Event<'_>>, Violation> {
    let mut decoder = Decoder::new(LIMIT);
    let mut events = Vec::new();
    while let (before, Some(event)) = (bytes.len(), decoder.next(&mut bytes)?) {
        assert!(bytes.len() < before, "an event took no byte off");
        events.push(event);
    }
    assert!(bytes.is_empty(), "{} bytes are left over", bytes.len());
    Ok(events)
}

fn text(payload: &str) -> Event<'_> {
    Event::Message { kind: Kind::Text, payload: Cow::Borrowed(payload.as_bytes()) }
}

fn binary(payload: &[u8]) -> Event<'_> {
    Event::Message { kind: Kind::Binary, payload: Cow::Borrowed(payload) }
}

#[test]
fn the_examples_of_the_rfc() {
    assert_eq!(events(b"\x81\x05Hello"), Ok(vec![text("Hello")]));
    assert_eq!(events(b"\x01\x03Hel\x80\x02lo"), Ok(vec![text("Hello")]));
    assert_eq!(events(b"\x89\x05Hello\x8a\x05Hello"), Ok(vec![Event::Ping(b"Hello"), Event::Pong(b"Hello")]));
    let medium = [b"\x82\x7e\x01\x00".as_slice(), &[7; 256]].concat();
    assert_eq!(events(&medium), Ok(vec![binary(&[7; 256])]));
    let long = [b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00".as_slice(), &[7; 65_536]].concat();
    assert_eq!(events(&long), Ok(vec![binary(&[7; 65_536])]));
}

#[test]
fn the_masked_example_is_written_and_refused() {
    let mut frame = Vec::new();
    write_frame(&mut frame, true, Opcode::Text, Mask::Key([0x37, 0xfa, 0x21, 0x3d]), b"Hello");
    assert_eq!(frame, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    assert_eq!(events(&frame), Err(Violation::Masked));
}

#[test]
fn control_frames_may_stand_between_fragments() {
    let bytes = b"\x02\x01a\x89\x01p\x00\x01b\x8a\x00\x80\x01c\x82\x01d";
    let expected = vec![Event::Ping(b"p"), Event::Pong(b""), binary(b"abc"), binary(b"d")];
    assert_eq!(events(bytes), Ok(expected));
}

#[test]
fn utf8_is_checked_over_the_whole_message() {
    assert_eq!(events(b"\x01\x01\xc3\x80\x01\xa9"), Ok(vec![text("é")]));
    for bad in
        [&b"\x81\x01\xc3"[..], b"\x01\x01\xc3\x80\x01a", b"\x81\x03\xed\xa0\x80", b"\x01\x00\x80\x01\xff"]
    {
        assert_eq!(events(bad), Err(Violation::Utf8), "{bad:?}");
    }
    let long = [b"\x81\x7e\x00\xc8".as_slice(), &[b'a'; 199], b"\xff"].concat();
    assert_eq!(events(&long), Err(Violation::Utf8));
    let zeros = [b"\x81\x28".as_slice(), &[0; 39], b"\x80"].concat();
    assert_eq!(events(&zeros), Err(Violation::Utf8));
    assert_eq!(events(b"\x82\x01\xff"), Ok(vec![binary(b"\xff")]));
}

#[test]
fn every_breach_has_its_name() {
    let table: [(&[u8], Violation); 24] = [
        (b"\xc1\x00", Violation::ReservedBits(0b100)),
        (b"\xa2\x00", Violation::ReservedBits(0b010)),
        (b"\x91\x00", Violation::ReservedBits(0b001)),
        (b"\x83\x00", Violation::ReservedOpcode(3)),
        (b"\x8b\x00", Violation::ReservedOpcode(11)),
        (b"\x8f\x00", Violation::ReservedOpcode(15)),
        (b"\x82\x80", Violation::Masked),
        (b"\x09\x00", Violation::FragmentedControl),
        (b"\x89\x7e", Violation::LongControl),
        (b"\x88\x7f", Violation::LongControl),
        (b"\x80\x00", Violation::StrayContinuation),
        (b"\x82\x00\x00\x00", Violation::StrayContinuation),
        (b"\x02\x01a\x81\x01b", Violation::InterruptedMessage),
        (b"\x01\x00\x02\x00", Violation::InterruptedMessage),
        (b"\x02\x01a\x89\x00\x81\x01b", Violation::InterruptedMessage),
        (b"\x82\x7e\x00\x7d", Violation::LengthForm(125)),
        (b"\x82\x7e\x00\x01a", Violation::LengthForm(1)),
        (b"\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", Violation::LengthForm(65_535)),
        (b"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", Violation::LengthForm(1 << 63)),
        (b"\x82\x7f\x00\x00\x00\x00\x00\x10\x00\x01", Violation::TooLong { bytes: LIMIT + 1, limit: LIMIT }),
        (b"\x88\x01a", Violation::ShortClose),
        (b"\x88\x02\x03\xed", Violation::CloseCode(1005)),
        (b"\x88\x02\x13\x88", Violation::CloseCode(5000)),
        (b"\x88\x03\x03\xe8\xff", Violation::CloseReason),
    ];
    for (bytes, violation) in table {
        assert_eq!(events(bytes), Err(violation), "{bytes:x?}");
    }
}

#[test]
fn close_codes() {
    let allowed = |code: u16| {
        let mut frame = Vec::new();
        write_close(&mut frame, Mask::None, code);
        events(&frame).is_ok()
    };
    for code in (1000..=1003).chain(1007..=1014).chain([3000, 4999]) {
        assert!(allowed(code), "{code}");
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
        assert!(!allowed(code), "{code}");
    }
    assert_eq!(events(b"\x88\x00"), Ok(vec![Event::Close(None)]));
    let with_reason = Event::Close(Some(CloseFrame { code: 1001, reason: "bye".into() }));
    assert_eq!(events(b"\x88\x05\x03\xe9bye"), Ok(vec![with_reason]));
}

#[test]
fn the_limit_holds_for_the_sum_of_fragments() {
    let mut bytes = Vec::new();
    write_frame(&mut bytes, false, Opcode::Binary, Mask::None, &[0; 1 << 19]);
    write_frame(&mut bytes, false, Opcode::Continuation, Mask::None, &[0; 1 << 19]);
    write_frame(&mut bytes, true, Opcode::Continuation, Mask::None, &[0]);
    assert_eq!(events(&bytes), Err(Violation::TooLong { bytes: LIMIT + 1, limit: LIMIT }));
    let mut decoder = Decoder::new(3);
    assert!(matches!(
        decoder.next(&mut &b"\x82\x04abcd"[..]),
        Err(Violation::TooLong { bytes: 4, limit: 3 })
    ));
}
