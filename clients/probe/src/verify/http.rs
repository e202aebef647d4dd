//! Checks that need no WebSocket.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{Protocol, Rule, Verdict};
use crate::link::{Upgrade, content_length, header};

const PATIENCE: Duration = Duration::from_secs(5);

/// A status and a body.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) body: String,
}

pub(super) fn check(server: SocketAddr, protocol: &mut Protocol) -> std::io::Result<()> {
    protocol.check(Rule::Root, "GET / names server and version", || check_root(server))?;
    let name = "an unknown path is answered with 404";
    protocol.check(Rule::UnknownPath, name, || check_unknown_path(server))?;
    for target in ["/echo", "/ticks", "/relay"] {
        let name = format!("{target} without an upgrade is refused");
        protocol.check(Rule::PlainGet, name, || check_plain(server, target))?;
    }
    Ok(())
}

/// Asks for `target`, with an upgrade where `upgrade` says so: then as a measurement asks.
pub(super) fn ask(server: SocketAddr, target: &str, upgrade: bool) -> Result<Response, String> {
    let failed = |cause: std::io::Error| format!("GET {target}: {cause}");
    let request = if upgrade {
        Upgrade::new(server, target).map_err(failed)?.request
    } else {
        format!("GET {target} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n").into_bytes()
    };
    exchange(server, &request).map_err(|cause| format!("GET {target}: {cause}"))
}

fn exchange(server: SocketAddr, request: &[u8]) -> Result<Response, String> {
    let io = |cause: std::io::Error| cause.to_string();
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE).map_err(io)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(io)?;
    stream.write_all(request).map_err(io)?;
    let (mut bytes, mut space) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut space).map_err(io)?;
        bytes.extend_from_slice(&space[..count]);
        if let Some(response) = parse(&bytes, count == 0)? {
            return Ok(response);
        }
        if count == 0 {
            return Err("the connection ended before the answer did".into());
        }
    }
}

/// The response, once it is whole: by its length or, where it names none, by the end of the connection.
fn parse(bytes: &[u8], ended: bool) -> Result<Option<Response>, String> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let head = response.parse(bytes).map_err(|cause| format!("the answer is not HTTP: {cause}"))?;
    let (httparse::Status::Complete(head_bytes), Some(status)) = (head, response.code) else {
        return Ok(None);
    };
    let rest = &bytes[head_bytes..];
    let chunked = header(response.headers, "Transfer-Encoding")
        .is_some_and(|codings| codings.trim().to_ascii_lowercase().ends_with("chunked"));
    let body = match content_length(response.headers) {
        _ if status == 101 => Some(Vec::new()),
        _ if chunked => unchunked(rest)?,
        Some(length) => rest.get(..length).map(<[u8]>::to_vec),
        None => ended.then(|| rest.to_vec()),
    };
    Ok(body.map(|body| Response { status, body: String::from_utf8_lossy(&body).into_owned() }))
}

/// The body of a chunked message, once its last chunk is there (RFC 9112, section 7.1). Trailers are left unread.
fn unchunked(mut rest: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let mut body = Vec::new();
    loop {
        let size = httparse::parse_chunk_size(rest).map_err(|_| "a chunk of the answer has no size")?;
        let httparse::Status::Complete((start, size)) = size else { return Ok(None) };
        if size == 0 {
            return Ok(Some(body));
        }
        let end = start.saturating_add(usize::try_from(size).unwrap_or(usize::MAX));
        let Some(chunk) = rest.get(start..end) else { return Ok(None) };
        body.extend_from_slice(chunk);
        match rest.get(end..end + 2) {
            Some(b"\r\n") => rest = &rest[end + 2..],
            Some(_) => return Err("a chunk of the answer is longer than its size".into()),
            None => return Ok(None),
        }
    }
}

/// `GET /` answers 200 with a JSON object that names the server and its version.
fn check_root(server: SocketAddr) -> Verdict {
    let Response { status, body } = ask(server, "/", false)?;
    if status != 200 {
        return Err(format!("HTTP {status} came where 200 was due"));
    }
    let object: serde_json::Value =
        serde_json::from_str(&body).map_err(|cause| format!("the body is not JSON: {cause}: {body:?}"))?;
    for key in ["name", "version"] {
        if object.get(key).and_then(|value| value.as_str()).is_none_or(str::is_empty) {
            return Err(format!("the body has no text {key:?}: {body}"));
        }
    }
    Ok(())
}

/// Other paths answer 404, asked for with an upgrade or without.
fn check_unknown_path(server: SocketAddr) -> Verdict {
    for upgrade in [false, true] {
        let Response { status, .. } = ask(server, "/nowhere", upgrade)?;
        if status != 404 {
            return Err(format!("HTTP {status} came where 404 was due (upgrade: {upgrade})"));
        }
    }
    Ok(())
}

/// A path of WebSockets that is asked for without an upgrade has nothing to give.
fn check_plain(server: SocketAddr, target: &str) -> Verdict {
    match ask(server, target, false)?.status {
        400..=499 => Ok(()),
        status => Err(format!("HTTP {status} came where a status from 400 to 499 was due")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &str = "HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: Chunked\r\n\r\n\
                           7;x=y\r\nrate=x \r\n7\r\nis bad.\r\n0\r\nx-end: 1\r\n\r\n";

    #[test]
    fn chunks_are_put_together_once_the_last_is_there() {
        let whole = CHUNKED.find("0\r\nx-end").unwrap() + 3;
        for length in 0..CHUNKED.len() {
            let response = parse(&CHUNKED.as_bytes()[..length], false).unwrap();
            let body = response.map(|response| response.body);
            assert_eq!(body.as_deref(), (length >= whole).then_some("rate=x is bad."), "{length} bytes");
        }
    }

    #[test]
    fn chunks_that_are_none_are_told() {
        let refused = |from: &str, to: &str| parse(CHUNKED.replace(from, to).as_bytes(), true).unwrap_err();
        assert!(refused("7;x=y", "z").contains("no size"));
        assert!(refused("7;x=y", "3").contains("longer"));
    }

    #[test]
    fn a_body_ends_with_its_length_or_with_the_connection() {
        let body =
            |answer: &str, ended| parse(answer.as_bytes(), ended).unwrap().map(|response| response.body);
        let named = "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\n";
        assert_eq!(body(&format!("{named}n"), false), None);
        assert_eq!(body(&format!("{named}no"), false), Some("no".into()));
        assert_eq!(body("HTTP/1.1 404 No\r\n\r\nno", false), None);
        assert_eq!(body("HTTP/1.1 404 No\r\n\r\nno", true), Some("no".into()));
    }
}
