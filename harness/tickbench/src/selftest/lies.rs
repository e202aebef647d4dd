//! Lies that the server tells of its own stream, because it was told to: it leaves out what would look bad, or stamps what looks good.

use tickbench_record::{Observation, Stage};

use super::faults::EVERY;
use super::probe::Finding;
use super::stream::{Seen, Stream, Subject, WARMUP_MS};

/// By how much the count of what is lost may miss: when the window began is known to some milliseconds.
const COUNT_TOLERANCE: f64 = 0.1;

/// One connection of four gets nothing, and the total of the others would look like a slow server.
pub(super) fn silence(subject: &mut Subject<'_>) -> anyhow::Result<Finding> {
    let stream = Stream { connections: 4, faults: vec!["silent=3".into()], ..Stream::default() };
    let words = ["1 of 4 connections have had no message", "the first is 3"];
    Ok(judge_named(Stage::Warmup, &words, subject.stream(&stream)?))
}

/// From the middle of the window on nothing comes: what was due in its rest is lost, and no part of it is left out.
pub(super) fn tail(subject: &mut Subject<'_>) -> anyhow::Result<Finding> {
    let stream = Stream { stall_ms: 500, ..Stream::default() };
    let in_ms = |ms: u64| u64::from(stream.rate_per_s) * ms / 1_000;
    let sent = in_ms(WARMUP_MS + stream.window_ms / 2);
    let faults = vec![format!("tail={sent}")];
    let lost = in_ms(WARMUP_MS + stream.window_ms) - sent;
    Ok(judge_tail(lost, subject.stream(&Stream { faults, ..stream })?))
}

fn judge_tail(lost: u64, seen: Seen) -> Finding {
    let expected = format!("{lost} ± 10 % of the messages that were due lost");
    match seen {
        Ok(Observation { lost: seen, accounts, .. }) => {
            let near = seen.abs_diff(lost) as f64 <= COUNT_TOLERANCE * lost as f64;
            // What is lost has waited since it was due: until the client gave it up.
            let is_aged = accounts.is_some_and(|accounts| accounts.lost_age_ns.is_some());
            Finding { expected, seen: format!("{seen} lost"), caught: near && is_aged }
        }
        Err(failed) => Finding::failed(expected, &failed),
    }
}

/// A due time that the schedule did not say.
pub(super) fn due(subject: &mut Subject<'_>, lie: &str) -> anyhow::Result<Finding> {
    let stream = Stream { faults: vec![format!("due={lie}/{EVERY}")], ..Stream::default() };
    let words = format!("tick {} of connection 0 claims to have been due", EVERY - 1);
    Ok(judge_named(Stage::Audit, &[&words], subject.stream(&stream)?))
}

/// A clock of the server that is behind makes lag negative, one that is ahead delivery: once for each tick. Its stamps follow each other,
/// and say nothing against it.
pub(super) fn clock(subject: &mut Subject<'_>, by: &str) -> anyhow::Result<Finding> {
    let stream = Stream { faults: vec![format!("skew={by}/1")], ..Stream::default() };
    Ok(match subject.stream(&stream)? {
        Ok(seen) => judge_clock(&seen),
        Err(failed) => Finding::failed("figures, all of one kind negative".into(), &failed),
    })
}

fn judge_clock(seen: &Observation) -> Finding {
    Finding {
        expected: format!("{} values below zero, counted and in no histogram", seen.received),
        seen: format!("{} values below zero", seen.negative),
        caught: seen.received > 0 && seen.negative == seen.received,
    }
}

/// The stream ends in good order, and too early.
pub(super) fn close(subject: &mut Subject<'_>) -> anyhow::Result<Finding> {
    let stream = Stream::default();
    let ticks = u64::from(stream.rate_per_s) * (WARMUP_MS + stream.window_ms / 2) / 1_000;
    let stream = Stream { faults: vec![format!("close={ticks}")], ..stream };
    Ok(judge_named(Stage::Measure, &["the server closed connection 0"], subject.stream(&stream)?))
}

/// The execution must fail there and say so.
fn judge_named(stage: Stage, words: &[&str], seen: Seen) -> Finding {
    let quoted: Vec<String> = words.iter().map(|words| format!("{words:?}")).collect();
    let expected = format!("failed at {stage}, with the words {}", quoted.join(" and "));
    let Err(failed) = seen else { return Finding::believed(expected) };
    let caught = failed.stage == stage && words.iter().all(|words| failed.reason.contains(words));
    Finding { expected, seen: failed.to_string(), caught }
}

#[cfg(test)]
mod tests {
    use tickbench_record::Accounts;

    use super::*;
    use crate::selftest::stream::Failed;

    #[test]
    fn a_lie_is_caught_where_it_is_named_at_its_stage() {
        let failed = |stage, reason: &str| Err(Failed { stage, reason: reason.into() });
        let caught = |seen| judge_named(Stage::Audit, &["tick 49", "due"], seen).caught;
        assert!(caught(failed(Stage::Audit, "tick 49 of connection 0 claims to have been due at 0 ns")));
        assert!(!caught(failed(Stage::Measure, "tick 49 of connection 0 claims to have been due at 0 ns")));
        assert!(!caught(failed(Stage::Audit, "tick 50 of connection 0 claims to have been due at 0 ns")));
        assert!(!caught(Ok(Observation::default())));
    }

    #[test]
    fn a_clock_that_is_off_is_caught_where_every_sample_is_counted_as_negative() {
        let seen = |received, negative| Observation { received, negative, ..Observation::default() };
        let caught = |received, negative| judge_clock(&seen(received, negative)).caught;
        assert!(caught(1_500, 1_500));
        assert!(!caught(1_500, 1_499) && !caught(1_500, 0) && !caught(0, 0));
    }

    #[test]
    fn a_lost_tail_is_caught_where_its_messages_are_counted_and_aged() {
        let seen = |lost, lost_age_ns| {
            let accounts = Some(Accounts { lost_age_ns, ..Accounts::default() });
            Ok(Observation { lost, accounts, ..Observation::default() })
        };
        let caught = |seen| judge_tail(750, seen).caught;
        assert!(caught(seen(750, Some(650_000_000))) && caught(seen(700, Some(650_000_000))));
        assert!(!caught(seen(0, None)), "what did not come was left out");
        assert!(!caught(seen(750, None)), "it has waited for no time");
        assert!(!caught(seen(900, Some(650_000_000))));
        assert!(!caught(Err(Failed { stage: Stage::Measure, reason: "no message for 0.5 s".into() })));
    }
}
