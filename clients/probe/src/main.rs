//! The instrument: one thread that measures a server from outside.

mod affinity;
mod bare;
mod ceiling;
mod cli;
mod clocks;
mod hiccups;
mod idle;
mod link;
mod measure;
mod pacer;
mod prepared;
mod stream;
mod verify;

use std::process::ExitCode;

use clap::Parser as _;
use cli::{Cli, Command};
use tickbench_client_kit::print_reply;
use tickbench_record::StreamRequest;

fn main() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::Measure(flags) => print_reply(&measure::measure(&flags.into()))?,
        Command::Ceiling { encoding, wait, window_ns, writer_core } => {
            ceiling::run(encoding, wait, window_ns, writer_core)?
        }
        Command::Stream { server, encoding, flush, rate, count, stall_ns } => {
            stream::run(&StreamRequest { server, encoding, flush, rate_per_s: rate, count }, stall_ns)?;
        }
        Command::Prepared { listen, encoding, core } => prepared::serve(listen, encoding, core)?,
        Command::Hiccups { core, watch_ns } => hiccups::run(core, watch_ns)?,
        Command::Clocks { cores, readings } => clocks::run(cores, readings)?,
        Command::Idle { core, gaps, threshold_ns } => idle::run(core, &gaps, threshold_ns)?,
        Command::Bare { size, rate, window_ns, writer_core } => {
            bare::run(bare::Stream { size: size as usize, rate, window_ns, writer_core })?;
        }
        Command::Verify(flags) => {
            if !verify::run(flags)? {
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
