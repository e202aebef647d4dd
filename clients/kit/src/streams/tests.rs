//! Which stamps are believed, and what of the schedule is owed.

use tickbench_protocol::{Arrivals, TicksQuery};

use super::*;

const ASKED_NS: u64 = 1_000;
const START_NS: u64 = 1_400;

/// One stream of a thousand ticks a second, whose upgrade was asked for at [`ASKED_NS`].
fn paced() -> Streams {
    let query = TicksQuery { rate_per_s: Some(1000.0), ..TicksQuery::default() };
    Streams::new(Offsets::of(&query, None), 0, [ASKED_NS])
}

fn flood() -> Streams {
    Streams::new(None, 0, [ASKED_NS])
}

fn due_ns(seq: u64) -> u64 {
    START_NS + Arrivals::constant(1000.0).nth(seq as usize).unwrap()
}

fn honest(seq: u64) -> Stamps {
    Stamps { seq, due_ns: due_ns(seq), sent_ns: due_ns(seq) + 50 }
}

/// What is said of a stream in which `lie` is done to the tick `at`, which is received 100 ns after it was due.
fn said(mut streams: Streams, tick: fn(u64) -> Stamps, at: u64, lie: impl Fn(&mut Stamps)) -> Failure {
    let is_flood = streams.schedule.is_none();
    for seq in 0..20 {
        let (mut stamps, received_ns) = (tick(seq), due_ns(seq) + 100);
        if seq == at {
            lie(&mut stamps);
        }
        let is_followed = if is_flood {
            streams.follow_flood(0, &stamps)
        } else {
            streams.follow(0, &stamps, received_ns, &Window::ALL).is_some()
        };
        assert!(is_followed || seq >= at, "tick {seq} is honest");
    }
    streams.check().unwrap_err()
}

#[test]
fn who_tells_the_truth_is_believed() {
    let mut streams = paced();
    for seq in 0..20 {
        assert_eq!(streams.follow(0, &honest(seq), due_ns(seq) + 100, &Window::ALL), Some(true));
    }
    assert!(streams.check().is_ok() && !streams.is_contradicted());
    assert_eq!((streams.start_after_ns(), streams.last_seq()), (Some(START_NS - ASKED_NS), Some(19)));
}

#[test]
fn a_due_time_that_the_schedule_has_not_is_named_with_the_one_that_it_has() {
    let lies: [fn(&mut Stamps); 5] = [
        |stamps| stamps.due_ns = 0,
        |stamps| stamps.due_ns = stamps.sent_ns,
        |stamps| stamps.due_ns += 1,
        |stamps| stamps.due_ns -= 1,
        |stamps| stamps.due_ns = u64::MAX,
    ];
    for lie in lies {
        let failure = said(paced(), honest, 15, lie);
        assert_eq!(failure.stage, Stage::Audit);
        let mut claimed = honest(15);
        lie(&mut claimed);
        let (claimed_ns, due_ns) = (claimed.due_ns, due_ns(15));
        assert_eq!(
            failure.reason,
            format!(
                "tick 15 of connection 0 claims to have been due at {claimed_ns} ns, and its schedule says {due_ns} ns"
            )
        );
    }
}

#[test]
fn a_start_lies_between_the_request_and_the_first_tick() {
    for (claimed_ns, is_believed) in
        [(ASKED_NS - 1, false), (ASKED_NS, true), (START_NS + 100, true), (START_NS + 101, false)]
    {
        let mut streams = paced();
        let stamps = Stamps { seq: 0, due_ns: claimed_ns, sent_ns: START_NS + 100 };
        streams.follow(0, &stamps, START_NS + 100, &Window::ALL);
        assert_eq!(streams.check().is_ok(), is_believed);
        if !is_believed {
            assert_eq!(
                streams.check().unwrap_err().reason,
                format!(
                    "tick 0 of connection 0 claims to have been due at {claimed_ns} ns, and its upgrade was asked for at 1000 ns and \
                     it was there at 1500 ns"
                )
            );
        }
    }
}

#[test]
fn random_arrivals_may_be_off_by_as_much_as_a_logarithm_rounds() {
    let query = TicksQuery { arrival: Arrival::Poisson, rate_per_s: Some(1e6), ..TicksQuery::default() };
    for (off_ns, is_believed) in [(1, true), (2, false)] {
        let mut streams = Streams::new(Offsets::of(&query, None), RANDOM_WITHIN_NS, [0]);
        for (seq, offset_ns) in (0u64..).zip(Arrivals::poisson(1e6, query.seed)).take(50) {
            let due_ns = offset_ns + if seq > 0 { off_ns } else { 0 };
            streams.follow(0, &Stamps { seq, due_ns, sent_ns: due_ns }, due_ns, &Window::ALL);
        }
        assert_eq!(streams.check().is_ok(), is_believed, "{off_ns} ns");
    }
}

#[test]
fn what_is_sent_before_the_tick_before_it_is_no_truth() {
    let failure = said(paced(), honest, 7, |stamps| stamps.sent_ns = due_ns(6) + 49);
    assert!(failure.reason.starts_with("tick 7 of connection 0 claims to have been sent at"), "{failure}");
    let together = |seq| Stamps { seq, due_ns: 5, sent_ns: 5 };
    let failure = said(flood(), together, 7, |stamps| (stamps.due_ns, stamps.sent_ns) = (4, 4));
    assert_eq!(
        failure.reason,
        "tick 7 of connection 0 claims to have been sent at 4 ns, and the tick before it was sent at 5 ns"
    );
}

#[test]
fn a_flood_is_due_when_it_is_sent() {
    let failure =
        said(flood(), |seq| Stamps { seq, due_ns: seq, sent_ns: seq }, 3, |stamps| stamps.due_ns = 2);
    assert!(failure.reason.contains("a flood's ticks are due when they are sent"), "{failure}");
}

#[test]
fn a_break_of_the_sequence_is_told_and_not_what_follows_from_it() {
    let failure = said(paced(), honest, 4, |stamps| stamps.seq = 6);
    assert!(failure.reason.contains("2 messages missing"), "{failure}");
    assert!(failure.reason.contains("first, seq 6 came where 4 was due"), "{failure}");
    let failure = said(flood(), |seq| Stamps { seq, due_ns: 1, sent_ns: 1 }, 4, |stamps| stamps.seq = 3);
    assert!(
        failure.reason.contains("1 repeated or out of order; first, seq 3 came where 4 was due"),
        "{failure}"
    );
}

/// The window holds ticks 3 to 6.
const WINDOW: Window = Window { opened_ns: START_NS + 2_500_000, end_ns: START_NS + 7_000_000 };

#[test]
fn what_the_window_owes_is_told_by_the_schedule_and_not_by_what_came() {
    for came in 0..10 {
        let mut streams = paced();
        streams.follow(0, &honest(0), due_ns(0) + 100, &Window::ALL);
        streams.open(&WINDOW);
        for seq in 1..=came {
            streams.follow(0, &honest(seq), due_ns(9), &WINDOW);
        }
        let (accounts, oldest_ns) = streams.accounts(&WINDOW);
        let received = (came + 1).clamp(3, 7) - 3;
        assert_eq!(accounts, [Account { connection: 0, owed: 4, received }]);
        assert_eq!(oldest_ns, (received < 4).then(|| due_ns(3 + received)));
        assert_eq!(streams.is_nothing_owed(), came >= 6);
    }
}

#[test]
fn a_connection_that_is_owed_nothing_is_not_waited_for() {
    let mut streams = paced();
    streams.follow(0, &honest(0), due_ns(0) + 100, &Window::ALL);
    let before_the_next = Window { opened_ns: START_NS + 10, end_ns: START_NS + 20 };
    streams.open(&before_the_next);
    assert!(streams.is_nothing_owed());
    assert_eq!(streams.accounts(&before_the_next).0[0].owed, 0);
}

#[test]
fn a_tick_that_is_never_due_is_not_waited_for() {
    let query = TicksQuery { rate_per_s: Some(1e-12), ..TicksQuery::default() };
    let mut streams = Streams::new(Offsets::of(&query, None), 0, [ASKED_NS]);
    let first = Stamps { seq: 0, due_ns: START_NS, sent_ns: START_NS };
    assert_eq!(streams.follow(0, &first, START_NS, &Window::ALL), Some(true));
    streams.open(&WINDOW);
    assert!(streams.is_nothing_owed());
}
