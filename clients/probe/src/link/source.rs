//! Which address a connection comes from.
//!
//! A connection is told by its two addresses and ports, and one local address has some 28,000 ports to connect from. What has been
//! closed keeps its port for a minute, and the more of them are taken, the longer the kernel looks for a free one. All of 127/8 is
//! this machine on Linux, so that many connections to a loopback server come from several addresses, drawn anew each time.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::random::random_bytes;

/// Connections from one address: a seventh of the ports that it has, unless the system was told otherwise.
const PER_ADDRESS: usize = 4000;

/// The addresses of a number of connections to one server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sources {
    /// The network 127.x.y, where the kernel is not left to choose.
    network: Option<[u8; 2]>,
    per_address: usize,
}

impl Sources {
    /// For `count` connections to `server`: few are left to the kernel, as are all to a server that is not on 127/8.
    pub(crate) fn of(server: SocketAddr, count: usize) -> std::io::Result<Sources> {
        if count <= PER_ADDRESS || !can_choose(server) {
            return Ok(Sources { network: None, per_address: PER_ADDRESS });
        }
        Sources::spread(PER_ADDRESS)
    }

    /// For connections to `server` that are to share no port with others.
    pub(crate) fn apart(server: SocketAddr) -> std::io::Result<Sources> {
        if can_choose(server) {
            Sources::spread(PER_ADDRESS)
        } else {
            Ok(Sources { network: None, per_address: PER_ADDRESS })
        }
    }

    fn spread(per_address: usize) -> std::io::Result<Sources> {
        let [x, y] = random_bytes()?;
        // Not 127.0: servers and others live there.
        Ok(Sources { network: Some([x.max(1), y]), per_address })
    }

    /// The address of connection `index`; `None` where the kernel chooses.
    pub(crate) fn address(&self, index: usize) -> Option<IpAddr> {
        let [x, y] = self.network?;
        let host = 1 + index / self.per_address % 254;
        Some(Ipv4Addr::new(127, x, y, host as u8).into())
    }
}

fn can_choose(server: SocketAddr) -> bool {
    cfg!(target_os = "linux") && matches!(server.ip(), IpAddr::V4(ip) if ip.is_loopback())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn few_connections_are_left_to_the_kernel_and_so_are_all_to_other_machines() {
        let address =
            |server: &str, count| Sources::of(server.parse().unwrap(), count).unwrap().address(count - 1);
        assert_eq!(address("127.0.0.1:80", PER_ADDRESS), None);
        assert_eq!(address("192.0.2.1:80", 10_000), None);
        assert_eq!(address("[::1]:80", 10_000), None);
        assert!(address("127.0.0.1:80", 10_000).unwrap().is_loopback());
    }

    #[test]
    fn many_connections_share_few_addresses() {
        let sources = Sources::of(([127, 0, 0, 1], 80).into(), 10_000).unwrap();
        let mut addresses: Vec<_> = (0..10_000).map(|index| sources.address(index).unwrap()).collect();
        addresses.dedup();
        assert_eq!(addresses.len(), 3);
        assert!(addresses.iter().all(|address| *address != Ipv4Addr::LOCALHOST));
    }

    #[test]
    fn a_connection_comes_from_the_address_that_was_asked_for() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let sources = Sources::spread(2).unwrap();
        let sockets: Vec<_> = (0..4)
            .map(|index| super::super::socket::begin_connect(server, sources.address(index)).unwrap())
            .collect();
        let mut came: Vec<_> = sockets.iter().map(|_| listener.accept().unwrap().1.ip()).collect();
        came.sort();
        let asked: Vec<_> = (0..4).map(|index| sources.address(index).unwrap()).collect();
        assert_eq!(came, asked);
    }
}
