//! Frames of RFC 6455 as a server writes and reads them.

use thiserror::Error;

/// Bytes of the longest header that a server writes: two, and a length of eight.
pub(crate) const MAX_HEADER_BYTES: usize = 10;

const MASK_BYTES: usize = 4;
const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
const MAX_CONTROL_BYTES: u64 = 125;

/// What a frame is (RFC 6455, section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Opcode {
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

impl Opcode {
    fn of_bits(bits: u8) -> Result<Opcode, Violation> {
        use Opcode::{Binary, Close, Continuation, Ping, Pong, Text};
        let all = [Continuation, Text, Binary, Close, Ping, Pong];
        all.into_iter().find(|&opcode| opcode as u8 == bits).ok_or(Violation::Protocol("unknown opcode"))
    }

    pub(crate) fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

/// What a client may not send. The connection is closed with [`Violation::close_code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Violation {
    #[error("{0}")]
    Protocol(&'static str),
    #[error("text is not UTF-8")]
    NotUtf8,
    #[error("message is too long")]
    TooLong,
}

impl Violation {
    pub(crate) fn close_code(self) -> u16 {
        match self {
            Violation::Protocol(_) => 1002,
            Violation::NotUtf8 => 1007,
            Violation::TooLong => 1009,
        }
    }
}

/// The header of a client's frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) is_final: bool,
    pub(crate) opcode: Opcode,
    mask: [u8; MASK_BYTES],
    /// Where the payload begins.
    pub(crate) bytes: usize,
    pub(crate) payload_bytes: u64,
}

impl Header {
    /// Reads the header at the start of `bytes`; `None` where it is not whole yet.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<Header>, Violation> {
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        if first & RESERVED != 0 {
            return Err(Violation::Protocol("a reserved bit is set"));
        }
        if second & MASKED == 0 {
            return Err(Violation::Protocol("a client's frame must be masked"));
        }
        // The bytes of the length, and the least that may be written with so many.
        let (payload_bytes, length_bytes, least) = match second & !MASKED {
            126 => (rest.first_chunk().map(|&length| u64::from(u16::from_be_bytes(length))), 2, 126),
            127 => (rest.first_chunk().map(|&length| u64::from_be_bytes(length)), 8, 0x1_0000),
            short => (Some(u64::from(short)), 0, 0),
        };
        let (is_final, opcode) = (first & FIN != 0, Opcode::of_bits(first & 0x0f)?);
        let mask = rest.get(length_bytes..).and_then(|rest| rest.first_chunk());
        let (Some(payload_bytes), Some(&mask)) = (payload_bytes, mask) else { return Ok(None) };
        if opcode.is_control() && !(is_final && payload_bytes <= MAX_CONTROL_BYTES) {
            return Err(Violation::Protocol("a control frame must be final and at most 125 bytes"));
        }
        if payload_bytes < least {
            return Err(Violation::Protocol("a length must be written in as few bytes as it takes"));
        }
        Ok(Some(Header { is_final, opcode, mask, bytes: 2 + length_bytes + MASK_BYTES, payload_bytes }))
    }

    /// Takes the mask off a whole payload.
    pub(crate) fn unmask(&self, payload: &mut [u8]) {
        let wide = u64::from_ne_bytes(std::array::from_fn(|at| self.mask[at % MASK_BYTES]));
        let (words, rest) = payload.as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
        }
        for (byte, mask) in rest.iter_mut().zip(self.mask.iter().cycle()) {
            *byte ^= mask;
        }
    }
}

/// Writes a server's header for a final frame so that it ends where `room` ends; returns where it begins.
pub(crate) fn write_header(opcode: Opcode, payload_bytes: usize, room: &mut [u8; MAX_HEADER_BYTES]) -> usize {
    let first = FIN | opcode as u8;
    match payload_bytes {
        0..126 => {
            room[8..].copy_from_slice(&[first, payload_bytes as u8]);
            8
        }
        126..=0xffff => {
            room[6..8].copy_from_slice(&[first, 126]);
            room[8..].copy_from_slice(&(payload_bytes as u16).to_be_bytes());
            6
        }
        _ => {
            room[..2].copy_from_slice(&[first, 127]);
            room[2..].copy_from_slice(&(payload_bytes as u64).to_be_bytes());
            0
        }
    }
}

/// Appends a whole frame.
pub(crate) fn append(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    append_header(opcode, payload.len(), out);
    out.extend_from_slice(payload);
}

/// Appends the header of a final frame.
pub(crate) fn append_header(opcode: Opcode, payload_bytes: usize, out: &mut Vec<u8>) {
    let mut room = [0; MAX_HEADER_BYTES];
    let start = write_header(opcode, payload_bytes, &mut room);
    out.extend_from_slice(&room[start..]);
}

/// Appends a close frame.
pub(crate) fn append_close(code: u16, reason: &str, out: &mut Vec<u8>) {
    append_header(Opcode::Close, 2 + reason.len(), out);
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

/// The answer to a close frame's payload: its code comes back, where it may stand in a frame (RFC 6455, section 7.4).
pub(crate) fn close_answer(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let (code, reason) = match payload {
        [] => return Ok(None),
        [_] => return Err(Violation::Protocol("a close frame has no room for its code")),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
    };
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::Protocol("this close code may not be sent"));
    }
    simdutf8::basic::from_utf8(reason).map_err(|_| Violation::NotUtf8)?;
    Ok(Some(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(first: u8, length: &[u8], mask: [u8; 4]) -> Vec<u8> {
        let mut bytes = vec![first];
        bytes.extend_from_slice(length);
        bytes[1] |= MASKED;
        bytes.extend_from_slice(&mask);
        bytes
    }

    #[test]
    fn headers_of_all_lengths_are_read() {
        let cases: [(&[u8], u64); 4] = [
            (&[0], 0),
            (&[125], 125),
            (&[126, 0x01, 0x00], 256),
            (&[127, 0, 0, 0, 0, 0x01, 0, 0, 0], 1 << 24),
        ];
        for (length, payload_bytes) in cases {
            let bytes = masked(0x82, length, [1, 2, 3, 4]);
            for cut in 0..bytes.len() {
                assert_eq!(Header::read(&bytes[..cut]), Ok(None));
            }
            let header = Header::read(&bytes).unwrap().unwrap();
            assert_eq!((header.payload_bytes, header.bytes), (payload_bytes, bytes.len()));
        }
    }

    #[test]
    fn what_a_client_may_not_send_is_refused() {
        let unmasked = [0x82, 1, 0, 0, 0, 0, 0];
        let cases = [
            masked(0xc2, &[0], [0; 4]),
            unmasked.to_vec(),
            masked(0x83, &[0], [0; 4]),
            masked(0x09, &[0], [0; 4]),
            masked(0x89, &[126, 0, 126], [0; 4]),
        ];
        for bytes in cases {
            assert!(matches!(Header::read(&bytes), Err(Violation::Protocol(_))), "{bytes:?}");
        }
    }

    #[test]
    fn a_mask_comes_off_whatever_the_length() {
        let mask = [0x11, 0x22, 0x33, 0x44];
        for length in 0..40usize {
            let clear: Vec<u8> = (0..length as u8).collect();
            let mut payload: Vec<u8> =
                clear.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]).collect();
            let header = Header::read(&masked(0x82, &[length as u8], mask)).unwrap().unwrap();
            header.unmask(&mut payload);
            assert_eq!(payload, clear);
        }
    }

    #[test]
    fn close_codes_are_checked() {
        assert_eq!(close_answer(&[]), Ok(None));
        assert_eq!(close_answer(&1000u16.to_be_bytes()), Ok(Some(1000)));
        for code in [0u16, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
            assert!(close_answer(&code.to_be_bytes()).is_err(), "{code}");
        }
        assert!(close_answer(&[3]).is_err());
        assert_eq!(close_answer(&[0x03, 0xe8, 0xff]), Err(Violation::NotUtf8));
    }
}
