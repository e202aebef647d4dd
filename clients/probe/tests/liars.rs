//! What the probe makes of servers that do not tell the truth, or not all of it.

mod scripted;

use std::io::Write as _;
use std::net::SocketAddr;

use scripted::*;
use tickbench_frame::{Mask, write_close};
use tickbench_protocol::Stamps;
use tickbench_record::{Distribution, Job, Request, Stage};

const MS: u64 = 1_000_000;

/// A thousand ticks a second over one connection; the window has those from the 200th or so on, five hundred.
fn paced(server: SocketAddr) -> Request {
    Request { rate_per_s: 1000.0, window_ns: 500 * MS, ..request(server) }
}

/// How many samples are above `ns`.
fn above(ns: u64, figure: &Distribution) -> u64 {
    let high = figure.buckets().unwrap().into_iter().filter(|bucket| bucket.value > ns);
    high.map(|bucket| bucket.count).sum()
}

#[test]
fn a_server_that_feeds_six_of_ten_connections_fails_in_the_warmup() {
    let ticks = serve_each(
        |nth, stream| {
            if nth < 6 { paced_ticks(stream, 100.0, |_| ()) } else { until_closed(stream) }
        },
    );
    let flood = serve_each(|nth, stream| if nth < 6 { ticks_from(stream, 0) } else { until_closed(stream) });
    let echoes = serve_each(|nth, stream| if nth < 6 { echo(stream) } else { until_closed(stream) });
    for request in [
        paced(ticks),
        Request { rate_per_s: 0.0, ..paced(flood) },
        Request { job: Job::Echo, size_bytes: 64, ..paced(echoes) },
    ] {
        let (stage, reason) = failed(measure(&Request { connections: 10, ..request }));
        assert_eq!(stage, Stage::Warmup);
        let name = "4 of 10 connections have had no message by the end of the warm-up; the first is ";
        assert!(reason.starts_with(name), "{reason}");
    }
}

/// Ten connections of a hundred ticks a second, of which one gets none from its `silent_from`th on.
fn one_silent(silent_from: u64) -> Request {
    let server = serve_each(move |nth, stream| {
        let mut paced = Paced::start(100.0);
        loop {
            let stamps = paced.next();
            if nth == 3 && stamps.seq == silent_from {
                return until_closed(stream);
            }
            stream.write_all(&framed(&payload(&stamps, 0)))?;
        }
    });
    Request { connections: 10, stall_ns: 1_000 * MS, ..paced(server) }
}

#[test]
fn one_connection_that_falls_silent_in_the_window_has_lost_what_it_was_owed() {
    let seen = completed(measure(&one_silent(55)));
    let accounts = seen.accounts.unwrap();
    // Fifty periods of each stream are in the window, wherever it begins.
    assert_eq!((seen.sent, accounts.least_owed, accounts.worst.owed), (500, 50, 50));
    assert!(seen.lost > 0 && accounts.worst.received > 0, "{seen:?}");
    assert_eq!(seen.lost, 50 - accounts.worst.received);
    assert_eq!(seen.received, 450 + accounts.worst.received);
    assert!(accounts.awaited_ns >= 1_000 * MS && accounts.lost_age_ns.unwrap() > accounts.awaited_ns);
}

#[test]
fn one_connection_that_is_silent_all_through_the_window_fails_the_audit() {
    let (stage, reason) = failed(measure(&one_silent(5)));
    assert_eq!(stage, Stage::Audit);
    assert!(reason.contains(" got none of the 50 messages that the window owed it"), "{reason}");
}

/// The tick from which on a server lies: in the window.
const LIES_FROM: u64 = 400;

#[test]
fn a_stamp_that_cannot_be_true_fails_the_audit_and_is_named() {
    type Lie = fn(&mut Stamps);
    let lies: [(Lie, &str); 6] = [
        (|stamps| stamps.due_ns = 0, "due at 0 ns, and its schedule says "),
        (|stamps| stamps.due_ns = stamps.sent_ns + 1, "due at "),
        (|stamps| stamps.due_ns -= 90_000 * MS, "due at "),
        (|stamps| stamps.due_ns += 1, "due at "),
        (
            |stamps| {
                if stamps.seq == LIES_FROM {
                    stamps.due_ns = 0;
                }
            },
            "due at 0 ns",
        ),
        (|stamps| stamps.sent_ns -= 20 * MS, "sent at "),
    ];
    for (lie, name) in lies {
        let server = serve(move |stream| {
            paced_ticks(stream, 1000.0, |stamps| {
                if stamps.seq >= LIES_FROM {
                    lie(stamps);
                }
            })
        });
        let (stage, reason) = failed(measure(&paced(server)));
        assert_eq!(stage, Stage::Audit, "{reason}");
        let sentence = format!("tick {LIES_FROM} of connection 0 claims to have been {name}");
        assert!(reason.starts_with(&sentence), "{reason:?} does not begin with {sentence:?}");
    }
}

#[test]
fn ticks_that_are_due_when_they_are_sent_hide_their_lag_and_are_found_out() {
    // Late by 5 ms, and silent about it.
    let server = serve(|stream| {
        let mut paced = Paced::start(1000.0);
        loop {
            let mut stamps = paced.next();
            wait_until(stamps.due_ns + 5 * MS);
            stamps.sent_ns = tickbench_client_kit::monotonic_ns();
            stamps.due_ns = stamps.sent_ns;
            stream.write_all(&framed(&payload(&stamps, 0)))?;
        }
    });
    let (stage, reason) = failed(measure(&paced(server)));
    assert_eq!(stage, Stage::Audit);
    assert!(reason.starts_with("tick 1 of connection 0 claims to have been due at "), "{reason}");
}

#[test]
fn a_start_before_the_request_is_no_start() {
    for early_ns in [90_000 * MS, 1_000 * MS] {
        let server = serve(move |stream| paced_ticks(stream, 1000.0, |stamps| stamps.due_ns -= early_ns));
        let (stage, reason) = failed(measure(&paced(server)));
        assert_eq!(stage, Stage::Audit);
        assert!(reason.starts_with("tick 0 of connection 0 claims to have been due at "), "{reason}");
    }
}

#[test]
fn a_lag_that_is_hidden_in_the_start_shows_as_a_late_start() {
    let server = serve(|stream| {
        wait_until(tickbench_client_kit::monotonic_ns() + 50 * MS);
        paced_ticks(stream, 1000.0, |_| ())
    });
    let seen = completed(measure(&paced(server)));
    assert!(seen.accounts.unwrap().start_after_upgrade_ns.unwrap() >= 50 * MS);
}

#[test]
fn a_flood_has_no_schedule_to_be_early_or_late_for() {
    let server = serve(|stream| {
        for seq in 0.. {
            let now_ns = tickbench_client_kit::monotonic_ns();
            let stamps = Stamps { seq, due_ns: now_ns - u64::from(seq == 5), sent_ns: now_ns };
            stream.write_all(&framed(&payload(&stamps, 0)))?;
        }
        Ok(())
    });
    let (stage, reason) = failed(measure(&request(server)));
    assert_eq!(stage, Stage::Audit);
    assert!(reason.ends_with("a flood's ticks are due when they are sent"), "{reason}");
}

/// A thousand ticks a second, of which those that are due from `from_ns` after the start on are held back for `held_ns`.
fn stalled(from_ns: u64, held_ns: u64) -> SocketAddr {
    serve(move |stream| {
        let mut paced = Paced::start(1000.0);
        loop {
            let mut stamps = paced.next();
            let (from_ns, until_ns) = (paced.start_ns + from_ns, paced.start_ns + from_ns + held_ns);
            if (from_ns..until_ns).contains(&stamps.due_ns) {
                wait_until(until_ns);
                stamps.sent_ns = tickbench_client_kit::monotonic_ns();
            }
            stream.write_all(&framed(&payload(&stamps, 0)))?;
        }
    })
}

#[test]
fn a_stall_shows_what_was_due_in_it_wherever_it_falls() {
    // The window is from 200 ms on to 700 ms, or somewhat later. Held back for T at a rate R, R·T/2 are late by more than T/2.
    let (before, inside, across) = ((100, 400), (450, 100), (500, 600));
    for ((from_ms, held_ms), late_ms, least) in [(before, 20, 50), (inside, 50, 50), (across, 150, 100)] {
        let seen = completed(measure(&paced(stalled(from_ms * MS, held_ms * MS))));
        assert_eq!((seen.sent, seen.received, seen.lost), (500, 500, 0), "held back from {from_ms} ms on");
        let response = seen.response_ns.unwrap();
        assert_eq!(response.count, 500);
        let late = above(late_ms * MS, &response);
        assert!(late >= least, "{late} late by {late_ms} ms, held back from {from_ms} ms on");
        let accounts = seen.accounts.unwrap();
        if from_ms == across.0 {
            assert!(accounts.sent_in_window < 500, "{accounts:?}");
            assert_eq!((accounts.worst.owed, accounts.worst.received), (500, 500));
        }
    }
}

#[test]
fn a_backlog_that_is_not_worked_off_in_time_is_lost() {
    // It is asked for a tick each millisecond, and sends one each 2 ms.
    let server = serve(|stream| {
        let (start_ns, mut paced) = (tickbench_client_kit::monotonic_ns(), Paced::start(1000.0));
        loop {
            let mut stamps = paced.next();
            wait_until(start_ns + 2 * MS * stamps.seq);
            stamps.sent_ns = tickbench_client_kit::monotonic_ns();
            stream.write_all(&framed(&payload(&stamps, 0)))?;
        }
    });
    let seen = completed(measure(&Request { stall_ns: 300 * MS, ..paced(server) }));
    let accounts = seen.accounts.unwrap();
    assert_eq!((seen.sent, seen.received + seen.lost), (500, 500));
    // By the end of the wait, at 1,000 ms, half of the ticks that were due until then have come: 500, of which 300 are the window's.
    assert!(seen.lost >= 100 && accounts.sent_in_window < seen.received, "{accounts:?}");
    assert!(accounts.lost_age_ns.unwrap() >= 300 * MS);
}

#[test]
fn a_tick_that_is_withheld_for_ever_is_lost_and_its_age_is_told() {
    // Due each 200 ms: a window of a second that opens between the second tick and the third has five of them, to the seventh.
    let server = serve(|stream| {
        let mut paced = Paced::start(5.0);
        (0..6).try_for_each(|_| stream.write_all(&framed(&payload(&paced.next(), 0))))?;
        until_closed(stream)
    });
    let asked = Request {
        rate_per_s: 5.0,
        warmup_ns: 210 * MS,
        window_ns: 1_000 * MS,
        stall_ns: 1_000 * MS,
        ..paced(server)
    };
    let seen = completed(measure(&asked));
    assert_eq!((seen.sent, seen.received, seen.lost), (5, 4, 1));
    let accounts = seen.accounts.unwrap();
    assert!(accounts.awaited_ns >= 1_000 * MS && accounts.lost_age_ns.unwrap() >= accounts.awaited_ns);
}

#[test]
fn a_server_that_closes_while_it_is_waited_for_fails_the_execution() {
    let server = serve(|stream| {
        let mut paced = Paced::start(1000.0);
        (0..400).try_for_each(|_| stream.write_all(&framed(&payload(&paced.next(), 0))))?;
        wait_until(paced.start_ns + 1_500 * MS);
        let mut bytes = Vec::new();
        write_close(&mut bytes, Mask::None, 1011);
        stream.write_all(&bytes)?;
        until_closed(stream)
    });
    let (stage, reason) = failed(measure(&paced(server)));
    assert_eq!((stage, reason.as_str()), (Stage::Measure, "the server closed connection 0 with code 1011"));
}

#[test]
fn an_echo_that_stays_away_is_lost_or_fails_the_audit_where_nothing_came_at_all() {
    let request = |silent_after_ns: u64| {
        let server = serve_each(
            move |nth, stream| {
                if nth == 1 { echo_until(stream, silent_after_ns) } else { echo(stream) }
            },
        );
        let job = Job::Echo;
        Request {
            job,
            connections: 3,
            size_bytes: 64,
            rate_per_s: 0.0,
            stall_ns: 1_000 * MS,
            ..paced(server)
        }
    };
    let seen = completed(measure(&request(450 * MS)));
    let accounts = seen.accounts.unwrap();
    assert_eq!((seen.lost, seen.received + 1), (1, seen.sent));
    assert_eq!(accounts.worst.owed, accounts.worst.received + 1);
    assert!(accounts.lost_age_ns.unwrap() >= accounts.awaited_ns && accounts.awaited_ns >= 1_000 * MS);
    let (stage, reason) = failed(measure(&request(50 * MS)));
    assert_eq!(stage, Stage::Audit);
    assert!(reason.ends_with(" has brought nothing since before the window opened"), "{reason}");
}
