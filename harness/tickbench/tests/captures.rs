//! `tickbench capture` of servers that never answer, never finish, refuse or close, and of certificates that cannot be trusted.

mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use support::{Project, assert_code, stderr, stdout};

/// A server that does `script` to its first connection.
fn serve(script: impl FnOnce(&mut TcpStream) -> std::io::Result<()> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Writing fails when the capture has ended: the end of the script, and of no interest.
    std::thread::spawn(move || script(&mut listener.accept().unwrap().0).ok());
    address.to_string()
}

fn until_closed(stream: &mut impl std::io::Read) -> std::io::Result<()> {
    std::io::copy(stream, &mut std::io::sink()).map(|_| ())
}

/// Reads a request and grants the upgrade.
fn upgrade(stream: &mut (impl std::io::Read + std::io::Write)) -> std::io::Result<()> {
    let key = read_key(stream)?;
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    write!(
        stream,
        "HTTP/1.1 101 On\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

fn read_key(stream: &mut impl std::io::Read) -> std::io::Result<String> {
    let mut lines = BufReader::with_capacity(1, stream).lines();
    let mut key = String::new();
    while let Some(line) = lines.next().transpose()?.filter(|line| !line.is_empty()) {
        key = line.strip_prefix("Sec-WebSocket-Key: ").map_or(key, str::to_owned);
    }
    Ok(key)
}

/// A text message in one frame.
fn text(words: &str) -> Vec<u8> {
    [&[0x81, words.len() as u8], words.as_bytes()].concat()
}

fn capture(project: &Project, url: &str, more: &[&str]) -> Output {
    project.tickbench(&[&["capture", url, "--out", "tape.jsonl"], more].concat())
}

#[test]
fn a_listener_that_never_answers_is_given_up_on() {
    let project = Project::sound();
    let url = format!("ws://{}/feed", serve(until_closed));
    let output = capture(&project, &url, &["--connect-timeout", "300ms"]);
    assert_code(&output, 2);
    let words = format!(
        "failed to open `{url}`: after 300ms it was still waiting for the answer to the upgrade, of which nothing came"
    );
    assert!(stderr(&output).contains(&words), "{}", stderr(&output));
    assert!(!project.path().join("tape.jsonl").exists());
}

#[test]
fn an_answer_that_drips_is_given_up_on_and_told() {
    let project = Project::sound();
    for scheme in ["ws", "wss"] {
        let server = serve(|stream| {
            stream.set_nodelay(true)?;
            // The beginning of a TLS record says nothing to a client of ws://, and of an answer nothing to one of wss://.
            stream.write_all(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")?;
            loop {
                // The pace is the lie: each byte is a sign of life.
                std::thread::sleep(Duration::from_millis(5));
                stream.write_all(b"\x03")?;
            }
        });
        let url = format!("{scheme}://{server}/");
        let output = capture(&project, &url, &["--connect-timeout", "300ms"]);
        assert_code(&output, 2);
        let words = if scheme == "ws" { "failed to open" } else { "over TLS, after " };
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
    let server = serve(|stream| {
        stream.set_nodelay(true)?;
        stream.write_all(b"HTTP/1.1 101 On\r\nX: ")?;
        loop {
            std::thread::sleep(Duration::from_millis(5));
            stream.write_all(b"x")?;
        }
    });
    let output = capture(&project, &format!("ws://{server}/"), &["--connect-timeout", "300ms"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains(" bytes came, `HTTP/1.1 101 On\\r\\nX: x"), "{}", stderr(&output));
}

fn start(project: &Project, url: &str, more: &[&str]) -> Child {
    let mut command = project.command(&[&["capture", url, "--out", "tape.jsonl"], more].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn interrupted(child: Child) -> Output {
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_signal_ends_a_handshake_that_waits() {
    let project = Project::sound();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let child = start(&project, &url, &["--connect-timeout", "1h"]);
    let (_stream, _) = listener.accept().unwrap();
    let output = interrupted(child);
    assert_code(&output, 130);
    assert!(stderr(&output).contains(&format!("interrupted before `{url}` was open")), "{}", stderr(&output));
}

/// Two messages, and then fragments without end: no message is ever whole again, and no read comes to rest.
fn never_whole(stream: &mut TcpStream) -> std::io::Result<()> {
    upgrade(stream)?;
    stream.write_all(&[text("one"), text("two"), vec![1, 0]].concat())?;
    loop {
        stream.write_all(&[0, 0].repeat(1000))?;
    }
}

#[test]
fn the_duration_ends_a_recording_whatever_comes() {
    let project = Project::sound();
    let url = format!("ws://{}/", serve(never_whole));
    let output = capture(&project, &url, &["--duration", "300ms"]);
    assert_code(&output, 0);
    assert!(stdout(&output).contains("2 messages in `tape.jsonl`"), "{}", stdout(&output));
}

#[test]
fn a_signal_ends_a_recording_whatever_comes() {
    let project = Project::sound();
    let url = format!("ws://{}/", serve(never_whole));
    let child = start(&project, &url, &[]);
    support::until("the file of the capture", || project.path().join("tape.jsonl").exists());
    let output = interrupted(child);
    assert!(stdout(&output).contains(" messages in `tape.jsonl`"), "{}{}", stdout(&output), stderr(&output));
}

#[test]
fn a_close_is_told_with_code_reason_and_url() {
    let project = Project::sound();
    let server = serve(|stream| {
        upgrade(stream)?;
        let reason = b"too \x1b[31mslow";
        stream.write_all(&[text("one"), text("two")].concat())?;
        stream.write_all(&[&[0x88, reason.len() as u8 + 2, 0x03, 0xf0], &reason[..]].concat())?;
        until_closed(stream)
    });
    let url = format!("ws://{server}/feed");
    let output = capture(&project, &url, &[]);
    assert_code(&output, 0);
    let words = format!("; the server closed `{url}` with code 1008: too \\u{{1b}}[31mslow");
    assert!(stdout(&output).contains(&words), "{}", stdout(&output));
}

#[test]
fn a_refusal_is_short_and_moves_no_terminal() {
    let project = Project::sound();
    let server = serve(|stream| {
        read_key(stream)?;
        let body = "\u{1b}[2Jgone ".repeat(300);
        write!(stream, "HTTP/1.1 503 Busy\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
        until_closed(stream)
    });
    let output = capture(&project, &format!("ws://{server}/"), &[]);
    assert_code(&output, 2);
    let told = stderr(&output);
    assert!(told.contains("the server answered 503") && told.len() < 800, "{} bytes: {told}", told.len());
    assert!(!told.trim_end().chars().any(char::is_control), "{told:?}");
}

#[test]
fn a_redirect_is_followed_and_not_for_ever() {
    let project = Project::sound();
    let there = serve(|stream| {
        upgrade(stream)?;
        stream.write_all(&[text("one"), text("two"), vec![0x88, 0]].concat())?;
        until_closed(stream)
    });
    let here = serve(move |stream| {
        read_key(stream)?;
        write!(stream, "HTTP/1.1 302 Found\r\nLocation: ws://{there}/\r\nContent-Length: 0\r\n\r\n")?;
        until_closed(stream)
    });
    let output = capture(&project, &format!("ws://{here}/"), &[]);
    assert_code(&output, 0);
    assert!(stdout(&output).contains("without a close code"), "{}", stdout(&output));

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let round = format!("ws://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            read_key(&mut stream).unwrap();
            write!(stream, "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
    });
    let output = project.tickbench(&["capture", &round, "--out", "again.jsonl"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("redirected more than 3 times"), "{}", stderr(&output));
}

/// An authority of a test, whose certificate a child process can be told to trust.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    /// A server of `wss://` that says two messages, with a certificate of a name and of years.
    fn serve(&self, name: &str, years: [i32; 2]) -> String {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.not_before, params.not_after) =
            (date_time_ymd(years[0], 1, 1), date_time_ymd(years[1], 1, 1));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .unwrap();
        serve(move |stream| {
            let connection = ServerConnection::new(Arc::new(config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            upgrade(&mut stream)?;
            stream.write_all(&[text("one"), text("two"), vec![0x88, 0]].concat())?;
            stream.flush()?;
            until_closed(&mut stream)
        })
    }
}

#[test]
fn a_certificate_that_cannot_be_trusted_is_told_in_words() {
    let project = Project::sound();
    let (known, unknown) = (Authority::new("known"), Authority::new("unknown"));
    let trusted = project.write("trusted.pem", &known.pem);
    let of = |server: &str, out: &str| {
        let url = format!("wss://localhost:{}/", server.rsplit_once(':').unwrap().1);
        let mut command = project.command(&["capture", &url, "--out", out]);
        let output = command.env("SSL_CERT_FILE", &trusted).env_remove("SSL_CERT_DIR").output().unwrap();
        assert!(output.status.success() || stderr(&output).contains(&format!("failed to open `{url}`")));
        output
    };
    let good = of(&known.serve("localhost", [2020, 2200]), "good.jsonl");
    assert_code(&good, 0);
    for (server, words) in [
        (known.serve("localhost", [2020, 2021]), &["has expired", "this machine's date"][..]),
        (known.serve("localhost", [2150, 2200]), &["is not valid yet"]),
        (known.serve("elsewhere.example", [2020, 2200]), &["is of another name", "elsewhere.example"]),
        (
            unknown.serve("localhost", [2020, 2200]),
            &["of an issuer that this machine does not know", "SSL_CERT_FILE"],
        ),
        (
            serve(|stream| stream.write_all(b"HTTP/1.1 400 Bad\r\n\r\n")),
            &["does not speak TLS there", "ws://"],
        ),
    ] {
        let refused = of(&server, "bad.jsonl");
        assert_code(&refused, 2);
        for word in words {
            assert!(stderr(&refused).contains(word), "{word} is missing from {}", stderr(&refused));
        }
    }
}
