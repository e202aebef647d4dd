//! What a server must do while it sends: answer pings and close frames, let others be served, wait for a client's close frame.

use std::net::SocketAddr;

use fastrand::Rng;
use tickbench_client_kit::monotonic_ns;
use tickbench_frame::Opcode;
use tickbench_protocol::{Payload, SUBSCRIBED, Tape};

use super::dialogue::{Dialogue, PATIENCE_NS, Said};
use super::expected::{Expected, as_tick};
use super::stream::Streams;
use super::{Protocol, Rule, Verdict};

const PACED_PER_S: f64 = 1_000.0;

/// A server that ends its connection so soon after its own close frame has not waited for the client's: it is to wait a second at
/// least.
const CLOSE_WAIT_NS: u64 = 250_000_000;

/// Round trips on another connection that a flood gets to fill the buffers of a client that does not read.
const WHILE_FILLING: usize = 50;

pub(super) fn check(streams: &Streams, rng: &mut Rng, protocol: &mut Protocol) -> std::io::Result<()> {
    let server = streams.server;
    let before = rng.usize(1..200);
    let (paced, flood) = (streams.any(PACED_PER_S, before), streams.any(0.0, before));
    for (pace, stream) in [("a paced stream", &paced), ("a flood", &flood)] {
        let name = format!("a ping is answered in {pace}");
        protocol.check(Rule::PongWhileStreaming, name, || check_ping(server, stream))?;
        let name = format!("a close is answered in {pace}");
        protocol.check(Rule::CloseWhileStreaming, name, || check_close(server, stream))?;
    }
    let name = "pings of subscriber and publisher are answered between messages";
    protocol.check(Rule::PongWhileStreaming, name, || check_relayed_pings(server))?;
    let name = "a close is answered in a flood to a client that fell behind";
    protocol.check(Rule::CloseWhileStreaming, name, || check_close_behind(server, &flood))?;
    let name = "other connections are served during a flood";
    protocol.check(Rule::FloodLetsOthersRun, name, || check_others(server, &flood))?;
    let name = "what a client sends to a stream is ignored";
    protocol.check(Rule::ClientData, name, || check_client_data(server, &paced))?;
    let name = "the client's close frame is waited for";
    protocol.check(Rule::CloseWait, name, || check_close_wait(streams))
}

fn check_ping(server: SocketAddr, stream: &Expected) -> Verdict {
    let mut dialogue = stream.open(server)?;
    stream.follow(&mut dialogue)?;
    for payload in [&b"are you there"[..], b"", &[0xff; 125]] {
        dialogue.send(true, Opcode::Ping, payload)?;
        skip_ticks(&mut dialogue, "pong", |said| *said == Said::Pong(payload.to_vec()))?;
    }
    dialogue.leave();
    Ok(())
}

fn check_close(server: SocketAddr, stream: &Expected) -> Verdict {
    let mut dialogue = stream.open(server)?;
    stream.follow(&mut dialogue)?;
    expect_closed(dialogue)
}

/// The client reads nothing until the flood has filled what lies between, then closes and reads on.
fn check_close_behind(server: SocketAddr, flood: &Expected) -> Verdict {
    let mut other = Dialogue::open(server, "/echo")?;
    let mut dialogue = flood.open(server)?;
    dialogue.narrow()?;
    flood.follow(&mut dialogue)?;
    for _ in 0..WHILE_FILLING {
        other.round_trip()?;
    }
    expect_closed(dialogue)
}

fn expect_closed(mut dialogue: Dialogue) -> Verdict {
    dialogue.send_close(1000)?;
    skip_ticks(&mut dialogue, "close frame", |said| *said == Said::Close(Some(1000)))?;
    dialogue.expect(&Said::Gone)
}

/// Reads ticks until something else comes, which must be the answer that is waited for.
fn skip_ticks(dialogue: &mut Dialogue, answer: &str, is_answer: impl Fn(&Said) -> bool) -> Verdict {
    let deadline_ns = monotonic_ns() + PATIENCE_NS;
    loop {
        let said = dialogue.next()?;
        if is_answer(&said) {
            return Ok(());
        }
        if !matches!(said, Said::Text(_) | Said::Binary(_)) {
            return Err(format!("{} came where a {answer} was due", said.brief()));
        }
        if monotonic_ns() > deadline_ns {
            return Err(format!("ticks came and no {answer} for {} s", PATIENCE_NS / 1_000_000_000));
        }
    }
}

fn check_relayed_pings(server: SocketAddr) -> Verdict {
    let mut subscriber = Dialogue::open(server, "/relay?role=subscriber")?;
    subscriber.expect(&Said::Text(SUBSCRIBED.into()))?;
    let mut publisher = Dialogue::open(server, "/relay?role=publisher")?;
    for number in 0..20_u8 {
        publisher.send(true, Opcode::Binary, &[number])?;
        publisher.round_trip().map_err(|what| format!("the publisher: {what}"))?;
        subscriber.expect(&Said::Binary(vec![number]))?;
        subscriber.round_trip().map_err(|what| format!("the subscriber: {what}"))?;
    }
    publisher.leave();
    subscriber.leave();
    Ok(())
}

/// A flood whose client reads as fast as it can leaves the server no pause: another connection must be served all the same.
fn check_others(server: SocketAddr, flood: &Expected) -> Verdict {
    let mut other = Dialogue::open(server, "/echo")?;
    let mut dialogue = flood.open(server)?;
    flood.follow(&mut dialogue)?;
    for number in 0..20_u8 {
        other.send(true, Opcode::Binary, &[number])?;
        let deadline_ns = monotonic_ns() + PATIENCE_NS;
        let said = loop {
            dialogue.next()?;
            if let Some(said) = other.next_at_once()? {
                break said;
            }
            if monotonic_ns() > deadline_ns {
                return Err(format!("no echo came for {} s of a flood", PATIENCE_NS / 1_000_000_000));
            }
        };
        if said != Said::Binary(vec![number]) {
            return Err(format!("{} came where an echo was due", said.brief()));
        }
    }
    dialogue.leave();
    Ok(())
}

fn check_client_data(server: SocketAddr, stream: &Expected) -> Verdict {
    let mut dialogue = stream.open(server)?;
    stream.follow(&mut dialogue)?;
    dialogue.send(true, Opcode::Text, b"faster, please")?;
    dialogue.send(true, Opcode::Binary, &[7; 70_000])?;
    // Its answer says that both were read.
    dialogue.send(true, Opcode::Ping, b"read?")?;
    let tape = Tape::generate(stream.query.seed);
    let (mut seq, mut last) = (stream.ticks as u64, None);
    while last != Some(seq) {
        let said = dialogue.next()?;
        if last.is_none() && said == Said::Pong(b"read?".to_vec()) {
            last = Some(seq + 20);
            continue;
        }
        as_tick(&said, stream.query.encoding, 0, seq, Payload::Update(tape.update(seq)))?;
        seq += 1;
    }
    dialogue.leave();
    Ok(())
}

/// A stream with a count ends with the server's close frame. The connection must then last until the client has sent its own.
fn check_close_wait(streams: &Streams) -> Verdict {
    let mut stream = streams.any(PACED_PER_S, 3);
    stream.query.count = Some(3);
    let mut dialogue = stream.open(streams.server)?;
    stream.follow(&mut dialogue)?;
    dialogue.expect(&Said::Close(Some(1000)))?;
    if let Some(said) = dialogue.next_within(CLOSE_WAIT_NS)? {
        return Err(format!("{} came right behind the server's own close frame", said.brief()));
    }
    dialogue.send_close(1000)?;
    dialogue.expect(&Said::Gone)
}
