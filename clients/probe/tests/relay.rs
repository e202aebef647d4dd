//! What the probe makes of relays that hand on all that is published, and of those that do not.

mod scripted;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use scripted::{completed, failed, measure, request};
use sha1::{Digest as _, Sha1};
use tickbench_client_kit::monotonic_ns;
use tickbench_frame::{Mask, Opcode, write_close, write_frame};
use tickbench_protocol::Stamps;
use tickbench_record::{
    ClosedWith, Disturbance, Disturbed, Encoding, Job, MAX_PINGED_BYTES, Request, Stage, Wait,
};

/// What a relay sends to its `nth` subscriber for a published message, in place of that message.
trait Script: Fn(usize, &[u8], Opcode) -> Vec<u8> + Copy + Send + 'static {}

impl<S: Fn(usize, &[u8], Opcode) -> Vec<u8> + Copy + Send + 'static> Script for S {}

/// What a relay does about a publisher's ping.
type Pinged = fn(stream: &mut TcpStream) -> std::io::Result<()>;

/// A relay that says to each subscriber what `script` says, and nothing to who pings.
fn relay(script: impl Script) -> SocketAddr {
    relay_and(script, |_| Ok(()))
}

/// The same, with what it does about a ping.
fn relay_and(script: impl Script, pinged: Pinged) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let subscribers: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let subscribers = Arc::clone(&subscribers);
            // Reading and writing fail when the other end is gone: the end of it, and of no interest.
            std::thread::spawn(move || converse(stream.unwrap(), &subscribers, script, pinged).ok());
        }
    });
    address
}

fn converse(
    mut stream: TcpStream,
    subscribers: &Mutex<Vec<TcpStream>>,
    script: impl Script,
    pinged: Pinged,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let accept = base64::engine::general_purpose::STANDARD
        .encode(Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
    write!(
        stream,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )?;
    if head.contains("role=subscriber") {
        // In the list before it is told: it gets all from then on.
        let mut all = subscribers.lock().unwrap();
        stream.write_all(&framed(b"subscribed", Opcode::Text))?;
        all.push(stream.try_clone()?);
        drop(all);
        while let Some((opcode, _)) = frame(&mut stream)? {
            if opcode == 8 {
                let mut close = Vec::new();
                write_close(&mut close, Mask::None, 1000);
                return stream.write_all(&close).and_then(|()| stream.shutdown(std::net::Shutdown::Both));
            }
        }
        return Ok(());
    }
    while let Some((opcode, payload)) = frame(&mut stream)? {
        match opcode {
            1 | 2 => {}
            9 => {
                pinged(&mut stream)?;
                continue;
            }
            _ => break,
        }
        let opcode = if opcode == 1 { Opcode::Text } else { Opcode::Binary };
        stream.write_all(&script(PUBLISHER, &payload, opcode))?;
        for (nth, subscriber) in subscribers.lock().unwrap().iter_mut().enumerate() {
            // One that is gone is none of the others' business.
            subscriber.write_all(&script(nth, &payload, opcode)).ok();
        }
    }
    Ok(())
}

/// The number by which a script knows the publisher.
const PUBLISHER: usize = usize::MAX;

/// The next frame of a client, unmasked.
fn frame(stream: &mut TcpStream) -> std::io::Result<Option<(u8, Vec<u8>)>> {
    let mut head = [0; 2];
    if stream.read(&mut head[..1])? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut head[1..])?;
    let mut length = usize::from(head[1] & 0x7f);
    if length == 126 {
        let mut bytes = [0; 2];
        stream.read_exact(&mut bytes)?;
        length = usize::from(u16::from_be_bytes(bytes));
    }
    let (mut key, mut payload) = ([0; 4], vec![0; length]);
    stream.read_exact(&mut key)?;
    stream.read_exact(&mut payload)?;
    payload.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
    Ok(Some((head[0] & 0xf, payload)))
}

fn framed(payload: &[u8], opcode: Opcode) -> Vec<u8> {
    let mut frame = Vec::new();
    write_frame(&mut frame, true, opcode, Mask::None, payload);
    frame
}

fn seq(payload: &[u8]) -> u64 {
    Stamps::read_binary(payload).unwrap().seq
}

/// All to all.
fn honest(nth: usize, payload: &[u8], opcode: Opcode) -> Vec<u8> {
    if nth == PUBLISHER { Vec::new() } else { framed(payload, opcode) }
}

/// Three subscribers of 1,000 messages a second.
fn three(server: SocketAddr) -> Request {
    Request {
        job: Job::Relay,
        rate_per_s: 1000.0,
        connections: 3,
        warmup_ns: 100_000_000,
        window_ns: 100_000_000,
        ..request(server)
    }
}

#[test]
fn all_that_is_published_is_due_to_every_subscriber() {
    for (wait, encoding, size_bytes, connections) in [
        (Wait::Block, Encoding::Binary, 0, 3),
        (Wait::Spin, Encoding::Json, 0, 3),
        (Wait::Block, Encoding::Binary, 20_000, 2),
        (Wait::Spin, Encoding::Binary, 0, 1),
    ] {
        let asked = Request { wait, encoding, size_bytes, connections, ..three(relay(honest)) };
        let seen = completed(measure(&asked));
        let relayed = seen.relayed.unwrap();
        assert!(relayed.published > 0 && seen.checked > 0);
        assert_eq!(seen.sent, relayed.published * u64::from(connections));
        assert_eq!((seen.received, seen.lost, seen.reordered, seen.negative), (seen.sent, 0, 0, 0));
        assert_eq!(seen.delivery_ns.unwrap().count, seen.sent);
        assert_eq!(seen.response_ns.unwrap().count, seen.sent);
        assert_eq!(seen.publish_lag_ns.unwrap().count, relayed.published);
        assert_eq!(seen.skew_ns.map(|skew| skew.count), (connections > 1).then_some(relayed.published));
        assert_eq!((seen.lag_ns, seen.disturbed), (None, None), "no server's lag, and nobody disturbed");
    }
}

#[test]
fn what_one_subscriber_does_not_get_is_lost() {
    let server = relay(|nth, payload, opcode| {
        let is_dropped = nth == 0 && seq(payload) % 7 == 3;
        if is_dropped { Vec::new() } else { honest(nth, payload, opcode) }
    });
    // What is last may be one that is dropped: it is given up after a stall.
    let seen = completed(measure(&Request { stall_ns: 2_000_000_000, ..three(server) }));
    let published = seen.relayed.unwrap().published;
    assert!(seen.lost > 0);
    assert_eq!((seen.sent, seen.received + seen.lost), (3 * published, 3 * published));
    assert_eq!(seen.skew_ns.unwrap().count, published - seen.lost, "what is not whole has no skew");
}

#[test]
fn what_never_comes_any_more_is_lost_too() {
    let server =
        relay(
            |nth, payload, opcode| {
                if nth == 1 && seq(payload) >= 300 { Vec::new() } else { honest(nth, payload, opcode) }
            },
        );
    // The window has messages 100 to 500, or somewhat later ones.
    let seen =
        completed(measure(&Request { stall_ns: 1_000_000_000, window_ns: 400_000_000, ..three(server) }));
    let accounts = seen.accounts.unwrap();
    assert_eq!((accounts.least_owed, seen.sent), (400, 1200));
    assert_eq!(accounts.worst.owed, 400);
    assert_eq!(seen.lost, 400 - accounts.worst.received, "the others got all");
    assert!(seen.lost > 0 && seen.received + seen.lost == seen.sent);
    assert!(accounts.awaited_ns >= 1_000_000_000 && accounts.lost_age_ns.unwrap() > accounts.awaited_ns);
}

#[test]
fn a_subscriber_that_gets_nothing_fails_the_execution() {
    let silent_from = |from: fn(u64) -> bool| {
        move |nth: usize, payload: &[u8], opcode: Opcode| {
            if nth == 1 && from(seq(payload)) { Vec::new() } else { honest(nth, payload, opcode) }
        }
    };
    let (stage, reason) = failed(measure(&three(relay(silent_from(|_| true)))));
    assert_eq!(stage, Stage::Warmup);
    assert!(
        reason.starts_with("1 of 3 connections have had no message by the end of the warm-up"),
        "{reason}"
    );
    let early = Request { stall_ns: 1_000_000_000, ..three(relay(silent_from(|seq| seq >= 20))) };
    let (stage, reason) = failed(measure(&early));
    assert_eq!(stage, Stage::Audit);
    assert!(reason.contains(" got none of the 100 messages that the window owed it"), "{reason}");
}

#[test]
fn what_comes_twice_fails_the_audit() {
    let server = relay(|nth, payload, opcode| {
        let times = if nth == 2 && seq(payload).is_multiple_of(10) { 2 } else { 1 };
        honest(nth, payload, opcode).repeat(times)
    });
    let (stage, reason) = failed(measure(&three(server)));
    assert_eq!(stage, Stage::Audit);
    assert!(
        reason.starts_with("the sequence is broken: ")
            && reason.contains(" twice or out of order, the first on connection ")
    );
}

#[test]
fn what_a_relay_may_not_do_is_named() {
    type Wrong = fn(usize, &[u8], Opcode) -> Vec<u8>;
    let table: [(Wrong, &str); 5] = [
        (
            // From the 60th on, each comes before it was published: quicker than anybody could be.
            |nth, payload, opcode| {
                let mut stamps = Stamps::read_binary(payload).unwrap();
                if nth == PUBLISHER || stamps.seq < 60 {
                    return honest(nth, payload, opcode);
                }
                let is_first = stamps.seq == 60;
                stamps = Stamps { seq: stamps.seq + 1, sent_ns: monotonic_ns(), ..stamps };
                let early = framed(&scripted::payload(&stamps, 0), opcode);
                if is_first { [honest(nth, payload, opcode), early].concat() } else { early }
            },
            " came on connection ",
        ),
        (
            |nth, payload, opcode| {
                let mut payload = payload.to_vec();
                payload[16] ^= u8::from(seq(&payload) > 60);
                honest(nth, &payload, opcode)
            },
            "are others than were published",
        ),
        (
            |nth, payload, opcode| {
                let mut payload = payload.to_vec();
                payload[47] ^= 1;
                honest(nth, &payload, opcode)
            },
            "is not what the seed says",
        ),
        (|_, payload, opcode| framed(payload, opcode), "came back to the publisher"),
        (
            |nth, payload, opcode| {
                let mut payload = payload.to_vec();
                payload[5] = 1;
                honest(nth, &payload, opcode)
            },
            "were published",
        ),
    ];
    for (script, name) in table {
        let (stage, reason) = failed(measure(&three(relay(script))));
        assert!(stage != Stage::Connect && reason.contains(name), "{stage:?}: {reason:?} lacks {name:?}");
    }
}

#[test]
fn what_was_published_before_the_window_cannot_claim_to_belong_to_it() {
    // 200 a second: the window has those from the 40th or so on.
    static HELD: Mutex<Vec<Stamps>> = Mutex::new(Vec::new());
    let server = relay(|nth, payload, opcode| {
        let stamps = Stamps::read_binary(payload).unwrap_or_default();
        let mut held = HELD.lock().unwrap();
        match (nth, stamps.seq) {
            (1, 20..60) => {
                held.push(stamps);
                Vec::new()
            }
            (1, 60) => {
                held[0].due_ns = stamps.due_ns;
                held.push(stamps);
                held.drain(..).flat_map(|stamps| framed(&scripted::payload(&stamps, 0), opcode)).collect()
            }
            _ => honest(nth, payload, opcode),
        }
    });
    let slow = Request { rate_per_s: 200.0, warmup_ns: 200_000_000, window_ns: 300_000_000, ..three(server) };
    let (stage, reason) = failed(measure(&slow));
    assert_eq!(stage, Stage::Audit);
    assert!(reason.starts_with("the stamps of message 20 on connection "), "{reason}");
}

#[test]
fn one_that_is_never_subscribed_fails_the_measurement() {
    let server = scripted::serve(scripted::until_closed);
    let (stage, reason) = failed(measure(&Request { stall_ns: 1_000_000_000, ..three(server) }));
    assert_eq!(stage, Stage::Connect);
    assert!(reason.starts_with("3 connections were upgraded and not told"), "{reason}");
}

fn disturbed(server: SocketAddr, beside: Disturbance) -> Disturbed {
    let seen = completed(measure(&Request { beside, ..three(server) }));
    assert_eq!((seen.received, seen.lost), (seen.sent, 0), "the others get all");
    let disturbed = seen.disturbed.unwrap();
    let Disturbed { attempted, left, open, ended, reset, refused, .. } = disturbed;
    assert_eq!(attempted, left + open + disturbed.all_closed() + ended + reset + refused, "{disturbed:?}");
    assert!(attempted > 0 && disturbed.opened <= attempted);
    disturbed
}

#[test]
fn who_disturbs_is_accounted_for() {
    let guests =
        [Disturbance::Vanishing, Disturbance::HalfOpen, Disturbance::ConnectFlood, Disturbance::Churn];
    for beside in guests {
        let seen = disturbed(relay(honest), beside);
        assert_eq!((seen.all_closed(), seen.ended, seen.reset, seen.refused), (0, 0, 0, 0), "{beside}");
        match beside {
            Disturbance::HalfOpen => assert_eq!((seen.left, seen.open), (0, seen.attempted)),
            Disturbance::ConnectFlood => assert!(seen.opened >= seen.left && seen.received == 0),
            _ => assert!(seen.left <= seen.opened),
        }
    }
}

#[test]
fn one_that_reads_little_learns_in_the_end_what_it_got() {
    for beside in [Disturbance::StoppedReader, Disturbance::SlowReader] {
        let seen = disturbed(relay(honest), beside);
        assert_eq!((seen.attempted, seen.open, seen.lost), (1, 1, 0), "{beside}");
        assert!(seen.received > 0 && seen.bytes == 48 * seen.received);
    }
}

#[test]
fn one_that_the_server_throws_out_knows_the_code_and_what_it_missed() {
    // The reader subscribes behind the three that are measured.
    let server = relay(|nth, payload, opcode| match (nth, seq(payload)) {
        (3, 60) => {
            let mut close = Vec::new();
            write_close(&mut close, Mask::None, 1008);
            close
        }
        (3, 61..) => Vec::new(),
        _ => honest(nth, payload, opcode),
    });
    let seen = disturbed(server, Disturbance::StoppedReader);
    assert_eq!(seen.closed, [ClosedWith { code: Some(1008), count: 1 }]);
    assert!(seen.lost > 0 && seen.open == 0);
}

#[test]
fn a_flood_of_pings_is_bounded_and_what_became_of_it_is_told() {
    let ignored = disturbed(relay(honest), Disturbance::PingFlood);
    let pong = |stream: &mut TcpStream| stream.write_all(&[0x8a, 1, b'?']);
    let answered = disturbed(relay_and(honest, pong), Disturbance::PingFlood);
    for seen in [ignored, answered] {
        assert_eq!((seen.attempted, seen.opened, seen.open), (1, 1, 1));
        assert_eq!((seen.received, seen.bytes, seen.lost), (0, 0, 0), "pongs are no messages");
        assert!(seen.pinged_bytes.is_some_and(|bytes| bytes > 0 && bytes <= MAX_PINGED_BYTES));
    }
    // It reads no more: what fits between is all.
    let stop: Pinged = |_| {
        loop {
            std::thread::park();
        }
    };
    let seen = disturbed(relay_and(honest, stop), Disturbance::PingFlood);
    assert!(seen.open == 1 && seen.pinged_bytes.is_some_and(|bytes| bytes < MAX_PINGED_BYTES / 2));
    let throw_out = |stream: &mut TcpStream| {
        let mut close = Vec::new();
        write_close(&mut close, Mask::None, 1008);
        stream.write_all(&close)?;
        std::io::copy(stream, &mut std::io::sink()).map(drop)
    };
    let seen = disturbed(relay_and(honest, throw_out), Disturbance::PingFlood);
    assert_eq!((seen.open, seen.closed), (0, vec![ClosedWith { code: Some(1008), count: 1 }]));
    let undisturbed = disturbed(relay(honest), Disturbance::Churn);
    assert_eq!(undisturbed.pinged_bytes, None, "others send none");
}
