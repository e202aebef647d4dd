//! The server that does wrong on purpose, the client that is to notice, and where both run: what the self-test and the measuring
//! of the resolution stand on.

use std::path::PathBuf;

use anyhow::Context as _;
use tickbench_record::{Client, Study};

use crate::build::{Builder, Contestant, Instrument};
use crate::cli::Loopback;
use crate::cores::{self, CoreArgs};
use crate::execute::Rig;
use crate::interrupt::Interrupt;
use crate::manifest::Manifest;
use crate::preflight::{self, Preflight};
use crate::program::Program;
use crate::progress::Progress;
use crate::root::Root;

pub(crate) struct Injection {
    server: Contestant,
    clients: Vec<Instrument>,
    /// What there is to know of the machine, the cores above all.
    pub(crate) found: Preflight,
    /// What looks after cores, where a client brings it.
    pub(crate) watch: Option<Program>,
    /// Cargo's target directory.
    pub(crate) target: PathBuf,
}

impl Injection {
    /// Builds both, and moves the harness to its own cores.
    pub(crate) fn build(
        root: &Root,
        cores: CoreArgs,
        interrupt: &mut Interrupt,
        progress: &Progress,
    ) -> anyhow::Result<Injection> {
        let manifest = Manifest::read(root)?;
        let name = manifest.injecting()?.name.clone();
        cores::check(cores)?;
        let mut builder = Builder::new(root, interrupt, progress)?;
        let (servers, skipped) = builder.servers(&manifest, &[name])?;
        let why = || skipped.iter().map(|skipped| skipped.reason.clone()).collect::<Vec<_>>().join("; ");
        let server = servers.into_iter().next().with_context(why)?;
        let clients = vec![builder.client(manifest.client(Client::Probe)?)?];
        let watch = preflight::watch_of(&manifest, &clients, &mut builder)?;
        let target = builder.target.clone();
        let found = Preflight::look(cores, watch.as_ref(), interrupt, progress)?;
        found.placement.move_harness()?;
        Ok(Injection { server, clients, found, watch, target })
    }

    pub(crate) fn clients(&self) -> &[Instrument] {
        &self.clients
    }

    /// The server with faults, under a label of its own.
    pub(crate) fn contestant(&self, label: &str, faults: &[String]) -> Contestant {
        let mut contestant = self.server.clone();
        contestant.name = format!("{}#{label}", self.server.name);
        contestant.built.record.name.clone_from(&contestant.name);
        let flags = faults.iter().flat_map(|fault| ["--inject", fault]);
        contestant.built.run = contestant.built.run.with(flags);
        contestant
    }

    pub(crate) fn rig<'a>(&'a self, study: &'a Study, servers: &'a [Contestant]) -> Rig<'a> {
        let Injection { clients, found, .. } = self;
        Rig {
            samples: None,
            study,
            servers,
            clients,
            cores: &found.placement.cores,
            listen: Loopback::default().0,
            hiccup_ns: found.hiccup_ns(),
            waker: &found.waker,
        }
    }
}
