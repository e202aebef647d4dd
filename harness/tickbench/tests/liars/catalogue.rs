//! The lies, and by what each is caught.
//!
//! A lie's words, and those by which it is caught, may name `{on}`, a connection, `{from}`, a message, and `{size}`.

use tickbench_record::{Distribution, Observation};

/// What each scenario asks, but for its name. Each connection is owed 10 messages a second or more; windows are long where a lie begins in
/// the middle of one.
pub(crate) const SCENARIOS: &[(&str, &str)] = &[
    (
        "scaling",
        "kind = 'scaling'\nencodings = ['json']\nconnections = [10]\nrate_per_s = 1000\nwarmup_ms = 200\nwindow_ms = 800",
    ),
    (
        "latency",
        "kind = 'latency'\nencodings = ['binary']\nrate_per_s = 1000\nwarmup_ms = 200\nwindow_ms = 800",
    ),
    ("throughput", "kind = 'throughput'\nencodings = ['json']\nwarmup_ms = 50\nwindow_ms = 100"),
    (
        "echo",
        "kind = 'echo'\nencodings = ['binary']\nconnections = [10]\nsize_bytes = [64]\nwarmup_ms = 100\nwindow_ms = 200",
    ),
    (
        "relay",
        "kind = 'relay'\nencodings = ['json']\nconnections = [10]\nrate_per_s = 100\nwarmup_ms = 200\nwindow_ms = 800",
    ),
    ("ping", "kind = 'ping'\nconnections = [10]\nrate_per_s = 1000\nwarmup_ms = 200\nwindow_ms = 400"),
    (
        "connect",
        "kind = 'connect'\nencodings = ['binary']\nconnections = [4]\nwarmup_ms = 100\nwindow_ms = 800",
    ),
];

/// A lie of one kind, in one or more sizes.
pub(crate) struct Lie {
    pub(crate) name: &'static str,
    /// For the liar.
    pub(crate) words: &'static str,
    /// From the smallest on; one without meaning where the lie has no size.
    pub(crate) sizes: &'static [&'static str],
    /// The size from which on it must be caught, by arithmetic.
    pub(crate) surely: &'static str,
    pub(crate) caught: Caught,
}

/// Where a lie is caught, and by which words: all of them stand in one line.
#[derive(Clone, Copy)]
pub(crate) enum Caught {
    /// A check of `tickbench verify`, by the name of its rule; no other rule of clients is asked then, to be quick.
    Verify(&'static str, &'static [&'static str]),
    /// In a measurement of this scenario: the execution's failure, or the audit that its row failed.
    Timed(&'static str, &'static [&'static str]),
    /// No lie is told, and the figures of this scenario show what was done: told so where they do not.
    Shows(&'static str, fn(&Observation) -> Result<String, String>),
}

const ONE: &[&str] = &["1"];

/// A lie without a size that only a measurement can catch: it is not told where `GET /` was asked, as verification does.
const fn timed(
    name: &'static str,
    words: &'static str,
    scenario: &'static str,
    by: &'static [&'static str],
) -> Lie {
    Lie { name, words, sizes: ONE, surely: "1", caught: Caught::Timed(scenario, by) }
}

const fn verified(
    name: &'static str,
    words: &'static str,
    rule: &'static str,
    by: &'static [&'static str],
) -> Lie {
    Lie { name, words, sizes: ONE, surely: "1", caught: Caught::Verify(rule, by) }
}

const fn shown(
    name: &'static str,
    words: &'static str,
    scenario: &'static str,
    by: fn(&Observation) -> Result<String, String>,
) -> Lie {
    Lie { name, words, sizes: ONE, surely: "1", caught: Caught::Shows(scenario, by) }
}

/// What is missing, and of whose account.
const LOST: &[&str] = &["failed its audit counts", "connection {on} got "];
const BROKEN: &[&str] = &["failed at audit", "the sequence is broken", " on connection {on}"];
const CHANGED: &[&str] = &["failed at audit", " on connection {on} is not what the seed says"];
const DUE: &[&str] = &["failed at audit", "tick {from} of connection {on} claims to have been due"];
const START: &[&str] = &["failed at audit", "tick 0 of connection {on} claims to have been due"];
const SENT: &[&str] = &["failed at audit", "of connection {on} claims to have been sent"];
const TIMES: &[&str] = &["1ns", "1us", "1ms", "1s", "90s"];

/// Nothing comes.
const SILENCE: &[Lie] = &[
    Lie {
        name: "silent-connections",
        // The last of ten, the last two, five and nine.
        words: "silent on={size}.. once-verified",
        sizes: &["9", "8", "5", "1"],
        surely: "9",
        caught: Caught::Timed(
            "scaling",
            &[
                "failed at warmup",
                "of 10 connections have had no message by the end of the warm-up; the first is {size}",
            ],
        ),
    },
    Lie {
        name: "falls-silent",
        // A window that opens after 200 ms and lasts 800 ms owes a connection its ticks 20 to 99, if it opens on time.
        words: "silent on={on} from={size} once-verified",
        sizes: &["99", "97", "93", "85", "70"],
        surely: "85",
        caught: Caught::Timed("scaling", LOST),
    },
    Lie {
        name: "silent-in-the-window",
        words: "silent on={on} from=10 once-verified",
        sizes: ONE,
        surely: "1",
        caught: Caught::Timed("scaling", &["failed at audit", "connection {on} got none of the"]),
    },
    Lie {
        name: "lost-tail",
        words: "silent from={size} once-verified",
        sizes: &["999", "990", "960", "850"],
        surely: "850",
        caught: Caught::Timed("latency", &["failed its audit counts"]),
    },
    Lie {
        name: "withheld-ticks",
        words: "silent on={on} from={from} count={size} once-verified",
        sizes: &["1", "4"],
        surely: "1",
        caught: Caught::Timed(
            "scaling",
            &["failed at audit", "the sequence is broken: {size} messages missing", " on connection {on}"],
        ),
    },
    timed(
        "withheld-in-a-flood",
        "silent from=999 count=1 once-verified",
        "throughput",
        &["failed at audit", "the sequence is broken", "seq 1000 came where 999 was due on connection 0"],
    ),
    timed(
        "echo-falls-silent",
        "silent on={on} from=20 once-verified",
        "echo",
        &["failed at audit", "connection {on} has brought nothing since before the window opened"],
    ),
    timed(
        "echo-is-silent",
        "silent on={on} once-verified",
        "echo",
        &["failed at warmup", "the first is {on}"],
    ),
    timed("pongs-fall-silent", "silent on={on} from=30 once-verified", "ping", LOST),
    timed(
        "pings-are-ignored",
        "silent on={on} once-verified",
        "ping",
        &["failed at warmup", "the first is {on}"],
    ),
    // The first message of a subscriber says that it is one.
    timed(
        "subscriber-is-forgotten",
        "silent on={on} from=1 once-verified",
        "relay",
        &["failed at warmup", "the first is {on}"],
    ),
    timed("subscriber-falls-silent", "silent on={on} from={from} once-verified", "relay", LOST),
    timed("subscriber-misses-one", "silent on={on} from={from} count=1 once-verified", "relay", LOST),
];

/// Messages come twice, as one, in another order, or changed.
const MESSAGES: &[Lie] = &[
    timed("repeated-tick", "repeat on={on} from={from} count=1 once-verified", "scaling", BROKEN),
    timed("swapped-ticks", "swap on={on} from={from} count=2 once-verified", "scaling", BROKEN),
    timed("merged-ticks", "merge on={on} from={from} count=2 once-verified", "scaling", BROKEN),
    timed("changed-ticks", "change on={on} from={from} once-verified", "scaling", CHANGED),
    // One echo too many, and a message is always under way that looks quick.
    Lie {
        name: "repeated-echo",
        words: "repeat on={on} from=20 count={size} once-verified",
        sizes: &["1", "4"],
        surely: "1",
        caught: Caught::Timed(
            "echo",
            &["failed at audit", "the echo on connection {on} does not answer the message that is under way"],
        ),
    },
    timed(
        "changed-echo",
        "change on={on} from=20 count=1 once-verified",
        "echo",
        &["failed at audit", "the echo on connection {on} differs from what was sent"],
    ),
    timed(
        "repeated-pong",
        "repeat on={on} from=30 count=1 once-verified",
        "ping",
        &["a pong of", "on connection {on} answers no ping"],
    ),
    timed(
        "changed-pong",
        "change on={on} from=30 count=1 once-verified",
        "ping",
        &["a pong of", "on connection {on} answers no ping"],
    ),
    timed("repeated-delivery", "repeat on={on} from={from} count=1 once-verified", "relay", BROKEN),
    timed("swapped-deliveries", "swap on={on} from={from} count=2 once-verified", "relay", BROKEN),
    timed("changed-deliveries", "change on={on} from={from} once-verified", "relay", CHANGED),
    // All that verification opens is served truthfully first.
    timed(
        "changed-on-later-connections",
        "change on=30.. once-verified",
        "connect",
        &["failed at audit", "is not what the seed says"],
    ),
];

/// Stamps are not true.
const STAMPS: &[Lie] = &[
    timed("due-zero", "due=zero on={on} from={from} once-verified", "scaling", DUE),
    timed("one-due-zero", "due=zero on={on} from={from} count=1 once-verified", "scaling", DUE),
    timed("due-is-sent", "due=sent on={on} from={from} once-verified", "scaling", DUE),
    Lie {
        name: "due-early",
        words: "due=-{size} on={on} from={from} once-verified",
        sizes: TIMES,
        surely: "1ns",
        caught: Caught::Timed("scaling", DUE),
    },
    Lie {
        name: "start-early",
        words: "due=-{size} on={on} once-verified",
        sizes: TIMES,
        // The client asks for its upgrade, and gives up after a second and a half.
        surely: "90s",
        caught: Caught::Timed("scaling", START),
    },
    Lie {
        name: "start-late",
        words: "due={size} on={on} once-verified",
        sizes: TIMES,
        // A tick that came before it was due.
        surely: "90s",
        caught: Caught::Timed("scaling", START),
    },
    Lie {
        name: "sent-before-the-last",
        words: "sent=last-{size} on={on} from={from} count=2 once-verified",
        sizes: &["1ns", "1us"],
        surely: "1ns",
        caught: Caught::Timed("scaling", SENT),
    },
    Lie {
        name: "sent-ahead",
        words: "sent={size} on={on} from={from} count=1 once-verified",
        sizes: TIMES,
        // Received after it was sent, by all the patience that there is.
        surely: "90s",
        caught: Caught::Timed("scaling", SENT),
    },
    timed(
        "flood-with-a-schedule",
        "due=-1ms from=999 once-verified",
        "throughput",
        &["failed at audit", "tick 999 of connection 0 claims to have been due"],
    ),
    timed(
        "restamped-deliveries",
        "sent=now on={on} from={from} once-verified",
        "relay",
        &["failed at audit", "the stamps of message ", " on connection {on} are others than were published"],
    ),
    timed(
        "due-zero-on-later-connections",
        "due=zero on=30.. once-verified",
        "connect",
        &["failed at audit", "claims to have been due at 0 ns, and its upgrade was asked for at"],
    ),
];

/// Connections end, or do not.
const ENDINGS: &[Lie] = &[
    timed(
        "closes-early",
        "close on={on} from={from} once-verified",
        "scaling",
        &["failed at measure", "the server closed connection {on} with code 1000"],
    ),
    timed(
        "vanishes",
        "vanish on={on} from={from} once-verified",
        "scaling",
        &["failed at measure", "the server ended connection {on} without a close frame"],
    ),
    // Four at a time: each of them is closed well once, and then no more, long before the window.
    timed(
        "close-is-not-answered",
        "deaf on=4.. once-verified",
        "connect",
        &["failed at audit", "was begun before the window opened, and has not ended in good order since"],
    ),
    timed("dripping-answer", "drip-answer=500ms on={on} once-verified", "scaling", &["failed at connect"]),
];

/// What breaks the contract and no measurement asks for.
const CONTRACT: &[Lie] = &[
    verified(
        "merged-echoes",
        "merge-heard",
        "echo-segments",
        &["came where text of 5 bytes (\"aaaaa\") was due"],
    ),
    verified("echo-of-4-mib", "limit=4194304", "echo-16mib", &["close with code 1009 came where"]),
    verified("no-pong-while-streaming", "no-pong", "pong-while-streaming", &["a ping is answered"]),
    verified("coarse-timer", "grid=1ms", "fine-timer", &["the timer counts in milliseconds"]),
    verified("each-tick-late", "late=10ms", "on-time", &["must send all that is due without pause"]),
    verified("sent-is-due", "sent=due", "stamps", &["it is copied, not read from the clock"]),
    verified("no-bound", "no-bound", "slow-subscriber", &["its queue has no bound"]),
    verified("hangs-up", "hang-up", "close-wait", &["came right behind the server's own close frame"]),
    verified("wrong-flags-end-well", "ends-well", "wrong-flags", &["refuses `--no-such-flag`"]),
    verified("plain-get", "plain", "plain-get", &["/ticks without an upgrade", "HTTP 200 came"]),
    verified(
        "unmasked-frames",
        "unmasked",
        "unmasked-frames",
        &["an unmasked frame to /ticks", "went on as if it were masked"],
    ),
    verified("deaf", "deaf", "close", &["a close is answered", "the server said nothing"]),
    // A few of those that a measurement catches too, as they are told to everybody.
    verified("repeats", "repeat from=5 count=1", "ticks", &["seq 5 came where 6 was due"]),
    verified("changes", "change from=5 count=1", "ticks", &["tick 5: "]),
    verified("due-zero-early", "due=zero from=5 count=1", "ticks", &["tick 5 "]),
];

/// Nothing is untrue, and nothing may fail: what was done must stand in the figures. Each bound is what the liar waited at least.
const SHOWN: &[Lie] = &[
    // Ticks 190 to 389 wait until the last of them is due; from the window's opening at tick 200, give or take 50, to tick 289 for 100 ms.
    shown("stall-at-the-start", "stall=200ms from=190 count=1 once-verified", "latency", |seen| {
        at_least("response", seen.response_ns.as_ref(), 100, 40)
    }),
    // Half of the ticks that are due in a stall wait for half of it.
    shown("stall-in-the-middle", "stall=100ms from=600 count=1 once-verified", "latency", |seen| {
        at_least("response", seen.response_ns.as_ref(), 50, 50)
    }),
    // The window ends in the middle of it, with tick 1,000 at the earliest, and owes the ticks of that half all the same.
    shown("stall-across-the-end", "stall=200ms from=900 count=1 once-verified", "latency", |seen| {
        at_least("response", seen.response_ns.as_ref(), 100, 100)
    }),
    shown("late-ticks", "late=5ms once-verified", "latency", |seen| {
        at_least("lag", seen.lag_ns.as_ref(), 5, seen.received)
    }),
    // 220 bytes or more of one connection in ten, 50 at a time.
    shown("slow-drip", "drip=50 on={on} once-verified", "scaling", |seen| {
        at_least("delivery", seen.delivery_ns.as_ref(), 4, seen.received / 10 - 1)
    }),
];

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Lie> {
    [SILENCE, MESSAGES, STAMPS, ENDINGS, CONTRACT, SHOWN].into_iter().flatten()
}

/// Whether so many samples of a figure are so long or longer, give or take what a histogram rounds.
fn at_least(name: &str, figure: Option<&Distribution>, ms: u64, count: u64) -> Result<String, String> {
    let buckets = figure.ok_or_else(|| format!("no {name}"))?.buckets().map_err(|cause| cause.to_string())?;
    let long = |ns: u64| ns as f64 >= ms as f64 * 999e3;
    let found: u64 = buckets.iter().filter(|bucket| long(bucket.value)).map(|bucket| bucket.count).sum();
    let seen = format!("{found} values of {name} are {ms} ms or more, and {count} must be");
    if found >= count { Ok(seen) } else { Err(seen) }
}
