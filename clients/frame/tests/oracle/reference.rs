//! A reader of frames written from RFC 6455 alone, one byte at a time, to judge the crate by. It shares no code with the crate.

/// Who sent the bytes: a client must mask its frames, a server must not (section 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    Client,
    Server,
}

/// What is wrong with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breach {
    Mask,
    ReservedBits(u8),
    ReservedOpcode(u8),
    LengthForm(u64),
    LongControl,
    FragmentedControl,
    StrayContinuation,
    InterruptedMessage,
    TooLong { bytes: u64, limit: u64 },
    Utf8,
    ShortClose,
    CloseCode(u16),
    CloseReason,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// `whole` tells that it came in one frame.
    Message {
        text: bool,
        whole: bool,
        payload: Vec<u8>,
    },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, Vec<u8>)>),
    /// All that is wrong with the frame as far as it is known: the RFC does not say what to look at first.
    Refused(Vec<Breach>),
}

/// A frame whose header is complete and sound, by its places in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) start: usize,
    /// Where its payload starts.
    pub(crate) header_end: usize,
    /// What it announces: where it ends, if the stream is long enough.
    pub(crate) end: u64,
    pub(crate) key: Option<[u8; 4]>,
}

/// What a stream says, up to its close frame, its first breach or its end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Each with the number of bytes after which it is known.
    pub(crate) outcomes: Vec<(usize, Outcome)>,
    pub(crate) frames: Vec<Frame>,
}

pub(crate) fn read(sender: Sender, limit: u64, stream: &[u8]) -> Reading {
    let mut reader = Reader {
        sender,
        limit,
        taken: 0,
        start: 0,
        state: State::FirstByte,
        head: Head::default(),
        open: None,
        frames: Vec::new(),
    };
    let mut outcomes = Vec::new();
    for &byte in stream {
        let Some(outcome) = reader.take(byte) else { continue };
        let over = matches!(outcome, Outcome::Refused(_) | Outcome::Close(_));
        outcomes.push((reader.taken, outcome));
        if over {
            break;
        }
    }
    Reading { outcomes, frames: reader.frames }
}

/// The fields of a header in section 5.2.
#[derive(Default, Clone, Copy)]
struct Head {
    fin: bool,
    reserved: u8,
    opcode: u8,
    masked: bool,
    length: u64,
}

enum State {
    FirstByte,
    SecondByte,
    /// The length in 16 or 64 further bits.
    Length {
        bytes: u32,
        missing: u32,
    },
    Key(Vec<u8>),
    Payload(Vec<u8>),
}

/// A message of which only fragments have come.
struct Open {
    text: bool,
    payload: Vec<u8>,
}

struct Reader {
    sender: Sender,
    limit: u64,
    taken: usize,
    /// Where the frame starts.
    start: usize,
    state: State,
    head: Head,
    open: Option<Open>,
    frames: Vec<Frame>,
}

impl Reader {
    fn take(&mut self, byte: u8) -> Option<Outcome> {
        self.taken += 1;
        match &mut self.state {
            State::FirstByte => {
                self.head.fin = byte >= 128;
                self.head.reserved = byte / 16 % 8;
                self.head.opcode = byte % 16;
                self.start = self.taken - 1;
                self.state = State::SecondByte;
                None
            }
            State::SecondByte => {
                self.head.masked = byte >= 128;
                self.head.length = u64::from(byte % 128);
                self.second_byte()
            }
            State::Length { bytes, missing } => {
                self.head.length = self.head.length * 256 + u64::from(byte);
                *missing -= 1;
                if *missing > 0 {
                    return None;
                }
                // "The minimal number of bytes MUST be used", and "the most significant bit MUST be 0".
                let least = if *bytes == 2 { 126 } else { 65_536 };
                let well_formed = (least..=i64::MAX as u64).contains(&self.head.length);
                let breaches = if well_formed { vec![] } else { vec![Breach::LengthForm(self.head.length)] };
                self.length_known(breaches)
            }
            State::Key(key) => {
                key.push(byte);
                if let Ok(key) = <[u8; 4]>::try_from(key.as_slice()) {
                    self.header_complete(Some(key))
                } else {
                    None
                }
            }
            State::Payload(payload) => {
                // Section 5.3: byte i of the payload is masked by byte i modulo 4 of the key.
                let at = payload.len() % 4;
                let key = self.frames.last().and_then(|frame| frame.key);
                payload.push(byte ^ key.map_or(0, |key| key[at]));
                if payload.len() as u64 == self.head.length { self.frame_complete() } else { None }
            }
        }
    }

    fn is_control(&self) -> bool {
        self.head.opcode >= 8
    }

    fn second_byte(&mut self) -> Option<Outcome> {
        let mut breaches = Vec::new();
        if self.head.reserved != 0 {
            breaches.push(Breach::ReservedBits(self.head.reserved));
        }
        if !matches!(self.head.opcode, 0 | 1 | 2 | 8 | 9 | 10) {
            breaches.push(Breach::ReservedOpcode(self.head.opcode));
        }
        if self.head.masked != (self.sender == Sender::Client) {
            breaches.push(Breach::Mask);
        }
        if self.is_control() && !self.head.fin {
            breaches.push(Breach::FragmentedControl);
        }
        if self.is_control() && self.head.length > 125 {
            breaches.push(Breach::LongControl);
        }
        if self.head.opcode == 0 && self.open.is_none() {
            breaches.push(Breach::StrayContinuation);
        }
        if [1, 2].contains(&self.head.opcode) && self.open.is_some() {
            breaches.push(Breach::InterruptedMessage);
        }
        let bytes = match self.head.length {
            126 => 2,
            127 => 8,
            _ => return self.length_known(breaches),
        };
        if !breaches.is_empty() {
            return Some(Outcome::Refused(breaches));
        }
        self.head.length = 0;
        self.state = State::Length { bytes, missing: bytes };
        None
    }

    fn length_known(&mut self, mut breaches: Vec<Breach>) -> Option<Outcome> {
        let earlier = self.open.as_ref().map_or(0, |open| open.payload.len() as u64);
        let bytes = earlier.saturating_add(self.head.length);
        if !self.is_control() && bytes > self.limit {
            breaches.push(Breach::TooLong { bytes, limit: self.limit });
        }
        if !breaches.is_empty() {
            return Some(Outcome::Refused(breaches));
        }
        if self.head.masked {
            self.state = State::Key(Vec::new());
            return None;
        }
        self.header_complete(None)
    }

    fn header_complete(&mut self, key: Option<[u8; 4]>) -> Option<Outcome> {
        let end = self.taken as u64 + self.head.length;
        self.frames.push(Frame { start: self.start, header_end: self.taken, end, key });
        self.state = State::Payload(Vec::new());
        if self.head.length == 0 { self.frame_complete() } else { None }
    }

    fn frame_complete(&mut self) -> Option<Outcome> {
        let State::Payload(payload) = std::mem::replace(&mut self.state, State::FirstByte) else {
            unreachable!("a frame ends with its payload")
        };
        match self.head.opcode {
            8 => return Some(close(payload)),
            9 => return Some(Outcome::Ping(payload)),
            10 => return Some(Outcome::Pong(payload)),
            _ => {}
        }
        let whole = self.open.is_none();
        let text = self.head.opcode == 1;
        let open = self.open.get_or_insert(Open { text, payload: Vec::new() });
        open.payload.extend(payload);
        if !self.head.fin {
            return None;
        }
        let Open { text, payload } = self.open.take()?;
        let sound = !text || is_utf8(&payload);
        Some(if sound {
            Outcome::Message { text, whole, payload }
        } else {
            Outcome::Refused(vec![Breach::Utf8])
        })
    }
}

/// Section 5.5.1.
fn close(payload: Vec<u8>) -> Outcome {
    let (high, low, reason) = match payload.as_slice() {
        [] => return Outcome::Close(None),
        [_] => return Outcome::Refused(vec![Breach::ShortClose]),
        [high, low, reason @ ..] => (u16::from(*high), u16::from(*low), reason),
    };
    let code = high * 256 + low;
    let mut breaches = Vec::new();
    if !may_be_sent(code) {
        breaches.push(Breach::CloseCode(code));
    }
    if !is_utf8(reason) {
        breaches.push(Breach::CloseReason);
    }
    if breaches.is_empty() {
        Outcome::Close(Some((code, reason.to_vec())))
    } else {
        Outcome::Refused(breaches)
    }
}

/// Section 7.4 and IANA's "WebSocket Close Code Number Registry": up to 2999 only what is registered, less 1004, which has no
/// meaning, and 1005, 1006 and 1015, which must not be set in a frame; from 3000 to 4999 all, for libraries and applications.
pub(crate) fn may_be_sent(code: u16) -> bool {
    const REGISTERED: [u16; 12] = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
    REGISTERED.contains(&code) || (3000..5000).contains(&code)
}

/// The syntax of RFC 3629, section 4.
fn is_utf8(mut bytes: &[u8]) -> bool {
    loop {
        bytes = match bytes {
            [] => return true,
            [0x00..=0x7f, rest @ ..]
            | [0xc2..=0xdf, 0x80..=0xbf, rest @ ..]
            | [0xe0, 0xa0..=0xbf, 0x80..=0xbf, rest @ ..]
            | [0xe1..=0xec | 0xee..=0xef, 0x80..=0xbf, 0x80..=0xbf, rest @ ..]
            | [0xed, 0x80..=0x9f, 0x80..=0xbf, rest @ ..]
            | [0xf0, 0x90..=0xbf, 0x80..=0xbf, 0x80..=0xbf, rest @ ..]
            | [0xf1..=0xf3, 0x80..=0xbf, 0x80..=0xbf, 0x80..=0xbf, rest @ ..]
            | [0xf4, 0x80..=0x8f, 0x80..=0xbf, 0x80..=0xbf, rest @ ..] => rest,
            _ => return false,
        };
    }
}
