//! The system calls of a running process, by ptrace (man 2 ptrace): a thread of this process stops each thread of the other at
//! each call's begin and end. That slows the other down some ten times and is no part of anything timed.
//!
//! **Invariant:** while a [`Tracer`] lives, nobody else in this process waits for the traced process: the kernel would tell
//! them of its stops.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::calls::Call;

/// What ends the trace: it can be neither blocked nor ignored, and the traced process never sees it.
const WAKE: Signal = Signal::SIGSTOP;

/// A process whose calls are being noted. Dropping it lets the process go.
pub(crate) struct Tracer {
    pid: Pid,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Vec<Call>, String>>>,
}

impl Tracer {
    /// Begins to note the calls of all threads of a process; when this returns, none is missed any more.
    pub(crate) fn attach(pid: u32) -> Result<Tracer, String> {
        let pid = Pid::from_raw(i32::try_from(pid).map_err(|cause| cause.to_string())?);
        let ending = Arc::new(AtomicBool::new(false));
        let (attached, is_attached) = channel();
        let thread = std::thread::Builder::new().name("tracer".into()).spawn({
            let ending = Arc::clone(&ending);
            move || Tracees::seize(pid, ending)?.follow(&attached)
        });
        let thread = thread.map_err(|cause| format!("failed to start a thread: {cause}"))?;
        let mut tracer = Tracer { pid, ending, thread: Some(thread) };
        match is_attached.recv() {
            Ok(()) => Ok(tracer),
            // The thread ended before it had attached: its result says why.
            Err(_) => match tracer.join() {
                Err(cause) => Err(cause),
                Ok(_) => Err("the server ended before it could be traced".into()),
            },
        }
    }

    /// Lets the process go. Returns all its calls that ended meanwhile, in the order in which they were seen.
    pub(crate) fn finish(mut self) -> Result<Vec<Call>, String> {
        self.end()
    }

    fn end(&mut self) -> Result<Vec<Call>, String> {
        self.ending.store(true, Ordering::SeqCst);
        // It fails only where the process is gone, and then the thread has ended.
        let _ = kill(self.pid, WAKE);
        self.join()
    }

    fn join(&mut self) -> Result<Vec<Call>, String> {
        let Some(thread) = self.thread.take() else { return Ok(Vec::new()) };
        thread.join().unwrap_or_else(|_| Err("the tracing thread panicked".into()))
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        if self.thread.is_some() {
            // Whoever drops it has another reason already.
            let _ = self.end();
        }
    }
}

/// The threads that are traced, and what they did.
struct Tracees {
    leader: Pid,
    ending: Arc<AtomicBool>,
    threads: BTreeSet<Pid>,
    /// Those that have not stopped once since they were seized.
    unmet: BTreeSet<Pid>,
    entered: BTreeMap<Pid, Call>,
    calls: Vec<Call>,
    leaving: bool,
}

impl Tracees {
    fn seize(leader: Pid, ending: Arc<AtomicBool>) -> Result<Tracees, String> {
        let options =
            Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_TRACEEXIT;
        let mut tracees = Tracees {
            leader,
            ending,
            threads: BTreeSet::new(),
            unmet: BTreeSet::new(),
            entered: BTreeMap::new(),
            calls: Vec::new(),
            leaving: false,
        };
        // A thread that starts meanwhile is seized by its parent's option, or found in the next round.
        loop {
            let before = tracees.threads.len();
            for thread in threads_of(leader)? {
                if tracees.threads.contains(&thread) {
                    continue;
                }
                match ptrace::seize(thread, options) {
                    Ok(()) => {
                        ptrace::interrupt(thread).map_err(|errno| refused(thread, errno))?;
                        tracees.threads.insert(thread);
                        tracees.unmet.insert(thread);
                    }
                    // It is gone, or its parent's option was quicker.
                    Err(Errno::ESRCH) => {}
                    Err(Errno::EPERM) if tracees.threads.contains(&leader) => {}
                    Err(errno) => return Err(refused(thread, errno)),
                }
            }
            if tracees.threads.len() == before {
                return Ok(tracees);
            }
        }
    }

    /// Notes calls until the process has ended or is let go. Tells `attached` when every thread is followed.
    fn follow(mut self, attached: &Sender<()>) -> Result<Vec<Call>, String> {
        let mut attached = Some(attached);
        while !self.threads.is_empty() {
            // Only what this thread traces: the harness waits for its other children itself.
            match waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD)) {
                Ok(status) => self.take(status).map_err(|errno| format!("failed to trace: {errno}"))?,
                Err(Errno::EINTR) => {}
                Err(Errno::ECHILD) => break,
                Err(errno) => return Err(format!("failed to wait for a traced thread: {errno}")),
            }
            if self.unmet.is_empty()
                && let Some(attached) = attached.take()
            {
                // It fails only where nobody waits for it any more.
                let _ = attached.send(());
            }
        }
        Ok(self.calls)
    }

    fn take(&mut self, status: WaitStatus) -> Result<(), Errno> {
        let Some(thread) = status.pid() else { return Ok(()) };
        let mut passed_on = None;
        match status {
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => {
                self.forget(thread);
                return Ok(());
            }
            // A thread about to end is let go, so that the harness, and not this thread, learns how its server ended.
            WaitStatus::PtraceEvent(_, _, event) if event == libc::PTRACE_EVENT_EXIT => {
                self.forget(thread);
                return unless_gone(ptrace::detach(thread, None));
            }
            WaitStatus::PtraceSyscall(_) => self.note(thread)?,
            WaitStatus::Stopped(_, WAKE) if self.ending.load(Ordering::SeqCst) => self.leave(thread)?,
            WaitStatus::Stopped(_, signal) => passed_on = Some(signal),
            _ => {}
        }
        self.threads.insert(thread);
        self.unmet.remove(&thread);
        if self.leaving {
            self.forget(thread);
            unless_gone(ptrace::detach(thread, passed_on))
        } else {
            unless_gone(ptrace::syscall(thread, passed_on))
        }
    }

    /// Stops the other threads, so that they can be let go.
    fn leave(&mut self, stopped: Pid) -> Result<(), Errno> {
        self.leaving = true;
        for &thread in self.threads.iter().filter(|&&thread| thread != stopped) {
            unless_gone(ptrace::interrupt(thread))?;
        }
        Ok(())
    }

    fn forget(&mut self, thread: Pid) {
        self.threads.remove(&thread);
        self.unmet.remove(&thread);
        if thread == self.leader {
            self.unmet.clear();
        }
    }

    /// A call begins or ends. One that had begun before the trace has no begin here and is left out.
    fn note(&mut self, thread: Pid) -> Result<(), Errno> {
        let info = match ptrace::syscall_info(thread) {
            Err(Errno::ESRCH) => return Ok(()),
            info => info?,
        };
        match info.op {
            libc::PTRACE_SYSCALL_INFO_ENTRY => {
                // SAFETY: `op` says that the kernel filled in this member of the union.
                let entry = unsafe { info.u.entry };
                let call = Call {
                    name: name_of(entry.nr),
                    // The kernel itself takes no more of it than this.
                    descriptor: entry.args[0] as i32,
                    length: entry.args[2],
                    result: 0,
                };
                self.entered.insert(thread, call);
            }
            libc::PTRACE_SYSCALL_INFO_EXIT => {
                // SAFETY: as above.
                let exit = unsafe { info.u.exit };
                let ended = self.entered.remove(&thread).map(|call| Call { result: exit.sval, ..call });
                self.calls.extend(ended);
            }
            _ => {}
        }
        Ok(())
    }
}

/// The name of a call on this processor.
fn name_of(number: u64) -> &'static str {
    let known = usize::try_from(number).ok().and_then(syscalls::Sysno::new);
    known.map_or("unknown", |known| known.name())
}

/// A thread that was killed between its stop and what was to be done with it needs nothing any more.
fn unless_gone(outcome: Result<(), Errno>) -> Result<(), Errno> {
    match outcome {
        Err(Errno::ESRCH) => Ok(()),
        other => other,
    }
}

fn threads_of(leader: Pid) -> Result<Vec<Pid>, String> {
    let path = format!("/proc/{leader}/task");
    let entries = std::fs::read_dir(&path).map_err(|cause| format!("failed to open `{path}`: {cause}"))?;
    Ok(entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .map(Pid::from_raw)
        .collect())
}

fn refused(thread: Pid, errno: Errno) -> String {
    let advice = match errno {
        Errno::EPERM | Errno::EACCES => {
            "; the kernel lets nobody trace here: see kernel.yama.ptrace_scope (at most 1), or a container's seccomp profile"
        }
        Errno::ENOSYS => "; the kernel has no such call",
        _ => "",
    };
    format!("ptrace of thread {thread} was refused: {}{advice}", errno.desc())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    /// A machine that lets nobody trace must say so; on any other, each write is counted.
    #[test]
    fn every_write_of_a_child_is_seen() {
        let mut child = Command::new("sh")
            .args(["-c", "read word; exec dd if=/dev/zero of=/dev/null bs=77 count=500 status=none"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut word = child.stdin.take().unwrap();
        match Tracer::attach(child.id()) {
            Err(reason) => {
                eprintln!("this machine lets nobody trace: {reason}");
                assert!(reason.starts_with("ptrace of thread "), "{reason}");
                writeln!(word).unwrap();
            }
            Ok(mut tracer) => {
                writeln!(word).unwrap();
                let calls = tracer.join().unwrap();
                let writes: Vec<i64> = calls
                    .iter()
                    .filter(|call| call.name == "write" && call.descriptor == 1)
                    .map(|call| call.result)
                    .collect();
                assert_eq!(writes, vec![77; 500]);
                assert!(
                    calls.iter().any(|call| call.name == "read" && call.length == 77 && call.result == 77)
                );
            }
        }
        assert!(child.wait().unwrap().success(), "its end is its parent's to see");
    }

    #[test]
    fn a_process_that_is_let_go_lives_on() {
        // A shell that waits for its input: let go, it must still answer to the closing of it.
        let mut child =
            Command::new("sh").args(["-c", "read word; exit 3"]).stdin(Stdio::piped()).spawn().unwrap();
        if let Ok(tracer) = Tracer::attach(child.id()) {
            let calls = tracer.finish().unwrap();
            assert!(calls.iter().all(|call| call.name != "unknown"), "{calls:?}");
        }
        drop(child.stdin.take());
        assert_eq!(child.wait().unwrap().code(), Some(3));
    }

    #[test]
    fn a_process_that_is_not_there_cannot_be_traced() {
        // Above the highest number that the kernel gives (/proc/sys/kernel/pid_max is at most 4,194,304).
        let reason = Tracer::attach(5_000_000).map(drop).unwrap_err();
        assert!(reason.starts_with("failed to open `/proc/5000000/task`"), "{reason}");
    }
}
