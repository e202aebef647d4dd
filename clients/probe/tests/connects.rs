//! What the probe makes of servers that take connections, and of servers that do not.

mod scripted;

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use scripted::*;
use tickbench_frame::{Mask, write_close};
use tickbench_record::{Job, Request, Stage};

fn connects(server: std::net::SocketAddr) -> Request {
    Request { job: Job::Connect, connections: 4, warmup_ns: 300_000_000, ..request(server) }
}

/// Sends tick `seq`, waits for the close frame and answers it.
fn one_tick(stream: &mut std::net::TcpStream, seq: u64) -> std::io::Result<()> {
    stream.write_all(&tick(seq, 0))?;
    // The client's close frame: two bytes of header, four of mask, two of code.
    stream.read_exact(&mut [0; 8])?;
    let mut answer = Vec::new();
    write_close(&mut answer, Mask::None, 1000);
    stream.write_all(&answer)
}

#[test]
fn connections_are_opened_used_and_closed_in_turn() {
    let server = serve(|stream| one_tick(stream, 0));
    let pid = Some(std::process::id());
    let seen = completed(measure(&Request { server_pid: pid, ..connects(server) }));
    assert!(seen.received > 0 && seen.sent == seen.received && seen.lost == 0 && seen.checked > 0);
    let (handshake, first_tick, whole) =
        (seen.handshake_ns.unwrap(), seen.first_tick_ns.unwrap(), seen.connection_ns.unwrap());
    assert_eq!(whole.count, seen.received);
    assert!(handshake.min > 0 && handshake.min <= first_tick.min && first_tick.min <= whole.min);
    assert!(handshake.p50 <= first_tick.p50 && first_tick.p50 <= whole.p50);
    // Those under way at an end of the window have shown a part of themselves in it.
    assert!(handshake.count.abs_diff(whole.count) <= 4 && first_tick.count.abs_diff(whole.count) <= 4);
    assert_eq!((seen.delivery_ns, seen.round_trip_ns), (None, None));
    assert!(seen.server_usage.unwrap().cpu_ns_per_message > 0.0);
}

#[test]
fn a_connection_that_fails_fails_the_execution() {
    let asked = Arc::new(AtomicU32::new(0));
    let every_third = serve_raw({
        let asked = Arc::clone(&asked);
        move |stream| {
            let key = read_key(stream)?;
            if asked.fetch_add(1, Ordering::Relaxed) % 3 == 2 {
                return stream.write_all(
                    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 9\r\nConnection: close\r\n\r\ntoo many!",
                );
            }
            upgrade(stream, &key)?;
            one_tick(stream, 0)
        }
    });
    let patient = Request { warmup_ns: 60_000_000_000, ..connects(every_third) };
    let (stage, reason) = failed(measure(&patient));
    assert_eq!(stage, Stage::Warmup);
    assert!(reason.starts_with("failed to upgrade to `/ticks?"), "{reason}");
    assert!(reason.ends_with("HTTP 503: too many!"), "{reason}");
}

#[test]
fn nobody_listening_is_told() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_, reason) = failed(measure(&connects(gone)));
    assert!(reason.starts_with(&format!("failed to connect to `{gone}`: Connection refused")), "{reason}");
}

#[test]
fn what_is_out_of_order_is_named() {
    let (_, reason) = failed(measure(&connects(serve(|stream| one_tick(stream, 7)))));
    assert_eq!(reason, "the first tick of a connection has seq 7 where 0 was due");

    let early = serve(|stream| {
        let mut bytes = Vec::new();
        write_close(&mut bytes, Mask::None, 1013);
        stream.write_all(&bytes)?;
        until_closed(stream)
    });
    let (_, reason) = failed(measure(&connects(early)));
    assert_eq!(reason, "the server closed a connection before its first tick");

    let rude = serve(|stream| {
        stream.write_all(&tick(0, 0))?;
        stream.read_exact(&mut [0; 8])
    });
    let (_, reason) = failed(measure(&connects(rude)));
    assert!(reason.contains("waited for the answer to its close frame: the server ended it"), "{reason}");
}

#[test]
fn one_that_waits_among_others_that_do_not_is_found() {
    let asked = Arc::new(AtomicU32::new(0));
    let server = serve(move |stream| {
        if asked.fetch_add(1, Ordering::Relaxed) == 40 {
            return until_closed(stream);
        }
        one_tick(stream, 0)
    });
    let patient = Request { job: Job::Connect, connections: 4, ..impatient(server) };
    let (_, reason) = failed(measure(&patient));
    assert!(reason.starts_with("a connection has waited for its first tick for "), "{reason}");
}
