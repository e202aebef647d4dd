//! Whether this thread's core was given to another.

/// What a gap in this thread may have been besides the machine's doing.
#[derive(Debug)]
pub enum Preemption {
    /// There is no server that can run on this core: whoever did was no part of what is measured.
    NotByTheServer,
    /// It might have been the server, where this thread was switched out: so many times until the last look.
    Perhaps(u64),
}

impl Preemption {
    /// What can be told about the process `server`, which every thread of it must bear out.
    pub(crate) fn by(server: Option<u32>) -> Preemption {
        match server.map(system::may_share_a_core) {
            Some(Ok(false)) => Preemption::NotByTheServer,
            // What cannot be read is not excluded.
            _ => Preemption::Perhaps(involuntary_switches()),
        }
    }

    /// Whether the server may have run here since the last look.
    pub(crate) fn happened(&mut self) -> bool {
        match self {
            Preemption::NotByTheServer => false,
            Preemption::Perhaps(before) => {
                let now = involuntary_switches();
                std::mem::replace(before, now) != now
            }
        }
    }
}

/// How often this thread's core was given to another while it could have run on.
#[cfg(target_os = "linux")]
pub fn involuntary_switches() -> u64 {
    // SAFETY: a `rusage` is numbers alone, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` lives over the call, which writes it and nothing else.
    let told = unsafe { libc::getrusage(libc::RUSAGE_THREAD, &mut usage) };
    assert_eq!(told, 0, "getrusage(2) fails for a bad address or an unknown `who` alone");
    usage.ru_nivcsw as u64
}

/// Not told here: any gap may have been a switch.
#[cfg(not(target_os = "linux"))]
pub fn involuntary_switches() -> u64 {
    crate::monotonic_ns()
}

#[cfg(target_os = "linux")]
mod system {
    use std::io;

    use rustix::process::Pid;
    use rustix::thread::{CpuSet, sched_getaffinity};

    /// Whether a thread of the process may run on a core that this thread may run on.
    pub(super) fn may_share_a_core(pid: u32) -> io::Result<bool> {
        let own = sched_getaffinity(None)?;
        for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
            let thread =
                task?.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
            let thread = thread.ok_or(io::ErrorKind::InvalidData)?;
            let other = sched_getaffinity(Some(thread))?;
            if (0..CpuSet::MAX_CPU).any(|core| own.is_set(core) && other.is_set(core)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;

    /// Cores are not asked for here.
    pub(super) fn may_share_a_core(_: u32) -> io::Result<bool> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
