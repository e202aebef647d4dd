//! The two ways to read one connection, chosen once: the plain one compiles to what it would be without the other.

use std::io;
use std::os::fd::OwnedFd;

use crate::link::socket::{self, Patience};
use crate::link::stamped::{self, Stamped};

/// How a connection is read.
pub(crate) trait Reading {
    /// Reads once. `None` where there was no data; no bytes where the other end has closed.
    fn read(socket: &OwnedFd, space: &mut [u8], patience: Patience) -> io::Result<Option<Stamped>>;
}

/// As any program reads.
pub(crate) enum Plain {}

/// Together with the kernel's receive timestamp.
pub(crate) enum WithKernelTime {}

impl Reading for Plain {
    #[inline(always)]
    fn read(socket: &OwnedFd, space: &mut [u8], patience: Patience) -> io::Result<Option<Stamped>> {
        let received = socket::receive(socket, space, patience)?;
        Ok(received.map(|bytes| Stamped { bytes, kernel_ns: None }))
    }
}

impl Reading for WithKernelTime {
    #[inline(always)]
    fn read(socket: &OwnedFd, space: &mut [u8], patience: Patience) -> io::Result<Option<Stamped>> {
        stamped::receive(socket, space, patience)
    }
}
