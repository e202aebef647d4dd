//! Whether what comes is what the seed says, and an echo the answer to the message that is under way.

mod scripted;

use std::io::Write as _;
use std::net::SocketAddr;

use scripted::*;
use tickbench_record::{Job, Request, Stage};

const MS: u64 = 1_000_000;

/// A window of half a second that opens after 200 ms or so.
fn paced(server: SocketAddr) -> Request {
    Request { rate_per_s: 1000.0, window_ns: 500 * MS, ..request(server) }
}

/// What is done to a message.
type Change = fn(&mut Vec<u8>);

/// Ten streams of a hundred ticks a second: a thousand in all, of which the window has five hundred.
fn one_that_changes(change: Change) -> Request {
    let server = serve_each(move |nth, stream| {
        let mut paced = Paced::start(100.0);
        loop {
            let stamps = paced.next();
            let mut message = payload(&stamps, 0);
            if nth == 7 && stamps.seq >= 30 {
                change(&mut message);
            }
            stream.write_all(&framed(&message))?;
        }
    });
    Request { connections: 10, ..paced(server) }
}

#[test]
fn a_connection_whose_ticks_are_others_than_the_seeds_from_the_window_on_fails_the_audit() {
    // 40 or so of 500 messages, of which 256 are compared: that none of them is among those has a chance of 1 in 10^12 or so.
    let lies: [(Change, &str); 3] = [
        (|message| message[45] ^= 1, "48 bytes came and 48 were due; from byte 45 on"),
        (|message| message.push(0), "49 bytes came and 48 were due"),
        (|message| message.resize(1 << 20, 0), "1048576 bytes came and 48 were due"),
    ];
    for (lie, name) in lies {
        let (stage, reason) = failed(measure(&one_that_changes(lie)));
        assert_eq!(stage, Stage::Audit);
        assert!(
            reason.contains(" on connection ") && reason.contains(" is not what the seed says"),
            "{reason}"
        );
        assert!(reason.contains(name), "{reason:?} lacks {name:?}");
    }
    let seen = completed(measure(&one_that_changes(|_| {})));
    assert_eq!((seen.received, seen.checked), (500, 256));
}

#[test]
fn of_few_messages_each_is_compared() {
    let server = serve(|stream| paced_ticks(stream, 100.0, |_| ()));
    let seen = completed(measure(&Request { rate_per_s: 100.0, ..paced(server) }));
    assert_eq!((seen.received, seen.checked), (50, 50));
}

/// What is sent to the 20th message, of what answers the 19th and the 20th.
type Answers = fn(&[u8], &[u8]) -> Vec<u8>;

/// A server of echoes that sends `answers` to the 20th message of a connection, which are made of what answers the 19th and the 20th.
fn echoes_answered(answers: Answers) -> Request {
    let server = serve(move |stream| {
        (0..18).try_for_each(|_| echo_once(stream, 0))?;
        let before = next_echo(stream, 0)?;
        stream.write_all(&before)?;
        let last = next_echo(stream, 0)?;
        stream.write_all(&answers(&before, &last))?;
        echo(stream)
    });
    Request { job: Job::Echo, size_bytes: 64, rate_per_s: 0.0, ..paced(server) }
}

#[test]
fn an_echo_that_comes_twice_or_answers_another_message_fails_the_audit() {
    let lies: [Answers; 3] =
        [|_, last| last.repeat(2), |before, _| before.to_vec(), |before, last| [last, before].concat()];
    for lie in lies {
        let (stage, reason) = failed(measure(&echoes_answered(lie)));
        assert_eq!(stage, Stage::Audit);
        let name = "the echo on connection 0 does not answer the message that is under way";
        assert!(reason.starts_with(name), "{reason}");
    }
    let seen = completed(measure(&echoes_answered(|_, last| last.to_vec())));
    assert_eq!(seen.checked, seen.received);
}

#[test]
fn an_echo_that_comes_with_the_upgrade_answers_nothing_that_was_sent() {
    let server = serve_raw(|stream| {
        let key = read_key(stream)?;
        let mut early = Vec::new();
        upgrade(&mut early, &key)?;
        early.extend(framed(&[0; 64]));
        stream.write_all(&early)?;
        echo(stream)
    });
    let (_, reason) =
        failed(measure(&Request { job: Job::Echo, size_bytes: 64, rate_per_s: 0.0, ..paced(server) }));
    assert!(reason.starts_with("the echo on connection 0 differs from what was sent"), "{reason}");
}

#[test]
fn what_answers_nothing_is_the_servers_failure_and_stops_nobody() {
    // Empty messages cannot be told from one another. One connection is always an answer ahead; the other falls silent, so that its answer
    // is waited for when nothing is under way over the first.
    let server = serve_each(|nth, stream| {
        if nth == 1 {
            return echo_until(stream, 450 * MS);
        }
        let first = next_echo(stream, 0)?;
        stream.write_all(&first.repeat(2))?;
        echo(stream)
    });
    let job = Job::Echo;
    let echoes = Request {
        job,
        connections: 2,
        size_bytes: 0,
        rate_per_s: 0.0,
        stall_ns: 1_000 * MS,
        ..paced(server)
    };
    let (stage, reason) = failed(measure(&echoes));
    assert_eq!(stage, Stage::Audit);
    assert!(reason.ends_with(": a message came that answers nothing"), "{reason}");
}
