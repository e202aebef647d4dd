//! From messages to bytes.

use crate::Opcode;

/// Whether a frame is masked: a client must, a server must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// A client's frame, with this key.
    Key([u8; 4]),
    /// A server's frame.
    None,
}

/// Appends one frame to `out`. `fin` is false for all but the last part of a fragmented message.
pub fn write_frame(out: &mut Vec<u8>, fin: bool, opcode: Opcode, mask: Mask, payload: &[u8]) {
    let masked = if mask == Mask::None { 0 } else { 0x80 };
    out.push(opcode as u8 | if fin { 0x80 } else { 0 });
    match payload.len() {
        short @ 0..=125 => out.push(masked | short as u8),
        medium @ 126..=0xffff => {
            out.push(masked | 126);
            out.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            out.push(masked | 127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    let Mask::Key(key) = mask else { return out.extend_from_slice(payload) };
    out.extend_from_slice(&key);
    let start = out.len();
    out.extend_from_slice(payload);
    for part in out[start..].chunks_mut(4) {
        part.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
    }
}

/// Appends a close frame with `code` and no reason.
pub fn write_close(out: &mut Vec<u8>, mask: Mask, code: u16) {
    write_frame(out, true, Opcode::Close, mask, &code.to_be_bytes());
}
