//! Harm that the server does to its own stream, because it was told to.

use tickbench_record::{Distribution, Observation, Stage};

use super::probe::{Finding, at_least, present, shown};
use super::stream::{Failed, Seen, Stream, Subject, WARMUP_MS};

/// Each so manyth tick is harmed, where nothing else is said.
pub(super) const EVERY: u64 = 50;

const DELAY_NS: u64 = 20_000;

/// Executions with and without the delay, in turns.
const PAIRS: usize = 5;

/// By how much the difference of two medians may miss the delay.
const DELAY_TOLERANCE: f64 = 0.1;

/// The share of stalls that must be found where the machine's hiccups are set apart, of those that fall together with none by the share
/// of samples that an untouched stream loses so, less what chance takes from so few.
const STALLS_FOUND: f64 = 0.9;

/// What chance is allowed, in standard deviations of a binomial count.
const CHANCE: f64 = 3.0;

/// By how much a count over a whole stream may miss: when it began and ended is known to some milliseconds.
const COUNT_TOLERANCE: f64 = 0.1;

/// A time spent in every send moves the median of delivery by as much. Of several executions the quickest of each kind are
/// compared: what the machine does to a median makes it longer, never shorter.
pub(super) fn delay(subject: &mut Subject<'_>) -> anyhow::Result<Finding> {
    let expected = format!("median of delivery {} ± 10 % higher", shown(DELAY_NS));
    let mut medians = [u64::MAX; 2];
    for _ in 0..PAIRS {
        for (median, ns) in medians.iter_mut().zip([0, DELAY_NS]) {
            let stream =
                Stream { window_ms: 200, faults: vec![format!("delay={ns}ns")], ..Stream::default() };
            match subject.stream(&stream)? {
                Ok(seen) => *median = (*median).min(present(seen.delivery_ns.as_ref())?.p50),
                Err(failed) => return Ok(Finding::failed(expected, &failed)),
            }
        }
    }
    let [before, after] = medians;
    let rise = after as f64 - before as f64;
    Ok(Finding {
        expected,
        seen: format!("{} → {}: {:.1} µs", shown(before), shown(after), rise / 1e3),
        caught: (rise - DELAY_NS as f64).abs() <= DELAY_TOLERANCE * DELAY_NS as f64,
    })
}

/// Now and then a send takes longer.
pub(super) struct Stalls {
    pub(super) ns: u64,
    pub(super) every: u64,
    pub(super) rate_per_s: u32,
}

/// A stall is the server's own, so it must stand in delivery, whole, when the machine's hiccups are set apart.
pub(super) fn stall(subject: &mut Subject<'_>, stalls: &Stalls) -> anyhow::Result<Finding> {
    let mut streams = Vec::new();
    for ns in [0, stalls.ns] {
        let faults = vec![format!("stall={ns}ns/{}", stalls.every)];
        let stream = Stream { rate_per_s: stalls.rate_per_s, window_ms: 500, faults, ..Stream::default() };
        match subject.stream(&stream)? {
            Ok(seen) => streams.push(Samples::from(stalls.ns, &seen)?),
            Err(failed) => {
                return Ok(Finding::failed(format!("delivery of {} and more", shown(stalls.ns)), &failed));
            }
        }
    }
    Ok(judge_stalls(stalls, &streams[0], &streams[1]))
}

/// What a stream holds of samples that are at least as long as a stall.
struct Samples {
    received: u64,
    /// Of all that were measured.
    all: u64,
    left: Option<Left>,
}

/// What is left when hiccups are set apart, where that is done.
#[derive(Clone, Copy)]
struct Left {
    long: u64,
    /// The share of all samples that is left, long or not.
    share: f64,
}

impl Samples {
    fn from(ns: u64, seen: &Observation) -> anyhow::Result<Samples> {
        let delivery = present(seen.delivery_ns.as_ref())?;
        let left = |cleaned: &Option<Distribution>| match cleaned {
            Some(cleaned) => {
                let share = cleaned.count as f64 / delivery.count as f64;
                Ok::<_, anyhow::Error>(Left { long: at_least(cleaned, ns)?, share })
            }
            // All was set apart.
            None => Ok(Left { long: 0, share: 0.0 }),
        };
        let left = seen.client_hiccups.map(|_| left(&seen.delivery_cleaned_ns)).transpose()?;
        Ok(Samples { received: seen.received, all: at_least(delivery, ns)?, left })
    }
}

fn judge_stalls(stalls: &Stalls, without: &Samples, with: &Samples) -> Finding {
    let due = with.received / stalls.every;
    let least = |share: f64| {
        let expected = share * due as f64;
        (STALLS_FOUND * expected - CHANCE * (expected * (1.0 - share)).sqrt()) as u64
    };
    let long = format!("delivery of {} and more", shown(stalls.ns));
    let Some((before, now)) = without.left.zip(with.left) else {
        let expected = format!("{long}: {} at least", least(1.0));
        let seen = format!("{}; nothing is set apart here", with.all);
        return Finding { expected, seen, caught: due > 0 && with.all >= least(1.0) };
    };
    let least = least(before.share);
    Finding {
        expected: format!("{long}: {due}; with hiccups set apart {least} more than without stalls"),
        seen: format!(
            "{}; with hiccups set apart {}, and {} without stalls",
            with.all, now.long, before.long
        ),
        caught: least > 0 && now.long.saturating_sub(before.long) >= least,
    }
}

/// A tick that was not sent is missing.
pub(super) fn drop(subject: &mut Subject<'_>) -> anyhow::Result<Finding> {
    disorder(subject, "drop", Disorder { missing: 1, repeated: 0 })
}

/// A tick that came twice is one too many.
pub(super) fn duplicate(subject: &mut Subject<'_>) -> anyhow::Result<Finding> {
    disorder(subject, "duplicate", Disorder { missing: 0, repeated: 1 })
}

/// A tick that was overtaken is missing first, and out of order when it comes.
pub(super) fn reorder(subject: &mut Subject<'_>) -> anyhow::Result<Finding> {
    disorder(subject, "reorder", Disorder { missing: 1, repeated: 1 })
}

/// What a client counts that follows sequence numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Disorder {
    missing: u64,
    repeated: u64,
}

fn disorder(subject: &mut Subject<'_>, fault: &str, each: Disorder) -> anyhow::Result<Finding> {
    let stream = Stream { faults: vec![format!("{fault}={EVERY}")], ..Stream::default() };
    let ticks = u64::from(stream.rate_per_s) * (WARMUP_MS + stream.window_ms) / 1_000;
    Ok(judge_disorder(each, ticks / EVERY, subject.stream(&stream)?))
}

fn judge_disorder(each: Disorder, harms: u64, seen: Seen) -> Finding {
    let due = Disorder { missing: each.missing * harms, repeated: each.repeated * harms };
    let expected = format!(
        "failed at {}; ±10 %: {} missing, {} repeated or out of order",
        Stage::Audit,
        due.missing,
        due.repeated
    );
    let Err(failed) = seen else { return Finding::believed(expected) };
    let near = |seen: u64, due: u64| seen.abs_diff(due) as f64 <= COUNT_TOLERANCE * due as f64;
    let caught = failed.stage == Stage::Audit
        && told(&failed)
            .is_some_and(|told| near(told.missing, due.missing) && near(told.repeated, due.repeated));
    Finding { expected, seen: failed.to_string(), caught }
}

/// The numbers in the sentence of a client that saw a broken sequence.
fn told(failed: &Failed) -> Option<Disorder> {
    let before = |words| failed.reason.split_once(words)?.0.rsplit(' ').next()?.parse().ok();
    Some(Disorder { missing: before(" messages missing")?, repeated: before(" repeated or out of order")? })
}

/// A sent stamp in the past is before that of the tick before it; one in the future is behind that of the tick after it. `liar` is the first
/// tick that this is so of.
pub(super) fn skew(subject: &mut Subject<'_>, by: &str, liar: Liar) -> anyhow::Result<Finding> {
    let stream = Stream { faults: vec![format!("skew={by}/{EVERY}")], ..Stream::default() };
    Ok(judge_skew(liar, subject.stream(&stream)?))
}

/// Which tick's stamp contradicts the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Liar {
    Harmed,
    Next,
}

fn judge_skew(liar: Liar, seen: Seen) -> Finding {
    let tick = EVERY - 1 + u64::from(liar == Liar::Next);
    let expected = format!("failed at {}, and tick {tick} named", Stage::Audit);
    let Err(failed) = seen else { return Finding::believed(expected) };
    let claim = format!("tick {tick} of connection 0 claims to have been sent at ");
    let caught = failed.stage == Stage::Audit && failed.reason.starts_with(&claim);
    // The times themselves are no reading.
    let seen = failed.to_string().split(" at ").take(2).collect::<Vec<_>>().join(" at ");
    Finding { expected, seen, caught }
}

/// A payload that is not what the seed says. The window is short enough for the client to compare all that come: 200 of 256 at most.
pub(super) fn corrupt(subject: &mut Subject<'_>) -> anyhow::Result<Finding> {
    let stream = Stream { window_ms: 40, faults: vec![format!("corrupt={EVERY}")], ..Stream::default() };
    Ok(judge_corrupt(subject.stream(&stream)?))
}

fn judge_corrupt(seen: Seen) -> Finding {
    let expected = format!("failed at {}, and one of each {EVERY}th tick named", Stage::Audit);
    let Err(failed) = seen else { return Finding::believed(expected) };
    let named = failed.reason.strip_prefix("tick ").and_then(|rest| {
        let (tick, _) = rest.split_once(" on connection 0 is not what the seed says")?;
        tick.parse::<u64>().ok()
    });
    let caught = failed.stage == Stage::Audit && named.is_some_and(|tick| tick % EVERY == EVERY - 1);
    // What the bytes were is of no interest here, and no reading.
    let seen = failed.to_string().split(", \"").next().unwrap_or_default().to_owned();
    Finding { expected, seen, caught }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(stage: Stage, missing: u64, repeated: u64) -> Seen {
        let reason = format!(
            "the sequence is broken: {missing} messages missing, {repeated} repeated or out of order; first, seq 50 came where \
             49 was due"
        );
        Err(Failed { stage, reason })
    }

    #[test]
    fn disorder_is_caught_where_its_kind_and_number_are_told() {
        let lost = Disorder { missing: 1, repeated: 0 };
        let caught = |seen| judge_disorder(lost, 40, seen).caught;
        assert!(caught(broken(Stage::Audit, 40, 0)) && caught(broken(Stage::Audit, 44, 0)));
        assert!(!caught(broken(Stage::Audit, 35, 0)), "too few");
        assert!(!caught(broken(Stage::Audit, 40, 40)), "another kind");
        assert!(!caught(broken(Stage::Measure, 40, 0)), "another stage");
        assert!(!caught(Err(Failed { stage: Stage::Audit, reason: "something is odd".into() })));
    }

    #[test]
    fn a_skewed_stamp_is_caught_where_the_tick_is_named_that_contradicts_another() {
        let failed = |stage, tick| {
            let reason =
                format!("tick {tick} of connection 0 claims to have been sent at 5 ns, and the tick before");
            judge_skew(Liar::Harmed, Err(Failed { stage, reason })).caught
        };
        assert!(failed(Stage::Audit, 49));
        assert!(!failed(Stage::Audit, 50), "that is the next");
        assert!(!failed(Stage::Measure, 49));
        assert!(!judge_skew(Liar::Harmed, Ok(Observation::default())).caught, "believed");
    }

    #[test]
    fn a_changed_payload_is_caught_where_a_harmed_tick_is_named() {
        let failed = |stage, tick| {
            let reason = format!("tick {tick} on connection 0 is not what the seed says: 48 bytes came");
            judge_corrupt(Err(Failed { stage, reason })).caught
        };
        assert!(failed(Stage::Audit, 549));
        assert!(!failed(Stage::Audit, 550), "that was not harmed");
        assert!(!failed(Stage::Measure, 549));
        assert!(!judge_corrupt(Ok(Observation::default())).caught, "believed");
    }

    #[test]
    fn stalls_of_which_all_are_set_apart_are_not_seen() {
        let stalls = Stalls { ns: 20_000, every: 10, rate_per_s: 10_000 };
        let mut histogram = tickbench_record::new_histogram();
        histogram.record_n(25_000, 5_000).unwrap();
        let all_apart = Observation {
            received: 5_000,
            delivery_ns: Distribution::of(&histogram),
            client_hiccups: Some(tickbench_record::Hiccups::default()),
            ..Observation::default()
        };
        let samples = || Samples::from(stalls.ns, &all_apart).unwrap();
        assert!(!judge_stalls(&stalls, &samples(), &samples()).caught);
    }

    #[test]
    fn a_tail_that_was_cleaned_of_the_servers_own_stalls_is_no_catch() {
        let stalls = Stalls { ns: 20_000, every: 10, rate_per_s: 10_000 };
        let samples = |all, left: Option<(u64, f64)>| Samples {
            received: 5_000,
            all,
            left: left.map(|(long, share)| Left { long, share }),
        };
        let caught = |with| judge_stalls(&stalls, &samples(60, Some((10, 1.0))), &with).caught;
        assert!(caught(samples(550, Some((505, 1.0)))) && caught(samples(550, Some((460, 0.9)))));
        assert!(!caught(samples(550, Some((459, 0.9)))), "one in ten and one more was hidden");
        assert!(!caught(samples(550, Some((0, 0.9)))));
        let unquiet = |with| judge_stalls(&stalls, &samples(900, Some((10, 0.5))), &with).caught;
        assert!(unquiet(samples(1_400, Some((201, 0.5)))), "the machine hid every second sample");
        assert!(!unquiet(samples(1_400, Some((200, 0.5)))));
        assert!(judge_stalls(&stalls, &samples(60, None), &samples(550, None)).caught);
        assert!(!judge_stalls(&stalls, &samples(60, None), &samples(60, None)).caught);
    }
}
