//! What a connection does once it is open.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use tickbench_protocol::{RelayRole, SUBSCRIBED};
use tickbench_server_kit::{CLOSE_TIMEOUT, Hub, Tick, TickRequest};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};

type Socket = WebSocketStream<TcpStream>;
type Sender = futures_util::stream::SplitSink<Socket, Message>;
type Receiver = futures_util::stream::SplitStream<Socket>;

/// Returns each data message.
pub(crate) async fn echo(mut socket: Socket) -> anyhow::Result<()> {
    while let Some(message) = socket.next().await {
        match message {
            Ok(message) if message.is_text() || message.is_binary() => socket.send(message).await?,
            Ok(_) => {}
            Err(error) => return refuse(socket, &error).await,
        }
    }
    Ok(())
}

/// Sends ticks until the last one, or until the client leaves.
pub(crate) async fn ticks(socket: Socket, request: TickRequest) -> anyhow::Result<()> {
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
    Ok(close_frame(CloseCode::Normal, ""))
}

/// Publishes what it gets, or sends what others publish.
pub(crate) async fn relay(socket: Socket, role: RelayRole, hub: Arc<Hub<Message>>) -> anyhow::Result<()> {
    match role {
        RelayRole::Publisher => publish(socket, &hub).await,
        RelayRole::Subscriber => {
            send_and_read(socket, async |sender| send_published(sender, &hub).await).await
        }
    }
}

async fn publish(mut socket: Socket, hub: &Hub<Message>) -> anyhow::Result<()> {
    while let Some(message) = socket.next().await {
        match message {
            Ok(message) if message.is_text() || message.is_binary() => {
                let bytes = message.len();
                hub.publish(message, bytes).await;
            }
            Ok(_) => {}
            Err(error) => return refuse(socket, &error).await,
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
            Err(too_slow) => return Ok(close_frame(CloseCode::Policy, &too_slow.to_string())),
        }
    }
}

fn close_frame(code: CloseCode, reason: &str) -> CloseFrame {
    CloseFrame { code, reason: reason.into() }
}

/// What a client is told that broke the protocol; `None` where it is the connection that failed.
fn refusal(error: &Error) -> Option<CloseFrame> {
    let code = match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => return None,
        Error::Protocol(_) => CloseCode::Protocol,
        Error::Utf8(_) => CloseCode::Invalid,
        Error::Capacity(_) => CloseCode::Size,
        _ => return None,
    };
    Some(close_frame(code, &error.to_string()))
}

/// Ends a connection from which `error` was read: tungstenite leaves it to its user to say why.
async fn refuse(mut socket: Socket, error: &Error) -> anyhow::Result<()> {
    let Some(frame) = refusal(error) else { return Ok(()) };
    Ok(timeout(CLOSE_TIMEOUT, socket.send(Message::Close(Some(frame)))).await??)
}

/// Runs `send` while a task of its own reads, which is what answers pings and close frames. Then sends the close frame that `send`
/// returned, or what the client is told that broke the protocol, and waits for the client's.
async fn send_and_read(
    socket: Socket,
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
            return refusal(&error);
        }
    }
    None
}
