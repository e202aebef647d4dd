//! Writes a complete run of invented figures, to try graphs and report on: `cargo run --release --example synthetic_run
//! -p tickbench-report -- DIR`. The study is named "synthetic", and nothing in it was measured. `DIR small` writes a run of
//! some hundred kilobytes, `DIR 20` one of twenty iterations.

mod model;
mod setting;

use std::path::PathBuf;

use tickbench_record::{Measurement, RunFolder, Stolen};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path: PathBuf =
        std::env::args_os().nth(1).ok_or("usage: synthetic_run DIR [ITERATIONS | small]")?.into();
    let how = std::env::args().nth(2);
    let mut study = setting::study(how.as_deref() == Some("small"));
    if let Some(iterations) = how.filter(|how| how != "small") {
        study.iterations = iterations.parse()?;
    }
    let run = RunFolder::create(&path)?;
    run.write_study(&study)?;
    run.write_environment(&setting::environment(&study))?;

    let cells = study.cells(&study.servers, |_| true);
    let mut log = run.log()?;
    let mut random = fastrand::Rng::with_seed(study.seed.unwrap_or_default());
    for iteration in 0..study.iterations {
        let mut order: Vec<usize> = (0..cells.len()).collect();
        random.shuffle(&mut order);
        // What the machine does in these seconds hits every cell of the iteration alike.
        let weather = 1.0 + 0.03 * model::normal(&mut random).abs();
        for (position, &at) in order.iter().enumerate() {
            let (cell, scenario) =
                (&cells[at], study.scenario(&cells[at]).expect("the cell is of this study"));
            let (outcome, observation) = model::execute(cell, scenario, weather, &mut random);
            let wall_ns = (scenario.warmup_ms + scenario.window_ms + 20) * 1_000_000;
            log.append(&Measurement {
                iteration,
                position: position as u32,
                started_at_s: 1_700_000_000.0 + f64::from(iteration) * 12.0 + position as f64 * 0.25,
                wall_ns,
                stolen: Some(Stolen { server_core_ns: 0, client_core_ns: wall_ns / 2_000 }),
                throttled: None,
                cell: cell.clone(),
                outcome,
                observation,
            })?;
        }
    }
    println!("{} cells × {} iterations in {}", cells.len(), study.iterations, path.display());
    Ok(())
}
