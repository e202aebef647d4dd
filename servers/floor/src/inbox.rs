//! Messages out of the bytes that a client sends, and into the frame that carries each back: a server's header is shorter than
//! a client's by the mask, so it is written over the client's and nothing is moved.

use tickbench_protocol::MAX_MESSAGE_BYTES;

use crate::frame::{Header, MAX_HEADER_BYTES, Opcode, Violation, write_header};

/// What a client said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming<'a> {
    /// A data message, framed as a server sends it.
    Message(&'a [u8]),
    /// A ping's payload, to come back in a pong.
    Ping(&'a [u8]),
    /// A close frame's payload.
    Close(&'a [u8]),
    /// Nothing to act on: a pong, or part of a message.
    Nothing,
}

/// One client's messages.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    fragments: Option<Fragments>,
    /// The last message that came in fragments, framed.
    whole: Vec<u8>,
}

/// A message of which some frames are still to come. Room for a header is kept in front of `bytes`.
#[derive(Debug)]
struct Fragments {
    opcode: Opcode,
    bytes: Vec<u8>,
}

impl Inbox {
    /// Takes the frame at the start of `bytes`, and says how long it was; `None` where it is not whole yet.
    pub(crate) fn take<'a>(
        &'a mut self,
        bytes: &'a mut [u8],
    ) -> Result<Option<(Incoming<'a>, usize)>, Violation> {
        self.whole = Vec::new();
        let Some(header) = Header::read(bytes)? else { return Ok(None) };
        let held = self.fragments.as_ref().map_or(0, |fragments| fragments.bytes.len() - MAX_HEADER_BYTES);
        if header.payload_bytes > (MAX_MESSAGE_BYTES - held) as u64 && !header.opcode.is_control() {
            return Err(Violation::TooLong);
        }
        let used = header.bytes + header.payload_bytes as usize;
        let Some(frame) = bytes.get_mut(..used) else { return Ok(None) };
        header.unmask(&mut frame[header.bytes..]);
        let incoming = match header.opcode {
            Opcode::Ping => Incoming::Ping(&frame[header.bytes..]),
            Opcode::Pong => Incoming::Nothing,
            Opcode::Close => Incoming::Close(&frame[header.bytes..]),
            Opcode::Continuation => self.continued(&header, &frame[header.bytes..])?,
            Opcode::Text | Opcode::Binary if self.fragments.is_some() => {
                return Err(Violation::Protocol("a message begins before the last one ended"));
            }
            Opcode::Text | Opcode::Binary if header.is_final => Incoming::Message(reframe(&header, frame)?),
            Opcode::Text | Opcode::Binary => {
                let mut bytes = vec![0; MAX_HEADER_BYTES];
                bytes.extend_from_slice(&frame[header.bytes..]);
                self.fragments = Some(Fragments { opcode: header.opcode, bytes });
                Incoming::Nothing
            }
        };
        Ok(Some((incoming, used)))
    }

    fn continued(&mut self, header: &Header, payload: &[u8]) -> Result<Incoming<'_>, Violation> {
        let mut fragments =
            self.fragments.take().ok_or(Violation::Protocol("nothing is there to be continued"))?;
        fragments.bytes.extend_from_slice(payload);
        if !header.is_final {
            self.fragments = Some(fragments);
            return Ok(Incoming::Nothing);
        }
        let Fragments { opcode, bytes } = fragments;
        self.whole = bytes;
        let (room, payload) =
            self.whole.split_first_chunk_mut::<MAX_HEADER_BYTES>().expect("room was kept for the header");
        check_text(opcode, payload)?;
        let start = write_header(opcode, payload.len(), room);
        Ok(Incoming::Message(&self.whole[start..]))
    }
}

/// Writes a server's header over the client's.
fn reframe<'a>(header: &Header, frame: &'a mut [u8]) -> Result<&'a [u8], Violation> {
    let (client_header, payload) = frame.split_at_mut(header.bytes);
    check_text(header.opcode, payload)?;
    let mut room = [0; MAX_HEADER_BYTES];
    let start = write_header(header.opcode, payload.len(), &mut room);
    let server_header = &room[start..];
    let at = client_header.len() - server_header.len();
    client_header[at..].copy_from_slice(server_header);
    Ok(&frame[at..])
}

fn check_text(opcode: Opcode, payload: &[u8]) -> Result<(), Violation> {
    match opcode {
        Opcode::Text => simdutf8::basic::from_utf8(payload).map(drop).map_err(|_| Violation::NotUtf8),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame;

    /// A client's frame, masked.
    fn client(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [9, 8, 7, 6];
        let mut bytes = Vec::new();
        frame::append_header(Opcode::Binary, payload.len(), &mut bytes);
        bytes[0] = first;
        bytes[1] |= 0x80;
        bytes.extend_from_slice(&mask);
        bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
        bytes
    }

    fn server(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame::append(opcode, payload, &mut bytes);
        bytes
    }

    #[test]
    fn a_message_of_any_length_is_framed_for_the_way_back() {
        for length in [0, 1, 125, 126, 0xffff, 0x1_0000] {
            let payload = vec![b'a'; length];
            let mut bytes = client(0x81, &payload);
            let whole = bytes.len();
            bytes.extend_from_slice(b"next");
            let mut inbox = Inbox::default();
            assert_eq!(inbox.take(&mut bytes[..whole - 1]), Ok(None));
            let expected = server(Opcode::Text, &payload);
            assert_eq!(inbox.take(&mut bytes), Ok(Some((Incoming::Message(&expected), whole))));
        }
    }

    #[test]
    fn fragments_are_joined_around_a_ping() {
        let mut inbox = Inbox::default();
        assert_eq!(inbox.take(&mut client(0x01, b"gr\xc3")).unwrap().unwrap().0, Incoming::Nothing);
        assert_eq!(inbox.take(&mut client(0x89, b"?")).unwrap().unwrap().0, Incoming::Ping(b"?"));
        assert_eq!(inbox.take(&mut client(0x00, b"\xbc")).unwrap().unwrap().0, Incoming::Nothing);
        let expected = server(Opcode::Text, "grün".as_bytes());
        assert_eq!(inbox.take(&mut client(0x80, b"n")).unwrap().unwrap().0, Incoming::Message(&expected));
    }

    #[test]
    fn violations_are_named() {
        let take = |frames: &[Vec<u8>]| {
            let mut inbox = Inbox::default();
            frames.iter().find_map(|frame| inbox.take(&mut frame.clone()).err())
        };
        assert!(matches!(take(&[client(0x80, b"")]), Some(Violation::Protocol(_))));
        assert!(matches!(take(&[client(0x01, b""), client(0x81, b"")]), Some(Violation::Protocol(_))));
        assert_eq!(take(&[client(0x81, b"\xff")]), Some(Violation::NotUtf8));
        assert_eq!(take(&[client(0x01, b"\xc3"), client(0x80, b"")]), Some(Violation::NotUtf8));
        let mut long = client(0x82, b"");
        long.splice(1..2, [0xff, 0, 0, 0, 0, 0x01, 0, 0, 1]);
        assert_eq!(take(&[long]), Some(Violation::TooLong));
    }
}
