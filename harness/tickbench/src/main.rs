//! tickbench: which WebSocket framework should carry your market data?
//!
//! A run goes `study → build → verify → plan → launch → execute → measurement → report`; one module is one of these
//! steps.
//!
//! **Invariant:** no server is known by name. The manifest says how each is built and started.
//! **Invariant:** one thread, asleep in `poll` while a client measures, so that the harness disturbs neither core.

mod awake;
mod build;
mod capacity;
mod capture;
mod ceilings;
mod cli;
mod compare;
mod control;
mod cores;
mod derive;
mod environment;
mod execute;
mod explain;
mod export;
mod feed;
mod figures;
mod fingerprint;
mod history;
mod injection;
mod interrupt;
mod launch;
mod limits;
mod list;
mod manifest;
mod parity;
mod plan;
mod preflight;
mod process;
mod program;
mod programs;
mod progress;
mod quiet;
mod resolution;
mod root;
mod run;
mod selftest;
mod start;
mod study;
mod system;
mod table;
mod verify;

use std::process::ExitCode;

use clap::Parser as _;
use cli::{Cli, Command};
use root::Root;

/// How a command ended, when it could do its work at all.
enum Ended {
    /// As wished.
    Fine,
    /// A check failed, or nothing could be measured.
    Wanting,
}

fn main() -> ExitCode {
    match act(Cli::parse()) {
        Ok(Ended::Fine) => ExitCode::SUCCESS,
        Ok(Ended::Wanting) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn act(cli: Cli) -> anyhow::Result<Ended> {
    let root = || Root::find(cli.root.as_deref());
    match cli.command.unwrap_or_default() {
        Command::Run(wishes) => run::run(&root()?, &wishes),
        Command::List => list::list(&root()?),
        Command::Capacity(wishes) => capacity::command(&root()?, &wishes),
        Command::Verify(wishes) => verify::command(&root()?, &wishes),
        Command::Control(wishes) => control::command(&root()?, &wishes),
        Command::Parity(wishes) => parity::command(&root()?, &wishes),
        Command::Preflight(wishes) => preflight::command(&root()?, &wishes),
        Command::Report { run } => derive::command(&run),
        Command::Compare(wishes) => compare::command(&wishes),
        Command::History { folder, out } => history::command(&folder, out.as_deref()),
        Command::Export(wishes) => export::command(&wishes),
        Command::Study { check } => explain::command(&root()?, &check),
        Command::Selftest(wishes) => selftest::command(&root()?, &wishes),
        Command::Resolution(wishes) => resolution::command(&root()?, &wishes),
        Command::Capture(wishes) => capture::capture(&wishes),
        Command::Completions { shell } => cli::completions(shell),
        Command::Man => cli::man(),
    }
}
