//! A server that says exactly what a test wants, and the probe that listens to it.
#![allow(dead_code, reason = "each test file uses a part")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64::Engine as _;
use sha1::{Digest as _, Sha1};
use tickbench_client_kit::monotonic_ns;
use tickbench_frame::{Mask, Opcode, write_frame};
use tickbench_protocol::{Arrivals, Payload, Stamps, Tape, encode_binary};
use tickbench_record::{
    Arrival, Disturbance, Encoding, Flush, Job, Observation, Reply, Request, Stage, Wait,
};

/// Serves every connection with `script`, once it is upgraded. A script ends when it returns, or when writing fails.
pub(crate) fn serve(
    script: impl Fn(&mut TcpStream) -> std::io::Result<()> + Clone + Send + 'static,
) -> SocketAddr {
    serve_raw(move |stream| {
        let key = read_key(stream)?;
        upgrade(stream, &key)?;
        script(stream)
    })
}

/// Answers a request with this key.
pub(crate) fn upgrade(stream: &mut impl std::io::Write, key: &str) -> std::io::Result<()> {
    let accept = base64::engine::general_purpose::STANDARD
        .encode(Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
    write!(
        stream,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// Serves every connection with `script`, from its first byte on.
pub(crate) fn serve_raw(
    script: impl Fn(&mut TcpStream) -> std::io::Result<()> + Clone + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let script = script.clone();
            // Writing fails when the probe is gone: the end of the script, and of no interest.
            std::thread::spawn(move || script(&mut stream.unwrap()).ok());
        }
    });
    address
}

/// Reads a request and returns its key.
pub(crate) fn read_key(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap_or_default();
    Ok(key.to_string())
}

/// Waits until the probe ends the connection.
pub(crate) fn until_closed(stream: &mut TcpStream) -> std::io::Result<()> {
    std::io::copy(stream, &mut std::io::sink()).map(|_| ())
}

/// The frame of tick `seq`, sent now, as seed 1 has it; padded to `size`.
pub(crate) fn tick(seq: u64, size: usize) -> Vec<u8> {
    let now_ns = monotonic_ns();
    framed(&payload(&Stamps { seq, due_ns: now_ns, sent_ns: now_ns }, size))
}

/// The message of a tick with these stamps.
pub(crate) fn payload(stamps: &Stamps, size: usize) -> Vec<u8> {
    static TAPE: LazyLock<Tape> = LazyLock::new(|| Tape::generate(1));
    let mut payload = Vec::new();
    encode_binary(stamps, Payload::Update(TAPE.update(stamps.seq)), size, &mut payload);
    payload
}

/// A binary message in one frame.
pub(crate) fn framed(payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    write_frame(&mut frame, true, Opcode::Binary, Mask::None, payload);
    frame
}

/// The schedule of one stream, whose start is now: an honest server's.
pub(crate) struct Paced {
    pub(crate) start_ns: u64,
    arrivals: Arrivals,
    next_seq: u64,
}

impl Paced {
    /// So many ticks a second.
    pub(crate) fn start(rate_per_s: f64) -> Paced {
        Paced { start_ns: monotonic_ns(), arrivals: Arrivals::constant(rate_per_s), next_seq: 0 }
    }

    /// The stamps of the next tick, which is due and sent now; at once, where it is late.
    pub(crate) fn next(&mut self) -> Stamps {
        let due_ns = self.start_ns + self.arrivals.next().unwrap();
        wait_until(due_ns);
        let seq = self.next_seq;
        self.next_seq += 1;
        Stamps { seq, due_ns, sent_ns: monotonic_ns() }
    }
}

/// Paces a script: sleeps for most of the time, so that the probe has its core.
pub(crate) fn wait_until(ns: u64) {
    while let Some(left_ns) = ns.checked_sub(monotonic_ns()).filter(|&left_ns| left_ns > 0) {
        if left_ns > 100_000 {
            std::thread::sleep(Duration::from_nanos(left_ns - 50_000));
        }
    }
}

/// Ticks at this rate, until the probe is gone, each of them as `change` leaves it.
pub(crate) fn paced_ticks(
    stream: &mut TcpStream,
    rate_per_s: f64,
    mut change: impl FnMut(&mut Stamps),
) -> std::io::Result<()> {
    let mut paced = Paced::start(rate_per_s);
    loop {
        let mut stamps = paced.next();
        change(&mut stamps);
        stream.write_all(&framed(&payload(&stamps, 0)))?;
    }
}

/// Ticks of a flood from `seq` on, until the probe is gone.
pub(crate) fn ticks_from(stream: &mut TcpStream, seq: u64) -> std::io::Result<()> {
    for seq in seq.. {
        stream.write_all(&tick(seq, 0))?;
    }
    Ok(())
}

/// A short flood of binary ticks over one connection.
pub(crate) fn request(server: SocketAddr) -> Request {
    Request {
        server,
        job: Job::Ticks,
        encoding: Encoding::Binary,
        flush: Flush::Each,
        arrival: Arrival::Constant,
        rate_per_s: 0.0,
        size_bytes: 0,
        seed: 1,
        feed: None,
        speed: 1.0,
        connections: 1,
        wait: Wait::Block,
        // Long enough for a first message on a machine that is busy.
        warmup_ns: 200_000_000,
        window_ns: 150_000_000,
        stall_ns: 10_000_000_000,
        server_pid: None,
        usage_samples_per_s: 0,
        hiccup_ns: None,
        server_gaps: None,
        stages: false,
        samples: None,
        beside: Disturbance::Nothing,
    }
}

/// The same over a window that no test waits for, of a server that is soon given up on: one that stands still, and not one that a busy
/// machine holds up.
pub(crate) fn impatient(server: SocketAddr) -> Request {
    Request { stall_ns: 1_000_000_000, window_ns: 60_000_000_000, ..request(server) }
}

/// What the probe answers to `request`.
pub(crate) fn measure(request: &Request) -> Reply {
    let output = probe().args(request.to_args()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn probe() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tickbench-probe"))
}

pub(crate) fn completed(reply: Reply) -> Observation {
    match reply {
        Reply::Completed(seen) => *seen,
        other => panic!("{other:?}"),
    }
}

/// A failure that is booked on the server.
pub(crate) fn failed(reply: Reply) -> (Stage, String) {
    match reply {
        Reply::Failed { stage, reason } => (stage, reason),
        other => panic!("{other:?}"),
    }
}

/// A failure that is booked on the client.
pub(crate) fn broken(reply: Reply) -> (Stage, String) {
    match reply {
        Reply::Broken { stage, reason } => (stage, reason),
        other => panic!("{other:?}"),
    }
}

/// Returns each message.
pub(crate) fn echo(stream: &mut TcpStream) -> std::io::Result<()> {
    changed_echo(stream, 0)
}

/// Returns each message, `change` added to the first byte of its payload.
pub(crate) fn changed_echo(stream: &mut TcpStream, change: u8) -> std::io::Result<()> {
    loop {
        echo_once(stream, change)?;
    }
}

/// Returns the next message, `change` added to the first byte of its payload.
pub(crate) fn echo_once(stream: &mut TcpStream, change: u8) -> std::io::Result<()> {
    let echo = next_echo(stream, change)?;
    stream.write_all(&echo)
}

/// The frame that returns the next message, `change` added to the first byte of its payload.
pub(crate) fn next_echo(stream: &mut TcpStream, change: u8) -> std::io::Result<Vec<u8>> {
    let mut head = [0; 2];
    stream.read_exact(&mut head)?;
    let length = match head[1] & 0x7f {
        127 => {
            let mut bytes = [0; 8];
            stream.read_exact(&mut bytes)?;
            u64::from_be_bytes(bytes) as usize
        }
        126 => {
            let mut bytes = [0; 2];
            stream.read_exact(&mut bytes)?;
            usize::from(u16::from_be_bytes(bytes))
        }
        short => usize::from(short),
    };
    let (mut key, mut payload) = ([0; 4], vec![0; length]);
    stream.read_exact(&mut key)?;
    stream.read_exact(&mut payload)?;
    payload.iter_mut().enumerate().for_each(|(at, byte)| *byte ^= key[at % 4]);
    if let Some(first) = payload.first_mut() {
        *first = first.wrapping_add(change);
    }
    let opcode = if head[0] & 0xf == 1 { Opcode::Text } else { Opcode::Binary };
    let mut frame = Vec::new();
    write_frame(&mut frame, true, opcode, Mask::None, &payload);
    Ok(frame)
}

/// Serves each connection with its number, from 0.
pub(crate) fn serve_each(
    script: impl Fn(u32, &mut TcpStream) -> std::io::Result<()> + Clone + Send + 'static,
) -> SocketAddr {
    let asked = Arc::new(AtomicU32::new(0));
    serve(move |stream| script(asked.fetch_add(1, Ordering::Relaxed), stream))
}

/// Returns each message for so long, and none later.
pub(crate) fn echo_until(stream: &mut TcpStream, ns: u64) -> std::io::Result<()> {
    let until_ns = monotonic_ns() + ns;
    while monotonic_ns() < until_ns {
        echo_once(stream, 0)?;
    }
    until_closed(stream)
}
