//! What the probe makes of servers that answer pings, and of servers that do not.

mod scripted;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use scripted::*;
use tickbench_frame::{Mask, Opcode, write_frame};
use tickbench_record::{Job, Request, Stage, Wait};

fn pings(server: std::net::SocketAddr) -> Request {
    Request { job: Job::Ping, connections: 3, rate_per_s: 600.0, ..request(server) }
}

/// Reads a ping of fewer than 126 bytes and returns its payload.
fn read_ping(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let (mut head, mut key) = ([0; 2], [0; 4]);
    stream.read_exact(&mut head)?;
    // The end of the measurement: a close frame, which the script need not answer.
    if head[0] != 0x89 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    let mut payload = vec![0; usize::from(head[1] & 0x7f)];
    stream.read_exact(&mut key)?;
    stream.read_exact(&mut payload)?;
    payload.iter_mut().enumerate().for_each(|(at, byte)| *byte ^= key[at % 4]);
    Ok(payload)
}

fn pong(stream: &mut TcpStream, payload: &[u8]) -> std::io::Result<()> {
    let mut frame = Vec::new();
    write_frame(&mut frame, true, Opcode::Pong, Mask::None, payload);
    stream.write_all(&frame)
}

#[test]
fn every_ping_is_timed_from_when_it_was_due_and_from_when_it_was_sent() {
    let server = serve(|stream| {
        loop {
            let payload = read_ping(stream)?;
            pong(stream, &payload)?;
        }
    });
    for (wait, size_bytes) in [(Wait::Block, 0), (Wait::Spin, 125)] {
        let seen = completed(measure(&Request { wait, size_bytes, ..pings(server) }));
        assert!(seen.received > 0 && seen.checked == seen.received && seen.lost == 0);
        let (round_trip, response) = (seen.round_trip_ns.unwrap(), seen.response_ns.unwrap());
        assert_eq!((round_trip.count, response.count), (seen.received, seen.received));
        assert!(round_trip.min > 0 && round_trip.p50 <= response.p50, "due comes before sent");
        let bytes = seen.bytes_per_s / seen.messages_per_s;
        assert_eq!(bytes.round(), if size_bytes == 0 { 24.0 } else { 125.0 });
        assert!(seen.connect_ns > 0 && seen.delivery_ns.is_none());
    }
}

/// RFC 6455, section 5.5.3: of several pings, a server may answer the last alone.
#[test]
fn pings_that_a_later_pong_makes_up_for_are_counted_as_lost() {
    let server = serve(|stream| {
        loop {
            read_ping(stream)?;
            let payload = read_ping(stream)?;
            pong(stream, &payload)?;
        }
    });
    let seen = completed(measure(&Request { stall_ns: 1_000_000_000, ..pings(server) }));
    let accounts = seen.accounts.unwrap();
    // 600 a second over 150 ms; of each two on a connection the first is lost, but for those that an end of the window parts.
    assert_eq!((seen.sent, seen.received + seen.lost, accounts.least_owed), (90, 90, 30));
    assert!(seen.received.abs_diff(45) <= 3, "{seen:?}");
    assert!(accounts.worst.received < accounts.worst.owed && accounts.lost_age_ns.is_some());
}

#[test]
fn pings_without_any_answer_fail_the_execution() {
    let (stage, reason) = failed(measure(&pings(serve(until_closed))));
    assert_eq!(stage, Stage::Warmup);
    assert_eq!(reason, "3 of 3 connections have had no message by the end of the warm-up; the first is 0");
}

#[test]
fn one_silent_connection_among_others_is_named() {
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let server = serve(move |stream| {
        let silent = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        for nth in 0.. {
            let payload = read_ping(stream)?;
            if !silent || nth < 3 {
                pong(stream, &payload)?;
            }
        }
        Ok(())
    });
    let patient = Request { window_ns: 60_000_000_000, stall_ns: 1_000_000_000, ..pings(server) };
    let (_, reason) = failed(measure(&patient));
    assert!(reason.starts_with("connection ") && reason.contains("has not answered a ping for"), "{reason}");
}

#[test]
fn a_pong_with_another_payload_fails_the_audit() {
    let changed = |change: fn(&mut Vec<u8>)| {
        serve(move |stream| {
            loop {
                let mut payload = read_ping(stream)?;
                change(&mut payload);
                pong(stream, &payload)?;
            }
        })
    };
    let wrong: [fn(&mut Vec<u8>); 5] = [
        |payload| payload[20] ^= 1,
        |payload| payload[0] ^= 1,
        |payload| payload.push(0),
        |payload| payload.truncate(8),
        |payload| payload.clear(),
    ];
    for change in wrong {
        let (stage, reason) = failed(measure(&pings(changed(change))));
        assert_eq!(stage, Stage::Audit);
        assert!(reason.contains("answers no ping that is under way"), "{reason}");
    }
}

#[test]
fn a_pong_that_comes_twice_fails_the_audit() {
    let server = serve(|stream| {
        loop {
            let payload = read_ping(stream)?;
            pong(stream, &payload)?;
            pong(stream, &payload)?;
        }
    });
    let (stage, reason) = failed(measure(&pings(server)));
    assert_eq!(stage, Stage::Audit);
    assert!(reason.contains("or it came twice"), "{reason}");
}

#[test]
fn a_message_where_only_pongs_are_due_is_refused() {
    let server = serve(|stream| {
        read_ping(stream)?;
        stream.write_all(&framed(b"hello"))?;
        until_closed(stream)
    });
    let (_, reason) = failed(measure(&pings(server)));
    assert!(reason.starts_with("a message of 5 bytes came on connection "), "{reason}");
}

#[test]
fn what_no_ping_can_be_is_refused_before_connecting() {
    let nobody = ([127, 0, 0, 1], 9).into();
    let (stage, reason) = broken(measure(&Request { size_bytes: 126, ..pings(nobody) }));
    assert_eq!((stage, reason.as_str()), (Stage::Connect, "a ping carries at most 125 bytes"));
    let (_, reason) = broken(measure(&Request { rate_per_s: 0.0, ..pings(nobody) }));
    assert!(reason.contains("ask for a rate above 0"), "{reason}");
}
