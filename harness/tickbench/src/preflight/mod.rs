//! Before anything is timed: is this machine quiet, which of its cores are, and what could be done about the rest?

mod cgroup;
mod settings;
mod table;
pub(crate) mod watch;

use std::path::Path;
use std::time::Duration;

use tickbench_record::{ClientCeiling, ClockCheck, CoreHiccups, Cores, Environment, Finding, Study};

use crate::awake::Waker;
use crate::build::{Builder, Instrument};
use crate::cli::PreflightArgs;
use crate::cores::{self, CoreArgs, Placement};
use crate::environment;
use crate::exit::ExitStatus;
use crate::interrupt::Interrupt;
use crate::launch::Stop;
use crate::manifest::Manifest;
use crate::program::Program;
use crate::progress::Progress;
use crate::quiet::RESTLESS;
use crate::root::Root;
use crate::{out, study, system};

pub(crate) use cgroup::Stops;
pub(crate) use settings::is_quick_clock;
use settings::{Scene, finding};

/// Cores that are watched at most: the more spin, the hotter and the slower they all are.
const MOST_WATCHED: usize = 8;

/// The gap that counts where a core could not be watched: the one that a first look at spinning cores suggested.
const USUAL_THRESHOLD_NS: u64 = 6_000;

/// A core that loses more of its time than this is worth a word.
const MUCH_LOST: f64 = 0.03;

/// How long cores are watched before a run: the gaps come hundreds of times a second.
const WATCHED: Duration = Duration::from_millis(700);

/// What was found.
pub(crate) struct Preflight {
    pub(crate) placement: Placement,
    pub(crate) hiccups: Vec<CoreHiccups>,
    pub(crate) clocks: Option<ClockCheck>,
    pub(crate) findings: Vec<Finding>,
    /// What each client can take in at most; measured where a study floods it.
    pub(crate) ceilings: Vec<ClientCeiling>,
    /// What a reader must know of all this before believing the figures.
    pub(crate) warnings: Vec<String>,
    /// How the server's core is kept awake, or why it cannot be.
    pub(crate) waker: Result<Waker, String>,
}

/// `tickbench preflight`.
pub(crate) fn command(root: &Root, args: &PreflightArgs) -> anyhow::Result<ExitStatus> {
    let manifest = Manifest::read(root)?;
    cores::check(args.cores)?;
    let mut interrupt = Interrupt::install()?;
    let progress = Progress::new();
    let watch = watch_of(&manifest, &[], &mut Builder::new(root, &mut interrupt, &progress)?)?;
    let found = Preflight::look(args.cores, watch.as_ref(), &mut interrupt, &progress)?;
    progress.end();
    out::text(table::of(&found));
    Ok(ExitStatus::Success)
}

/// The program that looks after cores, from the first client that brings one.
pub(crate) fn watch_of(
    manifest: &Manifest,
    clients: &[Instrument],
    builder: &mut Builder<'_>,
) -> anyhow::Result<Option<Program>> {
    let entry = manifest.clients.iter().find(|client| client.watch.is_some());
    Ok(entry.map(|entry| builder.client_unless(clients, entry)).transpose()?.and_then(|client| client.watch))
}

impl Preflight {
    /// Looks at the machine, and chooses the cores where nobody has.
    pub(crate) fn look(
        args: CoreArgs,
        watch: Option<&Program>,
        interrupt: &mut Interrupt,
        progress: &Progress,
    ) -> anyhow::Result<Preflight> {
        let mut warnings = Vec::new();
        let hiccups = match watch {
            Some(watch) => {
                let cores = cores::candidates(args, MOST_WATCHED);
                progress.now(&format!("watching cores {}", settings::listed(&cores)));
                kept(
                    watch::hiccups(watch, &cores, WATCHED, interrupt),
                    "No core was watched for hiccups",
                    &mut warnings,
                )
            }
            None => None,
        };
        let hiccups = hiccups.unwrap_or_default();
        let placement = cores::place(args, &hiccups)?;
        let pair = placement.cores.server.zip(placement.cores.client);
        let clocks = match (watch, pair) {
            (Some(watch), Some((server, client))) => {
                progress.now("comparing the clocks of both cores");
                kept(
                    watch::clocks(watch, server, client, interrupt),
                    "The clocks of both cores were not compared",
                    &mut warnings,
                )
            }
            _ => None,
        };
        interrupt.check(": nothing was measured yet")?;
        warnings.extend(clocks.and_then(|clocks| backwards(&clocks)));
        warnings.extend(cgroup::warning(Path::new("/")));
        let mut waker = waker(watch, placement.cores.server, &hiccups);
        let cores: Vec<usize> = pair.map_or(Vec::new(), |(server, client)| vec![server, client]);
        let machine = environment::machine(placement.cores.server.unwrap_or_default());
        let mut findings = Scene { root: Path::new("/"), machine: &machine, cores: &cores }.findings();
        findings.push(finding("choice of cores", Some(placement.choice.clone()), None));
        findings.extend(awake(&mut waker, interrupt));
        Ok(Preflight { placement, hiccups, clocks, findings, ceilings: Vec::new(), warnings, waker })
    }

    /// What an interrupted run found when it began, and goes on with.
    pub(crate) fn recorded(
        environment: &Environment,
        args: CoreArgs,
        watch: Option<&Program>,
    ) -> anyhow::Result<Preflight> {
        let placement = cores::place(args, &[])?;
        let waker = waker(watch, placement.cores.server, &environment.hiccups);
        Ok(Preflight {
            placement,
            hiccups: environment.hiccups.clone(),
            clocks: environment.clocks,
            findings: environment.findings.clone(),
            ceilings: environment.ceilings.clone(),
            warnings: Vec::new(),
            waker,
        })
    }

    /// Lets the server's core sleep wherever the study wants it awake, and says so, where nothing can keep it awake: that is no
    /// server's doing.
    pub(crate) fn apply(&mut self, study: &mut Study) {
        if let Err(reason) = &self.waker
            && study::let_sleep(study)
        {
            self.warnings.push(format!(
                "The server's core cannot be kept awake here ({reason}): it slept, wherever the study wanted it awake."
            ));
        }
    }

    /// Adds all this to a run's records.
    pub(crate) fn note(&self, environment: &mut Environment) {
        environment.warnings.extend_from_slice(&self.warnings);
        environment.warnings.extend(self.hiccups.iter().filter_map(|core| self.loss_of(core)));
        environment.findings.clone_from(&self.findings);
        environment.hiccups.clone_from(&self.hiccups);
        environment.clocks = self.clocks;
        environment.ceilings.clone_from(&self.ceilings);
    }

    /// What to say of a core that a run uses and that loses much.
    fn loss_of(&self, hiccups: &CoreHiccups) -> Option<String> {
        let CoreHiccups { core, lost_share, .. } = *hiccups;
        let Cores { server, client, .. } = &self.placement.cores;
        let used = [*server, *client].contains(&Some(core));
        (used && lost_share > RESTLESS).then(|| {
            format!(
                "Core {core} was away {:.1} % of the time before the run: choose a calmer hour, let `--wait-for-quiet` do it, or name \
                 other cores with `--cores`.",
                100.0 * lost_share
            )
        })
    }

    /// From which gap on the client's core was away, where that core was watched.
    pub(crate) fn hiccup_ns(&self) -> Option<u64> {
        threshold_ns(&self.hiccups, self.placement.cores.client?)
    }
}

/// An answer; its lack is a warning.
fn kept<T>(answer: anyhow::Result<T>, lack: &str, warnings: &mut Vec<String>) -> Option<T> {
    answer.map_err(|cause| warnings.push(format!("{lack}: {cause:#}."))).ok()
}

fn backwards(clocks: &ClockCheck) -> Option<String> {
    (clocks.backwards > 0).then(|| {
        format!(
            "The clock went backwards from core to core, by up to {} ns, in {} of {} readings: delivery and lag are wrong by \
             as much.",
            clocks.worst_ns, clocks.backwards, clocks.readings
        )
    })
}

fn threshold_ns(hiccups: &[CoreHiccups], core: usize) -> Option<u64> {
    hiccups.iter().find(|hiccups| hiccups.core == core).map(|hiccups| hiccups.threshold_ns)
}

fn waker(watch: Option<&Program>, core: Option<usize>, hiccups: &[CoreHiccups]) -> Result<Waker, String> {
    let watch = watch.ok_or("no client in clients/clients.toml has a watch program to do it")?;
    let core = core.ok_or("the server is not pinned, so that there is no core of its own")?;
    let threshold_ns = threshold_ns(hiccups, core).unwrap_or(USUAL_THRESHOLD_NS);
    Waker::new(watch, core, threshold_ns).map_err(|cause| format!("{cause:#}"))
}

/// Which ways of keeping a core awake work here: each is tried. A waker that does not work is one no more.
fn awake(waker: &mut Result<Waker, String>, interrupt: &mut Interrupt) -> [Finding; 2] {
    if let Ok(one) = &waker
        && let Err(stop) = one.wake(interrupt)
    {
        *waker = Err(match stop {
            Stop::Failed { reason, .. } | Stop::Overdue(reason) => reason,
            Stop::Interrupted(interrupted) => interrupted.to_string(),
            Stop::Broken(cause) => format!("{cause:#}"),
        });
    }
    let spinner = match waker {
        Ok(_) => finding("awake core: SCHED_IDLE spinner", Some("works".into()), None),
        Err(reason) => refused(reason.clone()),
    };
    let quality = match system::forbid_deep_sleep() {
        Ok(_) => "works".to_owned(),
        Err(cause) => format!("not to be had ({cause}); the spinner does without"),
    };
    [spinner, finding("awake core: /dev/cpu_dma_latency", Some(quality), None)]
}

fn refused(reason: String) -> Finding {
    let advice = "set idle = [\"sleep\"] in the study's scenarios".to_owned();
    finding("awake core: SCHED_IDLE spinner", Some(format!("cannot be had: {reason}")), Some(advice))
}

/// A folder in place of `/`, with these files.
#[cfg(test)]
pub(crate) fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    folder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_goes_backwards_is_a_warning() {
        let steady = ClockCheck { readings: 1000, backwards: 0, worst_ns: 0 };
        assert_eq!(backwards(&steady), None);
        let warning = backwards(&ClockCheck { backwards: 3, worst_ns: 70, ..steady }).unwrap();
        assert!(warning.contains("70 ns") && warning.contains("3 of 1000"), "{warning}");
    }
}
