//! The phases of one measurement: warm-up, settling, window.

use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;

use tickbench_record::{
    Hiccups, MemoryReading, Observation, Relayed, Request, Sample, Stage, Stages, Wait, write_samples,
};

use crate::clock_map::{ClockMap, Offset};
use crate::failure::is_own;
use crate::gaps::Gaps;
use crate::hiccup::{Brought, Watch};
use crate::memory::{MemoryError, read_memory};
use crate::preemption::Preemption;
use crate::rows::Kept;
use crate::usage::UsageError;
use crate::{Failure, Question, Recorder, UsageSampler, lag, monotonic_ns, stages};

/// The window opens at a poll that leaves nothing to read, once as much time has passed as reading the counters took: until then
/// comes what the server's socket held back while nobody acknowledged. At the latest it opens so long after they were read.
const SETTLE_NS: u64 = 5_000_000;

/// How often a session looks for a stall: well below any stall that is worth waiting for.
const WATCH_NS: u64 = 10_000_000;

/// What a poll of the sockets brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poll {
    /// No data.
    Nothing,
    /// All data that there was.
    Everything,
    /// Data, and perhaps there is more.
    Something,
}

/// Whether to poll on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Poll on.
    Continue,
    /// The window is over.
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Warmup,
    Settling { from_ns: u64 },
    Window,
}

/// One measurement under way, from the last upgraded connection on.
///
/// The start of the usage interval is read between warm-up and window: it takes some 100 µs, in which data pile up. Their
/// samples tell of the reading, not of the server, and so the window opens only when that backlog is gone.
#[derive(Debug)]
pub struct Session {
    /// Takes what arrives.
    pub recorder: Recorder,
    watch: Option<Watch>,
    /// What the process on the server's core notes.
    server_gaps: Option<File>,
    /// The kernel's clock before the window, where its timestamps are asked for.
    clocks: Option<Offset>,
    /// Where the samples go.
    samples: Option<PathBuf>,
    usage: UsageSampler,
    phase: Phase,
    phase_ends_ns: u64,
    next_check_ns: u64,
    last_data_ns: u64,
    opened_ns: u64,
    window_ns: u64,
    stall_ns: u64,
    connections: u32,
    connect_ns: u64,
    server_pid: Option<u32>,
    memory_before: Option<Result<MemoryReading, MemoryError>>,
}

impl Session {
    /// Starts the warm-up. Opening the connections took `connect_ns`.
    pub fn begin(request: &Request, connect_ns: u64) -> Result<Session, Failure> {
        let usage = UsageSampler::new(request).map_err(|error| failed_usage(Stage::Warmup, &error))?;
        let server_gaps = request
            .server_gaps
            .as_ref()
            .map(File::open)
            .transpose()
            .map_err(|cause| unreadable_gaps(Stage::Warmup, &cause))?;
        let mut recorder = Recorder::new(Question::of(request));
        recorder.keep(Kept::of(request)?);
        let clocks = request.stages.then(Offset::read);
        let now_ns = monotonic_ns();
        Ok(Session {
            recorder,
            watch: watch(request, now_ns),
            server_gaps,
            clocks,
            samples: request.samples.clone(),
            usage,
            phase: Phase::Warmup,
            phase_ends_ns: now_ns.saturating_add(request.warmup_ns),
            next_check_ns: now_ns,
            last_data_ns: now_ns,
            opened_ns: now_ns,
            window_ns: request.window_ns,
            stall_ns: request.stall_ns,
            connections: request.connections,
            connect_ns,
            server_pid: request.server_pid,
            memory_before: None,
        })
    }

    /// Keeps the memory that was read before the first connection. At the end it is read again.
    pub fn keep_memory(&mut self, before: Option<Result<MemoryReading, MemoryError>>) {
        self.memory_before = before;
    }

    /// Whether what arrives now will be discarded, so that there is time to keep a copy.
    #[inline]
    pub fn is_warming_up(&self) -> bool {
        self.phase == Phase::Warmup
    }

    /// The stage that a failure now belongs to.
    pub fn stage(&self) -> Stage {
        if self.phase == Phase::Window { Stage::Measure } else { Stage::Warmup }
    }

    /// When the window opened and when it is to close; `None` before it.
    #[inline]
    pub fn window(&self) -> Option<Range<u64>> {
        (self.phase == Phase::Window).then_some(self.opened_ns..self.phase_ends_ns)
    }

    /// A failure now, for this reason.
    pub fn failure(&self, reason: impl Into<String>) -> Failure {
        Failure::new(self.stage(), reason)
    }

    /// How long a client may sleep without looking here again, in nanoseconds.
    pub fn longest_sleep_ns(&self) -> u64 {
        WATCH_NS
    }

    /// Whether it must be told each system call of a poll.
    #[inline]
    pub fn is_watching(&self) -> bool {
        self.watch.is_some()
    }

    /// Tells that a system call of a poll ended at `now_ns`, before what it brought is recorded. A client that does not spin need
    /// not tell.
    #[inline]
    pub fn call_ended(&mut self, now_ns: u64, brought: Brought) {
        let away = self.watch.as_mut().is_some_and(|watch| watch.call_ended(now_ns, brought));
        if away {
            self.recorder.doubt(true);
        }
    }

    /// Tells that the client has done something else since it last told of a call, and will now make the next.
    #[inline]
    pub fn own_work_ended(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.restart(monotonic_ns());
        }
    }

    /// Tells what the poll that ended at `now_ns` brought. Costs two comparisons nearly always.
    #[inline]
    pub fn advance(&mut self, now_ns: u64, poll: Poll) -> Result<Progress, Failure> {
        self.note_data(now_ns, poll);
        let is_due = now_ns >= self.next_check_ns;
        let progress = if is_due { self.check(now_ns, poll)? } else { Progress::Continue };
        self.end_poll(is_due, poll);
        Ok(progress)
    }

    /// Tells what a poll brought that ended at `now_ns`, when the window is over and what was sent in it is still awaited; returns for how
    /// long nothing has come.
    pub fn await_rest(&mut self, now_ns: u64, poll: Poll) -> u64 {
        self.note_data(now_ns, poll);
        self.end_poll(false, poll);
        now_ns.saturating_sub(self.last_data_ns)
    }

    /// Tells that nothing is owed at `now_ns`: silence is no stall then.
    #[inline]
    pub fn nothing_is_owed(&mut self, now_ns: u64) {
        self.last_data_ns = now_ns;
    }

    #[inline]
    fn note_data(&mut self, now_ns: u64, poll: Poll) {
        if poll != Poll::Nothing {
            self.last_data_ns = now_ns;
        }
    }

    #[inline]
    fn end_poll(&mut self, has_worked: bool, poll: Poll) {
        if let Some(watch) = &mut self.watch
            && (has_worked || poll != Poll::Nothing || watch.is_in_doubt())
        {
            if watch.poll_ended(poll) {
                self.recorder.doubt(false);
            }
            watch.restart(monotonic_ns());
        }
    }

    #[cold]
    fn check(&mut self, now_ns: u64, poll: Poll) -> Result<Progress, Failure> {
        self.check_stall(now_ns)?;
        let stage = self.stage();
        match self.phase {
            Phase::Warmup if now_ns >= self.phase_ends_ns => {
                self.recorder.pause();
                self.usage.start().map_err(|error| failed_usage(stage, &error))?;
                let read_ns = monotonic_ns();
                self.phase = Phase::Settling { from_ns: read_ns + (read_ns - now_ns) };
                self.phase_ends_ns = read_ns + SETTLE_NS;
            }
            Phase::Settling { from_ns }
                if (poll != Poll::Something && now_ns >= from_ns) || now_ns >= self.phase_ends_ns =>
            {
                self.watch.iter_mut().for_each(Watch::open);
                self.phase = Phase::Window;
                // The time is read anew: nothing that arrived before it is recorded.
                self.opened_ns = monotonic_ns();
                self.recorder.resume(self.opened_ns);
                self.phase_ends_ns = self.opened_ns.saturating_add(self.window_ns);
                self.usage.open(self.opened_ns);
            }
            Phase::Window if now_ns >= self.phase_ends_ns => return Ok(Progress::Over),
            Phase::Window => {
                let idle = poll == Poll::Nothing;
                self.usage.poll(now_ns, idle).map_err(|error| failed_usage(stage, &error))?;
            }
            Phase::Warmup | Phase::Settling { .. } => {}
        }
        self.next_check_ns = match self.phase {
            // Each poll may be the one that leaves nothing.
            Phase::Settling { .. } => 0,
            Phase::Warmup => self.phase_ends_ns.min(now_ns + WATCH_NS),
            Phase::Window => self.phase_ends_ns.min(now_ns + WATCH_NS).min(self.usage.next_ns()),
        };
        Ok(Progress::Continue)
    }

    fn check_stall(&self, now_ns: u64) -> Result<(), Failure> {
        let silent_ns = now_ns.saturating_sub(self.last_data_ns);
        if silent_ns < self.stall_ns {
            return Ok(());
        }
        let state = match self.usage.server_state() {
            Some(state) => format!("; the server's process is {state}"),
            None => String::new(),
        };
        Err(self.failure(format!("no message for {:.1} s{state}", silent_ns as f64 / 1e9)))
    }

    /// What was seen. `closed_ns` is the end of the last poll.
    pub fn finish(self, closed_ns: u64) -> Result<Observation, Failure> {
        let elapsed_ns = closed_ns.saturating_sub(self.opened_ns);
        let Session { mut recorder, watch, server_gaps, usage, connections, connect_ns, opened_ns, .. } =
            self;
        let clocks = self.clocks.map(|before| ClockMap::between(before, Offset::read()));
        let Session { server_pid, memory_before, .. } = self;
        let received_per_s = recorder.received() as f64 * 1e9 / elapsed_ns.max(1) as f64;
        let is_relay = recorder.question() == Question::Relay;
        let usage = usage.finish(received_per_s).map_err(|error| failed_usage(Stage::Measure, &error))?;
        let transit = watch.map(|watch| (recorder.cleaned(), watch.seen()));
        let kept = recorder.take_kept();
        let lag = match (&server_gaps, kept.lags()) {
            (Some(file), Some(lags)) if connections == 1 => {
                let gaps = Gaps::read(file, opened_ns, closed_ns)
                    .map_err(|cause| unreadable_gaps(Stage::Audit, &cause))?;
                Some(lag::cleaned(&lags, &gaps))
            }
            _ => None,
        };
        let server_rss_start_bytes = usage.server_rss_start_bytes;
        let mut observation = recorder.finish(elapsed_ns, closed_ns)?;
        if is_relay {
            observation.relayed = Some(Relayed { server_rss_start_bytes, ..Relayed::default() });
        }
        if let Some(((cleaned, set_aside), hiccups)) = transit {
            if observation.round_trip_ns.is_some() {
                observation.round_trip_cleaned_ns = cleaned;
            } else {
                observation.delivery_cleaned_ns = cleaned;
            }
            observation.client_hiccups = Some(Hiccups { set_aside, ..hiccups });
        }
        if let Some((cleaned, hiccups)) = lag {
            observation.lag_cleaned_ns = cleaned;
            observation.server_hiccups = Some(hiccups);
        }
        if let Some(mut messages) = kept.into_messages()? {
            observation.stages = clocks.map(|clocks| split(&mut messages, &clocks)).transpose()?;
            if let Some(path) = &self.samples {
                write_samples(path, &messages).map_err(|cause| unwritable(path, &cause))?;
            }
        }
        observation.connect_ns = connect_ns;
        observation.server_usage = usage.server;
        observation.client_usage = usage.client;
        observation.usage_samples = usage.samples;
        if let (Some(before), Some(pid)) = (memory_before, server_pid) {
            // After all counters: it takes milliseconds of a server that holds much.
            match (before, read_memory(pid)) {
                (Ok(before), Ok(after)) => {
                    observation.server_memory_before = Some(before);
                    observation.server_memory_after = Some(after);
                }
                (Err(error), _) | (_, Err(error)) => {
                    observation.server_memory_missing = Some(error.to_string());
                }
            }
        }
        Ok(observation)
    }
}

/// A flood is not watched: what it delays is in socket buffers, and its figure is the rate. Nor are connections that are opened in
/// turn: connecting takes the kernel as long as a hiccup, and on the client's core.
fn watch(request: &Request, now_ns: u64) -> Option<Watch> {
    let threshold_ns = request.hiccup_ns.filter(|_| request.wait == Wait::Spin)?;
    if matches!(Question::of(request), Question::Flood | Question::Connects) {
        return None;
    }
    Some(Watch::new(threshold_ns, Preemption::by(request.server_pid), now_ns))
}

/// The stages of the messages, whose kernel times are put on the client's clock.
fn split(messages: &mut [Sample], clocks: &ClockMap) -> Result<Stages, Failure> {
    stages::map(messages, clocks);
    let stages = stages::of(messages, clocks.bound_ns);
    if stages.stamped == 0 {
        let reason =
            "no message of the window has a timestamp of the kernel: leave stages out on this system";
        return Err(Failure::own(Stage::Audit, reason));
    }
    Ok(stages)
}

fn unwritable(path: &std::path::Path, cause: &std::io::Error) -> Failure {
    Failure::own(Stage::Audit, format!("failed to write the samples to `{}`: {cause}", path.display()))
}

fn unreadable_gaps(stage: Stage, cause: &std::io::Error) -> Failure {
    Failure::own(stage, format!("failed to read the gaps of the server's core: {cause}"))
}

/// The usage of a server that is gone cannot be read, and that is the server's doing.
fn failed_usage(stage: Stage, error: &UsageError) -> Failure {
    let is_own = error.pid == std::process::id() || is_own(&error.cause);
    Failure { is_own, ..Failure::new(stage, error.to_string()) }
}
