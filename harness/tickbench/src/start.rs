//! Where a run begins: a new folder, or one that an interrupted run left.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{bail, ensure};
use tickbench_record::{BuiltServer, Cores, Environment, Measurement, RunFolder, Study};

use crate::build::{Built, Contestant, Instrument};
use crate::cli::RunArgs;
use crate::cores::CorePair;
use crate::manifest::Manifest;
use crate::root::Root;
use crate::{records, study};

/// A run before anything is built.
pub(crate) struct Start {
    pub(crate) study: Study,
    pub(crate) before: Before,
    /// What the study asks and nobody can answer.
    pub(crate) left_out: Option<String>,
}

/// What there is of the run already.
pub(crate) enum Before {
    /// Nothing: it will be kept here.
    New(PathBuf),
    /// An interrupted run.
    Interrupted { folder: RunFolder, environment: Box<Environment>, done: Vec<Measurement> },
}

impl Start {
    /// Reads what the flags ask for. Nothing is written yet.
    pub(crate) fn read(args: &RunArgs, root: &Root, manifest: &Manifest) -> anyhow::Result<Start> {
        let Some(path) = &args.resume else {
            let path = args.out.clone().unwrap_or_else(|| root.runs().join(folder_name(SystemTime::now())));
            RunFolder::check_vacant(&path)?;
            let mut study = study::wished(args, manifest)?;
            let left_out = study::leave_out_replays(&mut study)?;
            return Ok(Start { study, before: Before::New(path), left_out });
        };
        let folder = RunFolder::open(path)?;
        let recorded = records::read(&folder)?;
        let study = study::resumed(args, recorded.study)?;
        let environment = Box::new(folder.environment()?);
        check_cores(args.cores, &environment.cores)?;
        let before = Before::Interrupted { folder, environment, done: recorded.measurements };
        Ok(Start { study, before, left_out: None })
    }
}

impl Before {
    /// The servers to build: those of the study; for an interrupted run, those that it measured.
    pub(crate) fn servers(&self, study: &Study) -> Vec<String> {
        match self.environment() {
            None => study.servers.clone(),
            Some(environment) => environment.servers.iter().map(|server| server.name.clone()).collect(),
        }
    }

    /// The environment that an interrupted run recorded.
    pub(crate) fn environment(&self) -> Option<&Environment> {
        match self {
            Before::New(_) => None,
            Before::Interrupted { environment, .. } => Some(environment),
        }
    }

    /// Makes sure that an interrupted run goes on with the programs that it began with.
    pub(crate) fn check_same_programs(
        &self,
        servers: &[Contestant],
        clients: &[Instrument],
    ) -> anyhow::Result<()> {
        let Before::Interrupted { folder, environment, .. } = self else { return Ok(()) };
        for recorded in &environment.servers {
            check_same(folder.path(), recorded, servers.iter().map(|server| &server.built))?;
        }
        for recorded in &environment.clients {
            check_same(folder.path(), recorded, clients.iter().map(|client| &client.built))?;
        }
        Ok(())
    }

    /// The cores to use: those asked for, or those that the interrupted run had.
    pub(crate) fn cores(&self, asked: Option<CorePair>) -> Option<CorePair> {
        let recorded = self.environment().and_then(|run| run.cores.server.zip(run.cores.client));
        asked.or(recorded.map(|(server, client)| CorePair { server, client }))
    }
}

fn check_cores(asked: Option<CorePair>, recorded: &Cores) -> anyhow::Result<()> {
    let same =
        asked.is_none_or(|pair| recorded.server == Some(pair.server) && recorded.client == Some(pair.client));
    ensure!(
        same,
        "--cores contradicts this run, which had its server on core {:?} and its client on core {:?}: leave it out",
        recorded.server.unwrap_or_default(),
        recorded.client.unwrap_or_default()
    );
    Ok(())
}

/// Makes sure that a recorded program is the one that was built now.
fn check_same<'a>(
    run: &Path,
    recorded: &BuiltServer,
    mut built: impl Iterator<Item = &'a Built>,
) -> anyhow::Result<()> {
    let (run, name) = (run.display(), &recorded.name);
    match built.find(|built| built.record.name == *name).map(|built| &built.record) {
        Some(now) if now.sha256 == recorded.sha256 => Ok(()),
        Some(now) => bail!(
            "{name} is not the program that `{run}` began with (SHA-256 {}, now {}): figures of two programs cannot be \
             one cell; start a new run with --out, or check out the source of that run",
            short(recorded),
            short(now)
        ),
        None => bail!(
            "`{run}` measured {name}, which cannot run now: put back what it needs (`tickbench list` shows what), or \
             start a new run with --out"
        ),
    }
}

fn short(server: &BuiltServer) -> String {
    server.sha256.as_deref().map_or("unknown".into(), |hash| hash.chars().take(12).collect())
}

/// `YYYY-MM-DDTHH-MM-SSZ`, in UTC: sorts by time, and every file system takes it.
pub(crate) fn folder_name(now: SystemTime) -> String {
    rfc3339(now).replace(':', "-")
}

/// RFC 3339 in UTC, whole seconds.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    // Before year 0 and after 9999 there is no such text; a clock that wrong is shown as the epoch.
    let known = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .min(Duration::from_secs(253_402_300_799));
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + known).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_by_its_time_in_utc() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_618_677_817);
        assert_eq!(folder_name(time), "2021-04-17T16-43-37Z");
    }
}
