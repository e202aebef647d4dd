//! What the crate writes, read back by the reference.

use tickbench_frame::{Mask, Opcode, write_close, write_frame};

use crate::reference::{self, Outcome, Reading, Sender};
use crate::streams::Random;

/// Frames written one after another, and what a reader must find in them.
struct Written {
    sender: Sender,
    random: Random,
    bytes: Vec<u8>,
    keys: Vec<Option<[u8; 4]>>,
    outcomes: Vec<Outcome>,
}

impl Written {
    fn mask(&mut self) -> Mask {
        if self.sender == Sender::Server {
            self.keys.push(None);
            return Mask::None;
        }
        let key = (self.random.next() as u32).to_le_bytes();
        self.keys.push(Some(key));
        Mask::Key(key)
    }

    fn frame(&mut self, fin: bool, opcode: Opcode, payload: &[u8]) {
        let mask = self.mask();
        write_frame(&mut self.bytes, fin, opcode, mask, payload);
    }

    /// A message in up to four frames, with pings between them.
    fn message(&mut self) {
        let text = self.random.one_in(2);
        let (mut opcode, mut payload) = (if text { Opcode::Text } else { Opcode::Binary }, vec![]);
        let last = self.random.below(4);
        for nth in 0..=last {
            let sizes: &[usize] =
                if self.random.one_in(50) { &[65_535, 65_536] } else { &[0, 1, 5, 125, 126, 300] };
            let size = self.random.pick(sizes);
            let part = if text { vec![b'a'; size] } else { self.random.bytes(size) };
            self.frame(nth == last, opcode, &part);
            payload.extend(part);
            opcode = Opcode::Continuation;
            if nth < last && self.random.one_in(2) {
                let ping = self.random.bytes(125);
                self.frame(true, Opcode::Ping, &ping);
                self.outcomes.push(Outcome::Ping(ping));
            }
        }
        self.outcomes.push(Outcome::Message { text, whole: last == 0, payload });
    }

    fn pong(&mut self) {
        let payload = self.random.bytes(3);
        self.frame(true, Opcode::Pong, &payload);
        self.outcomes.push(Outcome::Pong(payload));
    }

    fn close(&mut self) {
        let code = self.random.pick(&[1000, 1002, 1009, 4999]);
        let mask = self.mask();
        write_close(&mut self.bytes, mask, code);
        self.outcomes.push(Outcome::Close(Some((code, vec![]))));
    }
}

#[test]
fn what_is_written_reads_back_on_either_side() {
    for (seed, sender) in (0..10_000).flat_map(|seed| [(seed, Sender::Client), (seed, Sender::Server)]) {
        let mut written =
            Written { sender, random: Random(seed), bytes: vec![], keys: vec![], outcomes: vec![] };
        written.message();
        written.pong();
        written.message();
        written.close();
        let Reading { outcomes, frames } = reference::read(sender, u64::MAX, &written.bytes);
        assert!(
            outcomes.iter().map(|(_, outcome)| outcome).eq(&written.outcomes),
            "seed {seed}: {outcomes:?}"
        );
        assert!(frames.iter().map(|frame| &frame.key).eq(&written.keys), "seed {seed}: {frames:?}");
        assert_eq!(frames.last().map(|frame| frame.end), Some(written.bytes.len() as u64), "seed {seed}");
    }
}
