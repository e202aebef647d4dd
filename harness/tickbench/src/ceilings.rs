//! What each client can take in at most, measured as any server is: against one that floods prepared frames.

use std::collections::BTreeSet;

use anyhow::Context as _;
use tickbench_record::{
    Arrival, Ceiling, Cell, Client, ClientCeiling, Cores, Disturbance, Encoding, Flush, Job, Request,
    ScenarioKind, Wait,
};

use crate::build::{Builder, Instrument};
use crate::execute::{end_client, measure};
use crate::interrupt::Interrupt;
use crate::launch::{LiveServer, Stop};
use crate::manifest::Manifest;
use crate::program::Program;
use crate::progress::Progress;

/// Long enough for the socket's buffers to have grown.
const WARMUP_NS: u64 = 60_000_000;

/// Hundreds of thousands of messages.
const WINDOW_NS: u64 = 240_000_000;

/// Without a message for so long, there is no ceiling.
const STALL_NS: u64 = 1_000_000_000;

/// The seed that prepared frames have.
const SEED: u64 = 1;

/// A client in one of the ways in which a study floods it.
type Setting = (Client, Encoding, Wait);

/// What floods are made of.
pub(crate) struct Flood<'a> {
    pub(crate) clients: &'a [Instrument],
    /// The server of prepared frames.
    pub(crate) prepared: Option<&'a Program>,
    pub(crate) cores: &'a Cores,
}

/// The server of prepared frames, from the first client that brings one.
pub(crate) fn prepared_of(
    manifest: &Manifest,
    clients: &[Instrument],
    builder: &mut Builder<'_>,
) -> anyhow::Result<Option<Program>> {
    let entry = manifest.clients.iter().find(|client| client.prepared.is_some());
    Ok(entry
        .map(|entry| builder.client_unless(clients, entry))
        .transpose()?
        .and_then(|client| client.prepared))
}

impl Flood<'_> {
    /// Measures the ceilings that the rates in these cells are held against. What could not be measured is a warning.
    pub(crate) fn measure_all(
        &self,
        cells: &[Cell],
        interrupt: &mut Interrupt,
        progress: &Progress,
    ) -> anyhow::Result<(Vec<ClientCeiling>, Vec<String>)> {
        let (mut ceilings, mut warnings) = (Vec::new(), Vec::new());
        for setting @ (client, encoding, wait) in settings(cells) {
            progress.now(&format!("measuring the ceiling of the {client} client ({encoding}, {wait})"));
            match self.measure(setting, interrupt) {
                Ok(ceiling) => ceilings.push(ClientCeiling { client, ceiling }),
                Err(Stop::Interrupted(interrupted)) => return Err(interrupted.into()),
                Err(Stop::Failed { reason, .. } | Stop::Overdue(reason)) => {
                    warnings.push(unknown(setting, &reason))
                }
                Err(Stop::Broken(cause)) => warnings.push(unknown(setting, &format!("{cause:#}"))),
            }
            interrupt.check(": nothing was measured yet")?;
        }
        Ok((ceilings, warnings))
    }

    fn measure(&self, (name, encoding, wait): Setting, interrupt: &mut Interrupt) -> Result<Ceiling, Stop> {
        let client = self.clients.iter().find(|client| client.name == name);
        let client =
            client.with_context(|| format!("the {name} client was not built")).map_err(Stop::Broken)?;
        let prepared = self.prepared.context("no client in clients/clients.toml has a prepared command");
        let server =
            prepared.map_err(Stop::Broken)?.with(["--listen", "127.0.0.1:0", "--encoding", encoding.name()]);
        let mut live = LiveServer::start(&server, self.cores.server, interrupt)?;
        let request = request(&live, encoding, wait);
        let (seen, client) = measure(client, &request, self.cores.client, &mut live, interrupt)?;
        live.end()?;
        end_client(client)?;
        Ceiling::of(&seen, encoding, wait)
            .context("the client's own CPU time cannot be read on this system")
            .map_err(Stop::Broken)
    }
}

fn settings(cells: &[Cell]) -> BTreeSet<Setting> {
    let goes_to_the_limit =
        |kind| matches!(kind, ScenarioKind::Throughput | ScenarioKind::Load | ScenarioKind::Capacity);
    let floods = cells.iter().filter(|cell| goes_to_the_limit(cell.kind));
    floods.map(|cell| (cell.client, cell.encoding, cell.wait)).collect()
}

fn unknown((client, encoding, wait): Setting, reason: &str) -> String {
    format!(
        "The ceiling of the {client} client ({encoding}, {wait}) is not known, so that its throughput is judged by its CPU \
         share alone: {reason}."
    )
}

fn request(live: &LiveServer, encoding: Encoding, wait: Wait) -> Request {
    Request {
        server: live.address,
        job: Job::Ticks,
        encoding,
        flush: Flush::Batch,
        arrival: Arrival::Constant,
        rate_per_s: 0.0,
        size_bytes: 0,
        seed: SEED,
        feed: None,
        speed: 1.0,
        connections: 1,
        wait,
        warmup_ns: WARMUP_NS,
        window_ns: WINDOW_NS,
        stall_ns: STALL_NS,
        server_pid: None,
        usage_samples_per_s: 0,
        hiccup_ns: None,
        server_gaps: None,
        stages: false,
        samples: None,
        beside: Disturbance::Nothing,
    }
}
