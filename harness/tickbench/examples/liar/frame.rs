//! Frames of RFC 6455, taken from a stream of bytes and written again as they were.

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

pub(crate) const CLOSE: u8 = 8;
pub(crate) const PONG: u8 = 10;

/// One frame; a masked payload stays masked until [`Frame::unmask`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    first: u8,
    mask: Option<[u8; 4]>,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// A final frame of a server.
    pub(crate) fn new(opcode: u8, payload: Vec<u8>) -> Frame {
        Frame { first: FIN | opcode, mask: None, payload }
    }

    pub(crate) fn close(code: u16) -> Frame {
        Frame::new(CLOSE, code.to_be_bytes().to_vec())
    }

    /// Takes a whole frame from the front of `bytes`.
    pub(crate) fn take(bytes: &mut Vec<u8>) -> Option<Frame> {
        let (&first, &second) = (bytes.first()?, bytes.get(1)?);
        let (length, at) = match second & !MASKED {
            126 => (u64::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?)), 4),
            127 => (u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?), 10),
            short => (short.into(), 2),
        };
        let mask = if second & MASKED == 0 { None } else { Some(*bytes.get(at..)?.first_chunk()?) };
        let start = at + mask.map_or(0, |mask: [u8; 4]| mask.len());
        let end = start + length as usize;
        let payload = bytes.get(start..end)?.to_vec();
        bytes.drain(..end);
        Some(Frame { first, mask, payload })
    }

    pub(crate) fn opcode(&self) -> u8 {
        self.first & 0x0f
    }

    /// Whether it is what a lie is counted in: a data message or a pong.
    pub(crate) fn counts(&self) -> bool {
        self.opcode() < CLOSE || self.opcode() == PONG
    }

    /// Whether it is a whole data message.
    pub(crate) fn is_message(&self) -> bool {
        self.first & FIN != 0 && matches!(self.opcode(), 1 | 2)
    }

    /// Takes the mask off the payload; a mask of zeros stays, which changes nothing. A frame that had none gets it too.
    pub(crate) fn unmask(&mut self) {
        let mask = self.mask.replace([0; 4]).unwrap_or_default();
        self.payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let masked = if self.mask.is_some() { MASKED } else { 0 };
        let mut bytes = vec![self.first];
        match self.payload.len() {
            length @ 0..126 => bytes.push(masked | length as u8),
            length @ 126..=0xffff => {
                bytes.push(masked | 126);
                bytes.extend_from_slice(&(length as u16).to_be_bytes());
            }
            length => {
                bytes.push(masked | 127);
                bytes.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        bytes.extend(self.mask.iter().flatten());
        bytes.extend_from_slice(&self.payload);
        bytes
    }
}
