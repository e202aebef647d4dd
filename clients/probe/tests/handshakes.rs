//! Servers that never get to the point: each is given up on by a deadline, whatever it keeps sending, and the reason says what came.

mod scripted;

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use scripted::*;
use tickbench_record::{Request, Stage};

const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nX-Wait: ";

/// Says the beginning of an answer and then one byte after another: never silent, never done.
fn drip(stream: &mut TcpStream) -> std::io::Result<()> {
    read_key(stream)?;
    stream.set_nodelay(true)?;
    stream.write_all(ANSWER)?;
    loop {
        // The pace is the lie: each byte is a sign of life.
        std::thread::sleep(Duration::from_millis(2));
        stream.write_all(b"x")?;
    }
}

fn soon_given_up(server: std::net::SocketAddr) -> Request {
    Request { stall_ns: 300_000_000, ..impatient(server) }
}

#[test]
fn an_answer_that_drips_is_given_up_on() {
    let server = serve_raw(drip);
    for connections in [1, 3] {
        let (stage, reason) = failed(measure(&Request { connections, ..soon_given_up(server) }));
        assert_eq!(stage, Stage::Connect);
        assert!(reason.contains("connection 0 has had no whole one for 0.3 s"), "{reason}");
        assert!(reason.contains(" bytes came, `HTTP/1.1 101 Switching Protocols\\r\\nX-Wait: x"), "{reason}");
    }
}

/// The others make progress all the time, and hide nobody.
#[test]
fn one_connection_that_waits_is_named_though_others_are_opened() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    let server = serve_raw(|stream| {
        let key = read_key(stream)?;
        if SEEN.fetch_add(1, Ordering::Relaxed) > 0 {
            upgrade(stream, &key)?;
        }
        until_closed(stream)
    });
    let (_, reason) = failed(measure(&Request { connections: 4, ..soon_given_up(server) }));
    assert!(
        reason.contains("3 are open, 1 wait for an answer") && reason.ends_with("nothing came"),
        "{reason}"
    );
}

#[test]
fn a_refusal_is_short_and_moves_no_terminal() {
    let server = serve_raw(|stream| {
        read_key(stream)?;
        let body = "\u{1b}[2Jgone\r\n".repeat(20_000);
        write!(stream, "HTTP/1.1 503 Busy\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
        until_closed(stream)
    });
    let (_, reason) = failed(measure(&soon_given_up(server)));
    assert!(reason.contains("HTTP 503: \\u{1b}[2Jgone\\r\\n"), "{reason}");
    assert!(!reason.chars().any(char::is_control) && reason.len() < 700, "{} bytes: {reason}", reason.len());
}

#[test]
fn an_answer_in_chunks_or_until_the_end_is_told_whole() {
    for text in [
        "HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nrate=x is\r\n5\r\n bad.\r\n0\r\n\r\n",
        "HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 400 Bad\r\n\r\nrate=x is bad.",
    ] {
        let server = serve_raw(move |stream| {
            read_key(stream)?;
            stream.set_nodelay(true)?;
            text.as_bytes().chunks(7).try_for_each(|piece| stream.write_all(piece))?;
            stream.shutdown(std::net::Shutdown::Write)
        });
        let (_, reason) = failed(measure(&impatient(server)));
        assert!(reason.ends_with("HTTP 400: rate=x is bad."), "{reason}");
    }
}

#[test]
fn a_stream_of_pings_alone_is_given_up_on() {
    let server = serve(|stream| {
        loop {
            stream.write_all(&[0x89, 0])?;
        }
    });
    let args = ["stream", "--server", &server.to_string(), "--count", "3", "--stall-ns", "300000000"];
    let output = probe().args(args).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("no tick for 0.3 s after 0 of 3"), "{told}");
}
