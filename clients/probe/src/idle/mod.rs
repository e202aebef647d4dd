//! Keeps a core awake without being in the way, and notes when the machine takes it.
//!
//! The process is of the lowest scheduling class, which gives way at once to whoever wakes up. It reads the clock without pause. Where
//! two readings are far apart it asks the kernel for two numbers: how often it was switched out, and for how long it has been on the core by
//! its own CPU time. Never switched out: the core was away. Switched out: the part of that time which its own CPU time accounts for,
//! less the usual, was spent neither by it nor by whoever came next: the core was away, and whoever came next had been
//! waiting for it. The rest is theirs, and no gap.
//!
//! Where the kernel takes stolen time out of a process's CPU time, the second kind is not seen: fewer gaps are noted, never more.

mod away;
mod gap_file;
mod system;

use std::io;
use std::path::Path;

use anyhow::Context as _;
use tickbench_client_kit::{involuntary_switches, monotonic_ns};

use crate::affinity;
use away::{Account, Reading};
use gap_file::GapFile;

/// Spins on `core` until standard input closes, and notes in `gaps` each time that the core was away for more than
/// `threshold_ns`.
pub(crate) fn run(core: usize, gaps: &Path, threshold_ns: u64) -> anyhow::Result<()> {
    let mut gaps = GapFile::create(gaps, threshold_ns)
        .with_context(|| format!("failed to create `{}` for the gaps", gaps.display()))?;
    // This thread sleeps, is of the usual class, and so ends the process at once even where the spinning one gets no time.
    std::thread::spawn(|| {
        let read = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(i32::from(read.is_err()));
    });
    affinity::pin(core)?;
    system::become_idle().with_context(|| {
        format!("failed to spin on core {core} in the class SCHED_IDLE: ask for idle = \"sleep\"")
    })?;
    println!("spinning on core {core}");
    spin(&mut gaps, threshold_ns)
}

/// Without a hint to the processor that this is a spin: a hypervisor takes that for an invitation.
fn spin(gaps: &mut GapFile, threshold_ns: u64) -> anyhow::Result<()> {
    let mut account = Account::open(threshold_ns, read()?);
    let mut before_ns = monotonic_ns();
    loop {
        let now_ns = monotonic_ns();
        if now_ns - before_ns > threshold_ns {
            if let Some(gap) = account.settle(before_ns, now_ns, read()?) {
                gaps.push(gap);
            }
            before_ns = monotonic_ns();
        } else {
            before_ns = now_ns;
        }
    }
}

/// What the kernel has on this thread.
fn read() -> anyhow::Result<Reading> {
    let switches = involuntary_switches();
    let cpu_ns = system::thread_cpu_ns()?;
    Ok(Reading { at_ns: monotonic_ns(), cpu_ns, switches })
}
