//! As many connections at once as a study holds: each must be served, not most of them.

use std::net::SocketAddr;

use tickbench_client_kit::monotonic_ns;
use tickbench_frame::Opcode;
use tickbench_protocol::{Payload, SUBSCRIBED, Tape};

use super::dialogue::{Dialogue, PATIENCE_NS, Said};
use super::expected::{Expected, expect_tick};
use super::stream::Streams;
use super::{Protocol, Rule, Verdict};
use crate::link::Spacing;
use crate::link::poller::{Interest, Poller};
use crate::measure::farewell;

/// Ticks a second over all streams, as in the shipped studies of many connections.
const RATE_PER_S: f64 = 10_000.0;

/// Ticks that each stream must have: its first, and one that it was waited for with.
const TICKS: u64 = 2;

/// How long a wait for data lasts before the time is looked at.
const LOOK_NS: u32 = 50_000_000;

pub(super) fn check(streams: &Streams, connections: u32, protocol: &mut Protocol) -> std::io::Result<()> {
    let server = streams.server;
    let each = streams.any(RATE_PER_S / f64::from(connections), TICKS as usize);
    let ticks = || check_ticks(server, connections, &each);
    protocol.check(Rule::Connections, format!("{connections} streams, each with its ticks"), ticks)?;
    let echo = || check_echo(server, connections);
    protocol.check(Rule::Connections, format!("{connections} connections, each with its echo"), echo)?;
    let relay = || check_relay(server, connections);
    protocol.check(
        Rule::Connections,
        format!("{connections} subscribers, each with what is published"),
        relay,
    )
}

fn check_ticks(server: SocketAddr, connections: u32, each: &Expected) -> Verdict {
    // At different phases of their common period, as a measurement opens them.
    let period_ns = f64::from(connections) * 1e9 / RATE_PER_S;
    let spacing = Spacing::over_period(period_ns as u64, connections);
    let mut streams = Dialogue::open_many(server, &each.target(), connections, spacing)?;
    let tape = Tape::generate(each.query.seed);
    let mut next_seq = vec![0; streams.len()];
    serve_each(&mut streams, "tick", |index, stream| {
        let seq = next_seq[index];
        expect_tick(stream, each.query.encoding, 0, seq, Payload::Update(tape.update(seq)))?;
        next_seq[index] += 1;
        Ok(next_seq[index] == TICKS)
    })?;
    leave(streams);
    Ok(())
}

fn check_echo(server: SocketAddr, connections: u32) -> Verdict {
    let mut echoes = Dialogue::open_many(server, "/echo", connections, Spacing::None)?;
    let message = |index: usize| format!("connection {index}").into_bytes();
    for (index, echo) in echoes.iter_mut().enumerate() {
        echo.send(true, Opcode::Binary, &message(index))?;
    }
    serve_each(&mut echoes, "echo", |index, echo| {
        echo.expect(&Said::Binary(message(index)))?;
        Ok(true)
    })?;
    leave(echoes);
    Ok(())
}

fn check_relay(server: SocketAddr, connections: u32) -> Verdict {
    let mut subscribers = Dialogue::open_many(server, "/relay?role=subscriber", connections, Spacing::None)?;
    serve_each(&mut subscribers, "word that it is subscribed", |_, subscriber| {
        subscriber.expect(&Said::Text(SUBSCRIBED.into()))?;
        Ok(true)
    })?;
    let mut publisher = Dialogue::open(server, "/relay?role=publisher")?;
    let published = b"to all of you".to_vec();
    publisher.send(true, Opcode::Binary, &published)?;
    serve_each(&mut subscribers, "published message", |_, subscriber| {
        subscriber.expect(&Said::Binary(published.clone()))?;
        Ok(true)
    })?;
    publisher.leave();
    leave(subscribers);
    Ok(())
}

/// Handles what comes on each connection, until each has had its due, which `handle` tells: it is called where there is data. Names
/// those that had not, when no further one had for as long as patience lasts.
fn serve_each(
    dialogues: &mut [Dialogue],
    what: &str,
    mut handle: impl FnMut(usize, &mut Dialogue) -> Result<bool, String>,
) -> Verdict {
    let failed = |cause: std::io::Error| format!("failed to poll: {cause}");
    let mut poller = Poller::new().map_err(failed)?;
    let mut served = vec![false; dialogues.len()];
    let mut serve = |index: usize, dialogue: &mut Dialogue| {
        let mut done = false;
        while !done && dialogue.has_message()? {
            done = handle(index, dialogue).map_err(|what| format!("connection {index}: {what}"))?;
        }
        Ok::<bool, String>(done)
    };
    for (index, dialogue) in dialogues.iter_mut().enumerate() {
        served[index] = serve(index, dialogue)?;
        if !served[index] {
            poller.add(dialogue.socket(), index, Interest::Read).map_err(failed)?;
        }
    }
    let mut progress_ns = monotonic_ns();
    while served.contains(&false) {
        let ready = poller.wait(LOOK_NS).map_err(failed)?;
        for nth in 0..ready {
            let index = poller.index(nth);
            served[index] = serve(index, &mut dialogues[index])?;
            if served[index] {
                poller.remove(dialogues[index].socket(), index).map_err(failed)?;
                progress_ns = monotonic_ns();
            }
        }
        if monotonic_ns() - progress_ns > PATIENCE_NS {
            let missing = served.iter().filter(|served| !**served).count();
            let first = served.iter().position(|served| !served).unwrap_or_default();
            return Err(format!(
                "{missing} of {} connections had no {what} for {} s; the first is {first}, counted from 0",
                served.len(),
                PATIENCE_NS / 1_000_000_000
            ));
        }
    }
    Ok(())
}

fn leave(dialogues: Vec<Dialogue>) {
    let sockets: Vec<_> = dialogues.into_iter().map(Dialogue::into_socket).collect();
    farewell::close(&sockets);
}
