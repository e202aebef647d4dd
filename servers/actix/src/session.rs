//! What a connection does once it is open.
//!
//! Sending goes into actix-ws's channel of 32 messages, and what waits there leaves together: it coalesces on its own, so
//! `flush=each` and `flush=batch` are the same to it. A session that fails has lost its client, which is no fault to report.

use std::sync::Arc;

use actix_web::web::Bytes;
use actix_ws::{
    AggregatedMessage, AggregatedMessageStream, CloseCode, CloseReason, Closed, MessageStream, Session,
};
use bytestring::ByteString;
use tickbench_protocol::{MAX_MESSAGE_BYTES, RelayRole, SUBSCRIBED};
use tickbench_server_kit::{CLOSE_TIMEOUT, Hub, Tick, TickRequest};
use tokio::task::JoinSet;

/// A data message on its way to many subscribers.
#[derive(Debug, Clone)]
pub(crate) enum Published {
    Text(ByteString),
    Binary(Bytes),
}

impl Published {
    fn bytes(&self) -> usize {
        match self {
            Published::Text(text) => text.len(),
            Published::Binary(bytes) => bytes.len(),
        }
    }

    async fn send(self, session: &mut Session) -> Result<(), Closed> {
        match self {
            Published::Text(text) => session.text(text).await,
            Published::Binary(bytes) => session.binary(bytes).await,
        }
    }
}

/// Returns each data message.
pub(crate) async fn echo(mut session: Session, messages: MessageStream) -> Result<(), Closed> {
    let mut messages = whole(messages);
    while let Some(message) = next_data(&mut messages, &mut session).await? {
        message.send(&mut session).await?;
    }
    Ok(())
}

/// Sends ticks until the last one, or until the client leaves.
pub(crate) async fn ticks(
    session: Session,
    messages: MessageStream,
    request: TickRequest,
) -> Result<(), Closed> {
    until_closed(session.clone(), messages, send_ticks(session, request)).await
}

async fn send_ticks(mut session: Session, request: TickRequest) -> Result<(), Closed> {
    let mut stream = request.start();
    while let Some(tick) = stream.next().await {
        match tick {
            Tick::Text(text) => session.text(text).await?,
            Tick::Binary(bytes) => session.binary(bytes).await?,
        }
    }
    session.close(Some(CloseCode::Normal.into())).await
}

/// Publishes what it gets, or sends what others publish.
pub(crate) async fn relay(
    session: Session,
    messages: MessageStream,
    role: RelayRole,
    hub: Arc<Hub<Published>>,
) -> Result<(), Closed> {
    match role {
        RelayRole::Publisher => publish(session, messages, &hub).await,
        RelayRole::Subscriber => until_closed(session.clone(), messages, subscribe(session, &hub)).await,
    }
}

async fn publish(mut session: Session, messages: MessageStream, hub: &Hub<Published>) -> Result<(), Closed> {
    let mut messages = whole(messages);
    while let Some(message) = next_data(&mut messages, &mut session).await? {
        let bytes = message.bytes();
        hub.publish(message, bytes).await;
    }
    Ok(())
}

async fn subscribe(mut session: Session, hub: &Arc<Hub<Published>>) -> Result<(), Closed> {
    let mut subscription = hub.subscribe();
    session.text(SUBSCRIBED).await?;
    loop {
        match subscription.next().await {
            Ok(message) => message.send(&mut session).await?,
            Err(too_slow) => {
                let reason = CloseReason { code: CloseCode::Policy, description: Some(too_slow.to_string()) };
                return session.close(Some(reason)).await;
            }
        }
    }
}

/// The messages of a connection, fragments joined, as long as the contract allows.
fn whole(messages: MessageStream) -> AggregatedMessageStream {
    messages
        .max_frame_size(MAX_MESSAGE_BYTES)
        .aggregate_continuations()
        .max_continuation_size(MAX_MESSAGE_BYTES)
}

/// The next data message, pings and the close frame answered; `None` once the client has left.
async fn next_data(
    messages: &mut AggregatedMessageStream,
    session: &mut Session,
) -> Result<Option<Published>, Closed> {
    while let Some(Ok(message)) = messages.recv().await {
        match message {
            AggregatedMessage::Text(text) => return Ok(Some(Published::Text(text))),
            AggregatedMessage::Binary(bytes) => return Ok(Some(Published::Binary(bytes))),
            AggregatedMessage::Ping(payload) => session.pong(&payload).await?,
            AggregatedMessage::Pong(_) => {}
            AggregatedMessage::Close(reason) => {
                session.clone().close(reason).await?;
                return Ok(None);
            }
        }
    }
    Ok(None)
}

/// Runs `sending` while a task of its own reads and answers; then waits for the client's close frame.
async fn until_closed(
    mut session: Session,
    messages: MessageStream,
    sending: impl Future<Output = Result<(), Closed>>,
) -> Result<(), Closed> {
    // Aborted when this returns, so that nothing holds on to a connection that is given up.
    let mut reading = JoinSet::new();
    reading.spawn_local(async move {
        let mut messages = whole(messages);
        while let Ok(Some(_)) = next_data(&mut messages, &mut session).await {}
    });
    tokio::select! {
        _ = reading.join_next() => return Ok(()),
        sent = sending => sent?,
    }
    // A client that does not answer in time is cut off all the same.
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, reading.join_next()).await;
    Ok(())
}
