//! What a connection does once it is open.
//!
//! Sending goes into actix-ws's channel of 32 messages, and what waits there leaves together: it coalesces on its own, so
//! `flush=each` and `flush=batch` are the same to it. A session that fails has lost its client, which is no fault to report.

use std::io;
use std::str::Utf8Error;
use std::sync::Arc;

use actix_web::web::Bytes;
use actix_ws::{
    AggregatedMessage, AggregatedMessageStream, CloseCode, CloseReason, Closed, MessageStream, ProtocolError,
    Session,
};
use bytestring::ByteString;
use futures_util::FutureExt;
use tickbench_protocol::{MAX_MESSAGE_BYTES, RelayRole, SUBSCRIBED};
use tickbench_server_kit::{CLOSE_TIMEOUT, Hub, Tick, TickRequest};
use tokio::task::JoinSet;
use tokio::time::timeout;

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
    let mut incoming = Incoming::new(messages, session.clone());
    while let Some(message) = incoming.next_data().await? {
        message.send(&mut session).await?;
    }
    Ok(())
}

/// Sends ticks until the last one, or until the client leaves.
pub(crate) async fn ticks(session: Session, messages: MessageStream, request: TickRequest) {
    send_and_read(session.clone(), messages, send_ticks(session, request)).await;
}

async fn send_ticks(mut session: Session, request: TickRequest) -> Result<CloseReason, Closed> {
    let mut stream = request.start();
    while let Some(tick) = stream.next().await {
        match tick {
            Tick::Text(text) => session.text(text).await?,
            Tick::Binary(bytes) => session.binary(bytes).await?,
        }
    }
    Ok(CloseCode::Normal.into())
}

/// Publishes what it gets, or sends what others publish.
pub(crate) async fn relay(
    session: Session,
    messages: MessageStream,
    role: RelayRole,
    hub: Arc<Hub<Published>>,
) {
    match role {
        // It fails where the client has left.
        RelayRole::Publisher => drop(publish(session, messages, &hub).await),
        RelayRole::Subscriber => {
            send_and_read(session.clone(), messages, send_published(session, &hub)).await;
        }
    }
}

async fn publish(session: Session, messages: MessageStream, hub: &Hub<Published>) -> Result<(), Closed> {
    let mut incoming = Incoming::new(messages, session);
    while let Some(message) = incoming.next_data().await? {
        let bytes = message.bytes();
        hub.publish(message, bytes).await;
    }
    Ok(())
}

async fn send_published(mut session: Session, hub: &Arc<Hub<Published>>) -> Result<CloseReason, Closed> {
    let mut subscription = hub.subscribe();
    session.text(SUBSCRIBED).await?;
    loop {
        match subscription.next().await {
            Ok(message) => message.send(&mut session).await?,
            Err(too_slow) => {
                return Ok(CloseReason { code: CloseCode::Policy, description: Some(too_slow.to_string()) });
            }
        }
    }
}

/// Runs `sending` while a task of its own reads and answers. Then sends the close frame that `sending` returned, and waits for the
/// client's.
async fn send_and_read(
    session: Session,
    messages: MessageStream,
    sending: impl Future<Output = Result<CloseReason, Closed>>,
) {
    // Aborted when this returns, so that nothing holds on to a connection that is given up.
    let mut reading = JoinSet::new();
    let mut incoming = Incoming::new(messages, session.clone());
    reading.spawn_local(async move { while let Ok(Some(_)) = incoming.next_data().await {} });
    let last = tokio::select! {
        _ = reading.join_next() => return,
        // It fails where the client has closed: the task that reads still has to answer.
        sent = sending => sent.ok(),
    };
    let ending = async {
        if let Some(reason) = last {
            session.close(Some(reason)).await?;
        }
        reading.join_next().await;
        Ok::<_, Closed>(())
    };
    // A client that does not answer in time is cut off all the same.
    let _ = timeout(CLOSE_TIMEOUT, ending).await;
}

/// What a client sends, and the answers that the protocol itself asks for.
struct Incoming {
    messages: AggregatedMessageStream,
    session: Session,
    /// What the client is told, once it has broken the protocol.
    refusal: Option<CloseReason>,
}

impl Incoming {
    /// Fragments are joined as long as the contract allows.
    fn new(messages: MessageStream, session: Session) -> Incoming {
        let messages = messages
            .max_frame_size(MAX_MESSAGE_BYTES)
            .aggregate_continuations()
            .max_continuation_size(MAX_MESSAGE_BYTES);
        Incoming { messages, session, refusal: None }
    }

    /// The next data message, pings and the close frame answered; `None` once the client has left, or was refused.
    async fn next_data(&mut self) -> Result<Option<Published>, Closed> {
        loop {
            match self.next().await {
                Some(Ok(AggregatedMessage::Text(text))) => return Ok(Some(Published::Text(text))),
                Some(Ok(AggregatedMessage::Binary(bytes))) => return Ok(Some(Published::Binary(bytes))),
                Some(Ok(AggregatedMessage::Ping(payload))) => self.session.pong(&payload).await?,
                Some(Ok(AggregatedMessage::Pong(_))) => {}
                Some(Ok(AggregatedMessage::Close(reason))) => {
                    self.session.clone().close(reason).await?;
                    return Ok(None);
                }
                Some(Err(error)) if self.refusal.is_none() => match refusal(&error) {
                    None => return Ok(None),
                    refusal => self.refusal = refusal,
                },
                Some(Err(_)) | None => {
                    if let Some(refusal) = self.refusal.take() {
                        self.session.clone().close(Some(refusal)).await?;
                    }
                    return Ok(None);
                }
            }
        }
    }

    /// What is read next. actix-ws tells of a breach ahead of what came before it in the same read: that is there at once.
    async fn next(&mut self) -> Option<Result<AggregatedMessage, ProtocolError>> {
        match self.refusal {
            None => self.messages.recv().await,
            Some(_) => self.messages.recv().now_or_never().flatten(),
        }
    }
}

/// What a client is told that broke the protocol: actix-ws leaves it to its user. `None` where it is the connection that failed.
fn refusal(error: &ProtocolError) -> Option<CloseReason> {
    let code = match error {
        ProtocolError::Overflow => CloseCode::Size,
        ProtocolError::Io(cause) if cause.get_ref().is_some_and(|cause| cause.is::<Utf8Error>()) => {
            CloseCode::Invalid
        }
        // Reserved bits, and joined fragments that are not UTF-8.
        ProtocolError::Io(cause) if cause.kind() == io::ErrorKind::InvalidData => CloseCode::Protocol,
        ProtocolError::Io(_) => return None,
        _ => CloseCode::Protocol,
    };
    Some(CloseReason { code, description: Some(error.to_string()) })
}
