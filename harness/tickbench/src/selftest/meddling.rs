//! Harm done to the processes, from outside, while a stream is measured.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use tickbench_record::{Observation, Stage};

use super::probe::{Finding, at_least, present, shown};
use super::stream::{Failed, Stream, Subject, WARMUP_MS};
use crate::system;

/// From the start of the client until the harm: its start, its warm-up and some of its window.
const UNTIL_HARM: Duration = Duration::from_millis(300);

/// From when the harness starts the client until its connection is open.
const CLIENT_STARTS: Duration = Duration::from_millis(10);

/// The window in which a server is frozen for a while.
const FROZEN_WINDOW: Duration = Duration::from_millis(1_200);

/// How long a server is frozen: long beside what a host takes from a virtual machine, a few tens of milliseconds.
const FREEZE: Duration = Duration::from_millis(500);

/// By how much a figure may miss what arithmetic says.
const TOLERANCE: f64 = 0.02;

/// At least so much less of its core than without the harm: one more thread leaves a client half of it.
const STARVED: f64 = 0.75;

/// A share of samples set apart from which on a figure is in doubt.
const MUCH_SET_ASIDE: f64 = 0.05;

/// Where in the window a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// From soon after it opens.
    Start,
    Middle,
    /// Until after it has closed: what is due in the window comes when it is over.
    End,
}

impl Place {
    /// From the opening of the window to the stop. The first half of the stop lies within the window, wherever it is: those are the
    /// messages that wait for longer than half of it.
    fn offset(self) -> Duration {
        match self {
            Place::Start => FREEZE / 8,
            Place::Middle => FROZEN_WINDOW / 2 - FREEZE / 2,
            Place::End => FROZEN_WINDOW - FREEZE * 3 / 4,
        }
    }
}

/// Stops the server for a while. Each message that is due meanwhile waits for the rest of the stop: response must hold all of that
/// wherever in the window it falls, and delivery, which begins when the server sends, cannot.
pub(super) fn freeze(subject: &mut Subject<'_>, place: Place) -> anyhow::Result<Finding> {
    let window_ms = FROZEN_WINDOW.as_millis() as u64;
    let stream = Stream { rate_per_s: 1_000, window_ms, ..Stream::default() };
    let mut meddling = None;
    let seen = subject.stream_under(&stream, &mut |pid| {
        meddling = Some(thread::spawn(move || stop_and_continue(pid, place)));
    })?;
    let frozen = meddling.map(joined).transpose()?.unwrap_or(FREEZE);
    let freeze = Freeze { ns: frozen.as_nanos() as u64, rate_per_s: f64::from(stream.rate_per_s) };
    match &seen {
        Ok(seen) => freeze.judge(seen),
        Err(failed) => Ok(Finding::failed(freeze.expected(), failed)),
    }
}

/// Returns for how long the server was stopped.
fn stop_and_continue(pid: u32, place: Place) -> io::Result<Duration> {
    thread::sleep(CLIENT_STARTS + Duration::from_millis(WARMUP_MS) + place.offset());
    signal(pid, Signal::STOP)?;
    let began = Instant::now();
    thread::sleep(FREEZE);
    let frozen = began.elapsed();
    signal(pid, Signal::CONT)?;
    Ok(frozen)
}

/// A server that stood still, and the pace of its ticks.
struct Freeze {
    ns: u64,
    rate_per_s: f64,
}

impl Freeze {
    /// A message due at time *t* of a freeze of length *T* waits *T − t*: more than *T* / 2 for those of its first half.
    fn late(&self) -> f64 {
        self.rate_per_s * self.ns as f64 / 2e9
    }

    /// All that is due in the window, whenever it came.
    fn due(&self) -> f64 {
        self.rate_per_s * FROZEN_WINDOW.as_secs_f64()
    }

    fn expected(&self) -> String {
        format!(
            "{:.0} ± 1 messages; ±2 %: worst response {}, {:.0} messages with {} and more; by delivery 2 % of them at most",
            self.due(),
            shown(self.ns),
            self.late(),
            shown(self.ns / 2)
        )
    }

    fn judge(&self, seen: &Observation) -> anyhow::Result<Finding> {
        let response = present(seen.response_ns.as_ref())?;
        let late = at_least(response, self.ns / 2)?;
        let hidden = at_least(present(seen.delivery_ns.as_ref())?, self.ns / 2)?;
        let near = |seen: u64, due: f64| (seen as f64 - due).abs() <= TOLERANCE * due;
        Ok(Finding {
            expected: self.expected(),
            seen: format!(
                "{} messages; worst response {}; {late} messages; by delivery {hidden}",
                response.count,
                shown(response.max)
            ),
            caught: (response.count as f64 - self.due()).abs() <= 1.0
                && near(response.max, self.ns as f64)
                && near(late, self.late())
                && hidden as f64 <= TOLERANCE * self.late(),
        })
    }
}

/// Stops the server, for ever.
pub(super) fn freeze_for_good(subject: &mut Subject<'_>) -> anyhow::Result<Finding> {
    let stream = Stream { window_ms: 1_000, stall_ms: 300, ..Stream::default() };
    fail(subject, &stream, Signal::STOP, "stopped")
}

/// Kills the server.
pub(super) fn kill(subject: &mut Subject<'_>) -> anyhow::Result<Finding> {
    let stream = Stream { window_ms: 1_000, ..Stream::default() };
    fail(subject, &stream, Signal::KILL, "SIGKILL")
}

/// Sends a signal to the server; the execution must fail in its window and name what the server is.
fn fail(subject: &mut Subject<'_>, stream: &Stream, what: Signal, word: &str) -> anyhow::Result<Finding> {
    let mut meddling = None;
    let seen = subject.stream_under(stream, &mut |pid| {
        meddling = Some(thread::spawn(move || {
            thread::sleep(UNTIL_HARM);
            signal(pid, what)
        }));
    })?;
    meddling.map(joined).transpose()?;
    let expected = format!("failed at {}, with the word {word:?}", Stage::Measure);
    Ok(match seen {
        Ok(_) => Finding::believed(expected),
        Err(failed) => {
            let Failed { stage, reason } = &failed;
            let caught = *stage == Stage::Measure && reason.contains(word);
            Finding { expected, seen: failed.to_string(), caught }
        }
    })
}

fn signal(pid: u32, signal: Signal) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(kill_process(pid, signal)?)
}

fn joined<T>(meddling: JoinHandle<io::Result<T>>) -> anyhow::Result<T> {
    let done = meddling.join().map_err(|_| anyhow::anyhow!("the thread that signals the server panicked"))?;
    done.context("failed to send a signal to the server")
}

/// Takes half of the client's core away. What it measures then is itself; its share of the core must tell, and so must the
/// samples that it sets apart, where it sets any apart.
pub(super) fn starve_client(subject: &mut Subject<'_>) -> anyhow::Result<Finding> {
    let stream = Stream { rate_per_s: 1_000, window_ms: 500, ..Stream::default() };
    let core = subject.injection.found.placement.cores.client;
    let expected = format!(
        "at most {:.0} % of the core's share without it; more than {:.0} % of the samples set apart",
        STARVED * 100.0,
        MUCH_SET_ASIDE * 100.0
    );
    let untouched = match subject.stream(&stream)? {
        Ok(seen) => seen,
        Err(failed) => return Ok(Finding::failed(expected, &failed)),
    };
    let busy = BusyCore::occupy(core);
    let starved = subject.stream(&stream)?;
    busy.leave()?;
    Ok(match starved {
        Ok(starved) => judge_starved(expected, &untouched, &starved),
        Err(failed) => Finding::failed(expected, &failed),
    })
}

fn judge_starved(expected: String, untouched: &Observation, starved: &Observation) -> Finding {
    let (Some(before), Some(now)) = (untouched.client_usage, starved.client_usage) else {
        let seen = "the client's use of the processor cannot be read on this system".into();
        return Finding { expected, seen, caught: false };
    };
    let set_aside = starved.client_hiccups.map(|hiccups| {
        let all = starved.delivery_ns.as_ref().map_or(0, |delivery| delivery.count);
        hiccups.set_aside as f64 / all.max(1) as f64
    });
    let apart = set_aside.map_or("nothing is set apart here".into(), |share| {
        format!("{:.0} % of the samples set apart", share * 100.0)
    });
    Finding {
        expected,
        seen: format!(
            "{:.0} % of a core where it had {:.0} %; {apart}",
            100.0 * now.cpu_share,
            100.0 * before.cpu_share
        ),
        caught: now.cpu_share <= STARVED * before.cpu_share
            && set_aside.is_none_or(|share| share > MUCH_SET_ASIDE),
    }
}

/// A thread that leaves nobody else a core for itself.
struct BusyCore {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<()>>,
}

impl BusyCore {
    /// Occupies this core; without one, whichever the system puts the thread on.
    fn occupy(core: Option<usize>) -> BusyCore {
        let ends = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ends);
        let thread = thread::spawn(move || {
            if let Some(core) = core {
                system::pin_self(&[core])?;
            }
            while !told.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
            Ok(())
        });
        BusyCore { ends, thread }
    }

    fn leave(self) -> anyhow::Result<()> {
        self.ends.store(true, Ordering::Relaxed);
        let done = self.thread.join().map_err(|_| anyhow::anyhow!("the thread that is busy panicked"))?;
        done.context("failed to pin a busy thread to the client's core")
    }
}

#[cfg(test)]
mod tests {
    use tickbench_record::{Distribution, new_histogram};

    use super::*;

    const FROZEN: Freeze = Freeze { ns: 500_000_000, rate_per_s: 1_000.0 };

    /// What a client sees of 1,200 messages a millisecond apart, of a server that stands still from `at_ms` for half a second: their
    /// responses, and the deliveries of a server that is quick when it runs. `counts` tells which messages it counts, by when they are
    /// due and when they come.
    fn seen_by(at_ms: u64, counts: impl Fn(u64, u64) -> bool) -> Observation {
        let (mut response, mut delivery) = (new_histogram(), new_histogram());
        for due_ms in 0..1_200u64 {
            let is_late = (at_ms..at_ms + 500).contains(&due_ms);
            let sent_ms = if is_late { at_ms + 500 } else { due_ms };
            if counts(due_ms, sent_ms) {
                response += (sent_ms - due_ms) * 1_000_000 + 50_000;
                delivery += 50_000;
            }
        }
        Observation {
            response_ns: Distribution::of(&response),
            delivery_ns: Distribution::of(&delivery),
            ..Observation::default()
        }
    }

    #[test]
    fn a_freeze_is_caught_wherever_it_falls() {
        for place in [Place::Start, Place::Middle, Place::End] {
            let at_ms = place.offset().as_millis() as u64;
            let finding = FROZEN.judge(&seen_by(at_ms, |_, _| true)).unwrap();
            assert!(finding.caught, "{place:?}: {finding:?}");
            assert!(
                finding.expected.contains("500.0 ms, 250 messages with 250.0 ms"),
                "{}",
                finding.expected
            );
        }
        assert!(Place::End.offset() + FREEZE > FROZEN_WINDOW, "it goes on when the window is over");
    }

    #[test]
    fn a_client_that_counts_what_came_by_the_windows_end_misses_the_freeze_across_it() {
        let in_time = |place: Place| {
            let at_ms = place.offset().as_millis() as u64;
            FROZEN.judge(&seen_by(at_ms, |_, sent_ms| sent_ms < 1_200)).unwrap().caught
        };
        assert!(in_time(Place::Start) && in_time(Place::Middle));
        assert!(!in_time(Place::End));
    }

    #[test]
    fn a_client_that_leaves_out_what_was_late_is_missed_wherever_the_freeze_falls() {
        for place in [Place::Start, Place::Middle, Place::End] {
            let at_ms = place.offset().as_millis() as u64;
            let only = |late_ms| seen_by(at_ms, move |due_ms, sent_ms| sent_ms - due_ms <= late_ms);
            for late_ms in [0, 200, 470] {
                assert!(!FROZEN.judge(&only(late_ms)).unwrap().caught, "{place:?}, {late_ms} ms");
            }
        }
    }

    #[test]
    fn a_delivery_that_is_counted_from_due_is_none() {
        let whole = seen_by(350, |_, _| true);
        let both = Observation { delivery_ns: whole.response_ns.clone(), ..whole };
        assert!(!FROZEN.judge(&both).unwrap().caught);
    }
}
