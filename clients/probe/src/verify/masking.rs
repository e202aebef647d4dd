//! Client frames must be masked.

use std::net::SocketAddr;

use tickbench_client_kit::monotonic_ns;
use tickbench_frame::{Mask, Opcode, write_frame};

use super::dialogue::{Dialogue, PATIENCE_NS, Said, fresh_mask};
use super::stream::Streams;
use super::{Protocol, Rule, Verdict};

pub(super) fn check(streams: &Streams, protocol: &mut Protocol) -> std::io::Result<()> {
    let ticks = streams.any(1000.0, 0).target();
    for (path, target) in
        [("/echo", "/echo"), ("/ticks", ticks.as_str()), ("/relay", "/relay?role=publisher")]
    {
        let name = format!("an unmasked frame to {path} ends the connection");
        protocol.check(Rule::UnmaskedFrames, name, || check_unmasked(streams.server, target))?;
    }
    Ok(())
}

/// An unmasked message, and a ping behind it as it should be: a server that fails the connection, by a close frame or without, never
/// comes to answer the ping.
fn check_unmasked(server: SocketAddr, target: &str) -> Verdict {
    let mut dialogue = Dialogue::open(server, target)?;
    let mut bytes = Vec::new();
    write_frame(&mut bytes, true, Opcode::Text, Mask::None, b"unmasked");
    write_frame(&mut bytes, true, Opcode::Ping, fresh_mask()?, b"still open?");
    dialogue.send_bytes(&bytes)?;
    let deadline_ns = monotonic_ns() + PATIENCE_NS;
    while monotonic_ns() < deadline_ns {
        match dialogue.next()? {
            Said::Close(_) | Said::Gone => return Ok(()),
            Said::Text(bytes) if bytes == b"unmasked" => return Err("it came back".into()),
            Said::Pong(_) => return Err("the server went on as if it were masked".into()),
            _ => {}
        }
    }
    Err(format!("the connection was open {} s later", PATIENCE_NS / 1_000_000_000))
}
