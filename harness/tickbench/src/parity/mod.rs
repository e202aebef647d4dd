//! The parity ledger: what each server really set and does, read from the running process and not from its source.
//!
//! For each server and lane a process is launched as for a measurement. A client streams a few hundred ticks from it in each
//! flush class, first alone and then with the server under a tracer, and holds each connection while the server's end of it is
//! looked at. None of this is timed, and none of it is part of a measurement.

mod calls;
mod flags;
mod pass;

#[cfg(target_os = "linux")]
mod executable;
#[cfg(target_os = "linux")]
mod sockets;
#[cfg(target_os = "linux")]
mod trace;
#[cfg(target_os = "linux")]
mod system {
    pub(crate) use super::executable::{read as executable, threads};
    pub(crate) use super::sockets::{backlog, descriptors, settings};
    pub(crate) use super::trace::Tracer;
}

#[cfg(not(target_os = "linux"))]
#[path = "other.rs"]
mod system;

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use tickbench_record::{Ledger, SkippedServer};
use tickbench_stats::broken_promises;

use crate::build::{Builder, Instrument};
use crate::cli::Loopback;
use crate::cores::{self, CoreArgs};
use crate::exit::ExitStatus;
use crate::interrupt::Interrupt;
use crate::launch::Launch;
use crate::manifest::Manifest;
use crate::out;
use crate::program::Program;
use crate::progress::Progress;
use crate::root::Root;

pub(crate) use pass::Survey;

/// `tickbench parity`.
#[derive(Debug, Args)]
pub(crate) struct ParityArgs {
    /// Only these servers.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    servers: Vec<String>,
    /// Where the ledger goes as Markdown; else standard output. A name that ends in `.json` gets the records.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    cores: CoreArgs,
}

/// Looks at each server in each of its lanes; exit code 1 where a tuned lane breaks the promise of servers/TUNING.md.
pub(crate) fn command(root: &Root, args: &ParityArgs) -> anyhow::Result<ExitStatus> {
    let manifest = Manifest::read(root)?;
    let names = if args.servers.is_empty() { manifest.names() } else { args.servers.clone() };
    for name in &names {
        manifest.server(name)?;
    }
    cores::check(args.cores)?;
    let mut interrupt = Interrupt::install()?;
    let progress = Progress::new();
    let mut builder = Builder::new(root, &mut interrupt, &progress)?;
    let streamer = streamer_of(&manifest, &[], &mut builder)?.context(
        "no client in clients/clients.toml can hold a stream open: give one a `stream` command (the file says what it does)",
    )?;
    let (servers, skipped) = builder.servers(&manifest, &names)?;
    let placement = cores::place(args.cores, &[])?;
    let survey = Survey {
        root,
        streamer: &streamer,
        launch: Launch { listen: Loopback::default().0, core: placement.cores.server },
        client_core: placement.cores.client,
    };
    let has = |name: &str, lane| {
        servers.iter().any(|server| server.entry.name == name && server.entry.lanes.contains(&lane))
    };
    let ledger = survey.of_all(&servers, has, &mut interrupt, &progress)?;
    progress.end();
    for SkippedServer { name, reason } in &skipped {
        out::note(format_args!("{name}: skipped, {reason}"));
    }
    if ledger.entries.is_empty() {
        out::note("no server is left to look at");
        return Ok(ExitStatus::Undecided);
    }
    write(args, &ledger)?;
    let broken = broken_promises(&ledger);
    broken.iter().for_each(|what| out::note(format_args!("broken promise: {what}")));
    Ok(if broken.is_empty() { ExitStatus::Success } else { ExitStatus::CheckFailed })
}

fn write(args: &ParityArgs, ledger: &Ledger) -> anyhow::Result<()> {
    let Some(out) = &args.out else {
        out::text(tickbench_report::ledger_page(ledger));
        return Ok(());
    };
    let text = match out.extension() {
        Some(extension) if extension == "json" => {
            serde_json::to_string_pretty(ledger).expect("records are plain data") + "\n"
        }
        _ => tickbench_report::ledger_page(ledger),
    };
    if let Err(cause) = std::fs::write(out, text) {
        bail!("failed to write `{}`: {cause}; name another file with --out", out.display());
    }
    out::line(out.display());
    Ok(())
}

/// The command that holds a stream open, from the first client that brings one.
pub(crate) fn streamer_of(
    manifest: &Manifest,
    clients: &[Instrument],
    builder: &mut Builder<'_>,
) -> anyhow::Result<Option<Program>> {
    let entry = manifest.clients.iter().find(|client| client.stream.is_some());
    Ok(entry.map(|entry| builder.client_unless(clients, entry)).transpose()?.and_then(|client| client.stream))
}
