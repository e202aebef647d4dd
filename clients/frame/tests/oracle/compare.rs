//! Feeds a stream to the crate's decoder, and holds each answer against the reference.

use std::borrow::Cow;
use std::fmt;

use tickbench_frame::{Decoder, Event, Inbox, Kind, Violation};

use crate::reference::{self, Breach, Outcome, Reading, Sender};
use crate::streams::{Random, Stream};

/// A decoder on its way through a stream.
struct Comparison<'s> {
    stream: &'s Stream,
    reading: &'s Reading,
    decoder: Decoder,
    /// How many outcomes it has told.
    told: usize,
    /// How many bytes it has taken off.
    taken: usize,
    way: &'static str,
}

#[derive(PartialEq)]
enum Step {
    Told,
    Pending,
    Over,
}

/// Reads the stream whole, in parts and through an inbox. Returns what the reference says of it.
pub(crate) fn agree(stream: &Stream, random: &mut Random) -> Reading {
    let reading = reference::read(Sender::Server, stream.limit, &stream.bytes);
    let start = |way| Comparison {
        stream,
        reading: &reading,
        decoder: Decoder::new(stream.limit),
        told: 0,
        taken: 0,
        way,
    };
    start("whole").read_to_end([stream.bytes.len()]);
    match random.below(4) {
        0 if stream.bytes.len() < 1000 => start("a byte at a time").read_to_end(1..=stream.bytes.len()),
        0 | 1 => start("to the end of each part").read_to_end(cuts(stream, &reading, random)),
        2 => start("an event of each part").read_event_by_event(cuts(stream, &reading, random)),
        // An inbox makes room for what is announced.
        _ if stream.limit <= 1 << 20 => start("through an inbox").read_through_inbox(random),
        _ => {}
    }
    reading
}

/// Places at which the stream comes in parts, the last of them its end: some just about the edges of headers and frames.
fn cuts(stream: &Stream, reading: &Reading, random: &mut Random) -> Vec<usize> {
    let length = stream.bytes.len();
    let edges =
        reading.frames.iter().flat_map(|frame| [frame.header_end, frame.end.min(length as u64) as usize]);
    let near = edges.filter(|_| random.one_in(2)).collect::<Vec<_>>();
    let near = near.into_iter().map(|edge| (edge + random.below(3)).saturating_sub(1).min(length));
    let mut cuts: Vec<usize> = near.collect();
    cuts.extend((0..random.below(6)).map(|_| random.below(length + 1)));
    cuts.sort_unstable();
    cuts.push(length);
    cuts
}

impl Comparison<'_> {
    fn read_to_end(mut self, cuts: impl IntoIterator<Item = usize>) {
        for cut in cuts {
            if self.drain(cut) == Step::Over {
                return;
            }
        }
        self.finish();
    }

    /// One question for each part, so that the next part has come before an event behind this one is read.
    fn read_event_by_event(mut self, cuts: Vec<usize>) {
        let length = self.stream.bytes.len();
        for cut in cuts {
            if self.next(cut) == Step::Over {
                return;
            }
        }
        if self.drain(length) != Step::Over {
            self.finish();
        }
    }

    fn read_through_inbox(mut self, random: &mut Random) {
        let stream = &self.stream.bytes;
        let usual = random.pick(&[0, 1, 2, 3, 16, 100, 300, 4096]);
        let mut inbox = Inbox::new(usual);
        let usual = usual.max(2);
        let mut given = 0;
        if random.one_in(2) {
            given = random.below(stream.len() + 1);
            inbox.load(&stream[..given]);
        }
        loop {
            assert!(inbox.unread() == &stream[self.taken..given], "the inbox holds something else: {self}");
            match self.drain(given) {
                Step::Over => return,
                _ if given == stream.len() => break,
                _ => inbox.keep_last(given - self.taken),
            }
            given += self.receive(&mut inbox, usual, given, random);
        }
        self.finish();
    }

    /// Writes a part of the stream into the inbox, once its space is as it must be. Returns how many bytes.
    fn receive(&self, inbox: &mut Inbox, usual: usize, given: usize, random: &mut Random) -> usize {
        let unread = given - self.taken;
        let begun = self.announced(given).unwrap_or(0);
        let space = inbox.space(&self.decoder);
        assert!(!space.is_empty(), "no space: {self}");
        let room = unread + space.len();
        assert!(room >= begun || unread <= usual / 2, "no space for the frame of {begun} bytes: {self}");
        assert!(room >= usual, "less space than usual: {self}");
        assert!(room <= begun.max(usual).max(unread + usual / 2), "{room} bytes are too many: {self}");
        let count = space.len().min(self.stream.bytes.len() - given);
        let count = 1 + random.below(count);
        space[..count].copy_from_slice(&self.stream.bytes[given..given + count]);
        inbox.add(count);
        count
    }

    fn drain(&mut self, given: usize) -> Step {
        loop {
            match self.next(given) {
                Step::Told => {}
                step => return step,
            }
        }
    }

    /// Asks once, of a stream of which `given` bytes have come.
    fn next(&mut self, given: usize) -> Step {
        let mut input = &self.stream.bytes[self.taken..given];
        let asked = input;
        let told = self.decoder.next(&mut input);
        let expected = self.reading.outcomes.get(self.told).filter(|(known, _)| *known <= given);
        let step = match (&told, expected) {
            (Ok(None), None) => {
                let complete = self.reading.frames.iter().rfind(|frame| frame.end <= given as u64);
                self.taken = complete.map_or(0, |frame| frame.end as usize);
                Step::Pending
            }
            (Ok(Some(event)), Some((known, outcome))) if is(event, outcome) => {
                self.told += 1;
                self.taken = *known;
                if matches!(event, Event::Close(_)) { Step::Over } else { Step::Told }
            }
            (Err(violation), Some((_, Outcome::Refused(breaches))))
                if breaches.contains(&breach(violation)) =>
            {
                return Step::Over;
            }
            _ => panic!("{told:?} at {asked:02x?}, and not {expected:?}: {self}"),
        };
        assert_eq!(input.len(), given - self.taken, "bytes left of {given}: {self}");
        if step == Step::Over {
            return step;
        }
        assert_eq!(self.decoder.frame_bytes(input), self.announced(given), "the frame that is begun: {self}");
        step
    }

    /// The length of the frame that is next, if its header has come and is sound.
    fn announced(&self, given: usize) -> Option<usize> {
        let mut frames = self.reading.frames.iter();
        let begun = frames.find(|frame| frame.start == self.taken && frame.header_end <= given)?;
        Some(begun.end as usize - begun.start)
    }

    fn finish(&self) {
        assert_eq!(self.told, self.reading.outcomes.len(), "outcomes told: {self}");
    }
}

impl fmt::Display for Comparison<'_> {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let Stream { bytes, limit } = self.stream;
        let shown = &bytes[..bytes.len().min(400)];
        write!(out, "{}, limit {limit}, {} bytes: {shown:02x?}", self.way, bytes.len())
    }
}

fn is(event: &Event, outcome: &Outcome) -> bool {
    match (event, outcome) {
        (Event::Message { kind, payload: told }, Outcome::Message { text, whole, payload }) => {
            (*kind == Kind::Text) == *text && matches!(told, Cow::Borrowed(_)) == *whole && **told == *payload
        }
        (Event::Ping(told), Outcome::Ping(payload)) | (Event::Pong(told), Outcome::Pong(payload)) => {
            told == payload
        }
        (Event::Close(None), Outcome::Close(None)) => true,
        (Event::Close(Some(frame)), Outcome::Close(Some((code, reason)))) => {
            frame.code == *code && frame.reason.as_bytes() == reason
        }
        _ => false,
    }
}

fn breach(violation: &Violation) -> Breach {
    match *violation {
        Violation::Masked => Breach::Mask,
        Violation::ReservedBits(bits) => Breach::ReservedBits(bits),
        Violation::ReservedOpcode(opcode) => Breach::ReservedOpcode(opcode),
        Violation::LengthForm(length) => Breach::LengthForm(length),
        Violation::LongControl => Breach::LongControl,
        Violation::FragmentedControl => Breach::FragmentedControl,
        Violation::StrayContinuation => Breach::StrayContinuation,
        Violation::InterruptedMessage => Breach::InterruptedMessage,
        Violation::Utf8 => Breach::Utf8,
        Violation::ShortClose => Breach::ShortClose,
        Violation::CloseCode(code) => Breach::CloseCode(code),
        Violation::CloseReason => Breach::CloseReason,
        Violation::TooLong { bytes, limit } => Breach::TooLong { bytes, limit },
    }
}
