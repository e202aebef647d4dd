//! The one that publishes: ticks on an absolute schedule, from the thread that receives them too.

use std::io;
use std::os::fd::OwnedFd;

use tickbench_client_kit::monotonic_ns;
use tickbench_frame::{Mask, Opcode, write_frame};
use tickbench_protocol::{
    Arrivals, BINARY_HEADER_BYTES, JSON_HEADER_BYTES, Payload, Stamps, Tape, encode_binary, encode_json,
};
use tickbench_record::{Arrival, Encoding, Request};

use crate::link::random_bytes;
use crate::link::socket::send_at_once;

/// Publishes on a socket of its own, and never waits for it.
pub(super) struct Publisher {
    socket: OwnedFd,
    encoding: Encoding,
    size_bytes: usize,
    tape: Tape,
    arrivals: Arrivals,
    key: [u8; 4],
    start_ns: u64,
    next: Stamps,
    /// Nothing that is due from then on is published.
    end_ns: Option<u64>,
    /// The frame of the next message, whole but for its stamps; or the rest of the last, of which the kernel had no room for all.
    frame: Vec<u8>,
    /// How much of `frame` is with the kernel: some of it, while a message is under way.
    sent_bytes: usize,
    payload: Vec<u8>,
}

impl Publisher {
    /// Publishes on `socket` from now on.
    pub(super) fn new(request: &Request, socket: OwnedFd) -> io::Result<Publisher> {
        let rate = request.rate_per_s;
        let mut publisher = Publisher {
            socket,
            encoding: request.encoding,
            size_bytes: request.size_bytes as usize,
            tape: Tape::generate(request.seed),
            arrivals: match request.arrival {
                Arrival::Poisson => Arrivals::poisson(rate, request.seed),
                Arrival::Burst => Arrivals::burst(rate),
                Arrival::Constant | Arrival::Recorded => Arrivals::constant(rate),
            },
            key: random_bytes()?,
            start_ns: monotonic_ns(),
            next: Stamps::default(),
            end_ns: None,
            frame: Vec::new(),
            sent_bytes: 0,
            payload: Vec::new(),
        };
        publisher.prepare(0);
        Ok(publisher)
    }

    /// How many messages were published, the one under way included.
    #[inline]
    pub(super) fn published(&self) -> u64 {
        self.next.seq + u64::from(self.is_under_way())
    }

    /// When the next message is due, or has its rest to go; `None` where there will be none.
    #[inline]
    pub(super) fn due_ns(&self) -> Option<u64> {
        let is_over = self.end_ns.is_some_and(|end_ns| self.next.due_ns >= end_ns);
        (!is_over || self.is_under_way()).then_some(self.next.due_ns)
    }

    /// Whether the kernel had no room for all of a message.
    #[inline]
    pub(super) fn is_under_way(&self) -> bool {
        self.sent_bytes > 0
    }

    /// Bytes of the payload of one message: of all of them, about.
    pub(super) fn message_bytes(&self) -> u64 {
        self.payload.len() as u64
    }

    /// Publishes what is due before `end_ns`, and then no more.
    pub(super) fn end_at(&mut self, end_ns: u64) {
        self.end_ns = Some(end_ns);
    }

    /// Publishes the next message, or sends on what is under way: one call that does not wait. Returns the message's stamps where it
    /// was begun.
    pub(super) fn publish(&mut self) -> io::Result<Option<Stamps>> {
        let begun = if self.is_under_way() {
            None
        } else {
            self.next.sent_ns = monotonic_ns();
            self.stamp();
            Some(self.next)
        };
        let sent_bytes = match send_at_once(&self.socket, &self.frame[self.sent_bytes..]) {
            Ok(bytes) => bytes,
            Err(cause) if matches!(cause.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => 0,
            Err(cause) => return Err(cause),
        };
        self.sent_bytes += sent_bytes;
        if self.sent_bytes == self.frame.len() {
            self.prepare(self.next.seq + 1);
            return Ok(begun);
        }
        // Where there was no room at all, it is not begun: it is stamped anew when it is tried again.
        Ok(begun.filter(|_| self.is_under_way()))
    }

    fn prepare(&mut self, seq: u64) {
        let offset_ns = self.arrivals.next().expect("a schedule has no end");
        self.next = Stamps { seq, due_ns: self.start_ns + offset_ns, sent_ns: 0 };
        let (payload, update) = (&mut self.payload, Payload::Update(self.tape.update(seq)));
        payload.clear();
        let opcode = match self.encoding {
            Encoding::Json => {
                encode_json(&self.next, update, self.size_bytes, payload);
                Opcode::Text
            }
            Encoding::Binary => {
                encode_binary(&self.next, update, self.size_bytes, payload);
                Opcode::Binary
            }
        };
        self.frame.clear();
        self.sent_bytes = 0;
        write_frame(&mut self.frame, true, opcode, Mask::Key(self.key), payload);
    }

    /// Writes the stamps over those that were prepared. The head of the message begins with the mask's first byte.
    fn stamp(&mut self) {
        let mut head = [0; JSON_HEADER_BYTES];
        let head = match self.encoding {
            Encoding::Json => {
                self.next.write_json(&mut head);
                &head[..]
            }
            Encoding::Binary => {
                self.next.write_binary(&mut head);
                &head[..BINARY_HEADER_BYTES]
            }
        };
        let at = self.frame.len() - self.payload.len();
        let masked = head.iter().zip(self.key.iter().cycle()).map(|(byte, key)| byte ^ key);
        self.frame[at..].iter_mut().zip(masked).for_each(|(byte, masked)| *byte = masked);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    /// What a publisher sends, unmasked: the message of one frame of up to 125 bytes or, with a length of two bytes, more.
    fn message(frame: &[u8]) -> Vec<u8> {
        let head = if frame[1] & 0x7f == 126 { 4 } else { 2 };
        let (key, payload) = frame[head..].split_at(4);
        payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
    }

    fn request(encoding: Encoding) -> Request {
        use tickbench_record::{Disturbance, Flush, Job, Wait};
        Request {
            server: ([127, 0, 0, 1], 1).into(),
            job: Job::Relay,
            encoding,
            flush: Flush::Each,
            arrival: Arrival::Constant,
            rate_per_s: 1000.0,
            size_bytes: 0,
            seed: 7,
            feed: None,
            speed: 1.0,
            connections: 1,
            wait: Wait::Block,
            warmup_ns: 0,
            window_ns: 1,
            stall_ns: 1,
            server_pid: None,
            usage_samples_per_s: 0,
            hiccup_ns: None,
            server_gaps: None,
            beside: Disturbance::Nothing,
            stages: false,
            samples: None,
        }
    }

    #[test]
    fn what_is_published_is_the_tick_that_the_seed_says_stamped_as_it_leaves() {
        use std::io::Read as _;
        for encoding in [Encoding::Json, Encoding::Binary] {
            let (near, mut far) = UnixStream::pair().unwrap();
            let mut publisher = Publisher::new(&request(encoding), near.into()).unwrap();
            for seq in 0..3 {
                let due_ns = publisher.due_ns().unwrap();
                let stamps = publisher.publish().unwrap().unwrap();
                assert_eq!((stamps.seq, stamps.due_ns), (seq, due_ns));
                let mut frame = vec![0; 1 << 10];
                let count = far.read(&mut frame).unwrap();
                let (mut due, tape) = (Vec::new(), Tape::generate(7));
                let payload = Payload::Update(tape.update(seq));
                match encoding {
                    Encoding::Json => encode_json(&stamps, payload, 0, &mut due),
                    Encoding::Binary => encode_binary(&stamps, payload, 0, &mut due),
                }
                assert_eq!(message(&frame[..count]), due);
            }
            assert_eq!(publisher.published(), 3);
        }
    }

    #[test]
    fn what_has_no_room_is_sent_on_and_nothing_is_published_over_it() {
        use std::io::Read as _;
        let (near, mut far) = UnixStream::pair().unwrap();
        let large = Request { size_bytes: 1 << 20, ..request(Encoding::Binary) };
        let mut publisher = Publisher::new(&large, near.into()).unwrap();
        let first = publisher.publish().unwrap().unwrap();
        assert_eq!((first.seq, publisher.is_under_way(), publisher.published()), (0, true, 1));
        let mut come = Vec::new();
        far.set_nonblocking(true).unwrap();
        while publisher.is_under_way() {
            let mut space = vec![0; 1 << 20];
            let count = far.read(&mut space).unwrap_or(0);
            come.extend_from_slice(&space[..count]);
            assert_eq!(publisher.publish().unwrap(), None, "it goes on with the first");
        }
        assert_eq!(publisher.published(), 1);
        far.set_nonblocking(false).unwrap();
        let mut rest = vec![0; 14 + (1 << 20) - come.len()];
        far.read_exact(&mut rest).unwrap();
        assert_eq!(publisher.publish().unwrap().unwrap().seq, 1);
    }

    #[test]
    fn nothing_is_published_that_is_due_when_it_is_over() {
        let (near, _far) = UnixStream::pair().unwrap();
        let mut publisher = Publisher::new(&request(Encoding::Binary), near.into()).unwrap();
        let second_ns = publisher.due_ns().unwrap() + 1_000_000;
        publisher.end_at(second_ns);
        publisher.publish().unwrap();
        assert_eq!(publisher.due_ns(), None);
    }
}
