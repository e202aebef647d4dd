//! Sums up a run and writes its report without graphs, and says how long each part took: `cargo run --release --example timed_report -p tickbench-report -- DIR`.

use std::path::PathBuf;
use std::time::Instant;

use tickbench_record::RunFolder;
use tickbench_stats::{Context, Summary};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path: PathBuf = std::env::args_os().nth(1).ok_or("usage: timed_report DIR")?.into();
    let run = RunFolder::open(&path)?;
    let began = Instant::now();
    let measurements = run.records()?.measurements;
    let read = began.elapsed();
    let summary = Summary::of(&run.study()?, &measurements, &Context::of(&run.environment()?))?;
    let summed = began.elapsed();
    let report = tickbench_report::render(&run.study()?, &run.environment()?, &summary, &[])?;
    let rendered = began.elapsed();
    run.write_json("summary.json", &summary)?;
    run.write("REPORT.md", report.as_bytes())?;
    println!(
        "reading {} lines {read:.2?}, summary {:.2?}, report {:.2?}",
        measurements.len(),
        summed - read,
        rendered - summed
    );
    Ok(())
}
