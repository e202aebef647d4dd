//! The lowest scheduling class, which Linux alone has.

use std::io;

/// Moves the calling thread to SCHED_IDLE.
#[cfg(target_os = "linux")]
pub(super) fn become_idle() -> io::Result<()> {
    let priority = libc::sched_param { sched_priority: 0 };
    // SAFETY: `priority` lives over the call, which reads it and nothing else.
    match unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &priority) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Fails: there is no such class.
#[cfg(not(target_os = "linux"))]
pub(super) fn become_idle() -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "only Linux has that class"))
}

/// How long the calling thread has been on a core.
#[cfg(target_os = "linux")]
pub(super) fn thread_cpu_ns() -> io::Result<u64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Ok(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// Fails: it is not asked for here.
#[cfg(not(target_os = "linux"))]
pub(super) fn thread_cpu_ns() -> io::Result<u64> {
    Err(io::ErrorKind::Unsupported.into())
}
