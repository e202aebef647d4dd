//! tickbench: which WebSocket framework should carry your market data?
//!
//! A run goes `study → build → verify → plan → launch → execute → measurement → report`; one module is one of these
//! steps.
//!
//! **Invariant:** no server is known by name. The manifest says how each is built and started.
//! **Invariant:** nothing is printed but through `out`.
//! **Invariant:** one thread, asleep in `poll` while a client measures, so that the harness disturbs neither core.

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod awake;
mod build;
mod capacity;
mod capture;
mod carry_out;
mod ceilings;
mod cli;
mod clock;
mod compare;
mod control;
mod cores;
mod derive;
mod environment;
mod execute;
mod exit;
mod explain;
mod export;
mod feed;
mod figures;
mod fingerprint;
mod history;
mod injection;
mod interrupt;
mod invocation;
mod launch;
mod limits;
mod list;
mod manifest;
mod out;
mod owed;
mod parity;
mod plan;
mod preflight;
mod process;
mod program;
mod programs;
mod progress;
mod quiet;
mod records;
mod resolution;
mod root;
mod run;
mod selftest;
mod spent;
mod start;
mod state;
mod study;
mod system;
mod table;
mod verify;

use std::process::ExitCode;

use clap::Parser as _;
use cli::{Cli, Command};
use exit::ExitStatus;
use root::Root;

fn main() -> ExitCode {
    exit::conclude(match Cli::try_parse() {
        Ok(cli) => act(cli),
        Err(said) => Ok(out::parsed(&said)),
    })
}

fn act(cli: Cli) -> anyhow::Result<ExitStatus> {
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
