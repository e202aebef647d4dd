//! RFC 6455 as one reads it: a whole stream at once, with no thought of speed, and nothing of the code that it judges.

const MAX_MESSAGE_BYTES: u128 = 16 << 20;

/// What a stream of a client's bytes means.
pub(super) struct Reading {
    /// The frames that an echo answers with, up to the end: data messages and pongs.
    pub(super) answers: Vec<Vec<u8>>,
    pub(super) end: End,
    /// How many bytes were whole frames, the last one's included.
    pub(super) used: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// More may come.
    Open,
    /// The client has closed, and this code comes back.
    Closed(Option<u16>),
    /// The client broke the protocol, and is told so with this code.
    Refused(u16),
}

struct Frame {
    is_final: bool,
    opcode: u8,
    payload: Vec<u8>,
    bytes: usize,
}

/// Reads all of `stream`.
pub(super) fn read(stream: &[u8]) -> Reading {
    let mut reading = Reading { answers: Vec::new(), end: End::Open, used: 0 };
    // The opcode and what has come of a message of which some frames are still to come.
    let mut begun: Option<(u8, Vec<u8>)> = None;
    while reading.end == End::Open {
        let held = begun.as_ref().map_or(0, |(_, payload)| payload.len());
        let frame = match next_frame(&stream[reading.used..], held) {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(code) => {
                reading.end = End::Refused(code);
                break;
            }
        };
        reading.used += frame.bytes;
        match frame.opcode {
            8 => reading.end = closed(&frame.payload),
            9 => reading.answers.push(server_frame(10, &frame.payload)),
            10 => {}
            opcode => {
                let continues = opcode == 0;
                if continues != begun.is_some() {
                    reading.end = End::Refused(1002);
                    break;
                }
                let (opcode, mut payload) = begun.take().unwrap_or((opcode, Vec::new()));
                payload.extend(frame.payload);
                if !frame.is_final {
                    begun = Some((opcode, payload));
                } else if opcode == 1 && String::from_utf8(payload.clone()).is_err() {
                    reading.end = End::Refused(1007);
                } else {
                    reading.answers.push(server_frame(opcode, &payload));
                }
            }
        }
    }
    reading
}

/// The frame at the start of `stream`; `None` where it is not whole. What is wrong is wrong as soon as it can be seen: in the first two
/// bytes, in the header, or in the whole.
fn next_frame(stream: &[u8], held: usize) -> Result<Option<Frame>, u16> {
    let Some(Header { is_final, opcode, mask, bytes, length }) = header(stream)? else { return Ok(None) };
    if opcode < 8 && u128::from(length) + held as u128 > MAX_MESSAGE_BYTES {
        return Err(1009);
    }
    let end = bytes + length as usize;
    let Some(masked) = stream.get(bytes..end) else { return Ok(None) };
    let payload = (0..masked.len()).map(|at| masked[at] ^ mask[at % 4]).collect();
    Ok(Some(Frame { is_final, opcode, payload, bytes: end }))
}

/// The header of a client's frame.
pub(super) struct Header {
    pub(super) is_final: bool,
    pub(super) opcode: u8,
    pub(super) mask: Vec<u8>,
    pub(super) bytes: usize,
    pub(super) length: u64,
}

/// The header at the start of `stream`; `None` where it is not whole.
pub(super) fn header(stream: &[u8]) -> Result<Option<Header>, u16> {
    let (Some(first), Some(second)) = (stream.first(), stream.get(1)) else { return Ok(None) };
    let (is_final, reserved, opcode) = (first / 128 == 1, first / 16 % 8, first % 16);
    let (is_masked, short) = (second / 128 == 1, second % 128);
    if reserved != 0 || !is_masked || ![0, 1, 2, 8, 9, 10].contains(&opcode) {
        return Err(1002);
    }
    let length_bytes = [0, 2, 8][usize::from(short > 125) + usize::from(short > 126)];
    let Some(mask) = stream.get(2 + length_bytes..6 + length_bytes) else { return Ok(None) };
    let (length, least) = match length_bytes {
        0 => (u64::from(short), 0),
        bytes => {
            let written = &stream[2..2 + bytes];
            let least = if bytes == 2 { 126 } else { 65_536 };
            (written.iter().fold(0, |length, byte| length * 256 + u64::from(*byte)), least)
        }
    };
    if length < least || opcode > 7 && (!is_final || length > 125) {
        return Err(1002);
    }
    Ok(Some(Header { is_final, opcode, mask: mask.to_vec(), bytes: 6 + length_bytes, length }))
}

/// RFC 6455, section 7.4, and the codes that were registered since.
fn closed(payload: &[u8]) -> End {
    if payload.is_empty() {
        return End::Closed(None);
    }
    let code = payload.iter().take(2).fold(0u16, |code, byte| (code << 8) | u16::from(*byte));
    let registered = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
    if payload.len() == 1 || !(registered.contains(&code) || (3000..5000).contains(&code)) {
        return End::Refused(1002);
    }
    match String::from_utf8(payload[2..].to_vec()) {
        Ok(_) => End::Closed(Some(code)),
        Err(_) => End::Refused(1007),
    }
}

/// A final frame without a mask.
pub(super) fn server_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u64;
    let length = match length {
        0..=125 => vec![length as u8],
        126..=65_535 => [&[126], &length.to_be_bytes()[6..]].concat(),
        _ => [&[127], &length.to_be_bytes()[..]].concat(),
    };
    [&[128 + opcode], &length[..], payload].concat()
}
