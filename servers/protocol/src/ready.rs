//! The one line that a server prints when it can accept connections.

use std::net::SocketAddr;

/// What the ready line starts with; the address follows after one space.
pub const READY_PREFIX: &str = "listening";

/// The ready line for `address`, without its line feed.
pub fn ready_line(address: SocketAddr) -> String {
    format!("{READY_PREFIX} {address}")
}

/// The address in a ready line, or `None` where the line is something else.
pub fn parse_ready_line(line: &str) -> Option<SocketAddr> {
    line.trim_end().strip_prefix(READY_PREFIX)?.strip_prefix(' ')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ready_line_reads_back() {
        for address in ["127.0.0.1:40000", "[::1]:9"] {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(parse_ready_line(&(ready_line(address) + "\n")), Some(address));
        }
    }

    #[test]
    fn other_lines_are_not_ready_lines() {
        for line in
            ["", "listening", "listening 127.0.0.1", "Listening 127.0.0.1:80", "listening  127.0.0.1:80"]
        {
            assert_eq!(parse_ready_line(line), None, "{line:?}");
        }
    }
}
