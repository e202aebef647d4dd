//! What the recorder makes of what is told to it.

use proptest::prelude::*;
use tickbench_protocol::TicksQuery;
use tickbench_record::{Account, Accounts, Distribution, Observation, Stage};

use super::*;
use crate::Offsets;

const MS: u64 = 1_000_000;
const WINDOW_NS: u64 = 1_000 * MS;
const WARMUP_NS: u64 = 200 * MS;
/// Of each message: nothing is compared here.
const PAYLOAD: [u8; 48] = [0; 48];

/// `connections` streams of a thousand ticks a second each.
fn paced(connections: u32) -> Recorder {
    let query = TicksQuery { rate_per_s: Some(1000.0), ..TicksQuery::default() };
    let streams = Streams::new(Offsets::of(&query, None), 0, vec![0; connections as usize]);
    Recorder::new(Question::Paced, streams, connections)
}

fn flood() -> Recorder {
    Recorder::new(Question::Flood, Streams::new(None, 0, [0]), 1)
}

fn paced_tick(seq: u64, sent_ns: u64) -> Stamps {
    Stamps { seq, due_ns: seq * MS, sent_ns }
}

/// A window of a second, opened after 200 ms, of ticks that come 1 µs after they are sent, and those are sent when they are due, but
/// for a server that is frozen for `frozen_ns` from `from_ns` on.
fn frozen(from_ns: u64, frozen_ns: u64) -> Observation {
    let (mut recorder, mut is_open) = (paced(1), false);
    let end_ns = WARMUP_NS + WINDOW_NS;
    for seq in 0.. {
        let due_ns = seq * MS;
        let is_frozen = (from_ns..from_ns + frozen_ns).contains(&due_ns);
        let sent_ns = if is_frozen { from_ns + frozen_ns } else { due_ns };
        if sent_ns >= WARMUP_NS && !is_open {
            is_open = true;
            recorder.pause();
            recorder.resume(WARMUP_NS, end_ns);
        }
        if recorder.is_nothing_owed() && due_ns >= end_ns {
            return recorder.finish(sent_ns).unwrap();
        }
        recorder.tick(0, &paced_tick(seq, sent_ns), &PAYLOAD, sent_ns + 1_000);
    }
    unreachable!("a stream has no end")
}

fn above(ns: u64, figure: &Option<Distribution>) -> u64 {
    let buckets = figure.as_ref().unwrap().buckets().unwrap();
    buckets.iter().filter(|bucket| bucket.value > ns).map(|bucket| bucket.count).sum()
}

#[test]
fn a_stall_is_seen_wherever_it_falls() {
    // Frozen for T at R ticks a second: R·T/2 of them respond after more than T/2.
    let frozen_ns = 100 * MS;
    for from_ns in [WARMUP_NS, WARMUP_NS + 500 * MS, WARMUP_NS + 900 * MS] {
        let seen = frozen(from_ns, frozen_ns);
        assert_eq!((seen.sent, seen.received, seen.lost), (1000, 1000, 0));
        let late = above(50 * MS, &seen.response_ns);
        assert!((50..=51).contains(&late), "{late} from {from_ns} on");
        let worst_ns = seen.response_ns.unwrap().max;
        assert!(worst_ns.abs_diff(frozen_ns) <= frozen_ns / 500, "{worst_ns}");
    }
}

#[test]
fn a_stall_that_an_end_of_the_window_cuts_shows_what_was_due_inside() {
    // Half of it behind the end: the ticks of the first half waited for 50 to 100 ms, all of them in the wait.
    let seen = frozen(WARMUP_NS + 950 * MS, 100 * MS);
    assert_eq!((seen.sent, seen.received, above(50 * MS, &seen.response_ns)), (1000, 1000, 50));
    let accounts = seen.accounts.unwrap();
    assert_eq!((accounts.sent_in_window, accounts.awaited_ns), (950, 50 * MS));
    assert_eq!(seen.messages_per_s, 950.0, "that is what was on the wire");
    // Half of it before the opening: those that were due then are none of the window's.
    let seen = frozen(WARMUP_NS - 50 * MS, 100 * MS);
    assert_eq!((seen.sent, seen.received, above(51 * MS, &seen.response_ns)), (1000, 1000, 0));
    assert_eq!(seen.response_ns.unwrap().count, 1000);
    assert_eq!(seen.messages_per_s, 1050.0);
}

#[test]
fn what_has_not_come_when_the_waiting_ends_is_lost_and_has_an_age() {
    let mut recorder = paced(2);
    let ticks = |recorder: &mut Recorder, seqs: std::ops::Range<u64>, connection| {
        seqs.for_each(|seq| recorder.tick(connection, &paced_tick(seq, seq * MS), &PAYLOAD, seq * MS + 10));
    };
    (0..2).for_each(|connection| ticks(&mut recorder, 0..1, connection));
    recorder.pause();
    recorder.resume(MS / 2, 100 * MS);
    ticks(&mut recorder, 1..100, 0);
    ticks(&mut recorder, 1..61, 1);
    assert!(!recorder.is_nothing_owed());
    let seen = recorder.finish(300 * MS).unwrap();
    assert_eq!((seen.sent, seen.received, seen.lost), (198, 159, 39));
    let worst = Account { connection: 1, owed: 99, received: 60 };
    let expected = Accounts {
        sent_in_window: 159,
        awaited_ns: 200 * MS,
        lost_age_ns: Some(239 * MS),
        least_owed: 99,
        worst,
        start_after_upgrade_ns: Some(0),
    };
    assert_eq!(seen.accounts, Some(expected));
}

#[test]
fn a_connection_that_falls_silent_before_the_window_fails_it() {
    let mut recorder = paced(2);
    (0..2).for_each(|connection| recorder.tick(connection, &paced_tick(0, 0), &PAYLOAD, 10));
    recorder.pause();
    recorder.resume(MS / 2, 3 * MS);
    (1..3).for_each(|seq| recorder.tick(0, &paced_tick(seq, seq * MS), &PAYLOAD, seq * MS + 10));
    let failure = recorder.finish(10 * MS).unwrap_err();
    assert_eq!(failure.stage, Stage::Audit);
    assert!(failure.reason.starts_with("connection 1 got none of the 2 messages"), "{failure}");
}

#[test]
fn a_window_that_owes_nothing_has_no_figures() {
    let mut recorder = paced(1);
    recorder.tick(0, &paced_tick(0, 0), &PAYLOAD, 10);
    recorder.pause();
    recorder.resume(MS / 4, MS / 2);
    let failure = recorder.finish(MS).unwrap_err();
    assert_eq!(failure.stage, Stage::Measure);
    assert!(failure.reason.starts_with("nothing was due in the window of 0 ms"), "{failure}");
}

#[test]
fn three_figures_of_a_paced_tick() {
    let mut recorder = paced(1);
    recorder.resume(0, 3 * MS);
    (0..3).for_each(|seq| recorder.tick(0, &paced_tick(seq, seq * MS + 50), &PAYLOAD, seq * MS + 300));
    let seen = recorder.finish(3 * MS).unwrap();
    assert_eq!((seen.sent, seen.received, seen.lost, seen.messages_per_s), (3, 3, 0, 1000.0));
    assert_eq!(seen.bytes_per_s, 48_000.0);
    let p50 = |figure: Option<Distribution>| figure.unwrap().p50;
    assert_eq!((p50(seen.lag_ns), p50(seen.delivery_ns), p50(seen.response_ns)), (50, 250, 300));
    assert_eq!(seen.round_trip_ns, None);
}

#[test]
fn a_flood_has_delivery_alone_and_owes_nothing() {
    let mut recorder = flood();
    recorder.tick(0, &Stamps { seq: 0, due_ns: 5, sent_ns: 5 }, &PAYLOAD, 10);
    recorder.pause();
    recorder.tick(0, &Stamps { seq: 1, due_ns: 15, sent_ns: 15 }, &PAYLOAD, 20);
    recorder.resume(100, 200);
    recorder.tick(0, &Stamps { seq: 2, due_ns: 30, sent_ns: 30 }, &PAYLOAD, 210);
    recorder.end_at(220);
    let seen = recorder.finish(220).unwrap();
    assert_eq!((seen.sent, seen.received, seen.lost, seen.elapsed_ns), (1, 1, 0, 120));
    assert_eq!((seen.lag_ns, seen.response_ns, seen.accounts), (None, None, None));
    assert_eq!(seen.delivery_ns.unwrap().count, 1);
}

#[test]
fn a_flood_that_dries_up_fails() {
    let mut recorder = flood();
    recorder.tick(0, &Stamps { seq: 0, due_ns: 5, sent_ns: 5 }, &PAYLOAD, 10);
    recorder.resume(100, 200);
    recorder.end_at(220);
    let failure = recorder.finish(220).unwrap_err();
    assert_eq!(failure.reason, "no message arrived in the window of 0 ms");
}

#[test]
fn values_below_zero_are_counted_and_kept_out() {
    let mut recorder = paced(1);
    recorder.resume(0, MS);
    recorder.tick(0, &Stamps { seq: 0, due_ns: 100, sent_ns: 90 }, &PAYLOAD, 100);
    let seen = recorder.finish(MS).unwrap();
    assert_eq!((seen.negative, seen.received, seen.lag_ns), (1, 1, None));
    let mut recorder = flood();
    recorder.resume(0, MS);
    recorder.tick(0, &Stamps { seq: 0, due_ns: 100, sent_ns: 100 }, &PAYLOAD, 90);
    recorder.end_at(MS);
    let seen = recorder.finish(MS).unwrap();
    assert_eq!((seen.negative, seen.received, seen.delivery_ns), (1, 1, None));
}

#[test]
fn what_is_recorded_in_doubt_is_set_apart_and_still_counted() {
    let mut recorder = paced(1);
    recorder.resume(0, 5 * MS);
    let tick = |recorder: &mut Recorder, seq| {
        recorder.tick(0, &paced_tick(seq, seq * MS), &PAYLOAD, seq * MS + 400);
    };
    (0..2).for_each(|seq| tick(&mut recorder, seq));
    recorder.doubt(true);
    tick(&mut recorder, 2);
    recorder.tick(0, &paced_tick(3, 3 * MS + 500), &PAYLOAD, 3 * MS + 400);
    recorder.doubt(false);
    tick(&mut recorder, 4);
    let (cleaned, set_aside) = recorder.cleaned();
    assert_eq!((cleaned.unwrap().count, set_aside), (3, 1), "what is below zero is in neither");
    let seen = recorder.finish(5 * MS).unwrap();
    assert_eq!((seen.received, seen.delivery_ns.unwrap().count, seen.lag_ns.unwrap().count), (5, 4, 5));
}

/// An echo over one connection.
fn echo() -> Recorder {
    Recorder::new(Question::RoundTrip, Streams::none(), 1)
}

#[test]
fn where_all_is_in_doubt_nothing_is_left() {
    let mut recorder = echo();
    recorder.begin(0, 100);
    recorder.doubt(true);
    recorder.round_trip(0, 1, 300).unwrap();
    assert_eq!(recorder.cleaned(), (None, 1));
}

/// Turns of 1 µs each, one after another, from `first_ns` until a turn would begin at the end of the window.
fn turns(recorder: &mut Recorder, first_ns: u64) -> u64 {
    let mut at_ns = first_ns;
    while recorder.is_before_end(at_ns) {
        recorder.begin(0, at_ns);
        at_ns += 1_000;
        recorder.round_trip(0, 1, at_ns).unwrap();
    }
    at_ns
}

#[test]
fn an_echo_belongs_to_the_window_in_which_it_was_sent() {
    let mut recorder = echo();
    recorder.begin(0, 300);
    recorder.pause();
    recorder.resume(1_000, 10_500);
    recorder.round_trip(0, 1, 1_300).unwrap();
    let over_ns = turns(&mut recorder, 1_300);
    assert!(recorder.is_nothing_owed());
    let seen = recorder.finish(over_ns).unwrap();
    // Sent at 1,300, 2,300, and so on to 10,300; the last is back when the window is over, the first was sent before it.
    assert_eq!((seen.sent, seen.received, seen.lost), (10, 10, 0));
    assert_eq!((seen.messages_per_s * 9.5e-6).round(), 10.0, "the first came inside, the last did not");
    assert_eq!(seen.accounts.unwrap().awaited_ns, 800);
}

#[test]
fn an_echo_that_does_not_come_back_is_lost_and_one_from_before_the_window_fails_it() {
    let mut recorder = echo();
    recorder.resume(0, 10_000);
    recorder.begin(0, 0);
    recorder.round_trip(0, 1, 6_000).unwrap();
    recorder.begin(0, 6_000);
    assert!(!recorder.is_nothing_owed());
    let seen = recorder.finish(50_000).unwrap();
    assert_eq!((seen.sent, seen.received, seen.lost), (2, 1, 1));
    assert_eq!(seen.accounts.unwrap().lost_age_ns, Some(44_000));

    let mut recorder = echo();
    recorder.begin(0, 500);
    recorder.resume(1_000, 10_000);
    let failure = recorder.finish(50_000).unwrap_err();
    assert_eq!(failure.reason, "connection 0 has brought nothing since before the window opened");
}

#[test]
fn a_turn_that_is_counted_twice_breaks_littles_law() {
    let counted = |twice: u64| {
        let mut recorder = echo();
        recorder.resume(0, 1_000_000);
        let over_ns = turns(&mut recorder, 0);
        for _ in 0..twice {
            recorder.begin(0, 999_000);
            recorder.round_trip(0, 1, 1_000_000).unwrap();
        }
        recorder.finish(over_ns)
    };
    assert!(counted(0).is_ok());
    let reason = counted(20).unwrap_err().reason;
    assert_eq!(reason, "Little's law does not hold: 1.02 messages in flight over 1 connections");
}

#[test]
fn pings_that_are_due_in_the_window_belong_to_it_however_late_they_are() {
    let mut recorder = Recorder::new(Question::Pings, Streams::none(), 2);
    recorder.pause();
    recorder.resume(1_000, 2_000);
    recorder.ping(0, 900, 1_100);
    recorder.pong(0, (900, 1_100), 24, 1_200);
    recorder.ping(0, 1_000, 1_300);
    recorder.ping(1, 1_500, 1_600);
    recorder.ping(0, 1_900, 2_050);
    recorder.ping(1, 1_950, 2_060);
    recorder.superseded(1_000);
    recorder.pong(0, (1_900, 2_050), 24, 2_500);
    assert!(!recorder.is_nothing_owed());
    recorder.pong(1, (1_500, 1_600), 24, 2_600);
    recorder.pong(1, (1_950, 2_060), 24, 2_700);
    assert!(recorder.is_nothing_owed());
    let seen = recorder.finish(2_700).unwrap();
    assert_eq!((seen.sent, seen.received, seen.lost), (4, 3, 1));
    let accounts = seen.accounts.unwrap();
    assert_eq!((accounts.sent_in_window, accounts.lost_age_ns), (2, Some(1_700)));
    assert_eq!(accounts.worst, Account { connection: 0, owed: 2, received: 1 });
    assert_eq!(seen.response_ns.unwrap().max, 1_100);
}

#[test]
fn a_published_message_is_owed_to_every_subscriber() {
    let mut recorder = Recorder::new(Question::Relay, Streams::none(), 3);
    recorder.published(500, 500);
    recorder.pause();
    recorder.resume(1_000, 2_000);
    assert!(!recorder.published(900, 1_000), "it was due before");
    assert!(recorder.published(1_000, 1_010) && recorder.published(1_900, 2_010));
    for (connection, messages) in [(0, 2), (1, 2), (2, 1)] {
        for due_ns in [1_000, 1_900].into_iter().take(messages) {
            let stamps = Stamps { seq: 0, due_ns, sent_ns: due_ns + 10 };
            assert!(recorder.delivered(connection, &stamps, &PAYLOAD, due_ns + 20));
        }
    }
    recorder.lost(1_900);
    let seen = recorder.finish(9_900).unwrap();
    assert_eq!((seen.sent, seen.received, seen.lost), (6, 5, 1));
    let accounts = seen.accounts.unwrap();
    assert_eq!((accounts.sent_in_window, accounts.least_owed, accounts.lost_age_ns), (3, 2, Some(8_000)));
    assert_eq!(accounts.worst, Account { connection: 2, owed: 2, received: 1 });
}

#[test]
fn who_was_asked_early_in_the_warmup_has_answered_by_its_end() {
    let mut recorder = Recorder::new(Question::Pings, Streams::none(), 3);
    recorder.ping(0, 0, 10);
    recorder.ping(1, 0, 60);
    recorder.pong(0, (0, 10), 24, 20);
    assert!(recorder.check_heard(50).is_ok(), "the second was asked late, and the third was not");
    let failure = recorder.check_heard(60).unwrap_err();
    assert_eq!(
        failure.reason,
        "1 of 3 connections have had no message by the end of the warm-up; the first is 1"
    );
    assert!(paced(2).check_heard(0).is_err(), "ticks are due from the upgrade on");
}

/// Any number, and more often than not one where arithmetic ends.
fn claim() -> impl Strategy<Value = u64> {
    prop_oneof![0..4_u64, u64::MAX - 2..=u64::MAX, (1..100 * MS), any::<u64>()]
}

proptest! {
    #[test]
    fn no_stamps_that_a_server_claims_stop_the_client(
        ticks in proptest::collection::vec((0..2_usize, claim(), claim(), claim()), 0..40), opens in 0..40_usize,
    ) {
        let floods = Recorder::new(Question::Flood, Streams::new(None, 0, [0; 2]), 2);
        for mut recorder in [paced(2), floods] {
            recorder.keep(Kept::of_all(40));
            let mut now_ns = 0;
            for nth in 0..ticks.len().max(opens) + 1 {
                if nth == opens {
                    recorder.pause();
                    recorder.resume(now_ns, now_ns + 10);
                }
                if let Some(&(connection, seq, due_ns, sent_ns)) = ticks.get(nth) {
                    now_ns += 1;
                    recorder.tick(connection, &Stamps { seq, due_ns, sent_ns }, &PAYLOAD, now_ns);
                }
            }
            recorder.end_at(now_ns + 10);
            crate::stages::of(&recorder.take_kept().into_messages().unwrap().unwrap(), 50);
            // What came of it is told elsewhere.
            let _ = recorder.finish(now_ns + 10);
        }
    }
}
