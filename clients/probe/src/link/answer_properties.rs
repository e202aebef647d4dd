//! Properties of reading an answer to an upgrade: whatever the answer, and however it is cut on its way.
//!
//! The reference knows what was written and never parses: an answer is built of parts, and what a client must make of it follows from the
//! parts. It shares no code with what it is held against but the words on a foreign text.

use std::net::SocketAddr;

use proptest::prelude::*;
use tickbench_record::foreign;

use super::handshake::{Answer, Upgrade, accept_of};

/// Header lines that an answer may have, and bytes that its heads may have.
const MOST_HEADERS: usize = 64;
const MOST_BYTES: usize = 64 << 10;

fn upgrade() -> Upgrade {
    Upgrade::new(SocketAddr::from(([127, 0, 0, 1], 80)), "/echo").unwrap()
}

/// The key in the request, which the right answer must have read.
fn key(upgrade: &Upgrade) -> String {
    let request = String::from_utf8(upgrade.request.clone()).unwrap();
    request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap().to_owned()
}

/// What is told of an answer, less the bytes that had come: those depend on the cut.
fn told(answer: &Answer) -> String {
    let text = format!("{answer:?}");
    match text.split_once(" bytes came") {
        Some((before, _)) => before.trim_end_matches(|last: char| last.is_ascii_digit()).to_owned(),
        None => text,
    }
}

/// What a client makes of an answer that comes in these pieces, and then ends.
fn in_pieces(upgrade: &Upgrade, bytes: &[u8], cuts: &[usize]) -> Answer {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.push(bytes.len());
    cuts.sort_unstable();
    let early = cuts.iter().map(|&cut| upgrade.read_answer(&bytes[..cut], false));
    early
        .into_iter()
        .find(|answer| *answer != Answer::Incomplete)
        .unwrap_or_else(|| upgrade.read_answer(bytes, true))
}

/// How a body is put into frames.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Framing {
    Length,
    Chunks(usize),
    UntilTheEnd,
}

/// An answer, in parts.
#[derive(Debug, Clone)]
struct Parts {
    interim: Vec<u16>,
    status: u16,
    is_http_1_0: bool,
    headers: Vec<(String, String)>,
    /// What stands between a header's colon and its value, and behind the value.
    space: String,
    /// Whether the accept header is the right one, of another key, or not there.
    accept: Option<bool>,
    body: String,
    framing: Framing,
}

fn parts() -> impl Strategy<Value = Parts> {
    let word = |words: &'static [&'static str]| proptest::sample::select(words).prop_map(String::from);
    let named = |names: &'static [&'static str], values: &'static [&'static str]| (word(names), word(values));
    let header = prop_oneof![
        4 => named(&["Upgrade", "upgrade", "UPGRADE"], &["websocket", "WebSocket", "h2c"]),
        4 => named(&["Connection", "connection"], &["Upgrade", "keep-alive, upgrade", "close", "keep-alive"]),
        1 => named(&["Sec-WebSocket-Extensions"], &["permessage-deflate", "x"]),
        1 => named(&["sec-websocket-protocol"], &["chat"]),
        3 => named(&["Server", "Date", "X-Y"], &["", "a: b", "é", "one two"]),
    ];
    let framing = prop_oneof![
        Just(Framing::Length),
        (1usize..9).prop_map(Framing::Chunks),
        Just(Framing::UntilTheEnd),
    ];
    let status =
        prop_oneof![6 => Just(101u16), 4 => proptest::sample::select(&[200u16, 400, 404, 426, 503][..])];
    (
        (proptest::collection::vec(proptest::sample::select(&[100u16, 102, 103][..]), 0..3), status),
        proptest::bool::weighted(0.1),
        proptest::collection::vec(header, 0..8),
        word(&["", " ", "\t", "  \t"]),
        prop_oneof![6 => Just(Some(true)), 1 => Just(Some(false)), 1 => Just(None)],
        "[ -~é\n\u{1b}]{0,300}",
        framing,
    )
        .prop_map(|((interim, status), is_http_1_0, headers, space, accept, body, framing)| Parts {
            interim,
            status,
            is_http_1_0,
            headers,
            space,
            accept,
            body,
            framing,
        })
}

impl Parts {
    /// The bytes of the answer, and how many of them are heads.
    fn written(&self, key: &str) -> (Vec<u8>, usize) {
        let mut text: String =
            self.interim.iter().map(|code| format!("HTTP/1.1 {code} Wait\r\nX: y\r\n\r\n")).collect();
        text += &format!("HTTP/1.{} {} Some Reason\r\n", u8::from(!self.is_http_1_0), self.status);
        let accept = self.accept.map(|right| accept_of(if right { key } else { "another" }));
        let accept = accept.map(|accept| ("Sec-WebSocket-Accept".to_owned(), accept));
        for (name, value) in self.headers.iter().chain(&accept) {
            text += &format!("{name}:{0}{value}{0}\r\n", self.space);
        }
        if self.status == 101 {
            text += "\r\n";
            let head = text.len();
            return (text.into_bytes(), head);
        }
        match self.framing {
            Framing::Length => text += &format!("Content-Length: {}\r\n", self.body.len()),
            Framing::Chunks(_) => text += "Transfer-Encoding: chunked\r\n",
            Framing::UntilTheEnd => {}
        }
        text += "\r\n";
        let head = text.len();
        let mut bytes = text.into_bytes();
        match self.framing {
            Framing::Chunks(size) => {
                for chunk in self.body.as_bytes().chunks(size) {
                    bytes.extend(format!("{:x}\r\n", chunk.len()).bytes().chain(chunk.iter().copied()));
                    bytes.extend(b"\r\n");
                }
                bytes.extend(b"0\r\n\r\n");
            }
            Framing::Length | Framing::UntilTheEnd => bytes.extend(self.body.bytes()),
        }
        (bytes, head)
    }

    /// The values under a name, whatever the case of its letters.
    fn values(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(own, _)| own.to_lowercase() == name)
            .map(|(_, value)| value.trim())
            .collect()
    }

    /// What is wrong with it as the answer to an upgrade: a part of the sentence. `None` where nothing is.
    fn wrong(&self) -> Option<&'static str> {
        if self.is_http_1_0 {
            return Some("HTTP/1.0");
        }
        match self.values("upgrade").first().map(|value| value.to_lowercase()) {
            None => return Some("lacks `Upgrade"),
            Some(value) if value != "websocket" => return Some("in place of websocket"),
            Some(_) => {}
        }
        let asks = ["Upgrade", "keep-alive, upgrade"];
        if !self.values("connection").iter().any(|value| asks.contains(value)) {
            return Some("lacks `Connection");
        }
        match self.accept {
            None => return Some("lacks `Sec-WebSocket-Accept"),
            Some(false) => return Some("was due"),
            Some(true) => {}
        }
        let agrees = ["sec-websocket-extensions", "sec-websocket-protocol"];
        agrees.iter().any(|name| !self.values(name).is_empty()).then_some("which was not offered")
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn an_answer_is_taken_for_what_it_was_written_as(
        parts in parts(),
        cuts in proptest::collection::vec(any::<usize>(), 0..6),
        behind in proptest::collection::vec(any::<u8>(), 0..5),
    ) {
        let upgrade = upgrade();
        let (mut bytes, head) = parts.written(&key(&upgrade));
        // Frames come right behind a 101, and another answer may come behind a body that has an end.
        if parts.status == 101 || parts.framing != Framing::UntilTheEnd {
            bytes.extend(&behind);
        }
        let answer = in_pieces(&upgrade, &bytes, &cuts);
        match (parts.status, parts.wrong()) {
            (101, None) => prop_assert_eq!(answer, Answer::Upgraded(head)),
            (101, Some(words)) => prop_assert!(
                matches!(&answer, Answer::Refused(reason) if reason.contains(words)),
                "{:?} in place of {}", answer, words
            ),
            (status, _) => {
                prop_assert_eq!(answer, Answer::Refused(format!("HTTP {status}: {}", foreign(parts.body.as_bytes()))));
            }
        }
    }

    #[test]
    fn a_damaged_answer_is_told_alike_however_it_was_cut(
        parts in parts(),
        damage in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..4),
        length in any::<usize>(),
        cuts in proptest::collection::vec(any::<usize>(), 0..8),
    ) {
        let upgrade = upgrade();
        let (mut bytes, _) = parts.written(&key(&upgrade));
        bytes.truncate(length % (2 * bytes.len()) + 1);
        for (at, byte) in damage {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let whole = upgrade.read_answer(&bytes, true);
        prop_assert_ne!(&whole, &Answer::Incomplete, "an answer that has ended is one");
        prop_assert_eq!(told(&in_pieces(&upgrade, &bytes, &cuts)), told(&whole));
    }

    #[test]
    fn whatever_comes_is_an_answer_and_no_panic(
        bytes in proptest::collection::vec(prop_oneof![any::<u8>(), proptest::sample::select(&b"HTP/1. 0:\r\n"[..])], 0..400),
        cuts in proptest::collection::vec(any::<usize>(), 0..8),
    ) {
        let upgrade = upgrade();
        let whole = upgrade.read_answer(&bytes, true);
        prop_assert!(matches!(whole, Answer::Refused(_)), "nobody guesses the key");
        prop_assert_eq!(told(&in_pieces(&upgrade, &bytes, &cuts)), told(&whole));
    }

    #[test]
    fn header_lines_are_counted(more in 0usize..80, cuts in proptest::collection::vec(any::<usize>(), 0..4)) {
        let upgrade = upgrade();
        let lines: String = (0..more).map(|line| format!("X-{line}: y\r\n")).collect();
        let answer = format!(
            "HTTP/1.1 101 On\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{lines}Sec-WebSocket-Accept: {}\r\n\r\n",
            accept_of(&key(&upgrade))
        );
        let answer_to = in_pieces(&upgrade, answer.as_bytes(), &cuts);
        if more + 3 <= MOST_HEADERS {
            prop_assert_eq!(answer_to, Answer::Upgraded(answer.len()));
        } else {
            prop_assert!(matches!(&answer_to, Answer::Refused(reason) if reason.contains("more than 64")), "{:?}", answer_to);
        }
    }

    #[test]
    fn heads_are_bounded(near in -2i64..3, interim: bool, cuts in proptest::collection::vec(any::<usize>(), 0..4)) {
        let upgrade = upgrade();
        let before = if interim { "HTTP/1.1 103 Hints\r\n\r\n" } else { "" };
        let answer = |pad: usize| format!(
            "{before}HTTP/1.1 101 On\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX: {}\r\nSec-WebSocket-Accept: {}\r\n\r\n",
            "x".repeat(pad),
            accept_of(&key(&upgrade))
        );
        let pad = (MOST_BYTES - answer(0).len()) as i64 + near;
        let answer = answer(pad as usize);
        let answer_to = in_pieces(&upgrade, answer.as_bytes(), &cuts);
        if near <= 0 {
            prop_assert_eq!(answer_to, Answer::Upgraded(answer.len()));
        } else {
            prop_assert!(matches!(&answer_to, Answer::Refused(reason) if reason.contains("exceeds 65536")), "{:?}", answer_to);
        }
    }
}
