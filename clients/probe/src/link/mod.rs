//! Upgraded connections: how they are opened and how their bytes are read.

#[cfg(test)]
mod answer_properties;
mod body;
mod handshake;
mod limit;
mod opening;
pub(crate) mod poller;
mod ports;
mod random;
pub(crate) mod socket;
mod source;
pub(crate) mod stamped;

use std::os::fd::OwnedFd;

pub(crate) use handshake::{Answer, Upgrade, accept_of, content_length, header};
pub(crate) use limit::raise_open_files;
pub(crate) use opening::{Spacing, open};
pub(crate) use ports::Source;
pub(crate) use random::random_bytes;
pub(crate) use source::Sources;

use tickbench_frame::Decoder;

/// The largest message that the probe accepts.
pub(crate) const MAX_MESSAGE_BYTES: u64 = 64 << 20;

/// One upgraded connection: some fifty bytes. It has no buffer of its own but for the start of a frame, while there is one.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) socket: OwnedFd,
    pub(crate) decoder: Decoder,
    /// Received and not yet decoded.
    pub(crate) leftover: Vec<u8>,
    /// Bytes of the answer that upgraded it.
    pub(crate) head_bytes: usize,
    /// When the client began to send the request that upgraded it.
    pub(crate) asked_ns: u64,
}
