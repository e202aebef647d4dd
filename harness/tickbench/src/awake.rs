//! Keeping the server's core awake, where a cell wants it so: a process of the lowest scheduling class spins on it, and
//! deep sleep is forbidden where this system lets us.

use std::ffi::OsStr;
use std::fs::File;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use tempfile::TempDir;

use crate::interrupt::Interrupt;
use crate::launch::{END_DEADLINE, Stop, ready_line, start};
use crate::process::Process;
use crate::program::Program;
use crate::system;

/// How the core of the servers is kept awake.
#[derive(Debug)]
pub(crate) struct Waker {
    spinner: Program,
    core: usize,
    /// Where the spinner notes the times at which its core was away: one file, made anew for each execution.
    gaps: PathBuf,
    _folder: TempDir,
}

/// A core that is being kept awake; until this is dropped.
#[derive(Debug)]
pub(crate) struct Awake {
    spinner: Process,
    gaps: PathBuf,
    _no_deep_sleep: Option<File>,
}

impl Waker {
    /// The spinner notes gaps from `threshold_ns` on.
    pub(crate) fn new(watch: &Program, core: usize, threshold_ns: u64) -> anyhow::Result<Waker> {
        let folder = tempfile::Builder::new().prefix("tickbench-").tempdir().context(
            "failed to make a folder for the gaps of the server's core: set TMPDIR to one that is writable",
        )?;
        let gaps = folder.path().join("gaps");
        let spinner = watch
            .with(["idle".to_owned(), format!("--core={core}"), format!("--threshold-ns={threshold_ns}")])
            .with([OsStr::new("--gaps"), gaps.as_os_str()]);
        Ok(Waker { spinner, core, gaps, _folder: folder })
    }

    /// Starts to keep the core awake, and returns when it is.
    pub(crate) fn wake(&self, interrupt: &mut Interrupt) -> Result<Awake, Stop> {
        let mut spinner = start(&self.spinner, Some(self.core))?;
        ready_line(&mut spinner, "spinner that keeps the server's core awake", interrupt).map_err(
            |stop| match stop {
                Stop::Failed { reason, .. } => Stop::broken(reason),
                stop => stop,
            },
        )?;
        // Where it cannot be had the spinner does alone: only deeper states than the kernel's own idle loop are at stake.
        let no_deep_sleep = system::forbid_deep_sleep().ok();
        Ok(Awake { spinner, gaps: self.gaps.clone(), _no_deep_sleep: no_deep_sleep })
    }
}

impl Awake {
    /// Where the gaps of the core are noted.
    pub(crate) fn gaps(&self) -> PathBuf {
        self.gaps.clone()
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.spinner.close_stdin();
        // Where it does not end by itself, dropping the process kills it.
        let _ = self.spinner.wait_end(Instant::now() + END_DEADLINE);
    }
}
