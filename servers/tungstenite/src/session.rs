//! What a connection does once it is open.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use tickbench_protocol::{RelayRole, SUBSCRIBED};
use tickbench_server_kit::{CLOSE_TIMEOUT, Hub, Tick, TickRequest};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};

type Socket = WebSocketStream<TcpStream>;
type Sender = futures_util::stream::SplitSink<Socket, Message>;
type Receiver = futures_util::stream::SplitStream<Socket>;

/// Returns each data message.
pub(crate) async fn echo(mut socket: Socket) -> anyhow::Result<()> {
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

/// Sends ticks until the last one, or until the client leaves.
pub(crate) async fn ticks(socket: Socket, request: TickRequest) -> anyhow::Result<()> {
    let (sender, receiver) = socket.split();
    until_closed(receiver, send_ticks(sender, request)).await
}

async fn send_ticks(mut sender: Sender, request: TickRequest) -> anyhow::Result<()> {
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
    close(sender, CloseCode::Normal, "").await
}

/// Publishes what it gets, or sends what others publish.
pub(crate) async fn relay(socket: Socket, role: RelayRole, hub: Arc<Hub<Message>>) -> anyhow::Result<()> {
    match role {
        RelayRole::Publisher => publish(socket, &hub).await,
        RelayRole::Subscriber => {
            let (sender, receiver) = socket.split();
            until_closed(receiver, subscribe(sender, &hub)).await
        }
    }
}

async fn publish(mut socket: Socket, hub: &Hub<Message>) -> anyhow::Result<()> {
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            let bytes = message.len();
            hub.publish(message, bytes).await;
        }
    }
    Ok(())
}

async fn subscribe(mut sender: Sender, hub: &Arc<Hub<Message>>) -> anyhow::Result<()> {
    let mut subscription = hub.subscribe();
    sender.send(Message::text(SUBSCRIBED)).await?;
    loop {
        match subscription.next().await {
            Ok(message) => sender.send(message).await?,
            Err(too_slow) => return close(sender, CloseCode::Policy, &too_slow.to_string()).await,
        }
    }
}

async fn close(mut sender: Sender, code: CloseCode, reason: &str) -> anyhow::Result<()> {
    let frame = CloseFrame { code, reason: reason.into() };
    Ok(sender.send(Message::Close(Some(frame))).await?)
}

/// Runs `sending` while a task of its own reads, which is what answers pings and close frames; then waits for the client's
/// close frame.
async fn until_closed(
    mut receiver: Receiver,
    sending: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    // Aborted when this returns, so that nothing holds on to a connection that is given up.
    let mut reading = JoinSet::new();
    reading.spawn(async move { while let Some(Ok(_)) = receiver.next().await {} });
    tokio::select! {
        _ = reading.join_next() => return Ok(()),
        sent = sending => sent?,
    }
    tokio::time::timeout(CLOSE_TIMEOUT, reading.join_next()).await?;
    Ok(())
}
