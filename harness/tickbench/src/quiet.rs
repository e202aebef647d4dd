//! Patience: between iterations, waiting until the machine lets the cores be.
//!
//! What decides is what two cores lose while nothing is measured, never a figure of a server: no result is chosen by it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tickbench_record::{CoreHiccups, Cores};

use crate::interrupt::Interrupt;
use crate::preflight::watch;
use crate::process;
use crate::program::Program;
use crate::progress::Measuring;

/// A core that loses more of its time than this is not let be. Well above what a busy host takes all day long in pieces of some
/// microseconds, 2 to 4 %, and well below what it takes when it runs others in this machine's stead.
pub(crate) const RESTLESS: f64 = 0.05;

/// How long a look at the cores takes: on a machine that is never quiet, gaps come hundreds of times a second.
const LOOK: Duration = Duration::from_millis(200);

/// From one look to the next, while a run waits.
const EVERY: Duration = Duration::from_secs(2);

/// How much longer a run would wait, and what it looks with.
pub(crate) struct Patience<'a> {
    watch: &'a Program,
    cores: [usize; 2],
    left: Duration,
}

/// Why a wait ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The cores are let be.
    Quiet,
    /// The user ended it.
    Interrupted,
    /// It is of no use to wait again, for this reason.
    GivenUp(String),
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

    /// Looks at the cores until neither loses too much, or there is no patience left. Returns why it ended, and how long was waited from
    /// the first look on that found one restless.
    pub(crate) fn wait(
        &mut self,
        interrupt: &mut Interrupt,
        shown: &mut Measuring,
    ) -> std::io::Result<(Wait, Duration)> {
        let mut began = None;
        let wait = loop {
            let seen = watch::hiccups(self.watch, &self.cores, LOOK, interrupt);
            if interrupt.wants_end() {
                break Wait::Interrupted;
            }
            let worst = match seen {
                Ok(seen) => seen.into_iter().max_by(|a, b| a.lost_share.total_cmp(&b.lost_share)),
                Err(cause) => break Wait::GivenUp(format!("the cores could not be looked at ({cause:#})")),
            };
            let Some(CoreHiccups { core, lost_share, .. }) =
                worst.filter(|worst| worst.lost_share > RESTLESS)
            else {
                break Wait::Quiet;
            };
            let left = self.left.saturating_sub(began.get_or_insert_with(Instant::now).elapsed());
            if left.is_zero() {
                let lost = 100.0 * lost_share;
                break Wait::GivenUp(format!(
                    "core {core} was still away {lost:.0} % of the time when patience ended"
                ));
            }
            shown.waiting(core, lost_share, left);
            process::wait(&mut [], Instant::now() + EVERY.min(left), Some(interrupt))?;
        };
        let waited = began.map_or(Duration::ZERO, |began| began.elapsed());
        self.left = self.left.saturating_sub(waited);
        Ok((wait, waited))
    }
}
