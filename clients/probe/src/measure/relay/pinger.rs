//! A connection that sends pings as fast as the server takes them from the window's start on, and reads no pong.
//!
//! RFC 6455 lets a server answer only the latest ping, or read no more from who does not read; one that keeps every pong grows by what it
//! takes. The connection is a publisher's that publishes nothing, so that pongs are all that a server can keep for it.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;

use tickbench_client_kit::{Failure, monotonic_ns};
use tickbench_frame::{Mask, Opcode, write_frame};
use tickbench_record::{Disturbed, MAX_PINGED_BYTES, MAX_PINGED_BYTES_PER_S, Request, Stage};

use super::PUBLISH;
use super::reader::{Appetite, Reader};
use crate::link::random_bytes;
use crate::link::socket::send_at_once;

/// Pings that are sent at once: 16 KiB of them, less than a large message takes to copy.
const PINGS_AT_ONCE: usize = 125;

/// What a control frame carries at most (RFC 6455, section 5.5).
const PING_PAYLOAD: [u8; 125] = [b'?'; 125];

pub(super) struct Pinger {
    reader: Reader,
    pings: Pings,
    spent_ns: u64,
}

impl Pinger {
    /// Connects.
    pub(super) fn new(request: &Request) -> Result<Pinger, Failure> {
        let reader = Reader::new(request, PUBLISH, Appetite::None)?;
        let key = random_bytes()
            .map_err(|cause| Failure::new(Stage::Connect, format!("failed to draw a mask: {cause}")))?;
        Ok(Pinger { reader, pings: Pings::new(key), spent_ns: 0 })
    }

    /// It sends from now on; `published` messages were until then.
    pub(super) fn open_window(&mut self, now_ns: u64, published: u64) {
        self.reader.open_window(published);
        self.pings.next_ns = Some(now_ns);
    }

    /// When it sends again.
    pub(super) fn next_ns(&self) -> u64 {
        self.pings.next_ns.unwrap_or(u64::MAX)
    }

    /// Sends once, where it is time to.
    pub(super) fn step(&mut self, now_ns: u64) {
        if self.next_ns() <= now_ns {
            // How the server has ended the connection, where that is why, is read when the window is over.
            self.pings.next_ns = self.pings.send(self.reader.socket(), now_ns).unwrap_or(None);
            self.spent_ns += monotonic_ns() - now_ns;
        }
    }

    /// Reads what is left, and tells what became of it.
    pub(super) fn finish(self, published: u64) -> Disturbed {
        let seen = self.reader.finish(published);
        // No message is sent to a publisher, and so none is missed.
        Disturbed { lost: 0, client_ns: self.spent_ns, pinged_bytes: Some(self.pings.sent_bytes), ..seen }
    }
}

/// The pings of one window.
struct Pings {
    /// Sent again and again.
    frames: Vec<u8>,
    sent_bytes: u64,
    /// When more are sent; `None` before the window, and when it was all.
    next_ns: Option<u64>,
}

impl Pings {
    fn new(key: [u8; 4]) -> Pings {
        let mut frames = Vec::new();
        for _ in 0..PINGS_AT_ONCE {
            write_frame(&mut frames, true, Opcode::Ping, Mask::Key(key), &PING_PAYLOAD);
        }
        Pings { frames, sent_bytes: 0, next_ns: None }
    }

    /// Sends what the kernel has room for, one buffer at most; tells when there is more to send.
    fn send(&mut self, socket: impl AsFd, now_ns: u64) -> io::Result<Option<u64>> {
        let buffer_bytes = self.frames.len() as u64;
        let at = (self.sent_bytes % buffer_bytes) as usize;
        match send_at_once(socket, &self.frames[at..]) {
            Ok(sent) => self.sent_bytes += sent as u64,
            Err(cause) if matches!(cause.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(cause) => return Err(cause),
        }
        let is_whole = self.sent_bytes.is_multiple_of(buffer_bytes);
        let was_all = is_whole && self.sent_bytes + buffer_bytes > MAX_PINGED_BYTES;
        Ok((!was_all).then(|| now_ns + buffer_bytes * 1_000_000_000 / MAX_PINGED_BYTES_PER_S))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn so_many_whole_pings_are_sent_and_no_more_however_many_fit_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let reading = std::thread::spawn(move || {
            let mut first = [0; 131];
            server.read_exact(&mut first).unwrap();
            (first, 131 + io::copy(&mut server, &mut io::sink()).unwrap())
        });
        let (mut pings, mut now_ns, mut sends) = (Pings::new([0; 4]), 0, 0);
        while let Some(next_ns) = pings.send(&client, now_ns).unwrap() {
            now_ns = next_ns;
            sends += 1;
        }
        drop(client);
        let (first, received) = reading.join().unwrap();
        assert_eq!(first[..6], [0x89, 0xfd, 0, 0, 0, 0]);
        assert_eq!(received, pings.sent_bytes);
        assert!(received.is_multiple_of(131) && received <= MAX_PINGED_BYTES);
        assert!(received > MAX_PINGED_BYTES - pings.frames.len() as u64, "{received} B were all");
        assert!(received * 1_000_000_000 / MAX_PINGED_BYTES_PER_S <= now_ns + 1_000_000, "{sends} sends");
    }
}
