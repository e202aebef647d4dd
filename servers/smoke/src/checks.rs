//! The checks. Each panics with what it saw.

use std::process::Command;

use futures_util::{SinkExt, StreamExt};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tickbench_protocol::{
    Capture, MAX_MESSAGE_BYTES, Payload, SUBSCRIBED, Stamps, Tape, encode_binary, encode_json,
};
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::server::{Server, Socket, with_server};

const REQUESTS: &str = include_str!("../../vectors/requests.jsonl");
const CAPTURE: &str = include_str!("../../vectors/capture.jsonl");

/// `GET /` names the server and the version that `--version` prints.
pub fn introduces_itself(program: &str, name: &str) {
    let printed = Command::new(program).arg("--version").output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    with_server(program, async |server| {
        let (status, body) = server.get("/").await;
        let who: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, who["name"].as_str()), (200, Some(name)), "{body}");
        let version = who["version"].as_str().unwrap();
        assert!(printed.starts_with(&format!("{name} {version}")), "{printed:?} against {version:?}");
        assert!(version.split('.').count() == 3, "{version:?} is no version");
    });
}

/// Wrong queries are refused by HTTP 400 and a sentence, unknown paths by 404.
pub fn refuses_what_is_wrong(program: &str, _: &str) {
    with_server(program, async |server| {
        for line in REQUESTS.lines() {
            let request: Value = serde_json::from_str(line).unwrap();
            if request["served"] == false {
                let target = request["target"].as_str().unwrap();
                let (status, body) = server.get(target).await;
                assert_eq!(status, 400, "{target}: {body}");
                assert!(body.contains(' '), "{target}: {body:?} is no sentence");
            }
        }
        let (status, body) = server.get("/ticks?feed=/no/such/capture").await;
        assert!(status == 400 && body.contains("/no/such/capture"), "{status} {body}");
        assert_eq!(server.get("/nowhere").await.0, 404);
    });
}

/// Paced and flooded, in both encodings and flush modes, padded and not: the ticks are those of the tape.
pub fn streams_the_tape(program: &str, _: &str) {
    let tape = Tape::generate(42);
    with_server(program, async |server| {
        for rate in [0, 20_000] {
            for (flush, size) in [("each", 0), ("batch", 0), ("batch", 300), ("each", 70_000)] {
                let query = format!("rate={rate}&flush={flush}&size={size}&seed=42&count=100");
                expect_ticks(server, &query, 100, size, |seq| Payload::Update(tape.update(seq))).await;
            }
        }
        expect_ticks(server, "rate=0&seed=42&count=2000", 2000, 0, |seq| Payload::Update(tape.update(seq)))
            .await;
        expect_ticks(server, "arrival=burst&seed=42&count=64", 64, 0, |seq| {
            Payload::Update(tape.update(seq))
        })
        .await;
    });
}

/// A capture's payloads come behind the stamps, at the recorded pace or another.
pub fn replays_a_capture(program: &str, _: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), CAPTURE).unwrap();
    let capture = Capture::read(CAPTURE.as_bytes()).unwrap();
    let path = file.path().to_str().unwrap();
    with_server(program, async |server| {
        for pace in ["speed=10", "rate=0", "rate=5000&flush=batch"] {
            let query = format!("{pace}&count=7&feed={path}");
            expect_ticks(server, &query, 7, 0, |seq| Payload::Captured(capture.payload(seq))).await;
        }
    });
}

/// Asks for ticks in both encodings and compares each to what the protocol crate makes of its stamps.
async fn expect_ticks<'a>(
    server: &Server,
    query: &str,
    count: u64,
    size: usize,
    payload: impl Fn(u64) -> Payload<'a>,
) {
    for encoding in ["json", "binary"] {
        let target = format!("/ticks?encoding={encoding}&{query}");
        let mut socket = server.open(&target).await;
        let mut last_ns = 0;
        for seq in 0..count {
            let message = next(&mut socket).await;
            let (stamps, mut expected) = (read_stamps(&message), Vec::new());
            match &message {
                Message::Text(_) => encode_json(&stamps, payload(seq), size, &mut expected),
                _ => encode_binary(&stamps, payload(seq), size, &mut expected),
            }
            assert_eq!(message.is_text(), encoding == "json", "{target}");
            assert!(message.into_data() == expected, "{target}: tick {seq} differs");
            assert_eq!(stamps.seq, seq, "{target}");
            assert!(stamps.due_ns <= stamps.sent_ns && last_ns <= stamps.sent_ns, "{target}: {stamps:?}");
            assert!(!query.contains("rate=0") || stamps.due_ns == stamps.sent_ns, "{target}: {stamps:?}");
            last_ns = stamps.sent_ns;
        }
        expect_close(&mut socket, CloseCode::Normal).await;
    }
}

fn read_stamps(message: &Message) -> Stamps {
    match message {
        Message::Text(text) => Stamps::read_json(text.as_bytes()),
        Message::Binary(bytes) => Stamps::read_binary(bytes),
        other => panic!("{other:?} is no tick"),
    }
    .unwrap()
}

/// Echo returns messages of 0 B to 16 MiB, text and binary, and answers pings.
pub fn returns_every_size(program: &str, _: &str) {
    with_server(program, async |server| {
        let mut socket = server.open("/echo").await;
        for size in [0, 1, 125, 126, 4096, 0xffff, 0x1_0000, 1 << 20, MAX_MESSAGE_BYTES] {
            for message in [Message::text("x".repeat(size)), Message::binary(vec![size as u8; size])] {
                socket.send(message.clone()).await.unwrap();
                assert!(next(&mut socket).await == message, "{size} B came back otherwise");
            }
        }
        socket.send(Message::Ping("still there?".into())).await.unwrap();
        assert_eq!(next(&mut socket).await, Message::Pong("still there?".into()));
        socket.close(None).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            assert!(message.is_close(), "{message:?} after the close frame");
        }
    });
}

/// Each of two subscribers gets what a publisher sends, in order; the publisher gets nothing.
pub fn relays(program: &str, _: &str) {
    with_server(program, async |server| {
        let mut subscribers = [server.open("/relay").await, server.open("/relay?role=subscriber").await];
        for subscriber in &mut subscribers {
            assert_eq!(next(subscriber).await, Message::text(SUBSCRIBED));
        }
        let mut publisher = server.open("/relay?role=publisher").await;
        for number in 0..500u32 {
            publisher.feed(Message::text(number.to_string())).await.unwrap();
            publisher.feed(Message::binary(number.to_le_bytes().to_vec())).await.unwrap();
        }
        publisher.send(Message::Ping("all?".into())).await.unwrap();
        assert_eq!(next(&mut publisher).await, Message::Pong("all?".into()));
        for subscriber in &mut subscribers {
            for number in 0..500u32 {
                assert_eq!(next(subscriber).await, Message::text(number.to_string()));
                assert_eq!(next(subscriber).await, Message::binary(number.to_le_bytes().to_vec()));
            }
            subscriber.send(Message::Ping("and you?".into())).await.unwrap();
            assert_eq!(next(subscriber).await, Message::Pong("and you?".into()));
        }
    });
}

/// A subscriber that does not read is closed with code 1008, and another gets everything all the same.
pub fn closes_a_slow_subscriber(program: &str, _: &str) {
    with_server(program, async |server| {
        let (mut slow, mut quick) = (server.open("/relay").await, server.open("/relay").await);
        assert_eq!(next(&mut quick).await, Message::text(SUBSCRIBED));
        assert_eq!(next(&mut slow).await, Message::text(SUBSCRIBED));
        let mut publisher = server.open("/relay?role=publisher").await;
        let message = Message::binary(vec![7; 1 << 20]);
        for _ in 0..200 {
            publisher.send(message.clone()).await.unwrap();
            assert!(next(&mut quick).await == message);
        }
        loop {
            match next(&mut slow).await {
                Message::Close(Some(frame)) => break assert_eq!(frame.code, CloseCode::Policy),
                other => assert!(other == message, "neither the message nor the end"),
            }
        }
    });
}

/// A closed standard input ends the server with code 0, in the middle of a flood.
pub fn ends_on_closed_stdin(program: &str, _: &str) {
    with_server(program, async |server| {
        let mut flood = server.open("/ticks?rate=0").await;
        next(&mut flood).await;
        drop(server.process.stdin.take());
        assert_eq!(server.process.wait().await.unwrap().code(), Some(0));
    });
}

/// SIGTERM ends the server with code 0, with a connection that waits.
pub fn ends_on_sigterm(program: &str, _: &str) {
    with_server(program, async |server| {
        let mut idle = server.open("/ticks?rate=0.001").await;
        next(&mut idle).await;
        let pid = server.process.id().and_then(|id| Pid::from_raw(id as i32)).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        assert_eq!(server.process.wait().await.unwrap().code(), Some(0));
    });
}

async fn next(socket: &mut Socket) -> Message {
    socket.next().await.expect("the server left").unwrap()
}

async fn expect_close(socket: &mut Socket, code: CloseCode) {
    match next(socket).await {
        Message::Close(Some(frame)) => assert_eq!(frame.code, code),
        other => panic!("{other:?} in place of the end"),
    }
}
