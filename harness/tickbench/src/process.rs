//! A child process that dies with the harness, and waiting for what it prints, asleep.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};

use tickbench_record::printable;

use crate::interrupt::Interrupt;
use crate::program::Program;
use crate::system::BeforeExec;

/// Bytes of output kept, the last ones: far more than a reply, far less than a runaway child could print.
const KEPT_BYTES: usize = 64 << 20;

/// How often an exit is looked for where a grandchild holds the output open.
const EXIT_LOOK: Duration = Duration::from_millis(20);

/// A child in a process group of its own, so that a terminal's Ctrl-C reaches the harness alone. Dropping it kills the
/// group.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    /// Standard output.
    pub(crate) out: Output,
    /// Standard error.
    pub(crate) err: Output,
    status: Option<ExitStatus>,
}

/// One of a child's two output pipes.
#[derive(Debug)]
pub(crate) struct Output {
    pipe: Option<File>,
    bytes: Vec<u8>,
}

impl Process {
    /// Starts a program, on one core where one is named.
    ///
    /// The child is tied to the calling *thread*: call this from the main thread only.
    pub(crate) fn start(program: &Program, core: Option<usize>) -> io::Result<Process> {
        let mut command = Command::new(&program.argv[0]);
        command.args(&program.argv[1..]).current_dir(&program.folder).process_group(0);
        command.env("CARGO_TARGET_DIR", &program.target);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let before_exec = BeforeExec::new(core);
        // SAFETY: `apply` makes system calls alone and does not allocate, as is demanded between fork and exec.
        unsafe { command.pre_exec(move || before_exec.apply()) };
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        let out = Output::new(child.stdout.take().map(OwnedFd::from));
        let err = Output::new(child.stderr.take().map(OwnedFd::from));
        Ok(Process { child, stdin, out, err, status: None })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Closes the child's standard input: how a server is told to end.
    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// The exit status, once there is one.
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
        }
        self.status
    }

    /// Waits until it has ended; `None` where it has not by the deadline.
    pub(crate) fn wait_end(&mut self, deadline: Instant) -> io::Result<Option<ExitStatus>> {
        while self.status().is_none() {
            let now = Instant::now();
            if now >= deadline {
                return Ok(None);
            }
            let look = deadline.min(now + EXIT_LOOK);
            if self.out.is_open() || self.err.is_open() {
                wait(&mut [&mut self.out, &mut self.err], look, None)?;
            } else {
                // Both pipes are closed: a process does that last, so it is as good as gone.
                std::thread::sleep(Duration::from_micros(200));
            }
        }
        self.drain()?;
        Ok(self.status)
    }

    /// Reads what is left in the pipes of an ended process.
    fn drain(&mut self) -> io::Result<()> {
        while (self.out.is_open() || self.err.is_open())
            && wait(&mut [&mut self.out, &mut self.err], Instant::now(), None)?
        {}
        Ok(())
    }

    /// Asks the group to end.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends the group now and reaps the child.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        if self.status.is_none() {
            self.status = self.child.wait().ok();
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It fails only where the whole group is gone, and then the wish is fulfilled.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.status().is_none() {
            self.kill();
        }
    }
}

impl Output {
    fn new(pipe: Option<OwnedFd>) -> Output {
        Output { pipe: pipe.map(File::from), bytes: Vec::new() }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    /// Takes the first whole line out of what was printed.
    pub(crate) fn take_line(&mut self) -> Option<String> {
        let end = self.bytes.iter().position(|&byte| byte == b'\n')?;
        let line: Vec<u8> = self.bytes.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).trim_end().to_string())
    }

    /// All that was printed and not taken.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Forgets what was printed.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }

    /// The last lines that say anything, at most `count`, fit for a terminal and a report.
    pub(crate) fn last_lines(&self, count: usize) -> Vec<String> {
        let text = self.text();
        let lines: Vec<&str> =
            text.split(['\n', '\r']).map(str::trim_end).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(count)..].iter().map(|line| printable(line)).collect()
    }

    /// Reads once from a pipe that `poll` called readable.
    fn read(&mut self) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        let start = self.bytes.len();
        self.bytes.resize(start + (64 << 10), 0);
        let count = pipe.read(&mut self.bytes[start..]);
        self.bytes.truncate(start + count.as_ref().copied().unwrap_or(0));
        match count {
            Ok(0) => self.pipe = None,
            Ok(_) if self.bytes.len() > KEPT_BYTES => drop(self.bytes.drain(..KEPT_BYTES / 2)),
            Ok(_) => {}
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
        Ok(())
    }
}

/// Sleeps until something is printed, a pipe closes, a signal comes or the deadline passes. Returns whether anything
/// happened before the deadline.
pub(crate) fn wait(
    outputs: &mut [&mut Output],
    deadline: Instant,
    interrupt: Option<&mut Interrupt>,
) -> io::Result<bool> {
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
    let open: Vec<usize> = (0..outputs.len()).filter(|&index| outputs[index].is_open()).collect();
    let (ready, signalled) = {
        let pipes = open.iter().filter_map(|&index| outputs[index].pipe.as_ref());
        let mut fds: Vec<PollFd<'_>> = pipes.map(|pipe| PollFd::new(pipe, PollFlags::IN)).collect();
        if let Some(interrupt) = &interrupt {
            fds.push(PollFd::new(&**interrupt, PollFlags::IN));
        }
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(true),
            Err(cause) => return Err(cause.into()),
        }
        let is_ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        let ready: Vec<usize> =
            open.iter().zip(&is_ready).filter(|(_, ready)| **ready).map(|(i, _)| *i).collect();
        (ready, is_ready.len() > open.len() && is_ready[open.len()])
    };
    for index in ready {
        outputs[index].read()?;
    }
    if let Some(interrupt) = interrupt
        && signalled
    {
        interrupt.look();
    }
    Ok(true)
}

/// How a process ended, in words.
pub(crate) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}{}", signal_name(signal)),
        (None, None) => "ended".into(),
    }
}

fn signal_name(signal: i32) -> String {
    signal_hook::low_level::signal_name(signal).map(|name| format!(" ({name})")).unwrap_or_default()
}
