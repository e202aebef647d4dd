//! The opening of a connection, by tungstenite's own request parser and handshake checks.
//!
//! `accept_hdr_async` would do it for WebSockets alone, but drops a request without an upgrade unanswered, and `GET /` is one.

use anyhow::bail;
use tickbench_server_kit::{Answer, Endpoint, MAX_HEAD_BYTES, Refusal, Route};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::machine::TryParse;
use tokio_tungstenite::tungstenite::handshake::server::{Request, create_response, write_response};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::FRAMEWORK;

type Opened = (WebSocketStream<TcpStream>, Endpoint);

/// Reads the request and answers it; `None` where that was all.
pub(crate) async fn open(mut stream: TcpStream, config: WebSocketConfig) -> anyhow::Result<Option<Opened>> {
    let (request, rest) = read_request(&mut stream).await?;
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let endpoint = match Route::of_target(target) {
        Ok(Route::Root) => return answered(stream, Answer::of(&FRAMEWORK)).await,
        Ok(Route::Socket(endpoint)) => endpoint,
        Err(refusal) => return answered(stream, refusal.into()).await,
    };
    let response = match create_response(&request) {
        Ok(response) => response,
        Err(error) => return answered(stream, Refusal::bad_request(error).into()).await,
    };
    let mut head = Vec::new();
    write_response(&mut head, &response)?;
    stream.write_all(&head).await?;
    let socket = WebSocketStream::from_partially_read(stream, rest, Role::Server, Some(config)).await;
    Ok(Some((socket, endpoint)))
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
        if let Some((bytes, request)) = Request::try_parse(&head)? {
            return Ok((request, head.split_off(bytes)));
        }
        if head.len() > MAX_HEAD_BYTES {
            bail!("the request's head is longer than {MAX_HEAD_BYTES} bytes");
        }
    }
}
