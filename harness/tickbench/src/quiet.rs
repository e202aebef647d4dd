//! Patience: between iterations, waiting until the machine lets the cores be.
//!
//! What decides is what two cores lose while nothing is measured, never a figure of a server: no result is chosen by it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tickbench_record::Cores;

use crate::interrupt::Interrupt;
use crate::preflight::watch;
use crate::process;
use crate::program::Program;
use crate::progress::Measuring;

/// A core that loses more of its time than this is not let be. Well above what a busy host takes all day long in pieces of some
/// microseconds, 2 to 4 %, and well below what it takes when it runs others in this machine's stead.
const RESTLESS: f64 = 0.05;

/// How long a look at the cores takes: on a machine that is never quiet, gaps come hundreds of times a second.
const LOOK: Duration = Duration::from_millis(200);

/// From one look to the next, while a run waits.
const EVERY: Duration = Duration::from_secs(2);

/// How much longer a run would wait.
pub(crate) struct Patience<'a> {
    watch: &'a Program,
    cores: [usize; 2],
    left: Duration,
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The cores are let be.
    Quiet,
    /// They are not, and no patience is left.
    InVain,
    /// The user ended it.
    Interrupted,
}

impl<'a> Patience<'a> {
    /// Waits for `most` in all, where that is asked for. What watches cores must be there, and the cores known.
    pub(crate) fn new(
        most: Option<Duration>,
        watch: Option<&'a Program>,
        cores: &Cores,
    ) -> anyhow::Result<Option<Patience<'a>>> {
        let Some(left) = most else { return Ok(None) };
        let watch = watch.context(
            "failed to wait for a quiet machine: no client in clients/clients.toml has a watch program; leave --wait-for-quiet out",
        )?;
        let (Some(server), Some(client)) = (cores.server, cores.client) else {
            bail!(
                "failed to wait for a quiet machine: nothing is pinned here, so there are no cores to look at; leave --wait-for-quiet out"
            )
        };
        Ok(Some(Patience { watch, cores: [server, client], left }))
    }

    /// Looks at the cores until neither loses too much, or there is no patience left: then nothing is waited for ever
    /// again. Returns how it ended, and how long it took, the looks included.
    pub(crate) fn wait(
        &mut self,
        interrupt: &mut Interrupt,
        shown: &mut Measuring,
    ) -> anyhow::Result<(Wait, Duration)> {
        let began = Instant::now();
        let wait = loop {
            let waited = began.elapsed();
            if waited >= self.left {
                break Wait::InVain;
            }
            let seen = watch::hiccups(self.watch, &self.cores, LOOK, interrupt);
            if interrupt.wants_end() {
                break Wait::Interrupted;
            }
            let worst = seen?.into_iter().max_by(|a, b| a.lost_share.total_cmp(&b.lost_share));
            let Some(worst) = worst.filter(|worst| worst.lost_share > RESTLESS) else { break Wait::Quiet };
            shown.waiting(worst.core, worst.lost_share, self.left.saturating_sub(waited));
            process::wait(
                &mut [],
                Instant::now() + EVERY.min(self.left.saturating_sub(waited)),
                Some(interrupt),
            )?;
        };
        let waited = began.elapsed();
        self.left = if wait == Wait::InVain { Duration::ZERO } else { self.left.saturating_sub(waited) };
        Ok((wait, waited))
    }

    /// Whether there is any left.
    pub(crate) fn is_over(&self) -> bool {
        self.left.is_zero()
    }
}
