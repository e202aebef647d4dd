//! What holds for all streams of bytes, in whatever pieces they come: [`Inbox`] and [`Connection`] against a reference that shares no
//! line with them.

mod reference;
mod streams;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tickbench_server_kit::CLOSE_TIMEOUT;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::coop;
use tokio::time::Instant;

use crate::connection::Connection;
use crate::frame::{self, Header, Opcode, Violation};
use crate::inbox::{Inbox, Incoming};
use crate::session;
use reference::{End, Reading, server_frame};
use streams::stream;

/// Small, so that the server soon has to keep what the client has not read.
const SOCKET_BUFFER_BYTES: u32 = 128 << 10;

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(6455),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// The parts of `bytes`, as long as `lengths` say, over and over.
fn pieces<'a>(mut bytes: &'a [u8], lengths: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    lengths.iter().cycle().map_while(move |&length| {
        let (piece, rest) = bytes.split_at(length.min(bytes.len()));
        bytes = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Short lengths and long ones, one of them long enough for a large stream to take but few.
fn lengths(most: usize) -> impl Strategy<Value = Vec<usize>> {
    (vec(prop_oneof![1..20usize, 1..most], 0..6), most / 2..most).prop_map(|(mut lengths, long)| {
        lengths.push(long);
        lengths
    })
}

/// What an inbox makes of `stream`, and how it ends.
fn through_inbox(stream: &[u8], lengths: &[usize]) -> (Vec<Vec<u8>>, End) {
    let (mut inbox, mut waiting, mut answers) = (Inbox::default(), Vec::new(), Vec::new());
    for piece in pieces(stream, lengths) {
        waiting.extend_from_slice(piece);
        loop {
            let used = match inbox.take(&mut waiting) {
                Ok(None) => break,
                Ok(Some((incoming, used))) => {
                    match incoming {
                        Incoming::Message(framed) => answers.push(framed.to_vec()),
                        Incoming::Ping(payload) => answers.push(server_frame(10, payload)),
                        Incoming::Close(payload) => return (answers, end_of(frame::close_answer(payload))),
                        Incoming::Nothing => {}
                    }
                    used
                }
                Err(violation) => return (answers, End::Refused(violation.close_code())),
            };
            waiting.drain(..used);
        }
    }
    (answers, End::Open)
}

fn end_of(answer: Result<Option<u16>, Violation>) -> End {
    match answer {
        Ok(code) => End::Closed(code),
        Err(violation) => End::Refused(violation.close_code()),
    }
}

/// All that an echo sends to a client that writes `stream` in pieces, the first of them right behind its request, then ends its half,
/// and reads all the while.
async fn through_echo(stream: &[u8], writes: &[usize], reads: &[usize]) -> Vec<u8> {
    let (server, client) = socket_pair().await;
    let mut pieces = pieces(stream, writes);
    let mut connection = Connection::new(server, pieces.next().unwrap_or_default().to_vec());
    let serving = async move {
        session::echo(&mut connection).await.unwrap();
        connection.end().await.unwrap();
    };
    let (mut from_server, mut to_server) = client.into_split();
    let writing = async move {
        for piece in pieces {
            to_server.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        to_server.shutdown().await.unwrap();
        to_server
    };
    let reading = async {
        let (mut received, mut lengths) = (Vec::new(), reads.iter().cycle());
        loop {
            let mut space = vec![0; *lengths.next().unwrap()];
            match from_server.read(&mut space).await.unwrap() {
                0 => return received,
                count => received.extend_from_slice(&space[..count]),
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(serving, writing, reading).2
}

/// The server's end of a connection, and the client's.
async fn socket_pair() -> (TcpStream, TcpStream) {
    let (accepting, connecting) = (TcpSocket::new_v4().unwrap(), TcpSocket::new_v4().unwrap());
    accepting.set_send_buffer_size(SOCKET_BUFFER_BYTES).unwrap();
    connecting.set_recv_buffer_size(SOCKET_BUFFER_BYTES).unwrap();
    accepting.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = accepting.listen(1).unwrap();
    let client = connecting.connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    server.set_nodelay(true).unwrap();
    client.set_nodelay(true).unwrap();
    (server, client)
}

fn on_one_thread<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

proptest! {
    #![proptest_config(config(4096))]

    #[test]
    fn a_header_is_read_as_the_reference_reads_it(
        mut bytes in vec(any::<u8>(), 0..16), is_masked: bool, has_reserved: bool, mut payload in vec(any::<u8>(), 0..40),
    ) {
        // Of bytes at random, one in sixteen has the mask and no reserved bit.
        bytes.iter_mut().take(1).for_each(|first| *first &= if has_reserved { 0xff } else { 0x8f });
        bytes.iter_mut().skip(1).take(1).for_each(|second| *second |= if is_masked { 0x80 } else { 0 });
        match (Header::read(&bytes), reference::header(&bytes)) {
            (Ok(None), Ok(None)) => {}
            (Err(violation), Err(code)) => prop_assert_eq!(violation.close_code(), code),
            (Ok(Some(header)), Ok(Some(due))) => {
                prop_assert_eq!((header.is_final, header.opcode as u8), (due.is_final, due.opcode));
                prop_assert_eq!((header.bytes, header.payload_bytes), (due.bytes, due.length));
                let clear: Vec<u8> = (0..payload.len()).map(|at| payload[at] ^ due.mask[at % 4]).collect();
                header.unmask(&mut payload);
                prop_assert_eq!(payload, clear);
            }
            (read, due) => prop_assert!(false, "{:?} where the reference has {:?}", read, due.map(|due| due.is_some())),
        }
    }

    #[test]
    fn a_frame_is_written_as_the_reference_writes_it(length in prop_oneof![0..300usize, 65_500..65_600usize, 0..200_000usize]) {
        let (payload, mut written) = (vec![7; length], Vec::new());
        frame::append(Opcode::Binary, &payload, &mut written);
        prop_assert!(written == server_frame(2, &payload));
    }

}

proptest! {
    #![proptest_config(config(1024))]

    #[test]
    fn an_inbox_reads_what_the_reference_reads(stream in stream(), lengths in lengths(100_000)) {
        let Reading { answers, end, .. } = reference::read(&stream);
        let read = through_inbox(&stream, &lengths);
        prop_assert_eq!(read.1, end);
        prop_assert!(read.0 == answers, "{} answers are due and others came", answers.len());
    }
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn an_echo_answers_all_and_says_how_it_ends(
        mut stream in stream(), writes in lengths(100_000), reads in lengths(30_000),
    ) {
        let Reading { answers, end, used } = reference::read(&stream);
        if matches!(end, End::Closed(_)) {
            // A client that has closed says nothing more.
            stream.truncate(used);
        }
        let received = on_one_thread(through_echo(&stream, &writes, &reads));
        let answers = answers.concat();
        prop_assert!(received.starts_with(&answers), "{} B are due, {} B came", answers.len(), received.len());
        let rest = &received[answers.len()..];
        match end {
            End::Open => prop_assert_eq!(rest, b""),
            End::Closed(code) => {
                let payload = code.map_or(Vec::new(), |code| code.to_be_bytes().to_vec());
                prop_assert_eq!(rest, server_frame(8, &payload));
            }
            End::Refused(code) => {
                prop_assert!(rest.len() > 4, "no reason is told");
                let reason = str::from_utf8(&rest[4..]).unwrap();
                let payload = [&code.to_be_bytes(), reason.as_bytes()].concat();
                prop_assert!(payload.len() <= 125);
                prop_assert_eq!(rest, server_frame(8, &payload));
            }
        }
    }
}

#[test]
fn what_came_with_the_request_is_answered_to_a_client_that_sends_no_more() {
    let received = on_one_thread(async {
        let (server, mut client) = socket_pair().await;
        client.shutdown().await.unwrap();
        server.readable().await.unwrap();
        let mut connection = Connection::new(server, vec![0x82, 0x81, 0, 0, 0, 0, b'a']);
        session::echo(&mut connection).await.unwrap();
        connection.end().await.unwrap();
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.unwrap();
        received
    });
    assert_eq!(received, server_frame(2, b"a"));
}

/// The clock is the test's: it goes on where all else waits.
#[test]
fn a_client_that_reads_nothing_is_cut_off_in_the_end() {
    let ended = on_one_thread(async {
        let (server, _client) = socket_pair().await;
        let mut connection = Connection::new(server, Vec::new());
        connection.outbox.send(&server_frame(2, &vec![0; 16 << 20])).unwrap();
        connection.close(1000, "");
        tokio::time::pause();
        let begun = Instant::now();
        connection.end().await.map_err(|_| begun.elapsed())
    });
    assert!(ended.is_err_and(|after| after >= CLOSE_TIMEOUT && after < 2 * CLOSE_TIMEOUT), "{ended:?}");
}

/// Where there is always something to read, a task that reads waits for nothing.
#[test]
fn input_without_end_lets_others_run() {
    on_one_thread(async {
        let (server, client) = socket_pair().await;
        let mut connection = Connection::new(server, Vec::new());
        let (frame, mut sent) = ([0x8a, 0x80, 0, 0, 0, 0].repeat(1000), 0);
        while let Ok(bytes) = client.try_write(&frame[sent % 6..]) {
            sent += bytes;
        }
        tokio::spawn(async move {
            // What a task may do before others are to run is used up, but for one.
            for _ in 0..127 {
                coop::consume_budget().await;
            }
            let others = tokio::spawn(async {});
            connection.receive(session::ignore).await.unwrap();
            connection.receive(session::ignore).await.unwrap();
            assert!(others.is_finished(), "two reads, and nobody else has run");
        })
        .await
        .unwrap();
    });
}
