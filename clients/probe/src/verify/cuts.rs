//! Frames and segments have nothing to do with each other: several frames in one segment, one frame in two, and cuts anywhere.

use std::net::SocketAddr;

use fastrand::Rng;
use tickbench_frame::{Opcode, write_frame};

use super::dialogue::{Dialogue, Said, fresh_mask};
use super::{Protocol, Rule, Verdict};

/// Random conversations, and the messages of each.
const CONVERSATIONS: usize = 3;
const MESSAGES: usize = 40;

/// Both sides of the boundaries of the length forms, and what lies between.
const SIZES: [usize; 9] = [0, 1, 5, 124, 125, 126, 300, 4_096, 66_000];

pub(super) fn check(server: SocketAddr, rng: &mut Rng, protocol: &mut Protocol) -> std::io::Result<()> {
    let rule = Rule::EchoSegments;
    protocol.check(rule, "echo of several frames in one segment", || check_one_segment(server))?;
    protocol.check(rule, "echo of a frame in two segments", || check_two_segments(server))?;
    protocol
        .check(rule, "echo of a message while the one before is unanswered", || check_unanswered(server))?;
    for _ in 0..CONVERSATIONS {
        let seed = rng.u64(..);
        let random = || check_random(server, Rng::with_seed(seed));
        protocol.check(rule, format!("echo of {MESSAGES} messages cut at random, seed {seed}"), random)?;
    }
    Ok(())
}

/// What is sent, and what must come back: messages in their order, and pongs in theirs.
#[derive(Default)]
struct Script {
    bytes: Vec<u8>,
    messages: Vec<Said>,
    pongs: Vec<Said>,
}

impl Script {
    /// A message in as many frames as there are parts, with a ping between them where `pings` says so.
    fn message(&mut self, opcode: Opcode, parts: &[&[u8]], mut pings: impl FnMut() -> bool) -> Verdict {
        for (nth, part) in parts.iter().enumerate() {
            let opcode = if nth == 0 { opcode } else { Opcode::Continuation };
            write_frame(&mut self.bytes, nth + 1 == parts.len(), opcode, fresh_mask()?, part);
            if pings() {
                self.ping()?;
            }
        }
        let whole = parts.concat();
        self.messages.push(if opcode == Opcode::Text { Said::Text(whole) } else { Said::Binary(whole) });
        Ok(())
    }

    fn ping(&mut self) -> Verdict {
        let payload = format!("ping {}", self.pongs.len()).into_bytes();
        write_frame(&mut self.bytes, true, Opcode::Ping, fresh_mask()?, &payload);
        self.pongs.push(Said::Pong(payload));
        Ok(())
    }

    /// Sends all in these pieces, reading what is there meanwhile, so that neither side waits for the other for ever. Between two pieces
    /// `between` is called.
    fn play(
        self,
        dialogue: &mut Dialogue,
        pieces: &[&[u8]],
        mut between: impl FnMut() -> Verdict,
    ) -> Verdict {
        let (mut messages, mut pongs) = (self.messages.iter(), self.pongs.iter());
        let mut left = self.messages.len() + self.pongs.len();
        let mut take = |said: Said| {
            let due = if matches!(said, Said::Pong(_)) { pongs.next() } else { messages.next() };
            match due {
                Some(due) if *due == said => Ok(()),
                Some(due) => Err(format!("{} came where {} was due", said.brief(), due.brief())),
                None => Err(format!("{} came where nothing more was due", said.brief())),
            }
        };
        for piece in pieces {
            dialogue.send_bytes(piece)?;
            between()?;
            while let Some(said) = dialogue.next_at_once()? {
                take(said)?;
                left -= 1;
            }
        }
        for _ in 0..left {
            take(dialogue.next()?)?;
        }
        Ok(())
    }
}

fn check_one_segment(server: SocketAddr) -> Verdict {
    let never = || false;
    let mut dialogue = Dialogue::open(server, "/echo")?;
    let mut equal = Script::default();
    for text in [b"aaaaa", b"bbbbb", b"ccccc"] {
        equal.message(Opcode::Text, &[text], never)?;
    }
    let bytes = equal.bytes.clone();
    equal.play(&mut dialogue, &[&bytes], || Ok(()))?;
    let mut script = Script::default();
    script.ping()?;
    script.message(Opcode::Binary, &[b""], never)?;
    script.message(Opcode::Binary, &[&[0, 1, 2, 3]], never)?;
    script.message(Opcode::Binary, &[b"in ", b"fragments"], never)?;
    script.message(Opcode::Text, &[b"the last"], never)?;
    let bytes = script.bytes.clone();
    script.play(&mut dialogue, &[&bytes], || Ok(()))?;
    dialogue.close()
}

/// Cut in each part of the header, behind it, and in the payload. A round trip on another connection lets the server read the first
/// part alone.
fn check_two_segments(server: SocketAddr) -> Verdict {
    let mut other = Dialogue::open(server, "/echo")?;
    let mut dialogue = Dialogue::open(server, "/echo")?;
    for at in [1, 2, 3, 4, 6, 8, 9, 100, 207] {
        let mut script = Script::default();
        script.message(Opcode::Binary, &[&[at as u8; 200]], || false)?;
        let bytes = script.bytes.clone();
        let (first, second) = bytes.split_at(at);
        script
            .play(&mut dialogue, &[first, second], || other.round_trip())
            .map_err(|what| format!("cut behind byte {at}: {what}"))?;
    }
    dialogue.close()
}

fn check_unanswered(server: SocketAddr) -> Verdict {
    let mut script = Script::default();
    script.message(Opcode::Binary, &[&[1; 1 << 20]], || false)?;
    let first = script.bytes.len();
    script.message(Opcode::Text, &[b"the second"], || false)?;
    let bytes = script.bytes.clone();
    let (first, second) = bytes.split_at(first);
    let mut dialogue = Dialogue::open(server, "/echo")?;
    dialogue.send_bytes(first)?;
    script.play(&mut dialogue, &[second], || Ok(()))?;
    dialogue.close()
}

/// Messages of all sizes, some in fragments, pings anywhere between, the bytes cut anywhere.
fn check_random(server: SocketAddr, mut rng: Rng) -> Verdict {
    let mut script = Script::default();
    for _ in 0..MESSAGES {
        let size = rng.choice(SIZES).unwrap_or_default();
        let payload: Vec<u8> = (0..size).map(|_| rng.u8(b' '..=b'~')).collect();
        let mut ends: Vec<usize> = (0..rng.usize(..3)).map(|_| rng.usize(..=size)).collect();
        ends.extend([0, size]);
        ends.sort_unstable();
        let parts: Vec<&[u8]> = ends.windows(2).map(|ends| &payload[ends[0]..ends[1]]).collect();
        let opcode = if rng.bool() { Opcode::Text } else { Opcode::Binary };
        script.message(opcode, &parts, || rng.u8(..4) == 0)?;
    }
    let bytes = script.bytes.clone();
    let (mut rest, mut pieces) = (&bytes[..], Vec::new());
    while !rest.is_empty() {
        let most = rng.choice([3, 200, 20_000]).unwrap_or(3);
        let (piece, behind) = rest.split_at(rng.usize(1..=most).min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    let mut other = Dialogue::open(server, "/echo")?;
    let mut dialogue = Dialogue::open(server, "/echo")?;
    script.play(&mut dialogue, &pieces, || if rng.bool() { other.round_trip() } else { Ok(()) })?;
    dialogue.close()
}
