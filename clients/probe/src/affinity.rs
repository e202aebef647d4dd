//! Which core this thread runs on.

/// Keeps the calling thread on `core`.
#[cfg(target_os = "linux")]
pub(crate) fn pin(core: usize) -> anyhow::Result<()> {
    use anyhow::Context as _;
    use rustix::thread::{CpuSet, sched_setaffinity};

    anyhow::ensure!(
        core < CpuSet::MAX_CPU,
        "failed to pin to core {core}: there are fewer than {}",
        CpuSet::MAX_CPU
    );
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores)
        .with_context(|| format!("failed to pin to core {core}: name another core"))
}

/// Fails: threads are pinned on Linux alone.
#[cfg(not(target_os = "linux"))]
pub(crate) fn pin(core: usize) -> anyhow::Result<()> {
    anyhow::bail!("failed to pin to core {core}: threads are pinned on Linux alone; leave the core out")
}
