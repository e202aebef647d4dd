//! What a usual client makes of servers that lie: the same as the probe, by the same code.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use tickbench_client_kit::monotonic_ns;
use tickbench_protocol::{Payload, Stamps, Tape, encode_binary};
use tickbench_record::{Arrival, Disturbance, Encoding, Flush, Job, Reply, Request, Stage, Wait};
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, accept};

type Socket = WebSocket<TcpStream>;

/// Serves every connection with `script`.
fn serve(script: fn(&mut Socket) -> Result<(), Error>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // An error is the end of the client.
            std::thread::spawn(move || {
                accept(stream.unwrap()).map(|mut socket| script(&mut socket).ok()).ok()
            });
        }
    });
    address
}

fn measure(server: SocketAddr, job: Job, encoding: Encoding) -> Reply {
    let request = Request {
        server,
        job,
        encoding,
        flush: Flush::Each,
        arrival: Arrival::Constant,
        rate_per_s: 0.0,
        size_bytes: if job == Job::Echo { 64 } else { 0 },
        seed: 1,
        feed: None,
        speed: 1.0,
        connections: 1,
        wait: Wait::Block,
        warmup_ns: 100_000_000,
        window_ns: 150_000_000,
        stall_ns: 5_000_000_000,
        server_pid: None,
        usage_samples_per_s: 0,
        hiccup_ns: None,
        server_gaps: None,
        stages: false,
        samples: None,
        beside: Disturbance::Nothing,
    };
    let mut client = Command::new(env!("CARGO_BIN_EXE_tickbench-client-tungstenite"));
    let output = client.args(request.to_args()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn failed(reply: Reply) -> (Stage, String) {
    match reply {
        Reply::Failed { stage, reason } => (stage, reason),
        other => panic!("{other:?}"),
    }
}

fn checked(reply: Reply) -> (u64, u64) {
    match reply {
        Reply::Completed(seen) => (seen.received, seen.checked),
        other => panic!("{other:?}"),
    }
}

fn echo(socket: &mut Socket) -> Result<(), Error> {
    loop {
        let message = socket.read()?;
        socket.send(message)?;
    }
}

#[test]
fn an_echo_that_comes_twice_fails_the_audit() {
    let twice = serve(|socket| {
        let message = socket.read()?;
        socket.send(message.clone())?;
        socket.send(message)?;
        echo(socket)
    });
    for encoding in [Encoding::Json, Encoding::Binary] {
        let (stage, reason) = failed(measure(twice, Job::Echo, encoding));
        assert_eq!(stage, Stage::Audit);
        let name = "the echo on connection 0 does not answer the message that is under way";
        assert!(reason.starts_with(name), "{reason}");
        let (received, compared) = checked(measure(serve(echo), Job::Echo, encoding));
        assert!(received > 0 && compared == received);
    }
}

/// A flood of ticks, in which a byte of each is changed by `change`.
fn flood(socket: &mut Socket, change: u8) -> Result<(), Error> {
    let tape = Tape::generate(1);
    for seq in 0.. {
        let now_ns = monotonic_ns();
        let mut message = Vec::new();
        let stamps = Stamps { seq, due_ns: now_ns, sent_ns: now_ns };
        encode_binary(&stamps, Payload::Update(tape.update(seq)), 0, &mut message);
        message[40] ^= change;
        socket.send(Message::binary(message))?;
    }
    Ok(())
}

#[test]
fn ticks_are_what_the_seed_says_and_of_the_encoding_that_was_asked_for() {
    let (stage, reason) = failed(measure(serve(|socket| flood(socket, 1)), Job::Ticks, Encoding::Binary));
    assert_eq!(stage, Stage::Audit);
    assert!(reason.contains(" on connection 0 is not what the seed says: "), "{reason}");
    let honest = serve(|socket| flood(socket, 0));
    let (received, compared) = checked(measure(honest, Job::Ticks, Encoding::Binary));
    assert!(received >= 256 && compared == 256);
    let (_, reason) = failed(measure(honest, Job::Ticks, Encoding::Json));
    assert_eq!(reason, "a message on connection 0 is no tick: json was asked for");
}
