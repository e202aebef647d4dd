//! From bytes to messages.

use std::borrow::Cow;

use crate::{Opcode, Violation};

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const FIN_TEXT: u8 = FIN | Opcode::Text as u8;
const FIN_BINARY: u8 = FIN | Opcode::Binary as u8;
const MASKED: u8 = 0x80;
const MAX_CONTROL_BYTES: u64 = 125;

/// Whether a message is text or binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8 text, checked.
    Text,
    /// Any bytes.
    Binary,
}

/// What a close frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseFrame<'i> {
    /// Why, as a number: section 7.4.
    pub code: u16,
    /// Why, in words; may be empty.
    pub reason: Cow<'i, str>,
}

/// One whole message or control frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'i> {
    /// A data message: a slice of the input where it came in one frame, else put together from its fragments.
    Message {
        /// Text or binary.
        kind: Kind,
        /// What it carries.
        payload: Cow<'i, [u8]>,
    },
    /// A ping, to be answered with a pong of the same payload.
    Ping(&'i [u8]),
    /// A pong.
    Pong(&'i [u8]),
    /// The end: nothing that follows counts.
    Close(Option<CloseFrame<'i>>),
}

/// Reads the frames of one connection: sixteen bytes of state, and the fragments of a message while there are any.
#[derive(Debug, Clone)]
pub struct Decoder {
    max_message_bytes: u64,
    fragments: Option<Box<Fragments>>,
}

#[derive(Debug, Clone)]
struct Fragments {
    kind: Kind,
    payload: Vec<u8>,
}

/// A frame's header, checked.
struct Header {
    opcode: Opcode,
    fin: bool,
    header_bytes: usize,
    payload_bytes: u64,
}

impl Decoder {
    /// A decoder at the start of a connection, right behind the handshake.
    pub const fn new(max_message_bytes: u64) -> Decoder {
        Decoder { max_message_bytes, fragments: None }
    }

    /// Takes the next message or control frame off the front of `input`; `None` where `input` ends before it does.
    ///
    /// Fragments are taken off as they come. What stays in `input` is the start of a frame: pass it again, with more behind it.
    #[inline]
    pub fn next<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Event<'i>>, Violation> {
        // Nearly every frame of a feed is a whole message of up to 64 KiB; the rest is out of line.
        if self.fragments.is_none()
            && let [first @ (FIN_TEXT | FIN_BINARY), length, ..] = **input
            && let Some((payload, rest)) = short_payload(length, input)
        {
            let kind = if first == FIN_TEXT { Kind::Text } else { Kind::Binary };
            if payload.len() as u64 <= self.max_message_bytes {
                if kind == Kind::Text && !is_utf8(payload) {
                    return Err(Violation::Utf8);
                }
                *input = rest;
                return Ok(Some(Event::Message { kind, payload: Cow::Borrowed(payload) }));
            }
        }
        self.next_of_any_kind(input)
    }

    #[inline(never)]
    fn next_of_any_kind<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Event<'i>>, Violation> {
        while let Some(header) = self.header(input)? {
            let Some(frame_bytes) = header.frame_bytes(input.len()) else { return Ok(None) };
            let (frame, rest) = input.split_at(frame_bytes);
            let payload = &frame[header.header_bytes..];
            let event = match header.opcode {
                Opcode::Text => self.data(Kind::Text, header.fin, payload)?,
                Opcode::Binary => self.data(Kind::Binary, header.fin, payload)?,
                Opcode::Continuation => self.continuation(header.fin, payload)?,
                Opcode::Close => Some(Event::Close(close_frame(payload)?)),
                Opcode::Ping => Some(Event::Ping(payload)),
                Opcode::Pong => Some(Event::Pong(payload)),
            };
            *input = rest;
            if event.is_some() {
                return Ok(event);
            }
        }
        Ok(None)
    }

    /// How many bytes the frame at the front of `input` has, header included, where its header is there and sound.
    pub fn frame_bytes(&self, input: &[u8]) -> Option<usize> {
        let header = self.header(input).ok()??;
        usize::try_from(header.payload_bytes).ok()?.checked_add(header.header_bytes)
    }

    fn header(&self, input: &[u8]) -> Result<Option<Header>, Violation> {
        let [first, second, ..] = *input else { return Ok(None) };
        if first & RESERVED != 0 {
            return Err(Violation::ReservedBits((first & RESERVED) >> 4));
        }
        let opcode = Opcode::of(first).ok_or(Violation::ReservedOpcode(first & 0x0f))?;
        let fin = first & FIN != 0;
        if second & MASKED != 0 {
            return Err(Violation::Masked);
        }
        if opcode.is_control() {
            if !fin {
                return Err(Violation::FragmentedControl);
            }
            if u64::from(second) > MAX_CONTROL_BYTES {
                return Err(Violation::LongControl);
            }
        }
        match (opcode, &self.fragments) {
            (Opcode::Continuation, None) => return Err(Violation::StrayContinuation),
            (Opcode::Text | Opcode::Binary, Some(_)) => return Err(Violation::InterruptedMessage),
            _ => {}
        }
        let Some((header_bytes, payload_bytes)) = length(second, &input[2..])? else { return Ok(None) };
        let so_far = self.fragments.as_ref().map_or(0, |fragments| fragments.payload.len() as u64);
        let message_bytes = so_far.saturating_add(payload_bytes);
        if !opcode.is_control() && message_bytes > self.max_message_bytes {
            return Err(Violation::TooLong { bytes: message_bytes, limit: self.max_message_bytes });
        }
        Ok(Some(Header { opcode, fin, header_bytes, payload_bytes }))
    }

    fn data<'i>(&mut self, kind: Kind, fin: bool, payload: &'i [u8]) -> Result<Option<Event<'i>>, Violation> {
        if fin {
            return message(kind, Cow::Borrowed(payload)).map(Some);
        }
        self.fragments = Some(Box::new(Fragments { kind, payload: payload.to_vec() }));
        Ok(None)
    }

    fn continuation(&mut self, fin: bool, part: &[u8]) -> Result<Option<Event<'static>>, Violation> {
        let mut fragments = self.fragments.take().ok_or(Violation::StrayContinuation)?;
        fragments.payload.extend_from_slice(part);
        if fin {
            return message(fragments.kind, Cow::Owned(fragments.payload)).map(Some);
        }
        self.fragments = Some(fragments);
        Ok(None)
    }
}

impl Header {
    fn frame_bytes(&self, available: usize) -> Option<usize> {
        let frame_bytes = usize::try_from(self.payload_bytes).ok()?.checked_add(self.header_bytes)?;
        (frame_bytes <= available).then_some(frame_bytes)
    }
}

/// The payload of an unmasked frame with a length of one or two bytes, if it is all there, and what follows it.
#[inline(always)]
fn short_payload(length: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    match length {
        0..=125 => input[2..].split_at_checked(usize::from(length)),
        126 => {
            let (bytes, rest) = input[2..].split_first_chunk::<2>()?;
            let length = u16::from_be_bytes(*bytes);
            if length > 125 { rest.split_at_checked(usize::from(length)) } else { None }
        }
        _ => None,
    }
}

/// Header bytes and payload bytes of a frame whose second byte is `second` and whose further bytes are `rest`.
fn length(second: u8, rest: &[u8]) -> Result<Option<(usize, u64)>, Violation> {
    match second {
        126 => {
            let Some(bytes) = rest.first_chunk::<2>() else { return Ok(None) };
            let length = u64::from(u16::from_be_bytes(*bytes));
            if length < 126 { Err(Violation::LengthForm(length)) } else { Ok(Some((4, length))) }
        }
        127 => {
            let Some(bytes) = rest.first_chunk::<8>() else { return Ok(None) };
            let length = u64::from_be_bytes(*bytes);
            let minimal = length > u64::from(u16::MAX) && length < 1 << 63;
            if minimal { Ok(Some((10, length))) } else { Err(Violation::LengthForm(length)) }
        }
        length => Ok(Some((2, u64::from(length)))),
    }
}

fn message(kind: Kind, payload: Cow<'_, [u8]>) -> Result<Event<'_>, Violation> {
    if kind == Kind::Text && !is_utf8(&payload) {
        return Err(Violation::Utf8);
    }
    Ok(Event::Message { kind, payload })
}

/// Market data are ASCII nearly always, which is quicker to tell than UTF-8 of any kind.
#[inline]
fn is_utf8(payload: &[u8]) -> bool {
    is_ascii(payload) || simdutf8::basic::from_utf8(payload).is_ok()
}

/// Like the standard library's, three times as fast on messages of some hundred bytes: whole blocks, and for what is left the
/// last block once more, as it overlaps the one before.
#[inline]
fn is_ascii(bytes: &[u8]) -> bool {
    const BLOCK: usize = 32;
    let Some(last) = bytes.last_chunk::<BLOCK>() else { return bytes.is_ascii() };
    let all_bits = bytes.as_chunks::<BLOCK>().0.iter().fold(*last, |mut bits, block| {
        bits.iter_mut().zip(block).for_each(|(bits, byte)| *bits |= byte);
        bits
    });
    all_bits.iter().fold(0, |bits, byte| bits | byte) < 0x80
}

fn close_frame(payload: &[u8]) -> Result<Option<CloseFrame<'_>>, Violation> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok(None) } else { Err(Violation::ShortClose) };
    };
    let code = u16::from_be_bytes(*code);
    // Section 7.4 and the registry it founds: 1004 to 1006 and 1015 never stand on the wire; 3000 to 4999 are free.
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::CloseCode(code));
    }
    let reason = simdutf8::basic::from_utf8(reason).map_err(|_| Violation::CloseReason)?;
    Ok(Some(CloseFrame { code, reason: Cow::Borrowed(reason) }))
}
