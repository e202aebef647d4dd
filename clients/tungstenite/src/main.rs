//! A usual client: the probe's job on tokio-tungstenite, with its defaults, so that a report can show what such a client adds to
//! the figures of the same server.

mod connection;
mod counted;
mod measure;

use clap::Parser;
use tickbench_client_kit::{MeasureFlags, print_reply};
use tickbench_record::{Request, Wait};

/// The probe's job on tokio-tungstenite: what a usual client sees
#[derive(Parser)]
#[command(version)]
enum Command {
    /// Measures a server; prints one line of JSON
    Measure(MeasureFlags),
}

fn main() -> anyhow::Result<()> {
    let Command::Measure(flags) = Command::parse();
    let request = Request::from(flags);
    anyhow::ensure!(
        request.wait == Wait::Block,
        "a runtime sleeps until there is data: ask for --wait block"
    );
    anyhow::ensure!(
        !request.stages,
        "a runtime does not hand on the kernel's timestamps: leave --stages out"
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    print_reply(&runtime.block_on(measure::measure(request)))?;
    Ok(())
}
