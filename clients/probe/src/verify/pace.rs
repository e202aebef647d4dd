//! Whether a server keeps its schedule by a timer that is fine enough, as far as the order of its own stamps tells. No check here
//! looks at how long anything took: a machine may hold a server up for any time, but not in these ways.

use tickbench_protocol::Stamps;

use super::expected::Expected;
use super::stream::Streams;
use super::{Protocol, Rule};

const STEADY_PER_S: u64 = 1_000;
const STEADY_NS: u64 = 1_000_000;
const STEADY_TICKS: usize = 400;

/// A rate whose period divides no millisecond, so that ticks fall anywhere between the strokes of a timer in milliseconds.
const QUICK_PER_S: u64 = 4_700;
const QUICK_NS: u64 = 1_000_000_000 / QUICK_PER_S;
const QUICK_TICKS: usize = 3_000;

/// What a timer in milliseconds is late by at least, when it is set again as soon as it has rung and a tick is due each 213 µs: some
/// 0.8 ms.
/// A finer one is seldom so late.
const SHARP_NS: u64 = 500_000;

/// Pauses of a server below which its timer is not judged.
const JUDGED: usize = 20;

/// A server fails where it does in one of so many streams, and holds in none: what a busy machine does once it does not do each time.
const TRIES: usize = 3;

/// What the stamps of a stream show of a server that does not fail by them.
#[derive(Debug, PartialEq, Eq)]
enum Shown {
    /// That the rule holds.
    Holds,
    /// Nothing: the machine left too little of it.
    Nothing,
}

type Judge = fn(&[Stamps]) -> Result<Shown, String>;

pub(super) fn check(streams: &Streams, protocol: &mut Protocol) -> std::io::Result<()> {
    let judged = |stream: &Expected, judge: Judge| {
        let mut verdict = Ok(());
        for _ in 0..TRIES {
            match judge(&stream.read(streams.server)?) {
                Ok(Shown::Holds) => return Ok(()),
                Ok(Shown::Nothing) => {}
                Err(what) => verdict = Err(what),
            }
        }
        verdict
    };
    let steady = streams.any(STEADY_PER_S as f64, STEADY_TICKS);
    let name = "a late server sends what is due without pause";
    protocol.check(Rule::OnTime, name, || judged(&steady, on_time))?;
    protocol.check(Rule::Stamps, "sent_ns is read from the clock", || judged(&steady, read_from_clock))?;
    let quick = streams.any(QUICK_PER_S as f64, QUICK_TICKS);
    protocol.check(Rule::FineTimer, "ticks are paced below a millisecond", || judged(&quick, finely_timed))
}

/// A server pauses before a tick that is not due yet. One that mostly pauses before ticks that are due already has put its schedule off;
/// a machine that holds a server up does so now and then.
fn on_time(stamps: &[Stamps]) -> Result<Shown, String> {
    let pauses: Vec<_> = stamps
        .windows(2)
        .filter(|pair| pair[1].sent_ns - pair[0].sent_ns >= STEADY_NS / 2)
        .map(|pair| pair[1].due_ns <= pair[0].sent_ns)
        .collect();
    let though_due = pauses.iter().filter(|&&though_due| though_due).count();
    if 2 * though_due < pauses.len() {
        return Ok(Shown::Holds);
    }
    if pauses.len() < JUDGED {
        return Ok(Shown::Nothing);
    }
    let least_ns = stamps.iter().map(|tick| tick.sent_ns - tick.due_ns).min().unwrap_or_default();
    Err(format!(
        "in {} of {} pauses the next tick was due already (the least lag of {} ticks is {least_ns} ns): a server that is late must \
         send all that is due without pause",
        though_due,
        pauses.len(),
        stamps.len()
    ))
}

/// A clock of nanoseconds that is read for each tick seldom shows the same lag twice.
fn read_from_clock(stamps: &[Stamps]) -> Result<Shown, String> {
    let mut lags: Vec<u64> = stamps.iter().map(|tick| tick.sent_ns - tick.due_ns).collect();
    lags.sort_unstable();
    let (lag_ns, most) = lags
        .chunk_by(|one, other| one == other)
        .map(|equal| (equal[0], equal.len()))
        .max_by_key(|&(_, count)| count)
        .unwrap_or_default();
    if 2 * most < stamps.len() {
        return Ok(Shown::Holds);
    }
    Err(format!(
        "in {most} of {} ticks sent_ns is due_ns and {lag_ns} ns: it is copied, not read from the clock",
        stamps.len()
    ))
}

/// Of the ticks that a server had to wait for, hardly any is sent soon after it is due where the timer counts in milliseconds. One that is
/// due in less than a quarter of a period does not count: it may have come due while the server was busy.
fn finely_timed(stamps: &[Stamps]) -> Result<Shown, String> {
    let waited: Vec<u64> = stamps
        .windows(2)
        .filter(|pair| pair[1].due_ns > pair[0].sent_ns + QUICK_NS / 4)
        .map(|pair| pair[1].sent_ns - pair[1].due_ns)
        .collect();
    let sharp = waited.iter().filter(|&&lag_ns| lag_ns < SHARP_NS).count();
    if waited.len() < JUDGED {
        return Ok(Shown::Nothing);
    }
    if 10 * sharp >= waited.len() {
        return Ok(Shown::Holds);
    }
    Err(format!(
        "{} of {} ticks at {QUICK_PER_S}/s were waited for, and {sharp} of these were sent within {} µs of being due: the timer counts \
         in milliseconds",
        waited.len(),
        stamps.len(),
        SHARP_NS / 1000
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ticks with a period, each with its lag.
    fn ticks(period_ns: u64, lags: impl IntoIterator<Item = u64>) -> Vec<Stamps> {
        let stamps = |(seq, lag_ns)| {
            let due_ns = 1_000_000_000 + seq * period_ns;
            Stamps { seq, due_ns, sent_ns: due_ns + lag_ns }
        };
        (0..).zip(lags).map(stamps).collect()
    }

    /// A server that wakes each `wake_ns` and sends what is due, 3 µs a tick.
    fn woken_each(wake_ns: u64, period_ns: u64, count: u64) -> Vec<Stamps> {
        let lag = |seq: u64| {
            let due_ns = seq * period_ns;
            let woken_ns = due_ns.div_ceil(wake_ns) * wake_ns;
            woken_ns - due_ns + 3_000 * (seq % 7) + seq % 11
        };
        ticks(period_ns, (0..count).map(lag))
    }

    /// A server that the machine holds up for 20 ms now and then, and that catches up.
    fn held_up(period_ns: u64, count: u64) -> Vec<Stamps> {
        let lag = |seq: u64| (20_000_000_u64.saturating_sub(seq % 200 * period_ns)).max(50_000 + seq % 977);
        ticks(period_ns, (0..count).map(lag))
    }

    #[test]
    fn a_schedule_that_is_put_off_is_told_from_one_that_a_machine_holds_up() {
        let steadily_late = ticks(1_000_000, (0..400).map(|seq| 10_000_000 + seq % 13));
        let said = on_time(&steadily_late).unwrap_err();
        assert!(said.contains("10000000 ns"), "{said}");
        assert_eq!(on_time(&held_up(1_000_000, 400)), Ok(Shown::Holds));
        assert_eq!(on_time(&woken_each(1_000_000, 1_000_000, 400)), Ok(Shown::Holds));
        // Late, and held up by the machine as well.
        let both = held_up(1_000_000, 400).into_iter().map(|tick| tick.sent_ns - tick.due_ns + 10_000_000);
        assert!(on_time(&ticks(1_000_000, both)).is_err());
    }

    #[test]
    fn stamps_that_are_copied_are_told_whatever_is_added() {
        for added in [0, 1, 50_000] {
            let said = read_from_clock(&ticks(1_000_000, [added; 400])).unwrap_err();
            assert!(said.contains("400 of 400"), "{said}");
        }
        assert_eq!(read_from_clock(&held_up(1_000_000, 400)), Ok(Shown::Holds));
        // A clock of whole microseconds.
        let coarse = ticks(1_000_000, (0..400).map(|seq| 1000 * (40 + seq * 7 % 23)));
        assert_eq!(read_from_clock(&coarse), Ok(Shown::Holds));
    }

    #[test]
    fn a_timer_of_milliseconds_is_told_and_a_busy_machine_is_not() {
        assert!(finely_timed(&woken_each(1_000_000, QUICK_NS, 1_500)).is_err());
        assert!(finely_timed(&woken_each(4_000_000, QUICK_NS, 1_500)).is_err());
        assert_eq!(finely_timed(&woken_each(1_000, QUICK_NS, 1_500)), Ok(Shown::Holds));
        assert_eq!(finely_timed(&held_up(QUICK_NS, 1_500)), Ok(Shown::Holds));
        // Every wake-up of four late by a millisecond.
        let restless = ticks(
            200_000,
            (0..1_500).map(|seq| if seq % 8 < 6 { 1_050_000 - seq % 8 * 200_000 } else { 60_000 }),
        );
        assert_eq!(finely_timed(&restless), Ok(Shown::Holds));
    }
}
