//! The phases of one measurement: warm-up, settling, window, and the wait for the rest of what belongs to the window.

use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;

use tickbench_record::{Hiccups, MemoryReading, Request, Stage, Wait};

use crate::clock_map::Offset;
use crate::closing::unreadable_gaps;
use crate::failure::is_own;
use crate::hiccup::{Brought, Watch};
use crate::memory::MemoryError;
use crate::preemption::Preemption;
use crate::rows::Kept;
use crate::sampler::WindowUsage;
use crate::usage::UsageError;
use crate::{Contents, Failure, Question, Recorder, Streams, UsageSampler, monotonic_ns};

/// The window opens at a poll that leaves nothing to read, once as much time has passed as reading the counters took: until then
/// comes what the server's socket held back while nobody acknowledged. At the latest it opens so long after they were read. When the window
/// is over the counters are read once all that belongs to it has come, and at the latest after as much time.
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
    /// The window is over, and so is the wait for what belongs to it.
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Warmup,
    Settling {
        from_ns: u64,
    },
    Window,
    /// The window is over, and something that belongs to it has not come yet.
    Awaiting,
}

/// One measurement under way, from the last upgraded connection on.
///
/// The start of the usage interval is read between warm-up and window: it takes some 100 µs, in which data pile up. Their
/// samples tell of the reading, not of the server, and so the window opens only when that backlog is gone. The end of that interval is
/// read when nothing of the window can be delayed by it any more.
#[derive(Debug)]
pub struct Session {
    /// Takes what arrives.
    pub recorder: Recorder,
    pub(crate) watch: Option<Watch>,
    /// What the process on the server's core notes.
    pub(crate) server_gaps: Option<File>,
    /// The kernel's clock before the window, where its timestamps are asked for.
    pub(crate) clocks: Option<Offset>,
    /// Where the samples go.
    pub(crate) samples: Option<PathBuf>,
    usage: UsageSampler,
    phase: Phase,
    phase_ends_ns: u64,
    next_check_ns: u64,
    last_data_ns: u64,
    /// Who was asked for something by then has brought something when the warm-up is over.
    asked_by_ns: u64,
    pub(crate) opened_ns: u64,
    window_ns: u64,
    stall_ns: u64,
    pub(crate) connections: u32,
    pub(crate) connect_ns: u64,
    /// Whether the job still has something to send that belongs to the window, or is owed something.
    expects_more: bool,
    /// What was used in the window, once that has been read.
    window_usage: Option<WindowUsage>,
    /// The gaps of the client's core in the window.
    window_hiccups: Option<Hiccups>,
    pub(crate) server_pid: Option<u32>,
    pub(crate) memory_before: Option<Result<MemoryReading, MemoryError>>,
}

impl Session {
    /// Starts the warm-up over connections that took `connect_ns` to open; where they carry ticks, over `streams`. What comes is compared
    /// with what `contents` says.
    pub fn begin(
        request: &Request,
        streams: Streams,
        contents: Option<Contents>,
        connect_ns: u64,
    ) -> Result<Session, Failure> {
        let usage = UsageSampler::new(request).map_err(|error| failed_usage(Stage::Warmup, &error))?;
        let server_gaps = request
            .server_gaps
            .as_ref()
            .map(File::open)
            .transpose()
            .map_err(|cause| unreadable_gaps(Stage::Warmup, &cause))?;
        let mut recorder = Recorder::new(Question::of(request), streams, request.connections);
        recorder.keep(Kept::of(request)?);
        recorder.compare(contents);
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
            asked_by_ns: now_ns.saturating_add(request.warmup_ns / 2),
            opened_ns: now_ns,
            window_ns: request.window_ns,
            stall_ns: request.stall_ns,
            connections: request.connections,
            connect_ns,
            expects_more: false,
            window_usage: None,
            window_hiccups: None,
            server_pid: request.server_pid,
            memory_before: None,
        })
    }

    /// Keeps the memory that was read before the first connection. At the end it is read again.
    pub fn keep_memory(&mut self, before: Option<Result<MemoryReading, MemoryError>>) {
        self.memory_before = before;
    }

    /// The stage that a failure now belongs to.
    pub fn stage(&self) -> Stage {
        if matches!(self.phase, Phase::Window | Phase::Awaiting) { Stage::Measure } else { Stage::Warmup }
    }

    /// When the window opened and when it is to close; `None` before it.
    #[inline]
    pub fn window(&self) -> Option<Range<u64>> {
        (self.phase == Phase::Window).then_some(self.opened_ns..self.phase_ends_ns)
    }

    /// Whether the window is over, and only what belongs to it is still waited for.
    #[inline]
    pub fn is_awaiting(&self) -> bool {
        self.phase == Phase::Awaiting
    }

    /// Tells whether the job itself still has something to send that belongs to the window, or knows of something that it is owed and
    /// that the recorder does not.
    #[inline]
    pub fn expect_more(&mut self, expects_more: bool) {
        self.expects_more = expects_more;
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
        self.recorder.check_stamps()?;
        match self.phase {
            Phase::Warmup | Phase::Settling { .. } => self.check_stall(now_ns)?,
            Phase::Window if now_ns < self.phase_ends_ns => self.check_stall(now_ns)?,
            // What has not come then is lost, and no stall.
            Phase::Window | Phase::Awaiting => return self.end_window(now_ns),
        }
        match self.phase {
            Phase::Warmup if now_ns >= self.phase_ends_ns => {
                self.recorder.pause();
                self.usage.start().map_err(|error| failed_usage(Stage::Warmup, &error))?;
                let read_ns = monotonic_ns();
                self.phase = Phase::Settling { from_ns: read_ns + (read_ns - now_ns) };
                self.phase_ends_ns = read_ns + SETTLE_NS;
            }
            Phase::Settling { from_ns }
                if (poll != Poll::Something && now_ns >= from_ns) || now_ns >= self.phase_ends_ns =>
            {
                self.open_window()?;
            }
            Phase::Window => {
                let idle = poll == Poll::Nothing;
                self.usage.poll(now_ns, idle).map_err(|error| failed_usage(Stage::Measure, &error))?;
            }
            Phase::Warmup | Phase::Settling { .. } | Phase::Awaiting => {}
        }
        self.next_check_ns = match self.phase {
            // Each poll may be the one that leaves nothing.
            Phase::Settling { .. } | Phase::Awaiting => 0,
            Phase::Warmup => self.phase_ends_ns.min(now_ns + WATCH_NS),
            Phase::Window => self.phase_ends_ns.min(now_ns + WATCH_NS).min(self.usage.next_ns()),
        };
        Ok(Progress::Continue)
    }

    fn open_window(&mut self) -> Result<(), Failure> {
        self.recorder.check_heard(self.asked_by_ns)?;
        self.watch.iter_mut().for_each(Watch::open);
        self.phase = Phase::Window;
        // The time is read anew: nothing that arrived before it is recorded.
        self.opened_ns = monotonic_ns();
        self.phase_ends_ns = self.opened_ns.saturating_add(self.window_ns);
        self.recorder.resume(self.opened_ns, self.phase_ends_ns);
        self.usage.open(self.opened_ns);
        Ok(())
    }

    /// The window is over: goes on until all has come that belongs to it, for at most as long as a stall takes.
    fn end_window(&mut self, now_ns: u64) -> Result<Progress, Failure> {
        if self.phase == Phase::Window {
            self.phase = Phase::Awaiting;
            self.next_check_ns = 0;
            self.window_hiccups = self.watch.as_ref().map(Watch::seen);
        }
        let owes_nothing = self.recorder.question() == Question::Flood
            || (!self.expects_more && self.recorder.is_nothing_owed());
        if owes_nothing || now_ns >= self.phase_ends_ns.saturating_add(self.stall_ns) {
            return Ok(Progress::Over);
        }
        if self.window_usage.is_none() && now_ns >= self.phase_ends_ns.saturating_add(SETTLE_NS) {
            self.read_usage(now_ns)?;
        }
        Ok(Progress::Continue)
    }

    /// Reads the counters at the end of the window, where that has not been done.
    pub(crate) fn read_usage(&mut self, now_ns: u64) -> Result<(), Failure> {
        if self.window_usage.is_none() {
            let since_ns = now_ns.saturating_sub(self.opened_ns).max(1);
            let per_s = self.recorder.wire_messages() as f64 * 1e9 / since_ns as f64;
            let used = self.usage.finish(per_s).map_err(|error| failed_usage(Stage::Measure, &error))?;
            self.window_usage = Some(used);
        }
        Ok(())
    }

    /// What was used in the window, and the gaps of the client's core in it, once all is over.
    pub(crate) fn take_window(&mut self) -> (Option<WindowUsage>, Option<Hiccups>) {
        (self.window_usage.take(), self.window_hiccups.take())
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

/// The usage of a server that is gone cannot be read, and that is the server's doing.
fn failed_usage(stage: Stage, error: &UsageError) -> Failure {
    let is_own = error.pid == std::process::id() || is_own(&error.cause);
    Failure { is_own, ..Failure::new(stage, error.to_string()) }
}
