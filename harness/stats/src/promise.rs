//! Whether the tuned lane is what servers/TUNING.md promises of every server, as far as the sockets tell.

use tickbench_record::{Lane, Ledger, SocketBuffer};

/// What servers in the tuned lane set against the promise, a sentence each without its stop: TCP_NODELAY is on, and the socket's
/// buffers are the kernel's to size. A socket that could not be read breaks none.
pub fn broken_promises(ledger: &Ledger) -> Vec<String> {
    let tuned = ledger.entries.iter().filter(|entry| entry.lane == Lane::Tuned);
    let mut broken = Vec::new();
    for (server, socket) in tuned.filter_map(|entry| Some((&entry.server, entry.socket.read()?))) {
        if !socket.no_delay {
            broken.push(format!(
                "{server} left TCP_NODELAY off in its tuned lane, where servers/TUNING.md promises it on"
            ));
        }
        for (name, buffer) in [("SO_SNDBUF", &socket.send_buffer), ("SO_RCVBUF", &socket.receive_buffer)] {
            let SocketBuffer { bytes, is_set } = buffer;
            if is_set.read() == Some(&true) {
                broken.push(format!(
                    "{server} set {name} to {bytes} B in its tuned lane, where servers/TUNING.md promises that the kernel \
                     sizes it"
                ));
            }
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use tickbench_record::{BuildFlags, LedgerEntry, Reading, SocketSettings};

    use super::*;

    fn entry(lane: Lane, no_delay: bool, is_set: Reading<bool>) -> LedgerEntry {
        fn missing<T>() -> Reading<T> {
            Reading::Missing { missing: "not looked at".into() }
        }
        let buffer = |is_set: &Reading<bool>| SocketBuffer { bytes: 4096, is_set: is_set.clone() };
        LedgerEntry {
            server: "a".into(),
            lane,
            version: "1".into(),
            build: BuildFlags::default(),
            executable: missing(),
            threads: missing(),
            backlog: missing(),
            socket: Reading::Read(SocketSettings {
                no_delay,
                cork: false,
                quick_ack: true,
                keep_alive: false,
                send_buffer: buffer(&is_set),
                receive_buffer: buffer(&Reading::Read(false)),
                not_sent_low_water_bytes: 0,
                busy_poll_us: 0,
                congestion: "cubic".into(),
            }),
            streams: Vec::new(),
        }
    }

    fn broken(entry: LedgerEntry) -> Vec<String> {
        broken_promises(&Ledger { entries: vec![entry] })
    }

    #[test]
    fn the_tuned_lane_alone_has_promised() {
        let unset = Reading::Read(false);
        assert_eq!(broken(entry(Lane::Default, false, Reading::Read(true))), [""; 0]);
        assert_eq!(broken(entry(Lane::Tuned, true, unset.clone())), [""; 0]);
        assert!(broken(entry(Lane::Tuned, false, unset))[0].contains("left TCP_NODELAY off"));
        assert!(broken(entry(Lane::Tuned, true, Reading::Read(true)))[0].contains("set SO_SNDBUF to 4096 B"));
    }

    #[test]
    fn what_could_not_be_read_breaks_nothing() {
        let unknown = Reading::Missing { missing: "an old kernel".into() };
        assert_eq!(broken(entry(Lane::Tuned, true, unknown)), [""; 0]);
        let socket = Reading::Missing { missing: "refused".into() };
        let entry = LedgerEntry { socket, ..entry(Lane::Tuned, false, Reading::Read(true)) };
        assert_eq!(broken(entry), [""; 0]);
    }
}
