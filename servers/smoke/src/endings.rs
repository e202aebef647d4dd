//! How connections end: what was queued comes first and whole, then the close frame, whatever the server was doing.

use futures_util::{SinkExt, StreamExt};
use tickbench_protocol::{MAX_MESSAGE_BYTES, SUBSCRIBED, Stamps};
use tokio_tungstenite::tungstenite::protocol::Message;

use crate::raw::{BINARY, CLOSE, PING, PONG, RawClient, TEXT, close, frame};
use crate::server::{Server, Socket, with_server};

const MIB: usize = 1 << 20;

/// A flood that soon fills what the kernel holds of a connection that nobody reads; actix keeps some 64 ticks of its own.
const FLOOD: &str = "/ticks?encoding=binary&rate=0&size=262144";

const FLOOD_TICK_BYTES: usize = 256 << 10;

/// A flood that is not read is taken for unbounded once so much of it was taken.
const MAX_TAKEN_BYTES: usize = 64 * MIB;

/// What is sent at most before a close frame is answered by a server that is read from.
const MAX_BEFORE_CLOSE_BYTES: usize = 64 * MIB;

/// A frame without a mask, which a client may not send.
const UNMASKED: [u8; 3] = [0x82, 0x01, b'a'];

/// Another connection to the one thread that serves.
struct Witness(Socket);

impl Witness {
    async fn new(server: &Server) -> Witness {
        Witness(server.open("/echo").await)
    }

    /// Returns when the server has served this connection often enough to have come as far as it can with any other.
    async fn let_others_be_served(&mut self) {
        for _ in 0..32 {
            self.0.send(Message::Ping("served?".into())).await.unwrap();
            assert_eq!(self.0.next().await.unwrap().unwrap(), Message::Pong("served?".into()));
        }
    }
}

/// A close frame right behind a large message is answered after the echo.
pub fn answers_a_close_behind_an_echo(program: &str, _: &str) {
    with_server(program, async |server| {
        let mut witness = Witness::new(server).await;
        for (bytes, times) in [(4 * MIB, 3), (MAX_MESSAGE_BYTES, 1)] {
            for _ in 0..times {
                let mut client = RawClient::open(server, "/echo").await;
                let payload = numbered(0, bytes);
                client.send(&[frame(BINARY, &payload), close(1000)].concat()).await;
                witness.let_others_be_served().await;
                assert!(client.next().await.is(BINARY, &payload), "{bytes} B came back otherwise");
                assert_eq!(client.next().await.close_code(), 1000);
            }
        }
    });
}

/// A close frame is answered in the middle of a flood, whether the client keeps up or is far behind.
pub fn answers_a_close_in_a_flood(program: &str, _: &str) {
    with_server(program, async |server| {
        let mut witness = Witness::new(server).await;
        for flush in ["each", "batch"] {
            for _ in 0..4 {
                let target = format!("/ticks?encoding=binary&rate=0&flush={flush}");
                let mut client = RawClient::open(server, &target).await;
                client.next().await;
                client.send(&close(1001)).await;
                assert_eq!(expect_ticks_and_close(&mut client, 1, 48).await, 1001);
            }
            let mut client = RawClient::open(server, &format!("{FLOOD}&flush={flush}")).await;
            witness.let_others_be_served().await;
            client.send(&close(1001)).await;
            witness.let_others_be_served().await;
            assert_eq!(expect_ticks_and_close(&mut client, 0, FLOOD_TICK_BYTES).await, 1001);
            client.expect_end().await;
        }
    });
}

/// A subscriber that is behind and closes gets whole messages, in order, and the answer.
pub fn answers_a_close_of_a_subscriber_that_is_behind(program: &str, _: &str) {
    with_server(program, async |server| {
        let mut witness = Witness::new(server).await;
        let mut client = RawClient::open(server, "/relay").await;
        assert!(client.next().await.is(TEXT, SUBSCRIBED.as_bytes()));
        let mut publisher = RawClient::open(server, "/relay?role=publisher").await;
        for number in 0..16 {
            publisher.send(&frame(BINARY, &numbered(number, MIB))).await;
        }
        witness.let_others_be_served().await;
        client.send(&close(1000)).await;
        witness.let_others_be_served().await;
        let mut number = 0;
        let answer = loop {
            let next = client.next().await;
            if !next.is(BINARY, &numbered(number, MIB)) {
                break next;
            }
            number += 1;
        };
        assert_eq!(answer.close_code(), 1000, "behind {number} messages");
    });
}

/// What a publisher sends in one go with its close frame reaches the subscribers, and the close frame is answered.
pub fn hands_on_what_came_before_a_close(program: &str, _: &str) {
    with_server(program, async |server| {
        let mut subscriber = RawClient::open(server, "/relay").await;
        assert!(subscriber.next().await.is(TEXT, SUBSCRIBED.as_bytes()));
        let mut publisher = RawClient::open(server, "/relay?role=publisher").await;
        let messages = (0..8).map(|number| frame(BINARY, &numbered(number, MIB / 4)));
        publisher.send(&messages.chain([close(1000)]).collect::<Vec<_>>().concat()).await;
        for number in 0..8 {
            assert!(subscriber.next().await.is(BINARY, &numbered(number, MIB / 4)), "message {number}");
        }
        assert_eq!(publisher.next().await.close_code(), 1000);
    });
}

/// Who breaks the protocol is told so by a close frame, behind all that was queued for it.
pub fn refuses_a_breach_behind_what_was_queued(program: &str, _: &str) {
    with_server(program, async |server| {
        let mut witness = Witness::new(server).await;
        let mut client = RawClient::open(server, "/echo").await;
        let payload = numbered(0, 4 * MIB);
        client.send(&[&frame(BINARY, &payload)[..], &UNMASKED].concat()).await;
        witness.let_others_be_served().await;
        assert!(client.next().await.is(BINARY, &payload), "the echo before the breach");
        assert_eq!(client.next().await.close_code(), 1002);

        let mut client = RawClient::open(server, FLOOD).await;
        witness.let_others_be_served().await;
        client.send(&UNMASKED).await;
        witness.let_others_be_served().await;
        assert_eq!(expect_ticks_and_close(&mut client, 0, FLOOD_TICK_BYTES).await, 1002);

        let mut client = RawClient::open(server, "/relay").await;
        assert!(client.next().await.is(TEXT, SUBSCRIBED.as_bytes()));
        client.send(&UNMASKED).await;
        assert_eq!(client.next().await.close_code(), 1002);

        let mut publisher = RawClient::open(server, "/relay?role=publisher").await;
        publisher.send(&UNMASKED).await;
        assert_eq!(publisher.next().await.close_code(), 1002);

        let mut client = RawClient::open(server, "/echo").await;
        client.send(&frame(TEXT, b"\xff")).await;
        assert_eq!(client.next().await.close_code(), 1007);
        client.expect_end().await;
    });
}

/// A server that is done sends its close frame and leaves the connection open for the client's.
pub fn waits_for_the_answer_to_its_close(program: &str, _: &str) {
    with_server(program, async |server| {
        let mut witness = Witness::new(server).await;
        let mut client = RawClient::open(server, "/ticks?encoding=binary&rate=0&count=3").await;
        assert_eq!(expect_ticks_and_close(&mut client, 0, 48).await, 1000);
        witness.let_others_be_served().await;
        assert!(client.is_silent(), "the server did not wait for the answer to its close frame");
        client.send(&close(1000)).await;
        client.expect_end().await;
    });
}

/// Who sends pings and reads no pong is not read from for ever, and gets every pong once it reads. No part of the contract, for what a
/// framework does there is its own choice.
pub fn bounds_a_flood_of_pings(program: &str, _: &str) {
    with_server(program, async |server| {
        let mut witness = Witness::new(server).await;
        for target in ["/echo", "/ticks?rate=0.001", "/relay", "/relay?role=publisher"] {
            let mut client = RawClient::open(server, target).await;
            let (mut taken, mut refused) = (0, 0);
            let ping = |number: usize| frame(PING, &numbered(number as u64, 125));
            let ping_bytes = ping(0).len();
            while refused < 64 {
                let sent = client.try_send(&ping(taken / ping_bytes)[taken % ping_bytes..]);
                taken += sent;
                assert!(taken < MAX_TAKEN_BYTES, "{target}: {taken} B of pings were taken, and no pong read");
                refused = if sent == 0 { refused + 1 } else { 0 };
                if sent == 0 {
                    witness.let_others_be_served().await;
                }
            }
            let whole = taken / ping_bytes;
            for number in 0..whole {
                expect_pong(&mut client, number).await;
            }
            client.send(&ping(whole)[taken % ping_bytes..]).await;
            expect_pong(&mut client, whole).await;
            client.send(&close(1000)).await;
            assert_eq!(client.next().await.close_code(), 1000, "{target}");
        }
    });
}

async fn expect_pong(client: &mut RawClient, number: usize) {
    // What the path itself sends comes first.
    loop {
        let next = client.next().await;
        if matches!(next.opcode, PONG | CLOSE) {
            return assert!(next.is(PONG, &numbered(number as u64, 125)), "ping {number} has no pong");
        }
    }
}

/// Ticks of `bytes` from `seq` on, each whole and in order, until the close frame; its code.
async fn expect_ticks_and_close(client: &mut RawClient, mut seq: u64, bytes: usize) -> u16 {
    for _ in 0..MAX_BEFORE_CLOSE_BYTES / bytes {
        let next = client.next().await;
        if next.opcode != BINARY {
            return next.close_code();
        }
        assert_eq!((Stamps::read_binary(&next.payload).unwrap().seq, next.payload.len()), (seq, bytes));
        seq += 1;
    }
    panic!("no answer to the close frame in {MAX_BEFORE_CLOSE_BYTES} B");
}

/// A payload that is told from others by its first bytes.
fn numbered(number: u64, bytes: usize) -> Vec<u8> {
    let mut payload = vec![0x5a; bytes];
    payload[..8].copy_from_slice(&number.to_le_bytes());
    payload
}
