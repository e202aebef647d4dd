//! The opening of a connection: one HTTP request, read by httparse, and its answer.

use anyhow::bail;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};
use tickbench_server_kit::{Answer, Endpoint, MAX_HEAD_BYTES, Refusal, Route};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::FRAMEWORK;
use crate::connection::Connection;

const MAX_HEADERS: usize = 64;

/// What a key is joined with before it is hashed (RFC 6455, section 1.3).
const ACCEPT_GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

struct Request {
    target: String,
    /// What `Sec-WebSocket-Key` holds, or what is wrong with the upgrade.
    key: Result<String, &'static str>,
}

type Opened = (Connection, Endpoint);

/// Reads the request and answers it; `None` where that was all. What `admit` refuses is refused before the upgrade.
pub(crate) async fn open(
    mut stream: TcpStream,
    admit: impl FnOnce(&Endpoint) -> Result<(), Refusal>,
) -> anyhow::Result<Option<Opened>> {
    let (request, rest) = read_request(&mut stream).await?;
    let endpoint = match Route::of_target(&request.target) {
        Ok(Route::Root) => return answered(stream, Answer::of(&FRAMEWORK)).await,
        Ok(Route::Socket(endpoint)) => match admit(&endpoint) {
            Ok(()) => endpoint,
            Err(refusal) => return answered(stream, refusal.into()).await,
        },
        Err(refusal) => return answered(stream, refusal.into()).await,
    };
    let key = match request.key {
        Ok(key) => key,
        Err(what) => return answered(stream, Refusal::bad_request(what).into()).await,
    };
    let accept = STANDARD.encode(Sha1::new().chain_update(key).chain_update(ACCEPT_GUID).finalize());
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    Ok(Some((Connection::new(stream, rest), endpoint)))
}

/// There is nothing to open: the answer was all.
async fn answered(stream: TcpStream, answer: Answer) -> anyhow::Result<Option<Opened>> {
    answer.send(stream).await?;
    Ok(None)
}

/// The request, and the bytes that came behind it.
async fn read_request(stream: &mut TcpStream) -> anyhow::Result<(Request, Vec<u8>)> {
    let mut head = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            bail!("the client left before its request was whole");
        }
        if let Some((request, bytes)) = parse(&head)? {
            // Copied, so that a connection without early data holds no buffer.
            return Ok((request, head[bytes..].to_vec()));
        }
        if head.len() > MAX_HEAD_BYTES {
            bail!("the request's head is longer than {MAX_HEAD_BYTES} bytes");
        }
    }
}

fn parse(head: &[u8]) -> Result<Option<(Request, usize)>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(bytes) = request.parse(head)? else { return Ok(None) };
    let target = request.path.unwrap_or("/").to_owned();
    Ok(Some((Request { target, key: upgrade_key(&request) }, bytes)))
}

fn upgrade_key(request: &httparse::Request) -> Result<String, &'static str> {
    let header = |name: &str| {
        let found = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| str::from_utf8(header.value).ok()).unwrap_or("")
    };
    let names = |name: &str, token: &str| {
        header(name).split(',').any(|listed| listed.trim().eq_ignore_ascii_case(token))
    };
    if request.method != Some("GET") || request.version != Some(1) {
        return Err("a WebSocket is opened by GET in HTTP/1.1");
    }
    if !names("connection", "upgrade") || !names("upgrade", "websocket") {
        return Err("this path is a WebSocket: ask for it with Connection: Upgrade and Upgrade: websocket");
    }
    if header("sec-websocket-version").trim() != "13" {
        return Err("Sec-WebSocket-Version must be 13");
    }
    let key = header("sec-websocket-key").trim();
    match STANDARD.decode(key) {
        Ok(nonce) if nonce.len() == 16 => Ok(key.to_owned()),
        _ => Err("Sec-WebSocket-Key must be 16 bytes in base64"),
    }
}
