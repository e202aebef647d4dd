//! Harm done to the processes, from outside, while a stream is measured.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use tickbench_record::{Distribution, Observation, Stage};

use super::probe::{Finding, at_least, present, shown};
use super::stream::{Failed, Stream, Subject};
use crate::system;

/// From the start of the client until the harm: its start, its warm-up and some of its window.
const UNTIL_HARM: Duration = Duration::from_millis(300);

/// How long a server is frozen: long beside what a host takes from a virtual machine, a few tens of milliseconds.
const FREEZE: Duration = Duration::from_millis(500);

/// By how much a figure may miss what arithmetic says.
const TOLERANCE: f64 = 0.02;

/// At least so much less of its core than without the harm: one more thread leaves a client half of it.
const STARVED: f64 = 0.75;

/// A share of samples set apart from which on a figure is in doubt.
const MUCH_SET_ASIDE: f64 = 0.05;

/// Stops the server for a while. Each message that is due meanwhile waits for the rest of the stop: response must hold all of that,
/// and delivery, which begins when the server sends, cannot.
pub(super) fn freeze(subject: &mut Subject<'_>) -> anyhow::Result<Finding> {
    let stream = Stream { rate_per_s: 1_000, window_ms: 1_200, ..Stream::default() };
    let mut meddling = None;
    let seen = subject.stream_under(&stream, &mut |pid| {
        meddling = Some(thread::spawn(move || stop_and_continue(pid)));
    })?;
    let frozen = meddling.map(joined).transpose()?.unwrap_or(FREEZE);
    let freeze = Freeze { ns: frozen.as_nanos() as u64, rate_per_s: f64::from(stream.rate_per_s) };
    match &seen {
        Ok(seen) => freeze.judge(present(seen.response_ns.as_ref())?, present(seen.delivery_ns.as_ref())?),
        Err(failed) => Ok(Finding::failed(freeze.expected(), failed)),
    }
}

/// Returns for how long the server was stopped.
fn stop_and_continue(pid: u32) -> io::Result<Duration> {
    thread::sleep(UNTIL_HARM);
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

    fn expected(&self) -> String {
        format!(
            "±2 %: worst response {}, {:.0} messages with {} and more; by delivery 2 % of them at most",
            shown(self.ns),
            self.late(),
            shown(self.ns / 2)
        )
    }

    fn judge(&self, response: &Distribution, delivery: &Distribution) -> anyhow::Result<Finding> {
        let late = at_least(response, self.ns / 2)?;
        let hidden = at_least(delivery, self.ns / 2)?;
        let near = |seen: u64, due: f64| (seen as f64 - due).abs() <= TOLERANCE * due;
        Ok(Finding {
            expected: self.expected(),
            seen: format!("worst response {}; {late} messages; by delivery {hidden}", shown(response.max)),
            caught: near(response.max, self.ns as f64)
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
    use tickbench_record::new_histogram;

    use super::*;

    const FROZEN: Freeze = Freeze { ns: 500_000_000, rate_per_s: 1_000.0 };

    /// The figures of 1,200 messages a millisecond apart, those from number 300 on kept waiting until the end of the freeze.
    fn figure(frozen_ns: u64) -> Distribution {
        let mut histogram = new_histogram();
        for due_ms in 0..1_200u64 {
            let waited_ns = (frozen_ns + 300_000_000).saturating_sub(due_ms * 1_000_000);
            histogram += 50_000 + if due_ms >= 300 { waited_ns } else { 0 };
        }
        Distribution::of(&histogram).unwrap()
    }

    #[test]
    fn a_freeze_is_caught_where_response_holds_it_whole_and_delivery_does_not() {
        let finding = FROZEN.judge(&figure(500_000_000), &figure(0)).unwrap();
        assert!(finding.caught, "{finding:?}");
        assert!(finding.expected.contains("500.0 ms, 250 messages with 250.0 ms"), "{}", finding.expected);
    }

    #[test]
    fn a_response_that_leaves_out_what_was_not_sent_is_no_catch() {
        for response_ns in [0, 470_000_000, 530_000_000] {
            assert!(!FROZEN.judge(&figure(response_ns), &figure(0)).unwrap().caught, "{response_ns}");
        }
        let both = FROZEN.judge(&figure(500_000_000), &figure(500_000_000)).unwrap();
        assert!(!both.caught, "delivery that is counted from due is none");
    }
}
