//! Everything that a run starts: servers, clients, and what clients bring besides measuring.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use tickbench_record::{CONTROL, Cell, Client, Lane, SkippedServer, Study};

use crate::build::{Builder, Contestant, Instrument};
use crate::interrupt::Interrupt;
use crate::manifest::Manifest;
use crate::program::Program;
use crate::progress::Progress;
use crate::root::Root;
use crate::run::most_connections;
use crate::verify::{self, PassedBefore, Verifier};
use crate::{ceilings, parity, preflight};

/// The programs of a run, built.
pub(crate) struct Programs {
    pub(crate) servers: Vec<Contestant>,
    /// The servers that cannot run, and why.
    pub(crate) skipped: Vec<SkippedServer>,
    /// The clients that measure.
    pub(crate) clients: Vec<Instrument>,
    /// What looks after cores, where a client brings it.
    pub(crate) watch: Option<Program>,
    /// The server of prepared frames, where a client brings it.
    pub(crate) prepared: Option<Program>,
    /// What holds a stream open, where a client brings it.
    pub(crate) streamer: Option<Program>,
    verifier: Verifier,
    passed: PassedBefore,
}

impl Programs {
    /// Builds these servers, and the clients that measure them.
    pub(crate) fn build(
        root: &Root,
        manifest: &Manifest,
        study: &Study,
        wanted: &[String],
        interrupt: &mut Interrupt,
        progress: &Progress,
    ) -> anyhow::Result<Programs> {
        let mut builder = Builder::new(root, interrupt, progress)?;
        let passed = PassedBefore::new(&builder.target);
        let (servers, skipped) = builder.servers(manifest, wanted)?;
        let names: BTreeSet<Client> = cells(study, &servers).iter().map(|cell| cell.client).collect();
        let clients = names.into_iter().map(|name| builder.client(manifest.client(name)?));
        let clients = clients.collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Programs {
            verifier: verify::verifier(manifest, &clients, &mut builder)?,
            watch: preflight::watch_of(manifest, &clients, &mut builder)?,
            streamer: parity::streamer_of(manifest, &clients, &mut builder)?,
            prepared: ceilings::prepared_of(manifest, &clients, &mut builder)?,
            servers,
            skipped,
            clients,
            passed,
        })
    }

    /// Keeps the servers that keep their contract in the lanes that the study asks for.
    pub(crate) fn verify(
        mut self,
        study: &Study,
        listen: SocketAddr,
        interrupt: &mut Interrupt,
        progress: &Progress,
    ) -> anyhow::Result<Programs> {
        let lanes: BTreeSet<Lane> = self.cells(study).iter().map(|cell| cell.lane).collect();
        let lanes: Vec<Lane> = lanes.into_iter().collect();
        // As many connections as the study will hold, its own seed for the feeds.
        let verifier = self.verifier.asking(most_connections(study), study.seed.unwrap_or_default());
        let (fit, unfit) = verify::before_timing(
            self.servers,
            &lanes,
            &verifier,
            &self.passed,
            listen,
            interrupt,
            progress,
        )?;
        self.verifier = verifier;
        self.servers = fit;
        self.skipped.extend(unfit);
        Ok(self)
    }

    /// The cells of one iteration for the servers that can run.
    pub(crate) fn cells(&self, study: &Study) -> Vec<Cell> {
        cells(study, &self.servers)
    }

    /// The servers, and the one that runs twice under its second name: one program, which is built and verified once.
    pub(crate) fn with_control(&self, study: &Study) -> Vec<Contestant> {
        let mut servers = self.servers.clone();
        if let Some(name) = &study.control {
            let second = format!("{name}{CONTROL}");
            let twin = servers.iter().find(|server| server.name == *name).cloned();
            // Where a study names it among its servers, it is there already.
            if let Some(twin) = twin.filter(|_| servers.iter().all(|server| server.name != second)) {
                servers.push(Contestant { name: second, ..twin });
            }
        }
        servers
    }
}

fn cells(study: &Study, servers: &[Contestant]) -> Vec<Cell> {
    let names: Vec<String> = servers.iter().map(|server| server.name.clone()).collect();
    study.cells(&names, |cell| {
        servers.iter().any(|server| server.name == cell.server && server.entry.supports(cell))
    })
}
