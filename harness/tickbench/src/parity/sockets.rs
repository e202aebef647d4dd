//! The sockets of another process: which descriptor is which connection, and what the kernel holds for it.
//!
//! The descriptor is found by the addresses of both ends (/proc/PID/net/tcp gives the socket's inode, /proc/PID/fd the descriptor),
//! duplicated by pidfd_getfd (man 2 pidfd_getfd, Linux 5.6), and asked by getsockopt. The duplicate shares the socket, so that its
//! answers are those that the server would get.

use std::io;
use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::net::{getpeername, sockopt};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use tickbench_record::{Reading, SocketBuffer, SocketSettings};

/// Bits of SO_BUF_LOCK's answer: whoever set the size fixed it (include/uapi/linux/socket.h).
const SEND_BUFFER_IS_SET: u32 = 1;
const RECEIVE_BUFFER_IS_SET: u32 = 2;

/// SO_BUF_LOCK of include/uapi/asm-generic/socket.h, since Linux 5.14.
const SO_BUF_LOCK: i32 = 72;

/// Where `tcpi_sacked` stands in `struct tcp_info`, in words of 32 bits: of a listener, the bound of its queue (tcp_get_info in
/// net/ipv4/tcp.c).
const TCPI_SACKED: usize = 7;

/// The state LISTEN in /proc/net/tcp.
const LISTENING: &str = "0A";

/// The server's end of a connection, by its numbers in the server: a socket may have several.
pub(crate) fn descriptors(pid: u32, server: SocketAddr, client: SocketAddr) -> Result<Vec<i32>, String> {
    let of = |line: &Line| line.local == server && line.remote == client;
    find(pid, of, &format!("the connection from {client}"))
}

/// The options of the server's end of a connection.
pub(crate) fn settings(pid: u32, server: SocketAddr, client: SocketAddr) -> Result<SocketSettings, String> {
    let socket = duplicate(pid, &descriptors(pid, server, client)?)?;
    let peer = getpeername(&socket).map_err(|cause| format!("failed to ask for the other end: {cause}"))?;
    // The number may have become another's between the two steps.
    match peer.map(SocketAddr::try_from) {
        Some(Ok(peer)) if canonical(peer) == canonical(client) => {}
        _ => return Err("the descriptor was no longer that of the connection".into()),
    }
    read(&socket).map_err(|cause| format!("failed to read the options of the socket: {cause}"))
}

/// How many connections may wait for the server to accept them.
pub(crate) fn backlog(pid: u32, server: SocketAddr) -> Result<u64, String> {
    let of = |line: &Line| line.is_listening && line.local.port() == server.port();
    let listener = duplicate(pid, &find(pid, of, &format!("the listener of {server}"))?)?;
    let info = words::<{ TCPI_SACKED + 1 }>(&listener, libc::IPPROTO_TCP, libc::TCP_INFO);
    info.map(|info| info[TCPI_SACKED].into()).map_err(|cause| format!("failed to read TCP_INFO: {cause}"))
}

fn read(socket: &OwnedFd) -> io::Result<SocketSettings> {
    let number = |level, name| words::<1>(socket, level, name).map(|[number]| number);
    let set = number(libc::SOL_SOCKET, SO_BUF_LOCK);
    let buffer = |bytes: usize, bit| SocketBuffer {
        bytes: bytes as u64,
        is_set: match &set {
            Ok(bits) => Reading::Read(bits & bit != 0),
            Err(cause) => Reading::Missing { missing: format!("SO_BUF_LOCK needs Linux 5.14: {cause}") },
        },
    };
    Ok(SocketSettings {
        no_delay: sockopt::tcp_nodelay(socket)?,
        cork: sockopt::tcp_cork(socket)?,
        quick_ack: sockopt::tcp_quickack(socket)?,
        keep_alive: sockopt::socket_keepalive(socket)?,
        send_buffer: buffer(sockopt::socket_send_buffer_size(socket)?, SEND_BUFFER_IS_SET),
        receive_buffer: buffer(sockopt::socket_recv_buffer_size(socket)?, RECEIVE_BUFFER_IS_SET),
        not_sent_low_water_bytes: number(libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT)?.into(),
        busy_poll_us: number(libc::SOL_SOCKET, libc::SO_BUSY_POLL)?.into(),
        congestion: sockopt::tcp_congestion(socket)?,
    })
}

/// An option that rustix does not know, as words of 32 bits; the kernel may fill in fewer, and those stay 0.
fn words<const N: usize>(socket: &OwnedFd, level: i32, name: i32) -> io::Result<[u32; N]> {
    let mut words = [0_u32; N];
    let mut bytes = size_of::<[u32; N]>() as libc::socklen_t;
    // SAFETY: the pointers are to a local array and its size in bytes, and any bits are valid words.
    let outcome = unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, name, words.as_mut_ptr().cast(), &raw mut bytes)
    };
    if outcome == 0 { Ok(words) } else { Err(io::Error::last_os_error()) }
}

/// A descriptor of this process for the socket that has these in the other.
fn duplicate(pid: u32, descriptors: &[i32]) -> Result<OwnedFd, String> {
    let &descriptor = descriptors.first().ok_or("the server holds no descriptor of it")?;
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or("the server has no process id")?;
    let duplicated = pidfd_open(pid, PidfdFlags::empty())
        .and_then(|process| pidfd_getfd(process, descriptor, PidfdGetfdFlags::empty()));
    duplicated.map_err(|errno| {
        let advice = match errno {
            rustix::io::Errno::PERM | rustix::io::Errno::ACCESS => {
                "; it takes the right to trace: see kernel.yama.ptrace_scope (at most 1), or a container's seccomp profile"
            }
            rustix::io::Errno::NOSYS => "; it needs Linux 5.6, or a container's seccomp profile that lets it pass",
            _ => "",
        };
        format!("pidfd_getfd was refused: {errno}{advice}")
    })
}

/// One socket of /proc/net/tcp.
struct Line {
    local: SocketAddr,
    remote: SocketAddr,
    is_listening: bool,
    inode: u64,
}

fn find(pid: u32, of: impl Fn(&Line) -> bool, what: &str) -> Result<Vec<i32>, String> {
    let mut lines = Vec::new();
    for table in ["tcp", "tcp6"] {
        // A kernel without IPv6 has no second table.
        let text = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        lines.extend(text.lines().filter_map(parse_line));
    }
    let inodes: Vec<String> =
        lines.iter().filter(|line| of(line)).map(|line| format!("socket:[{}]", line.inode)).collect();
    let path = format!("/proc/{pid}/fd");
    let entries = std::fs::read_dir(&path).map_err(|cause| format!("failed to open `{path}`: {cause}"))?;
    let is_it = |entry: &std::fs::DirEntry| {
        // One that was closed meanwhile is not looked for.
        let link = std::fs::read_link(entry.path()).ok();
        link.is_some_and(|link| inodes.iter().any(|inode| link.as_os_str() == inode.as_str()))
    };
    let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let mut found: Vec<i32> = entries.flatten().filter(is_it).filter_map(number).collect();
    found.sort_unstable();
    if found.is_empty() { Err(format!("the server holds no descriptor of {what}")) } else { Ok(found) }
}

/// `sl local_address rem_address st tx_queue:rx_queue tr:when retrnsmt uid timeout inode …`
fn parse_line(line: &str) -> Option<Line> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [_, local, remote, state, _, _, _, _, _, inode, ..] = fields[..] else { return None };
    Some(Line {
        local: parse_address(local)?,
        remote: parse_address(remote)?,
        is_listening: state == LISTENING,
        inode: inode.parse().ok()?,
    })
}

/// Words of 32 bits in the machine's own order, as the network has their bytes, and the port: `0100007F:1F90`.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let word =
        |at: usize| Some(u32::from_str_radix(address.get(at * 8..at * 8 + 8)?, 16).ok()?.to_ne_bytes());
    let ip = match address.len() {
        8 => IpAddr::from(Ipv4Addr::from(word(0)?)),
        32 => {
            let bytes = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?))
        }
        _ => return None,
    };
    Some(canonical(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?)))
}

/// An IPv4 address that a listener of IPv6 shows as one of its own, as what it is.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn the_kernels_addresses_are_read() {
        for (text, address) in [
            ("0100007F:1F90", "127.0.0.1:8080"),
            ("00000000000000000000000001000000:0050", "[::1]:80"),
            ("0000000000000000FFFF00000100007F:0050", "127.0.0.1:80"),
        ] {
            assert_eq!(parse_address(text), Some(address.parse().unwrap()), "{text}");
        }
        assert!(parse_address("7F:1").is_none() && parse_line("sl local_address rem_address").is_none());
    }

    /// A machine that refuses pidfd_getfd must say so; any other must tell what was set.
    #[test]
    fn the_options_of_a_socket_are_read_back() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        for no_delay in [true, false] {
            let client = TcpStream::connect(server).unwrap();
            let (accepted, address) = listener.accept().unwrap();
            accepted.set_nodelay(no_delay).unwrap();
            sockopt::set_socket_keepalive(&accepted, no_delay).unwrap();
            if no_delay {
                sockopt::set_socket_send_buffer_size(&accepted, 20_000).unwrap();
            }
            assert_eq!(
                descriptors(std::process::id(), server, address),
                Ok(vec![accepted.as_raw_fd()]),
                "found without any right to trace"
            );
            match settings(std::process::id(), server, address) {
                Err(reason) => {
                    eprintln!("this machine does not let a socket be looked at: {reason}");
                    assert!(reason.starts_with("pidfd_getfd was refused: "), "{reason}");
                }
                Ok(read) => {
                    assert_eq!((read.no_delay, read.keep_alive, read.cork), (no_delay, no_delay, false));
                    assert!(!read.congestion.is_empty());
                    if no_delay {
                        assert_eq!(read.send_buffer.bytes, 40_000);
                    }
                    if let Reading::Read(is_set) = read.send_buffer.is_set {
                        assert_eq!(is_set, no_delay);
                    }
                }
            }
            drop(client);
        }
    }

    #[test]
    fn the_backlog_is_what_was_asked_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        rustix::net::listen(&listener, 7).unwrap();
        match backlog(std::process::id(), listener.local_addr().unwrap()) {
            Ok(backlog) => assert_eq!(backlog, 7),
            Err(reason) => assert!(reason.starts_with("pidfd_getfd was refused: "), "{reason}"),
        }
    }

    #[test]
    fn a_connection_that_is_not_there_is_missed_in_words() {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
        let reason = settings(std::process::id(), nowhere, nowhere).unwrap_err();
        assert_eq!(reason, "the server holds no descriptor of the connection from 127.0.0.1:9");
    }
}
