//! The HTTP upgrade of RFC 6455, section 4, from the client's side.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

use tickbench_record::foreign;

use super::body::{Body, read_body};
use super::random::random_bytes;

/// RFC 6455, section 1.3.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Header lines that an answer may have.
const MAX_HEADERS: usize = 64;

/// Bytes of the heads of an answer, beyond which it is no answer.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// Bytes of a refusal's body that are read: more than are shown of it.
const BODY_BYTES: usize = 4 << 10;

/// A request to upgrade, with the key that its answer must prove to have read.
#[derive(Debug)]
pub(crate) struct Upgrade {
    /// The bytes to send.
    pub(crate) request: Vec<u8>,
    accept: String,
}

/// What the bytes received so far say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// More bytes are needed.
    Incomplete,
    /// The connection is upgraded; frames follow behind so many bytes.
    Upgraded(usize),
    /// It is not, and why, in a sentence.
    Refused(String),
}

impl Upgrade {
    /// An upgrade of `target` on `server`, with a fresh key.
    pub(crate) fn new(server: SocketAddr, target: &str) -> std::io::Result<Upgrade> {
        Ok(Upgrade::with_key(server, target, random_bytes()?))
    }

    fn with_key(server: SocketAddr, target: &str, key: [u8; 16]) -> Upgrade {
        let key = STANDARD.encode(key);
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        let accept = STANDARD.encode(Sha1::digest(format!("{key}{GUID}")));
        Upgrade { request: request.into_bytes(), accept }
    }

    /// Reads an answer, as far as it has come. `ended` says that no more bytes will come. However the bytes were cut, the first answer
    /// that is not incomplete is that to all of them.
    pub(crate) fn read_answer(&self, bytes: &[u8], ended: bool) -> Answer {
        let mut start = 0;
        loop {
            // No head ends behind the limit, however much has come by now.
            let heads = &bytes[start..bytes.len().min(MAX_HEAD_BYTES)];
            let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut response = httparse::Response::new(&mut headers);
            let head_bytes = match response.parse(heads) {
                Ok(httparse::Status::Complete(head_bytes)) => head_bytes,
                Ok(httparse::Status::Partial) if bytes.len() >= MAX_HEAD_BYTES => {
                    return Answer::Refused(format!("the head of the answer exceeds {MAX_HEAD_BYTES} bytes"));
                }
                Ok(httparse::Status::Partial) if ended => {
                    let came = came_so_far(bytes);
                    return Answer::Refused(format!(
                        "the server closed before it had answered the upgrade: {came}"
                    ));
                }
                Ok(httparse::Status::Partial) => return Answer::Incomplete,
                Err(httparse::Error::TooManyHeaders) => {
                    return Answer::Refused(format!(
                        "the answer to the upgrade has more than {MAX_HEADERS} header lines"
                    ));
                }
                Err(cause) => {
                    let came = came_so_far(bytes);
                    return Answer::Refused(format!(
                        "the answer to the upgrade is not HTTP: {cause}: {came}"
                    ));
                }
            };
            start += head_bytes;
            match response.code.unwrap_or(0) {
                101 => {
                    return match self.check(response.version, response.headers) {
                        Ok(()) => Answer::Upgraded(start),
                        Err(reason) => Answer::Refused(reason),
                    };
                }
                // RFC 9110, section 15.2: the answer itself is still to come.
                100..=199 => {}
                code => {
                    return match read_body(code, response.headers, &bytes[start..], ended, BODY_BYTES) {
                        Body::Incomplete => Answer::Incomplete,
                        Body::Whole(body) => Answer::Refused(format!("HTTP {code}: {}", foreign(&body))),
                    };
                }
            }
        }
    }

    /// RFC 6455, section 4.1: what a client must find in the answer, and what it must not.
    fn check(&self, version: Option<u8>, headers: &[httparse::Header]) -> Result<(), String> {
        if version != Some(1) {
            return Err("the answer to the upgrade is in HTTP/1.0, which has none".into());
        }
        let lacks = |name: &str| format!("the answer to the upgrade lacks `{name}`");
        let upgrade = header(headers, "Upgrade").ok_or_else(|| lacks("Upgrade: websocket"))?;
        if !upgrade.eq_ignore_ascii_case("websocket") {
            return Err(format!(
                "the answer upgrades to `{}` in place of websocket",
                foreign(upgrade.as_bytes())
            ));
        }
        let mut connection = values(headers, "Connection").flat_map(|value| value.split(','));
        if !connection.any(|token| token.trim().eq_ignore_ascii_case("upgrade")) {
            return Err(lacks("Connection: Upgrade"));
        }
        let accept = header(headers, "Sec-WebSocket-Accept").ok_or_else(|| lacks("Sec-WebSocket-Accept"))?;
        if accept != self.accept {
            let said = foreign(accept.as_bytes());
            return Err(format!("Sec-WebSocket-Accept is `{said}` where `{}` was due", self.accept));
        }
        for name in ["Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol"] {
            if let Some(value) = header(headers, name) {
                let said = foreign(value.as_bytes());
                return Err(format!("the answer agrees on `{name}: {said}`, which was not offered"));
            }
        }
        Ok(())
    }
}

/// The value of a header, where it is there and is text; the first of several.
pub(crate) fn header<'h>(headers: &[httparse::Header<'h>], name: &str) -> Option<&'h str> {
    values(headers, name).next()
}

/// The values of all lines of a header that are text.
pub(super) fn values<'a, 'h>(
    headers: &'a [httparse::Header<'h>],
    name: &'a str,
) -> impl Iterator<Item = &'h str> + 'a {
    let named = headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
    named.filter_map(|header| std::str::from_utf8(header.value).ok()).map(str::trim)
}

/// What came of an answer, for the reason why there is none.
pub(super) fn came_so_far(bytes: &[u8]) -> String {
    match bytes.len() {
        0 => "nothing came".into(),
        count => format!("{count} bytes came, `{}`", foreign(bytes)),
    }
}

/// The length of the body, where the answer names it.
pub(crate) fn content_length(headers: &[httparse::Header]) -> Option<usize> {
    header(headers, "Content-Length")?.parse().ok()
}

/// The answer that proves to have read `key`: for the test servers and the prepared one.
pub(crate) fn accept_of(key: &str) -> String {
    STANDARD.encode(Sha1::digest(format!("{key}{GUID}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6455, section 1.3.
    fn sample() -> Upgrade {
        Upgrade::with_key(([127, 0, 0, 1], 80).into(), "/ticks?rate=0", *b"the sample nonce")
    }

    const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

    #[test]
    fn the_example_of_the_rfc() {
        let upgrade = sample();
        let request = String::from_utf8(upgrade.request.clone()).unwrap();
        assert!(request.starts_with("GET /ticks?rate=0 HTTP/1.1\r\nHost: 127.0.0.1:80\r\n"));
        assert!(request.contains("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"));
        assert_eq!(upgrade.read_answer(GOOD.as_bytes(), false), Answer::Upgraded(GOOD.len()));
        let with_frame = [GOOD.as_bytes(), b"\x81\x00"].concat();
        assert_eq!(upgrade.read_answer(&with_frame, false), Answer::Upgraded(GOOD.len()));
    }

    #[test]
    fn every_prefix_is_incomplete() {
        for length in 0..GOOD.len() {
            let prefix = &GOOD.as_bytes()[..length];
            assert_eq!(sample().read_answer(prefix, false), Answer::Incomplete, "{length}");
            assert!(matches!(sample().read_answer(prefix, true), Answer::Refused(_)), "{length}");
        }
    }

    #[test]
    fn wrong_answers_are_refused_by_name() {
        let refused =
            |from: &str, to: &str| match sample().read_answer(GOOD.replace(from, to).as_bytes(), true) {
                Answer::Refused(reason) => reason,
                answer => panic!("{answer:?}"),
            };
        assert!(refused("s3pP", "S3pP").contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert!(refused("keep-alive, Upgrade", "close").contains("Connection"));
        assert!(refused("WebSocket", "h2c").contains("h2c"));
        assert!(refused("\r\n\r\n", "\r\nSec-WebSocket-Extensions: x\r\n\r\n").contains("not offered"));
        assert!(refused("HTTP/1.1", "SSH-2.0").contains("not HTTP"));
    }

    #[test]
    fn a_refusal_is_told_in_the_servers_words() {
        let refusal = "HTTP/1.1 400 Bad Request\r\nContent-Length: 14\r\n\r\nrate=x is bad.";
        let upgrade = sample();
        let answer = upgrade.read_answer(refusal.as_bytes(), false);
        assert_eq!(answer, Answer::Refused("HTTP 400: rate=x is bad.".into()));
        let cut = &refusal.as_bytes()[..refusal.len() - 3];
        assert_eq!(upgrade.read_answer(cut, false), Answer::Incomplete);
        assert_eq!(upgrade.read_answer(cut, true), Answer::Refused("HTTP 400: rate=x is b".into()));
    }
}
