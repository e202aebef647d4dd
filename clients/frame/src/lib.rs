//! RFC 6455 frames, seen from the client: a zero-copy reader of what a server sends and a writer of what a client sends.
//!
//! [`Decoder`] turns bytes into messages and control frames and refuses, by name, what a server may not send. [`Inbox`] is
//! the buffer between a socket and a decoder. [`write_frame`] appends one frame to a buffer.
//!
//! **Invariant:** no I/O, no clock, no randomness. Bytes come in as slices, masks as arguments.

mod decoder;
mod inbox;
mod opcode;
mod violation;
mod writer;

pub use decoder::{CloseFrame, Decoder, Event, Kind};
pub use inbox::Inbox;
pub use opcode::Opcode;
pub use violation::Violation;
pub use writer::{Mask, write_close, write_frame};
