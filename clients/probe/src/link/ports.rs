//! Where connections come from, one after another: other loopback addresses once the ports of one are used up.
//!
//! A port is not free at once where the client was the first to end the connection (TIME-WAIT, RFC 9293, section 3.6): at some
//! thousand connections a second all 28,000 ports of one address are soon gone.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use super::socket::begin_connect;

/// Addresses that are tried: as many ports as a core can use up in minutes.
const MOST: u8 = 64;

/// Connects to one server.
#[derive(Debug)]
pub(crate) struct Source {
    server: SocketAddr,
    /// `None` while the system chooses.
    address: Option<Ipv4Addr>,
}

impl Source {
    pub(crate) fn new(server: SocketAddr) -> Source {
        Source { server, address: None }
    }

    /// A socket that is connecting, non-blocking, with Nagle's algorithm off.
    pub(crate) fn connect(&mut self) -> io::Result<OwnedFd> {
        loop {
            match begin_connect(self.server, self.address.map(IpAddr::V4)) {
                Err(cause) if is_used_up(&cause) => self.address = Some(self.next().ok_or(cause)?),
                begun => return begun,
            }
        }
    }

    /// 127.0.0.2 after 127.0.0.1; `None` where the server is not on loopback or all have been tried.
    fn next(&self) -> Option<Ipv4Addr> {
        let IpAddr::V4(server) = self.server.ip() else { return None };
        let last = self.address.map_or(1, |address| address.octets()[3]);
        (server.is_loopback() && last < MOST).then(|| Ipv4Addr::new(127, 0, 0, last + 1))
    }
}

/// EADDRNOTAVAIL of connect, EADDRINUSE of bind.
fn is_used_up(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_address_follows_until_all_were_tried() {
        let mut source = Source::new(([127, 0, 0, 1], 80).into());
        let mut tried = Vec::new();
        while let Some(next) = source.next() {
            source.address = Some(next);
            tried.push(next);
        }
        assert_eq!(tried.len(), usize::from(MOST) - 1);
        assert_eq!(tried[0], Ipv4Addr::new(127, 0, 0, 2));
    }

    #[test]
    fn a_server_elsewhere_has_no_other_source() {
        assert_eq!(Source::new(([192, 0, 2, 1], 80).into()).next(), None);
        assert_eq!(Source::new((std::net::Ipv6Addr::LOCALHOST, 80).into()).next(), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_chosen_address_is_what_the_server_sees() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Some(Ipv4Addr::new(127, 0, 0, 9));
        let socket = Source { address, ..Source::new(listener.local_addr().unwrap()) }.connect().unwrap();
        let (_, from) = listener.accept().unwrap();
        assert_eq!(from.ip(), Ipv4Addr::new(127, 0, 0, 9));
        drop(socket);
    }
}
