//! The system calls on sockets, with the errors that mean "not now" told apart from the others. A write to an ended connection is an
//! error and no signal: Rust's runtime ignores `SIGPIPE`.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, FdFlags};
use rustix::net::sockopt::{Timeout, set_socket_timeout, set_tcp_nodelay};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType};

/// A socket that is connecting to `server`, non-blocking, with Nagle's algorithm off; from `source`, where the kernel is not left to
/// choose.
pub(crate) fn begin_connect(server: SocketAddr, source: Option<IpAddr>) -> io::Result<OwnedFd> {
    let family = if server.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    set_tcp_nodelay(&socket, true)?;
    if let Some(source) = source {
        bind_address(&socket, source)?;
    }
    match rustix::net::connect(&socket, &server) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(errno) => Err(errno.into()),
    }
}

/// Binds an address and leaves the port to connecting, so that one port serves connections to several servers: binding both would
/// reserve it.
fn bind_address(socket: &OwnedFd, source: IpAddr) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let on: libc::c_int = 1;
        // SAFETY: the descriptor is open, and `on` lives over the call, which reads its four bytes.
        let told = unsafe {
            libc::setsockopt(
                std::os::fd::AsRawFd::as_raw_fd(socket),
                libc::IPPROTO_IP,
                libc::IP_BIND_ADDRESS_NO_PORT,
                std::ptr::from_ref(&on).cast(),
                size_of_val(&on) as libc::socklen_t,
            )
        };
        if told != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(rustix::net::bind(socket, &SocketAddr::new(source, 0))?)
}

/// Why connecting failed, once the socket is ready.
pub(crate) fn connect_error(socket: &OwnedFd) -> io::Result<()> {
    Ok(rustix::net::sockopt::socket_error(socket)??)
}

/// Lets reads and writes wait, each at most so long.
pub(crate) fn set_blocking(socket: &OwnedFd, read: Duration, write: Duration) -> io::Result<()> {
    rustix::io::ioctl_fionbio(socket, false)?;
    set_socket_timeout(socket, Timeout::Recv, Some(read))?;
    Ok(set_socket_timeout(socket, Timeout::Send, Some(write))?)
}

/// Whether a read waits for data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Until there is data or the socket's timeout has passed.
    Wait,
    /// Not at all.
    None,
}

/// Reads once. `None` where there was no data; 0 where the other end has closed.
#[inline]
pub(crate) fn receive(socket: impl AsFd, space: &mut [u8], patience: Patience) -> io::Result<Option<usize>> {
    let flags = if patience == Patience::None { RecvFlags::DONTWAIT } else { RecvFlags::empty() };
    match rustix::net::recv(socket, space, flags) {
        Ok((count, _)) => Ok(Some(count)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether a read would bring something: data, the end, or an error. Takes no lock of the socket on Linux (`tcp_poll`), so that it
/// neither waits for the kernel that is queueing a packet there nor makes it wait.
#[inline]
pub(crate) fn is_readable(socket: impl AsFd) -> io::Result<bool> {
    const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut sockets = [PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN)];
    match poll(&mut sockets, Some(&AT_ONCE)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Writes all of `bytes`, waiting for room as long as the socket's timeout says.
#[inline]
pub(crate) fn send_all(socket: impl AsFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::net::send(&socket, bytes, SendFlags::empty()) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the server does not read"));
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// Writes what there is room for; for farewells that must not wait.
pub(crate) fn send_at_once(socket: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(socket, bytes, SendFlags::DONTWAIT)?)
}
