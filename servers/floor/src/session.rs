//! What a connection does once it is open, until it is to end: what is still queued then, [`Connection::end`] sends.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use tickbench_protocol::{Flush, RelayRole, SUBSCRIBED};
use tickbench_server_kit::{Hub, Pacer, TickRequest, TooSlow, now_ns};

use crate::connection::{Connection, Outbox};
use crate::frame::{self, Opcode};
use crate::prepared::Prepared;

/// Bytes that `flush=batch` hands to the kernel at once, about.
const BATCH_BYTES: usize = 64 << 10;

/// A framed message on its way to many subscribers.
type Framed = Arc<[u8]>;

/// Returns each data message.
pub(crate) async fn echo(connection: &mut Connection) -> io::Result<()> {
    while connection.receive(Outbox::send).await? {
        connection.flush().await?;
    }
    Ok(())
}

/// Sends ticks until the last one, or until the client leaves.
pub(crate) async fn ticks(connection: &mut Connection, request: TickRequest) -> io::Result<()> {
    let prepared = Prepared::of(&request);
    let limit = match request.query().flush {
        Flush::Each => 1,
        Flush::Batch => prepared.batch_limit(BATCH_BYTES),
    };
    let end = request.query().count.unwrap_or(u64::MAX);
    let (mut pacer, mut seq) = (request.pacer(), 0);
    while seq < end {
        tokio::select! {
            biased;
            _ = pacer.due() => {}
            open = connection.receive(ignore) => {
                if !open? {
                    return Ok(());
                }
                continue;
            }
        }
        let last = end.min(seq.saturating_add(limit));
        seq = send_due(&prepared, &mut pacer, seq..last, &mut connection.outbox)?;
        if !connection.flush_and_receive(ignore).await? {
            return Ok(());
        }
    }
    connection.close(1000, "");
    Ok(())
}

/// Sends in one call those of `seqs` that are due and stand together, at least one; returns the first that was not sent. The
/// clock is read once: the frames are there already, and all of them leave in the same call.
fn send_due(
    prepared: &Prepared,
    pacer: &mut Pacer,
    mut seqs: Range<u64>,
    outbox: &mut Outbox,
) -> io::Result<u64> {
    let mut batch = prepared.batch(seqs.start);
    let sent_ns = now_ns();
    loop {
        batch.push(pacer.next_due_ns().unwrap_or(sent_ns), sent_ns);
        pacer.advance();
        seqs.start += 1;
        if seqs.is_empty() || batch.is_at_end() || pacer.next_due_ns().is_some_and(|due_ns| due_ns > sent_ns)
        {
            break;
        }
    }
    batch.send(outbox)?;
    Ok(seqs.start)
}

/// Publishes what it gets, or sends what others publish.
pub(crate) async fn relay(
    connection: &mut Connection,
    role: RelayRole,
    hub: &Arc<Hub<Framed>>,
) -> io::Result<()> {
    match role {
        RelayRole::Publisher => publish(connection, hub).await,
        RelayRole::Subscriber => subscribe(connection, hub).await,
    }
}

async fn publish(connection: &mut Connection, hub: &Hub<Framed>) -> io::Result<()> {
    let mut received = Vec::new();
    loop {
        let open = connection
            .receive(|_, framed| {
                received.push(Framed::from(framed));
                Ok(())
            })
            .await?;
        for framed in received.drain(..) {
            let bytes = framed.len();
            hub.publish(framed, bytes).await;
        }
        if !open {
            return Ok(());
        }
    }
}

async fn subscribe(connection: &mut Connection, hub: &Arc<Hub<Framed>>) -> io::Result<()> {
    let mut subscription = hub.subscribe();
    let mut subscribed = Vec::new();
    frame::append(Opcode::Text, SUBSCRIBED.as_bytes(), &mut subscribed);
    connection.outbox.send(&subscribed)?;
    while connection.flush_and_receive(ignore).await? {
        tokio::select! {
            biased;
            message = subscription.next() => match message {
                Ok(framed) => connection.outbox.send(&framed)?,
                Err(too_slow @ TooSlow) => {
                    connection.close(1008, &too_slow.to_string());
                    break;
                }
            },
            open = connection.receive(ignore) => if !open? { break },
        }
    }
    Ok(())
}

/// Ticks and relayed messages are all that goes out on these connections: what the client sends is read for its pings and
/// its close frame alone.
pub(crate) fn ignore(_: &mut Outbox, _: &[u8]) -> io::Result<()> {
    Ok(())
}
