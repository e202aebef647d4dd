//! Checks that need no WebSocket.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::Verdict;
use crate::link::content_length;

const PATIENCE: Duration = Duration::from_secs(5);

/// A status and a body.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Asks for `target`, with an upgrade where `upgrade` says so.
pub(crate) fn ask(server: SocketAddr, target: &str, upgrade: bool) -> Result<Response, String> {
    let extra = if upgrade {
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    } else {
        "Connection: close\r\n"
    };
    let request = format!("GET {target} HTTP/1.1\r\nHost: {server}\r\n{extra}\r\n");
    exchange(server, request.as_bytes()).map_err(|cause| format!("GET {target}: {cause}"))
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
    let body = &bytes[head_bytes..];
    let whole =
        status == 101 || content_length(response.headers).map_or(ended, |length| body.len() >= length);
    Ok(whole.then(|| Response { status, body: String::from_utf8_lossy(body).into_owned() }))
}

/// `GET /` answers 200 with a JSON object that names the server and its version.
pub(crate) fn check_root(server: SocketAddr) -> Verdict {
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
pub(crate) fn check_unknown_path(server: SocketAddr) -> Verdict {
    for upgrade in [false, true] {
        let Response { status, .. } = ask(server, "/nowhere", upgrade)?;
        if status != 404 {
            return Err(format!("HTTP {status} came where 404 was due (upgrade: {upgrade})"));
        }
    }
    Ok(())
}
