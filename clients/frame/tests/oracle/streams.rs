//! What servers may send, and what they may not: streams made from a seed.

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(crate) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// A frame as it will be written, right or wrong.
struct Draft {
    fin: bool,
    reserved: u8,
    opcode: u8,
    masked: bool,
    /// What stands in the second byte: a length up to 125, or 126 or 127 for a longer form.
    form: u8,
    announced: u64,
    payload: Vec<u8>,
}

impl Draft {
    fn new(fin: bool, opcode: u8, payload: Vec<u8>) -> Draft {
        let announced = payload.len() as u64;
        let form = match announced {
            0..=125 => announced as u8,
            126..=65_535 => 126,
            _ => 127,
        };
        Draft { fin, reserved: 0, opcode, masked: false, form, announced, payload }
    }

    /// Makes one field wrong, or only unusual.
    fn spoil(&mut self, random: &mut Random) {
        match random.below(8) {
            0 => self.reserved = 1 + random.below(7) as u8,
            1 => self.opcode = random.below(16) as u8,
            2 => self.fin = !self.fin,
            3 => self.masked = true,
            4 => self.form = 126,
            5 => self.form = 127,
            // A length with nothing behind it, of any size up to the forbidden 2^63 and beyond.
            6 => {
                (self.form, self.announced) = (127, u64::MAX >> random.below(50));
                self.payload.clear();
            }
            _ => {
                (self.form, self.announced) = (126, random.next() & 0xffff);
                self.payload.truncate(300);
            }
        }
    }

    fn write(&self, out: &mut Vec<u8>, random: &mut Random) {
        out.push(u8::from(self.fin) << 7 | self.reserved << 4 | self.opcode);
        out.push(u8::from(self.masked) << 7 | self.form);
        match self.form {
            126 => out.extend((self.announced as u16).to_be_bytes()),
            127 => out.extend(self.announced.to_be_bytes()),
            _ => {}
        }
        if self.masked {
            out.extend(random.bytes(4));
        }
        out.extend(&self.payload);
    }
}

/// The bytes of a server, and the longest message that is to be accepted of it.
pub(crate) struct Stream {
    pub(crate) bytes: Vec<u8>,
    pub(crate) limit: u64,
}

pub(crate) fn stream(random: &mut Random) -> Stream {
    if random.one_in(16) {
        let count = random.below(40);
        let bytes = (0..count).map(|_| likely_byte(random)).collect();
        return Stream { bytes, limit: 1 << random.below(20) };
    }
    let mut drafts = Vec::new();
    let mut sizes = vec![0];
    for _ in 0..=random.below(4) {
        if random.one_in(3) {
            drafts.push(control(random));
        } else {
            sizes.push(message(random, &mut drafts));
        }
    }
    if random.one_in(2) {
        let spoilt = random.below(drafts.len());
        drafts[spoilt].spoil(random);
    }
    if random.one_in(8) {
        // A frame less: a message without its end, or without its start.
        let lost = random.below(drafts.len());
        drafts.remove(lost);
    }
    let mut bytes = Vec::new();
    for draft in &drafts {
        draft.write(&mut bytes, random);
    }
    if random.one_in(4) {
        bytes.truncate(random.below(bytes.len() + 1));
    }
    let limit = match random.below(8) {
        0 => random.below(8) as u64,
        1 => u64::MAX,
        // Just enough for a message, or just too little.
        2..=3 => (random.pick(&sizes) + random.below(3)).saturating_sub(1) as u64,
        _ => 1 << 20,
    };
    Stream { bytes, limit }
}

/// Any byte, more often one that starts a frame or tells a short length.
fn likely_byte(random: &mut Random) -> u8 {
    const USUAL: [u8; 16] =
        [0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x88, 0x89, 0x8a, 0x7e, 0x7f, 0x7d, 0x03, 0xe8, 0x04, 0x00];
    if random.one_in(4) { random.next() as u8 } else { random.pick(&USUAL) }
}

fn size(random: &mut Random) -> usize {
    match random.below(2048) {
        0 => random.pick(&[65_533, 65_534, 65_535, 65_536, 65_537, 131_072]),
        1..=300 => 122 + random.below(8),
        301..=450 => random.below(400),
        451..=900 => random.below(130),
        _ => random.below(8),
    }
}

/// A data message in one frame or in several, with control frames between them. Returns its size.
fn message(random: &mut Random, drafts: &mut Vec<Draft>) -> usize {
    let size = size(random);
    let is_text = random.one_in(2);
    let payload = if is_text { text(random, size) } else { random.bytes(size) };
    let size = payload.len();
    let mut opcode = if is_text { 1 } else { 2 };
    let mut rest = payload.as_slice();
    let further = if random.one_in(2) { random.below(4) } else { 0 };
    for _ in 0..further {
        let (part, behind) = rest.split_at(random.below(rest.len() + 1));
        drafts.push(Draft::new(false, opcode, part.to_vec()));
        (opcode, rest) = (0, behind);
        while random.one_in(3) {
            drafts.push(control(random));
        }
    }
    drafts.push(Draft::new(true, opcode, rest.to_vec()));
    size
}

fn control(random: &mut Random) -> Draft {
    match random.below(7) {
        0 => Draft::new(true, 8, close(random)),
        1..=3 => Draft::new(true, 9, control_payload(random)),
        _ => Draft::new(true, 10, control_payload(random)),
    }
}

fn control_payload(random: &mut Random) -> Vec<u8> {
    let size = if random.one_in(8) { 124 + random.below(4) } else { random.below(10) };
    random.bytes(size)
}

fn close(random: &mut Random) -> Vec<u8> {
    /// The first and the last of each class of codes.
    const EDGES: [u16; 19] = [
        0, 999, 1000, 1003, 1004, 1005, 1006, 1007, 1008, 1013, 1014, 1015, 1016, 2999, 3000, 3999, 4000,
        4999, 5000,
    ];
    if random.one_in(8) {
        let size = random.below(2);
        return random.bytes(size);
    }
    let code = match random.below(4) {
        0 => random.pick(&EDGES),
        1 => random.next() as u16,
        _ => 1000 + random.below(16) as u16,
    };
    let size = if random.one_in(8) { 120 + random.below(6) } else { random.below(12) };
    [code.to_be_bytes().to_vec(), text(random, size)].concat()
}

/// About `size` bytes of text, in one of eight cases spoilt in one place.
fn text(random: &mut Random, size: usize) -> Vec<u8> {
    /// The first and the last of each length, and those beside the surrogates.
    const CHARACTERS: [&str; 10] = [
        "\0",
        "\u{7f}",
        "\u{80}",
        "\u{7ff}",
        "\u{800}",
        "\u{d7ff}",
        "\u{e000}",
        "\u{ffff}",
        "\u{10000}",
        "\u{10ffff}",
    ];
    let ascii_only = random.one_in(2) || size > 1000;
    let fill = random.pick(&[b'a', 0, 0x7f]);
    let mut text = Vec::with_capacity(size + 4);
    while text.len() < size {
        let ascii = ascii_only || random.one_in(2);
        if ascii { text.push(fill) } else { text.extend(random.pick(&CHARACTERS).as_bytes()) }
    }
    if random.one_in(8) {
        spoil_text(random, &mut text);
    }
    text
}

/// Puts something in a text that is not UTF-8, mostly.
fn spoil_text(random: &mut Random, text: &mut Vec<u8>) {
    /// Lone continuations, characters cut short, longer forms than need be, surrogates, and beyond U+10FFFF: on either side of
    /// each edge of the syntax in RFC 3629.
    const BAD: [&[u8]; 26] = [
        b"\x80",
        b"\xbf",
        b"\xc2",
        b"\xdf",
        b"\xe0\xa0",
        b"\xef\xbf",
        b"\xf0\x90\x80",
        b"\xf4\x8f\xbf",
        b"\xc0\x80",
        b"\xc1\xbf",
        b"\xe0\x80\x80",
        b"\xe0\x9f\xbf",
        b"\xf0\x80\x80\x80",
        b"\xf0\x8f\xbf\xbf",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xf4\x90\x80\x80",
        b"\xf5\x80\x80\x80",
        b"\xf7\xbf\xbf\xbf",
        b"\xf8\x88\x80\x80\x80",
        b"\xfe",
        b"\xff",
        b"\xc2\x7f",
        b"\xe1\x80\xc0",
        b"\xf1\x80\x80\x7f",
        b"\xc3\xc3",
    ];
    let at = random.below(text.len() + 1);
    match random.below(4) {
        // In place of a byte, which leaves the length as it was.
        0 if at < text.len() => text[at] = 0x80 | random.next() as u8,
        // The end of a text may cut a character short.
        1 => text.truncate(at),
        _ => {
            text.splice(at..at, random.pick(&BAD).iter().copied());
        }
    }
}
