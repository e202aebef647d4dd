//! Relay: what one publishes, all subscribers get, unchanged and in order.

use std::net::SocketAddr;

use tickbench_frame::Opcode;
use tickbench_protocol::SUBSCRIBED;

use super::dialogue::{Dialogue, Said};
use super::{Protocol, Rule, Verdict};
use crate::link::Spacing;

const SUBSCRIBERS: u32 = 100;

pub(super) fn check(server: SocketAddr, protocol: &mut Protocol) -> std::io::Result<()> {
    protocol.check(Rule::Relay, format!("relay to {SUBSCRIBERS} subscribers"), || check_relay(server))
}

fn check_relay(server: SocketAddr) -> Verdict {
    let mut subscribers = Dialogue::open_many(server, "/relay?role=subscriber", SUBSCRIBERS, Spacing::None)?;
    for (index, subscriber) in subscribers.iter_mut().enumerate() {
        subscriber
            .expect(&Said::Text(SUBSCRIBED.into()))
            .map_err(|what| format!("subscriber {index}: {what}"))?;
    }
    let mut publisher = Dialogue::open(server, "/relay?role=publisher")?;
    let published: Vec<Said> = messages().collect();
    for message in &published {
        match message {
            Said::Text(text) => publisher.send(true, Opcode::Text, text)?,
            Said::Binary(bytes) => publisher.send(true, Opcode::Binary, bytes)?,
            _ => unreachable!("only data are published"),
        }
    }
    for (index, subscriber) in subscribers.iter_mut().enumerate() {
        for (nth, message) in published.iter().enumerate() {
            subscriber
                .expect(message)
                .map_err(|what| format!("subscriber {index}, message {nth}: {what}"))?;
        }
    }
    // What was published would come back before the answer to a ping does.
    publisher.send(true, Opcode::Ping, b"echo?")?;
    publisher.expect(&Said::Pong(b"echo?".to_vec())).map_err(|what| format!("the publisher: {what}"))
}

/// Text and binary, from nothing to beyond a 16-bit length.
fn messages() -> impl Iterator<Item = Said> {
    let sizes = [0, 1, 48, 125, 126, 1000, 65_536];
    sizes.into_iter().chain((0..20).map(|n| n * 7)).enumerate().map(|(nth, size)| {
        if nth % 2 == 0 {
            Said::Text(vec![b'a' + nth as u8 % 26; size])
        } else {
            Said::Binary(vec![nth as u8; size])
        }
    })
}
