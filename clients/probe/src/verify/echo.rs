//! Echo: every class of size, fragments, pings and the end.

use std::net::SocketAddr;

use tickbench_frame::Opcode;

use super::dialogue::{Dialogue, Said};
use super::{Protocol, Verdict};

/// Both sides of each boundary of RFC 6455's three length forms, and a message of a mebibyte.
const SIZES: [usize; 8] = [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20];

pub(super) fn check(server: SocketAddr, protocol: &mut Protocol) -> std::io::Result<()> {
    for size in SIZES {
        protocol.check(format!("echo of {size} bytes as text"), check_text(server, size))?;
        protocol.check(format!("echo of {size} bytes as binary"), check_binary(server, size))?;
    }
    protocol.check("echo of a fragmented message", check_fragments(server))?;
    protocol.check("a ping is answered", check_ping(server))?;
    protocol.check("a close is answered", check_close(server))
}

fn check_text(server: SocketAddr, size: usize) -> Verdict {
    // Two-byte characters, so that a server that cuts in the middle of one is found out.
    let mut text = "é".repeat(size / 2);
    text.extend((size % 2 == 1).then_some('a'));
    let mut dialogue = Dialogue::open(server, "/echo")?;
    dialogue.send(true, Opcode::Text, text.as_bytes())?;
    dialogue.expect(&Said::Text(text.into_bytes()))
}

fn check_binary(server: SocketAddr, size: usize) -> Verdict {
    let bytes: Vec<u8> = (0..=255).cycle().take(size).collect();
    let mut dialogue = Dialogue::open(server, "/echo")?;
    dialogue.send(true, Opcode::Binary, &bytes)?;
    dialogue.expect(&Said::Binary(bytes))
}

/// A message in four parts, one of them empty, with a ping in between, comes back as one message.
fn check_fragments(server: SocketAddr) -> Verdict {
    let mut dialogue = Dialogue::open(server, "/echo")?;
    dialogue.send(false, Opcode::Text, b"one, ")?;
    dialogue.send(true, Opcode::Ping, b"between")?;
    dialogue.send(false, Opcode::Continuation, "Größe, ".as_bytes())?;
    dialogue.send(false, Opcode::Continuation, b"")?;
    dialogue.send(true, Opcode::Continuation, b"three")?;
    dialogue.expect(&Said::Pong(b"between".to_vec()))?;
    dialogue.expect(&Said::Text("one, Größe, three".as_bytes().to_vec()))
}

fn check_ping(server: SocketAddr) -> Verdict {
    let mut dialogue = Dialogue::open(server, "/echo")?;
    for payload in [&b""[..], b"are you there", &[0xff; 125]] {
        dialogue.send(true, Opcode::Ping, payload)?;
        dialogue.expect(&Said::Pong(payload.to_vec()))?;
    }
    Ok(())
}

fn check_close(server: SocketAddr) -> Verdict {
    let mut dialogue = Dialogue::open(server, "/echo")?;
    dialogue.send_close(1000)?;
    dialogue.expect(&Said::Close(Some(1000)))
}
