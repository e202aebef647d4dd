//! A subscriber that does not read: its queue has a bound, and the others do not notice.

use std::net::SocketAddr;

use tickbench_frame::Opcode;
use tickbench_protocol::SUBSCRIBED;

use super::dialogue::{Dialogue, Said};
use super::{Protocol, Rule, Verdict};

const MESSAGE_BYTES: usize = 64 << 10;

/// The largest bound that PROTOCOL.md allows, in bytes.
const BOUND_BYTES: usize = 64 << 20;

/// What framework and kernel may hold besides, where the system does not tell the largest send buffer.
const USUAL_SEND_BUFFER_BYTES: usize = 16 << 20;
const MARGIN_BYTES: usize = 4 << 20;

pub(super) fn check(server: SocketAddr, protocol: &mut Protocol) -> std::io::Result<()> {
    let name = "a subscriber that does not read is closed with code 1008, and another notices nothing";
    protocol.check(Rule::SlowSubscriber, name, || check_slow(server))
}

fn check_slow(server: SocketAddr) -> Verdict {
    let mut slow = subscribe(server)?;
    slow.narrow()?;
    let mut quick = subscribe(server)?;
    let mut publisher = Dialogue::open(server, "/relay?role=publisher")?;
    let count = (BOUND_BYTES + send_buffer_bytes() + MARGIN_BYTES).div_ceil(MESSAGE_BYTES);
    for number in 0..count {
        let message = message(number);
        publisher.send(true, Opcode::Binary, &message)?;
        quick
            .expect(&Said::Binary(message))
            .map_err(|what| format!("message {number} to the subscriber that reads: {what}"))?;
    }
    for number in 0..count {
        match slow.next()? {
            Said::Binary(bytes) if bytes == message(number) => {}
            Said::Close(Some(1008)) => return Ok(()),
            said => {
                let said = said.brief();
                return Err(format!(
                    "{said} came behind {number} messages where the next or a close with code 1008 was due"
                ));
            }
        }
    }
    let mib = (count * MESSAGE_BYTES) >> 20;
    Err(format!(
        "{count} messages of {mib} MiB were kept for it, and it was not closed: its queue has no bound"
    ))
}

fn subscribe(server: SocketAddr) -> Result<Dialogue, String> {
    let mut subscriber = Dialogue::open(server, "/relay?role=subscriber")?;
    subscriber.expect(&Said::Text(SUBSCRIBED.into()))?;
    Ok(subscriber)
}

fn message(number: usize) -> Vec<u8> {
    vec![number as u8; MESSAGE_BYTES]
}

/// What the kernel may keep on the server's side of a connection, at most.
fn send_buffer_bytes() -> usize {
    let settings = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_wmem").unwrap_or_default();
    let most = settings.split_whitespace().nth(2).and_then(|bytes| bytes.parse().ok());
    most.unwrap_or(USUAL_SEND_BUFFER_BYTES)
}
