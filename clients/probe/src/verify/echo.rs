//! Echo: every class of size, fragments, pings and the end.

use std::net::SocketAddr;

use tickbench_frame::{Opcode, write_close, write_frame};
use tickbench_protocol::MAX_MESSAGE_BYTES;

use super::dialogue::{Dialogue, Said, fresh_mask};
use super::{Protocol, Rule, Verdict};

/// Both sides of each boundary of RFC 6455's three length forms, and a message of a mebibyte.
const SIZES: [usize; 8] = [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20];

/// More than the kernel holds between a server and a client that does not read.
const LARGE_BYTES: usize = 12 << 20;

pub(super) fn check(server: SocketAddr, protocol: &mut Protocol) -> std::io::Result<()> {
    for size in SIZES {
        protocol.check(Rule::Echo, format!("echo of {size} bytes as text"), || check_text(server, size))?;
        let binary = || check_binary(server, size);
        protocol.check(Rule::Echo, format!("echo of {size} bytes as binary"), binary)?;
    }
    let name = format!("echo of {MAX_MESSAGE_BYTES} bytes in one frame");
    protocol.check(Rule::Echo16Mib, name, || check_binary(server, MAX_MESSAGE_BYTES))?;
    let name = format!("echo of {MAX_MESSAGE_BYTES} bytes in fragments");
    protocol.check(Rule::Echo16Mib, name, || check_large_fragments(server))?;
    let name = "echo of a fragmented message, a ping between its parts";
    protocol.check(Rule::EchoFragments, name, || check_fragments(server))?;
    let name = "a message comes back before the answer to the close behind it";
    protocol.check(Rule::EchoBeforeClose, name, || check_tail(server))?;
    protocol.check(Rule::Ping, "a ping is answered", || check_ping(server))?;
    protocol.check(Rule::Close, "a close is answered and the connection ends", || check_close(server))
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

fn check_large_fragments(server: SocketAddr) -> Verdict {
    const PARTS: usize = 17;
    let bytes = vec![b'x'; MAX_MESSAGE_BYTES];
    let mut dialogue = Dialogue::open(server, "/echo")?;
    for (nth, part) in bytes.chunks(MAX_MESSAGE_BYTES.div_ceil(PARTS)).enumerate() {
        let opcode = if nth == 0 { Opcode::Text } else { Opcode::Continuation };
        dialogue.send(nth + 1 == PARTS, opcode, part)?;
    }
    dialogue.expect(&Said::Text(bytes))
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

/// The server has both frames before the client reads a byte.
fn check_tail(server: SocketAddr) -> Verdict {
    let message = vec![7; LARGE_BYTES];
    let mut other = Dialogue::open(server, "/echo")?;
    let mut dialogue = Dialogue::open(server, "/echo")?;
    dialogue.narrow()?;
    let mut bytes = Vec::new();
    write_frame(&mut bytes, true, Opcode::Binary, fresh_mask()?, &message);
    write_close(&mut bytes, fresh_mask()?, 1000);
    dialogue.send_bytes(&bytes)?;
    // So that it has read them, too.
    for _ in 0..3 {
        other.round_trip()?;
    }
    dialogue.expect(&Said::Binary(message))?;
    dialogue.expect(&Said::Close(Some(1000)))?;
    dialogue.expect(&Said::Gone)
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
    Dialogue::open(server, "/echo")?.close()?;
    let mut without_code = Dialogue::open(server, "/echo")?;
    without_code.send(true, Opcode::Close, b"")?;
    match without_code.next()? {
        Said::Close(_) => without_code.expect(&Said::Gone),
        said => Err(format!("{} came where a close frame was due", said.brief())),
    }
}
