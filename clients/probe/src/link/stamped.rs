//! Reading a socket together with the time at which the kernel took in what is read.
//!
//! SO_TIMESTAMPNS (socket(7)): the kernel stamps each packet by CLOCK_REALTIME as the network hands it over; over loopback that is on
//! the sender's core, in its `send` call. A TCP read tells the stamp of the last packet that it took bytes from: where several
//! were merged in the socket's queue, that of the last of these.

pub(crate) use system::{receive, stamp};

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamped {
    pub(crate) bytes: usize,
    /// When the kernel took in the last of them, on CLOCK_REALTIME; `None` where it has not said.
    pub(crate) kernel_ns: Option<u64>,
}

#[cfg(target_os = "linux")]
mod system {
    use std::io;
    use std::mem::{size_of, zeroed};
    use std::os::fd::{AsRawFd as _, OwnedFd};

    use super::Stamped;
    use crate::link::socket::Patience;

    /// Lets the kernel stamp what this socket receives from now on.
    pub(crate) fn stamp(socket: &OwnedFd) -> io::Result<()> {
        let on: libc::c_int = 1;
        // SAFETY: the option's value is an int, which outlives the call, and its size is told.
        let answer = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_TIMESTAMPNS,
                (&raw const on).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Reads once, as [`socket::receive`](crate::link::socket::receive) does.
    #[inline]
    pub(crate) fn receive(
        socket: &OwnedFd,
        space: &mut [u8],
        patience: Patience,
    ) -> io::Result<Option<Stamped>> {
        /// Room for a stamp and one control message more, aligned as their header.
        type Control = [u64; 16];
        let mut control: Control = [0; 16];
        let mut part = libc::iovec { iov_base: space.as_mut_ptr().cast(), iov_len: space.len() };
        // SAFETY: a message header of zeros is one without parts.
        let mut message: libc::msghdr = unsafe { zeroed() };
        (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
        (message.msg_control, message.msg_controllen) =
            ((&raw mut control).cast(), size_of::<Control>() as _);
        let flags = if patience == Patience::None { libc::MSG_DONTWAIT } else { 0 };
        // SAFETY: the header names `space` and `control`, each with its length, and both outlive the call.
        let count = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
        let Ok(bytes) = usize::try_from(count) else {
            let cause = io::Error::last_os_error();
            return match cause.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
                _ => Err(cause),
            };
        };
        Ok(Some(Stamped { bytes, kernel_ns: kernel_ns(&message) }))
    }

    /// The stamp among the control messages that a read has filled in.
    #[inline]
    fn kernel_ns(message: &libc::msghdr) -> Option<u64> {
        // SAFETY: the kernel has set the length of the control messages, which lie in memory that is still alive, and the macros of
        // cmsg(3) stay within it.
        let mut control = unsafe { libc::CMSG_FIRSTHDR(message) };
        while !control.is_null() {
            // SAFETY: a control message that is not null is whole.
            let header = unsafe { *control };
            if header.cmsg_level == libc::SOL_SOCKET && header.cmsg_type == libc::SCM_TIMESTAMPNS {
                // SAFETY: a message of this type holds a timespec, at any alignment.
                let at: libc::timespec =
                    unsafe { libc::CMSG_DATA(control).cast::<libc::timespec>().read_unaligned() };
                return Some(at.tv_sec as u64 * 1_000_000_000 + at.tv_nsec as u64);
            }
            // SAFETY: as of the first.
            control = unsafe { libc::CMSG_NXTHDR(message, control) };
        }
        None
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;
    use std::os::fd::OwnedFd;

    use super::Stamped;
    use crate::link::socket::Patience;

    fn unsupported() -> io::Error {
        io::Error::new(io::ErrorKind::Unsupported, "the kernel's receive timestamps are read on Linux alone")
    }

    pub(crate) fn stamp(_: &OwnedFd) -> io::Result<()> {
        Err(unsupported())
    }

    pub(crate) fn receive(_: &OwnedFd, _: &mut [u8], _: Patience) -> io::Result<Option<Stamped>> {
        Err(unsupported())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::link::socket::Patience;

    #[test]
    fn a_read_without_data_and_one_at_the_end_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut writer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let socket: std::os::fd::OwnedFd = listener.accept().unwrap().0.into();
        stamp(&socket).unwrap();
        let mut space = [0; 8];
        assert_eq!(receive(&socket, &mut space, Patience::None).unwrap(), None);
        writer.write_all(b"tick").unwrap();
        let read = receive(&socket, &mut space, Patience::Wait).unwrap().unwrap();
        assert_eq!((read.bytes, &space[..4]), (4, &b"tick"[..]));
        drop(writer);
        assert_eq!(receive(&socket, &mut space, Patience::Wait).unwrap().unwrap().bytes, 0);
    }
}
