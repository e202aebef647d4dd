//! One stream of ticks, counted and not timed, whose connection stays open after the last tick: so that the harness can look
//! at the server's end of it.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;

use anyhow::{Context as _, bail, ensure};
use tickbench_client_kit::monotonic_ns;
use tickbench_frame::{Event, Inbox};
use tickbench_record::{StreamRequest, Streamed};

use crate::link::socket::{Patience, receive};
use crate::link::{self, Connection, Spacing};
use crate::measure::farewell;

/// Receives the ticks, prints one line of JSON, and holds the connection until standard input closes. A server that sends no tick for
/// `stall_ns` sends none any more, whatever else it sends.
pub(crate) fn run(request: &StreamRequest, stall_ns: u64) -> anyhow::Result<()> {
    let StreamRequest { server, encoding, flush, rate_per_s, count } = request;
    let target = format!("/ticks?encoding={encoding}&flush={flush}&rate={rate_per_s}&count={count}");
    let opened = link::open(*server, &target, 1, Spacing::None, stall_ns);
    let mut opened = opened.map_err(|failure| anyhow::anyhow!(failure.reason))?;
    let mut connection = opened.pop().context("no connection was opened")?;
    let client = SocketAddr::try_from(rustix::net::getsockname(&connection.socket)?)
        .context("failed to read the connection's own address")?;
    let streamed = receive_ticks(&mut connection, client, *count, stall_ns)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(&streamed)?)?;
    out.flush()?;
    // Nothing is ever said there: what is waited for is its end.
    std::io::stdin().lock().read_to_end(&mut Vec::new())?;
    farewell::close(&[connection.socket]);
    Ok(())
}

/// Reads until the last tick is there. What may come behind it, the server's close frame, is not counted.
fn receive_ticks(
    connection: &mut Connection,
    client: SocketAddr,
    count: u64,
    stall_ns: u64,
) -> anyhow::Result<Streamed> {
    let Connection { socket, decoder, leftover, head_bytes, .. } = connection;
    let mut inbox = Inbox::new(256 << 10);
    inbox.load(leftover);
    let mut seen = Streamed {
        client,
        head_bytes: *head_bytes as u64,
        messages: 0,
        frame_bytes: leftover.len() as u64,
        reads: u64::from(!leftover.is_empty()),
    };
    let mut deadline_ns = monotonic_ns() + stall_ns;
    loop {
        let before = seen.messages;
        let mut rest = inbox.unread();
        loop {
            match decoder.next(&mut rest) {
                Ok(Some(Event::Message { .. })) => seen.messages += 1,
                Ok(Some(Event::Close(_))) => {
                    bail!("the server closed the stream after {} of {count} ticks", seen.messages)
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(violation) => bail!("protocol violation: {violation}"),
            }
            if seen.messages == count {
                seen.frame_bytes -= rest.len() as u64;
                return Ok(seen);
            }
        }
        let left = rest.len();
        inbox.keep_last(left);
        let now_ns = monotonic_ns();
        if seen.messages > before {
            deadline_ns = now_ns + stall_ns;
        }
        ensure!(
            now_ns < deadline_ns,
            "the server sent no tick for {:.1} s after {} of {count}: {} bytes came in all, {left} of them of an unfinished frame",
            stall_ns as f64 / 1e9,
            seen.messages,
            seen.frame_bytes
        );
        match receive(&*socket, inbox.space(decoder), Patience::Wait).context("failed to read")? {
            Some(0) => bail!("the server ended the stream after {} of {count} ticks", seen.messages),
            Some(bytes) => {
                inbox.add(bytes);
                seen.frame_bytes += bytes as u64;
                seen.reads += 1;
            }
            None => {}
        }
    }
}
