//! What a connection does once it is open.

use std::sync::Arc;

use axum::Error;
use axum::extract::ws::{CloseCode, CloseFrame, Message, WebSocket, close_code};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tickbench_protocol::{RelayRole, SUBSCRIBED};
use tickbench_server_kit::{CLOSE_TIMEOUT, Hub, Tick, TickRequest};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tungstenite::error::ProtocolError;

type Sender = SplitSink<WebSocket, Message>;
type Receiver = SplitStream<WebSocket>;

/// Returns each data message.
pub(crate) async fn echo(mut socket: WebSocket) -> anyhow::Result<()> {
    while let Some(message) = socket.next().await {
        match message {
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => socket.send(message).await?,
            Ok(_) => {}
            Err(error) => return refuse(socket, error).await,
        }
    }
    Ok(())
}

/// Sends ticks until the last one, or until the client leaves.
pub(crate) async fn ticks(socket: WebSocket, request: TickRequest) -> anyhow::Result<()> {
    send_and_read(socket, async |sender| send_ticks(sender, request).await).await
}

async fn send_ticks(sender: &mut Sender, request: TickRequest) -> Result<CloseFrame, Error> {
    let mut stream = request.start();
    while let Some(tick) = stream.next().await {
        let message = match tick {
            Tick::Text(text) => Message::Text(text.into()),
            Tick::Binary(bytes) => Message::Binary(bytes.into()),
        };
        if stream.flushes() {
            sender.send(message).await?;
        } else {
            sender.feed(message).await?;
        }
    }
    Ok(close_frame(close_code::NORMAL, ""))
}

/// Publishes what it gets, or sends what others publish.
pub(crate) async fn relay(socket: WebSocket, role: RelayRole, hub: Arc<Hub<Message>>) -> anyhow::Result<()> {
    match role {
        RelayRole::Publisher => publish(socket, &hub).await,
        RelayRole::Subscriber => {
            send_and_read(socket, async |sender| send_published(sender, &hub).await).await
        }
    }
}

async fn publish(mut socket: WebSocket, hub: &Hub<Message>) -> anyhow::Result<()> {
    while let Some(message) = socket.next().await {
        match message {
            Ok(message) => {
                if let Some(bytes) = data_bytes(&message) {
                    hub.publish(message, bytes).await;
                }
            }
            Err(error) => return refuse(socket, error).await,
        }
    }
    Ok(())
}

async fn send_published(sender: &mut Sender, hub: &Arc<Hub<Message>>) -> Result<CloseFrame, Error> {
    let mut subscription = hub.subscribe();
    sender.send(Message::text(SUBSCRIBED)).await?;
    loop {
        match subscription.next().await {
            Ok(message) => sender.send(message).await?,
            Err(too_slow) => return Ok(close_frame(close_code::POLICY, &too_slow.to_string())),
        }
    }
}

/// The length of a data message; `None` for any other.
fn data_bytes(message: &Message) -> Option<usize> {
    match message {
        Message::Text(text) => Some(text.len()),
        Message::Binary(bytes) => Some(bytes.len()),
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => None,
    }
}

fn close_frame(code: CloseCode, reason: &str) -> CloseFrame {
    CloseFrame { code, reason: reason.into() }
}

/// What a client is told that broke the protocol; `None` where it is the connection that failed. axum's error holds tungstenite's.
fn refusal(error: Error) -> Option<CloseFrame> {
    let error = error.into_inner().downcast::<tungstenite::Error>().ok()?;
    let code = match *error {
        tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => return None,
        tungstenite::Error::Protocol(_) => close_code::PROTOCOL,
        tungstenite::Error::Utf8(_) => close_code::INVALID,
        tungstenite::Error::Capacity(_) => close_code::SIZE,
        _ => return None,
    };
    Some(close_frame(code, &error.to_string()))
}

/// Ends a connection from which `error` was read: axum leaves it to its user to say why.
async fn refuse(mut socket: WebSocket, error: Error) -> anyhow::Result<()> {
    let Some(frame) = refusal(error) else { return Ok(()) };
    Ok(timeout(CLOSE_TIMEOUT, socket.send(Message::Close(Some(frame)))).await??)
}

/// Runs `send` while a task of its own reads, which is what answers pings and close frames. Then sends the close frame that `send`
/// returned, or what the client is told that broke the protocol, and waits for the client's.
async fn send_and_read(
    socket: WebSocket,
    send: impl AsyncFnOnce(&mut Sender) -> Result<CloseFrame, Error>,
) -> anyhow::Result<()> {
    let (mut sender, receiver) = socket.split();
    // Aborted when this returns, so that nothing holds on to a connection that is given up.
    let mut reading = JoinSet::new();
    reading.spawn(read_to_end(receiver));
    let last = tokio::select! {
        refusal = reading.join_next() => refusal.and_then(Result::ok).flatten(),
        // It fails where the client has closed: the task that reads still has to answer.
        sent = send(&mut sender) => sent.ok(),
    };
    let ending = async {
        if let Some(frame) = last {
            sender.send(Message::Close(Some(frame))).await?;
        }
        reading.join_next().await;
        Ok(())
    };
    timeout(CLOSE_TIMEOUT, ending).await?
}

/// Reads until the client has left; what it is told, where it broke the protocol.
async fn read_to_end(mut receiver: Receiver) -> Option<CloseFrame> {
    while let Some(message) = receiver.next().await {
        if let Err(error) = message {
            return refusal(error);
        }
    }
    None
}
