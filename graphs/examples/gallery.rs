//! Draws every chart of a made-up run, or of a real one, into a folder:
//! `cargo run -p tickbench-graphs --example gallery -- FOLDER [RUN]`.

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::Path;
use std::time::Instant;
use std::{env, fs};

use tickbench_graphs::{Options, charts};
use tickbench_record::RunFolder;
use tickbench_stats::{Context, Summary};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = env::args().skip(1);
    let folder = arguments.next().ok_or("failed to draw: no folder was named: pass one")?;
    let summary = match arguments.next() {
        Some(run) => {
            let run = RunFolder::open(Path::new(&run))?;
            Summary::of(&run.study()?, &run.records()?.measurements, &Context::of(&run.environment()?))?
        }
        None => {
            let mut summary = support::summary(&support::SERVERS, 100);
            let paced = summary.cells.iter_mut().filter(|cell| cell.cell.scenario == "latency");
            paced.for_each(support::add_stages);
            summary
        }
    };
    let started = Instant::now();
    let charts = charts(&summary, Options { baseline: Some("floor") })?;
    println!("{} charts of {} cells in {:?}", charts.len(), summary.cells.len(), started.elapsed());
    fs::create_dir_all(&folder)?;
    for chart in charts {
        fs::write(format!("{folder}/{}.svg", chart.name), &chart.svg)?;
        println!("{:?} {}: {} ({} KiB)", chart.section, chart.name, chart.title, chart.svg.len() / 1024);
    }
    Ok(())
}
