//! Servers that never get to the point are given up on by the stall limit, whatever they keep sending.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use tickbench_record::{Reply, Stage};

/// What the client says of a server that does `script` to its first connection.
fn told(script: impl FnOnce(&mut TcpStream) -> std::io::Result<()> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap().to_string();
    // Writing fails when the client is gone: the end of the script, and of no interest.
    std::thread::spawn(move || script(&mut listener.accept().unwrap().0).ok());
    let output = Command::new(env!("CARGO_BIN_EXE_tickbench-client-tungstenite"))
        .args(["measure", "--server", &server, "--stall-ns", "300000000", "--window-ns", "60000000000"])
        .output()
        .unwrap();
    match serde_json::from_slice(&output.stdout).unwrap() {
        Reply::Failed { stage: Stage::Connect, reason } => reason,
        reply => panic!("{reply:?}"),
    }
}

fn until_closed(stream: &mut TcpStream) -> std::io::Result<()> {
    std::io::copy(stream, &mut std::io::sink()).map(|_| ())
}

#[test]
fn an_answer_that_drips_is_given_up_on() {
    let reason = told(|stream| {
        stream.set_nodelay(true)?;
        stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nX: ")?;
        loop {
            // The pace is the lie: each byte is a sign of life.
            std::thread::sleep(Duration::from_millis(5));
            stream.write_all(b"x")?;
        }
    });
    assert!(reason.contains("no whole answer for 0.3 s: ") && reason.ends_with(" bytes came"), "{reason}");
}

#[test]
fn silence_is_told() {
    let reason = told(until_closed);
    assert!(reason.ends_with("no whole answer for 0.3 s: nothing came"), "{reason}");
}

#[test]
fn a_refusal_is_short_and_moves_no_terminal() {
    let reason = told(|stream| {
        let mut request = [0; 16];
        stream.read_exact(&mut request)?;
        let body = "\u{1b}[2Jgone ".repeat(500);
        write!(stream, "HTTP/1.1 503 Busy\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
        until_closed(stream)
    });
    assert!(reason.contains("HTTP 503"), "{reason}");
    assert!(!reason.chars().any(char::is_control) && reason.len() < 700, "{} bytes: {reason}", reason.len());
}
