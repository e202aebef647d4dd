//! What the probe makes of servers that behave, and of servers that do not.

mod scripted;

use std::io::Write as _;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;

use scripted::*;
use tickbench_client_kit::{monotonic_ns, read_capture};
use tickbench_frame::{Mask, Opcode, write_close, write_frame};
use tickbench_protocol::{Payload, Stamps, encode_binary};
use tickbench_record::{Encoding, Job, Request, Stage, Wait};

#[test]
fn a_flood_is_measured() {
    let server = serve(|stream| ticks_from(stream, 0));
    for wait in [Wait::Block, Wait::Spin] {
        let seen = completed(measure(&Request { wait, usage_samples_per_s: 100, ..request(server) }));
        assert!(seen.received > 0 && seen.sent == seen.received && seen.reads > 0);
        assert_eq!((seen.lost, seen.reordered, seen.negative), (0, 0, 0));
        assert!(seen.checked > 0 && seen.connect_ns > 0 && seen.elapsed_ns >= 150_000_000);
        assert_eq!(seen.delivery_ns.unwrap().count, seen.received);
        assert_eq!((seen.lag_ns, seen.response_ns, seen.round_trip_ns), (None, None, None));
        assert!(seen.client_usage.unwrap().cpu_share > 0.0);
    }
}

#[test]
fn paced_ticks_have_three_figures() {
    let server = serve(|stream| paced_ticks(stream, 2000.0, |_| ()));
    let seen = completed(measure(&Request { rate_per_s: 2000.0, ..request(server) }));
    let count = |figure: Option<tickbench_record::Distribution>| figure.unwrap().count;
    // A window of 150 ms, whose end is exact.
    assert_eq!((seen.elapsed_ns, seen.sent, seen.received, seen.lost), (150_000_000, 300, 300, 0));
    assert_eq!(count(seen.lag_ns), seen.received);
    assert_eq!(count(seen.delivery_ns), seen.received);
    assert_eq!(count(seen.response_ns), seen.received);
}

#[test]
fn the_usage_of_both_processes_is_told() {
    let server = serve(|stream| ticks_from(stream, 0));
    let pid = Some(std::process::id());
    let seen = completed(measure(&Request { server_pid: pid, usage_samples_per_s: 1000, ..request(server) }));
    let usage = seen.server_usage.unwrap();
    assert!(usage.cpu_share > 0.0 && usage.cpu_ns_per_message > 0.0);
    assert!(usage.rss_bytes > 0 && usage.rss_peak_bytes > 0 && usage.threads > 1);
    let samples = seen.usage_samples.unwrap();
    assert!(!samples.at_ns.is_empty() && samples.at_ns.is_sorted() && samples.server_cpu_ns.is_sorted());
    assert_eq!(samples.server_rss_bytes.len(), samples.at_ns.len());
}

#[test]
fn fragments_and_pings_between_them_are_part_of_the_stream() {
    let server = serve(|stream| {
        for seq in 0u64.. {
            let now_ns = monotonic_ns();
            let message = payload(&Stamps { seq, due_ns: now_ns, sent_ns: now_ns }, 0);
            let (head, tail) = message.split_at(seq as usize % 49);
            let mut bytes = Vec::new();
            write_frame(&mut bytes, false, Opcode::Binary, Mask::None, head);
            write_frame(&mut bytes, true, Opcode::Ping, Mask::None, b"alive?");
            write_frame(&mut bytes, true, Opcode::Continuation, Mask::None, tail);
            stream.write_all(&bytes)?;
        }
        Ok(())
    });
    let seen = completed(measure(&request(server)));
    assert!(seen.received > 0 && seen.checked > 0);
}

#[test]
fn a_frame_of_700_kb_among_small_ones() {
    let mut feed = tempfile::NamedTempFile::new().unwrap();
    for nth in 0..500 {
        let payload = if nth == 499 { "x".repeat(700_000) } else { format!("{nth}") };
        writeln!(feed, "{{\"ts_ns\":{nth},\"payload\":\"{payload}\"}}").unwrap();
    }
    let capture = Arc::new(read_capture(feed.path()).unwrap());
    let server = serve(move |stream| {
        for seq in 0u64.. {
            let now_ns = monotonic_ns();
            let stamps = Stamps { seq, due_ns: now_ns, sent_ns: now_ns };
            let mut message = Vec::new();
            encode_binary(&stamps, Payload::Captured(capture.payload(seq)), 0, &mut message);
            stream.write_all(&framed(&message))?;
        }
        Ok(())
    });
    for connections in [1, 2] {
        let feed = Some(feed.path().to_owned());
        let seen =
            completed(measure(&Request { connections, window_ns: 200_000_000, feed, ..request(server) }));
        assert!(seen.bytes_per_s > 60.0 * seen.messages_per_s, "{seen:?}");
        assert_eq!(seen.checked, 5, "there is room for so many of them");
    }
}

#[test]
fn what_a_server_may_not_send_is_named() {
    let table: [(&[u8], &str); 5] = [
        (b"\x82\x85abcdhello", "protocol violation on connection 0: masked frame from the server"),
        (b"HTTP/1.1 500 Oops", "protocol violation on connection 0: reserved bits 0b100"),
        (b"\x81\x01\xff", "text message is not UTF-8"),
        (b"\x81\x02{}", "a text message came on connection 0 where binary was asked for"),
        (b"\x82\x02{}", "a tick on connection 0 has no stamps: message of 2 bytes"),
    ];
    for (bytes, name) in table {
        let server = serve(move |stream| {
            stream.write_all(&tick(0, 0))?;
            stream.write_all(bytes)?;
            until_closed(stream)
        });
        let (stage, reason) = failed(measure(&request(server)));
        assert_eq!(stage, Stage::Warmup);
        assert!(reason.contains(name), "{reason:?} lacks {name:?}");
    }
}

#[test]
fn an_early_end_is_told() {
    let server = serve(|stream| {
        let mut bytes = tick(0, 0);
        write_close(&mut bytes, Mask::None, 1011);
        stream.write_all(&bytes)?;
        until_closed(stream)
    });
    let (_, reason) = failed(measure(&request(server)));
    assert_eq!(reason, "the server closed connection 0 with code 1011");
    let server = serve(|stream| {
        stream.write_all(&tick(0, 0))?;
        stream.shutdown(std::net::Shutdown::Write)?;
        until_closed(stream)
    });
    let (_, reason) = failed(measure(&Request { connections: 2, ..request(server) }));
    assert!(reason.contains("without a close frame"), "{reason}");
}

#[test]
fn a_broken_sequence_fails_the_audit() {
    let table: [(&[u64], &str); 4] = [
        (&[0, 1, 5], "3 messages missing, 0 repeated or out of order; first, seq 5 came where 2 was due"),
        (&[0, 1, 1, 2], "0 messages missing, 1 repeated"),
        (&[0, 2, 1, 3], "1 messages missing, 1 repeated"),
        (&[7], "first, seq 7 came where 0 was due"),
    ];
    for (seqs, name) in table {
        let server = serve(move |stream| {
            for &seq in seqs {
                stream.write_all(&tick(seq, 0))?;
            }
            ticks_from(stream, seqs[seqs.len() - 1] + 1)
        });
        let (stage, reason) = failed(measure(&request(server)));
        assert_eq!(stage, Stage::Audit);
        assert!(reason.contains(name), "{reason:?} lacks {name:?}");
    }
}

#[test]
fn another_payload_than_the_seeds_fails_the_audit() {
    let server = serve(|stream| {
        for seq in 0.. {
            let mut frame = tick(seq, 0);
            // One in ten, of a flood: some of them are among any few that are compared.
            *frame.last_mut().unwrap() ^= u8::from(seq % 10 == 3);
            stream.write_all(&frame)?;
        }
        Ok(())
    });
    let (stage, reason) = failed(measure(&request(server)));
    assert_eq!(stage, Stage::Audit);
    let (tick, rest) = reason.split_once(" on connection 0 is not what the seed says: ").expect(&reason);
    assert!(tick.starts_with("tick ") && tick.ends_with('3'), "{reason}");
    assert!(rest.starts_with("48 bytes came and 48 were due; from byte 47"), "{reason}");
}

#[test]
fn times_before_their_cause_are_counted() {
    let server = serve(|stream| {
        for seq in 0.. {
            let later_ns = monotonic_ns() + 3_600_000_000_000;
            let stamps = Stamps { seq, due_ns: later_ns, sent_ns: later_ns };
            stream.write_all(&framed(&payload(&stamps, 0)))?;
        }
        Ok(())
    });
    let seen = completed(measure(&request(server)));
    assert_eq!((seen.negative, seen.delivery_ns), (seen.received, None));
    assert!(seen.received > 0);
}

#[test]
fn silence_is_a_failure_however_the_probe_waits() {
    let server = serve(|stream| {
        stream.write_all(&tick(0, 0))?;
        until_closed(stream)
    });
    for (wait, connections) in [(Wait::Block, 1), (Wait::Spin, 1), (Wait::Block, 2), (Wait::Spin, 2)] {
        let silent = Request { wait, connections, ..impatient(server) };
        let (_, reason) = failed(measure(&silent));
        assert!(reason.starts_with("no message for "), "{reason}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_stopped_server_is_said_to_be_stopped() {
    use rustix::process::{Pid, Signal, kill_process};
    let mut stopped = Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
    kill_process(Pid::from_child(&stopped), Signal::STOP).unwrap();
    let server = serve(|stream| {
        stream.write_all(&tick(0, 0))?;
        until_closed(stream)
    });
    let silent = Request { server_pid: Some(stopped.id()), ..impatient(server) };
    let (_, reason) = failed(measure(&silent));
    stopped.kill().unwrap();
    stopped.wait().unwrap();
    assert!(reason.ends_with("the server's process is stopped"), "{reason}");
}

#[test]
fn a_server_process_that_is_gone_is_a_failure() {
    let server = serve(|stream| ticks_from(stream, 0));
    let (_, reason) = failed(measure(&Request { server_pid: Some(u32::MAX), ..request(server) }));
    assert!(reason.contains("failed to read the usage of process 4294967295"), "{reason}");
}

#[test]
fn refusals_are_told_in_the_servers_words() {
    let server = serve_raw(|stream| {
        read_key(stream)?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 13\r\n\r\nrate is wrong")?;
        until_closed(stream)
    });
    let (stage, reason) = failed(measure(&request(server)));
    assert_eq!(stage, Stage::Connect);
    assert!(
        reason.contains("failed to upgrade connection 0 to `/ticks?")
            && reason.ends_with("HTTP 400: rate is wrong")
    );
}

#[test]
fn a_forged_accept_is_refused() {
    let server = serve_raw(|stream| {
        read_key(stream)?;
        stream.write_all(
            b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
        )?;
        until_closed(stream)
    });
    let (stage, reason) = failed(measure(&request(server)));
    assert_eq!(stage, Stage::Connect);
    assert!(reason.contains("Sec-WebSocket-Accept is `AAAA`"), "{reason}");
}

#[test]
fn a_server_that_never_answers_or_is_not_there() {
    let server = serve_raw(until_closed);
    let (stage, reason) = failed(measure(&Request { connections: 3, ..impatient(server) }));
    assert_eq!(stage, Stage::Connect);
    assert!(
        reason.contains(
            "0 are open, 3 wait for an answer, and connection 0 has had no whole one for 1.0 s: nothing came"
        ),
        "{reason}"
    );
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (stage, reason) = failed(measure(&request(nobody)));
    assert_eq!(stage, Stage::Connect);
    assert!(reason.starts_with("failed to connect to `127.0.0.1:"), "{reason}");
}

#[test]
fn too_many_connections_name_the_limit() {
    let server = serve(|stream| ticks_from(stream, 0));
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 40; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_tickbench-probe")]);
    let output = limited.args(Request { connections: 50, ..request(server) }.to_args()).output().unwrap();
    let (stage, reason) = broken(serde_json::from_slice(&output.stdout).unwrap());
    assert_eq!(stage, Stage::Connect);
    assert!(reason.contains("50 connections need 82 open files, and the hard limit is 40"), "{reason}");
}

#[test]
fn many_connections_are_counted_together() {
    let server = serve(|stream| ticks_from(stream, 0));
    for wait in [Wait::Block, Wait::Spin] {
        let seen = completed(measure(&Request { connections: 20, wait, ..request(server) }));
        assert!(seen.received > 20);
        assert_eq!(seen.lost, 0);
    }
}

#[test]
fn echo_is_a_closed_loop() {
    let server = serve(echo);
    for (connections, size_bytes, encoding, wait) in [
        (1, 64, Encoding::Binary, Wait::Spin),
        (1, 0, Encoding::Json, Wait::Block),
        (5, 100_000, Encoding::Json, Wait::Block),
    ] {
        let echo = Request { job: Job::Echo, connections, size_bytes, encoding, wait, ..request(server) };
        let seen = completed(measure(&echo));
        assert!(seen.received > 0 && seen.checked == seen.received && seen.sent == seen.received);
        assert_eq!(seen.round_trip_ns.unwrap().count, seen.received);
        assert_eq!(seen.delivery_ns, None);
    }
}

#[test]
fn a_changed_echo_fails_the_audit() {
    let server = serve(|stream| changed_echo(stream, 1));
    let (stage, reason) = failed(measure(&Request { job: Job::Echo, size_bytes: 64, ..request(server) }));
    assert_eq!(stage, Stage::Audit);
    assert!(
        reason.starts_with("the echo on connection 0 does not answer the message that is under way"),
        "{reason}"
    );
}

#[test]
fn a_server_whose_process_is_gone_is_blamed_for_it() {
    let server = serve(|stream| ticks_from(stream, 0));
    let (stage, reason) = failed(measure(&Request { server_pid: Some(u32::MAX), ..request(server) }));
    assert_eq!(stage, Stage::Warmup);
    assert!(reason.contains("failed to read the usage of process"), "{reason}");
}
