//! What only some systems can do: pinning, dying with the parent, reading the state of a process.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
pub(crate) use other::*;

/// Whether this process was started to ignore a signal, as `nohup` does with SIGHUP and a shell's `&` with SIGINT.
pub(crate) fn is_ignored(signal: i32) -> std::io::Result<bool> {
    // SAFETY: a `sigaction` is plain data, for which zeroes are a value.
    let mut found: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: no action is set, and `found` lives over the call, which writes it and nothing else.
    match unsafe { libc::sigaction(signal, std::ptr::null(), &mut found) } {
        0 => Ok(found.sa_sigaction == libc::SIG_IGN),
        _ => Err(std::io::Error::last_os_error()),
    }
}
