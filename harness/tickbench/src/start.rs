//! Where a run begins: a new folder, or one that an interrupted run left.

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context as _, anyhow, bail, ensure};
use tickbench_record::{
    BuiltServer, Claim, Cores, Environment, Lock, Measurement, RunError, RunFolder, Study,
};

use crate::build::{Built, Contestant, Instrument};
use crate::cli::RunArgs;
use crate::clock::folder_name;
use crate::cores::{CoreArgs, CorePair};
use crate::invocation::this_process;
use crate::manifest::Manifest;
use crate::root::Root;
use crate::{records, study};

/// A run before anything is built. Its folder is locked, and can be written to.
pub(crate) struct Start {
    pub(crate) study: Study,
    pub(crate) origin: RunOrigin,
    /// What the study asks and nobody can answer.
    pub(crate) left_out: Option<String>,
}

/// What there is of the run already.
pub(crate) enum RunOrigin {
    /// Nothing but an empty folder, which goes again where nothing comes of the run.
    New(Claim),
    /// What an interrupted run left.
    Resumed { folder: RunFolder, lock: Lock, environment: Box<Environment>, done: Vec<Measurement> },
}

impl Start {
    /// Reads what the flags ask for, and takes the run's folder.
    pub(crate) fn read(args: &RunArgs, root: &Root, manifest: &Manifest) -> anyhow::Result<Start> {
        let Some(path) = &args.resume else {
            let mut study = study::wished(args, manifest)?;
            let left_out = study::leave_out_replays(&mut study)?;
            let claim = claim(args.out.as_deref(), root, "")?;
            return Ok(Start { study, origin: RunOrigin::New(claim), left_out });
        };
        let folder = RunFolder::open(path)?;
        let lock = folder.lock(&this_process())?;
        folder.check_room()?;
        let recorded = records::read(&folder)?;
        let study = study::resumed(args, recorded.study)?;
        let environment = Box::new(folder.environment()?);
        check_cores(args.cores.cores, &environment.cores)?;
        let origin = RunOrigin::Resumed { folder, lock, environment, done: recorded.measurements };
        Ok(Start { study, origin, left_out: None })
    }
}

/// Takes the folder that is named, or a new one below the project's runs, whose name is a word and the time.
pub(crate) fn claim(named: Option<&Path>, root: &Root, word: &str) -> anyhow::Result<Claim> {
    let process = this_process();
    let take = |path: &Path| match Claim::take(path, &process) {
        Err(error @ RunError::Io { .. }) => {
            Err(anyhow!("{error}: name a folder with --out that can be written to and has room"))
        }
        outcome => Ok(outcome),
    };
    if let Some(path) = named {
        return Ok(take(path)??);
    }
    let name = format!("{word}{}", folder_name(SystemTime::now()));
    // Of runs that begin in one second, all but the first have a number.
    let mut names = std::iter::once(name.clone()).chain((2..).map(|number: u64| format!("{name}-{number}")));
    loop {
        let path = root.runs().join(names.next().context("every name is taken")?);
        match take(&path)? {
            Err(RunError::InUse { .. } | RunError::Occupied(_)) => {}
            outcome => return Ok(outcome?),
        }
    }
}

impl RunOrigin {
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
            RunOrigin::New(_) => None,
            RunOrigin::Resumed { environment, .. } => Some(environment),
        }
    }

    /// Whether it was looked already at what each server sets.
    pub(crate) fn has_ledger(&self) -> anyhow::Result<bool> {
        match self {
            RunOrigin::New(_) => Ok(false),
            RunOrigin::Resumed { folder, .. } => Ok(folder.ledger()?.is_some()),
        }
    }

    /// Makes sure that an interrupted run goes on with the programs that it began with.
    pub(crate) fn check_same_programs(
        &self,
        servers: &[Contestant],
        clients: &[Instrument],
    ) -> anyhow::Result<()> {
        let RunOrigin::Resumed { folder, environment, .. } = self else { return Ok(()) };
        for recorded in &environment.servers {
            check_same(folder.path(), recorded, servers.iter().map(|server| &server.built))?;
        }
        for recorded in &environment.clients {
            check_same(folder.path(), recorded, clients.iter().map(|client| &client.built))?;
        }
        Ok(())
    }

    /// The cores to use: those asked for, or those that the interrupted run had.
    pub(crate) fn cores(&self, asked: CoreArgs) -> CoreArgs {
        let recorded = self.environment().and_then(|run| run.cores.server.zip(run.cores.client));
        let recorded = recorded.map(|(server, client)| CorePair { server, client });
        CoreArgs { cores: asked.cores.or(recorded), ..asked }
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
