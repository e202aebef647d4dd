//! `tickbench study --check FILE`: what a study would execute, for how long, and what it needs. Measures nothing.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use tickbench_record::{Cell, Scenario, Study};

use crate::capacity::{Expected, Target};
use crate::cli::RunArgs;
use crate::exit::ExitStatus;
use crate::manifest::{Manifest, Server};
use crate::program::on_path;
use crate::root::Root;
use crate::run::most_connections;
use crate::{capacity, limits, out, owed, study};

/// What an execution takes besides warm-up and window: processes to start and to end, and for each connection its handshake and
/// its close. From the 5,400 executions of a default study on a virtual machine with two cores.
const AROUND: Duration = Duration::from_millis(18);
const AROUND_PER_CONNECTION: Duration = Duration::from_micros(180);

/// Explains a study, or refuses it as a run would.
pub(crate) fn command(root: &Root, file: &Path) -> anyhow::Result<ExitStatus> {
    let manifest = Manifest::read(root)?;
    let mut study = study::wished(&RunArgs { study: Some(file.into()), ..RunArgs::default() }, &manifest)?;
    let left_out = study::leave_out_replays(&mut study)?;
    let most = most_connections(&study);
    let limit = limits::raise_open_files(most)?;
    let cells = Cells::of(&study, &manifest);
    out::text(explained(&study, &cells, most, limit));
    left_out.iter().for_each(out::line);
    if cells.planned.is_empty() {
        out::note("nothing to measure: no server is left that can run a scenario of this study");
        return Ok(ExitStatus::Undecided);
    }
    Ok(ExitStatus::Success)
}

/// What a study asks, and of whom.
struct Cells {
    planned: Vec<Cell>,
    /// Cells that their server does not support.
    unsupported: Vec<Cell>,
    /// Servers that would be passed over, and why.
    skipped: Vec<String>,
}

impl Cells {
    fn of(study: &Study, manifest: &Manifest) -> Cells {
        let (mut able, mut skipped) = (Vec::new(), Vec::new());
        for name in &study.servers {
            match missing(manifest, name) {
                Some(program) => skipped.push(format!("{name}, for `{program}` is not on PATH")),
                None => able.push(name.clone()),
            }
        }
        let supports = |cell: &Cell| manifest.server(&cell.server).is_ok_and(|server| server.supports(cell));
        Cells {
            planned: study.cells(&able, supports),
            unsupported: Study { control: None, ..study.clone() }.cells(&able, |cell| !supports(cell)),
            skipped,
        }
    }

    fn of_scenario<'a>(&'a self, scenario: &'a Scenario) -> impl Iterator<Item = &'a Cell> {
        self.planned.iter().filter(move |cell| cell.scenario == scenario.name)
    }
}

/// The program that a server needs and this machine has not.
fn missing<'a>(manifest: &'a Manifest, name: &str) -> Option<&'a str> {
    let server: &Server = manifest.server(name).ok()?;
    server.skip_if_missing.as_deref().filter(|program| !on_path(program))
}

fn explained(study: &Study, cells: &Cells, connections: u32, limit: Option<u64>) -> String {
    let (iterations, count) = (u64::from(study.iterations), cells.planned.len() as u64);
    let mut text = format!(
        "{}: {iterations} iterations of {count} cells, {} executions, each with a fresh server\n\n",
        study.name,
        iterations * count
    );
    for scenario in &study.scenarios {
        let Scenario { name, kind, warmup_ms, window_ms, .. } = scenario;
        let of: Vec<&Cell> = cells.of_scenario(scenario).collect();
        let mut servers: Vec<&str> = Vec::new();
        of.iter().for_each(|cell| {
            if !servers.contains(&cell.server.as_str()) {
                servers.push(&cell.server);
            }
        });
        let _ = writeln!(
            text,
            "{name} ({kind}): {} cells; {warmup_ms} ms warm-up, {window_ms} ms window; {} connections\n    of {}",
            of.len(),
            scenario.connections.iter().map(u32::to_string).collect::<Vec<_>>().join(", "),
            if servers.is_empty() { "no server".into() } else { servers.join(", ") }
        );
        if let Some(least) = owed::least(scenario) {
            let _ = writeln!(text, "    each connection is owed {least:.1} messages in a window, or more");
        }
        if Target::of(scenario).is_some() {
            let Expected { measurements, measured } = capacity::expected(scenario, 0.0);
            let _ = writeln!(
                text,
                "    each execution a search: some {measurements} warm-ups and windows, {:.1} s",
                measured.as_secs_f64()
            );
        }
    }
    if !cells.unsupported.is_empty() {
        let names: Vec<String> = cells.unsupported.iter().map(Cell::to_string).collect();
        let _ = writeln!(text, "\nLeft out, for the server does not support it: {}", names.join("; "));
    }
    if !cells.skipped.is_empty() {
        let _ = writeln!(text, "\nPassed over: {}", cells.skipped.join("; "));
    }
    text + &time(study, cells) + &descriptors(connections, limit)
}

fn time(study: &Study, cells: &Cells) -> String {
    let iteration =
        |of: &dyn Fn(&Cell) -> Duration| cells.planned.iter().map(of).sum::<Duration>() * study.iterations;
    let expected =
        |cell: &Cell| study.scenario(cell).map(|scenario| capacity::expected(scenario, cell.rate_per_s));
    let measured = iteration(&|cell| expected(cell).map_or(Duration::ZERO, |expected| expected.measured));
    let around = iteration(&|cell| {
        let measurements = expected(cell).map_or(1, |expected| expected.measurements);
        (AROUND + AROUND_PER_CONNECTION * cell.connections) * measurements
    });
    format!(
        "\nTime: about {}: {} in warm-ups and windows, and {} around them ({} ms an execution and {} µs a connection, as \
         measured on a virtual machine with two cores). Building and verifying come on top.\n",
        rounded(measured + around),
        rounded(measured),
        rounded(around),
        AROUND.as_millis(),
        AROUND_PER_CONNECTION.as_micros()
    )
}

fn descriptors(connections: u32, limit: Option<u64>) -> String {
    let limit = limit.map_or("there is no limit".into(), |limit| format!("the limit is {limit}"));
    format!(
        "Open files: {connections} connections at most, a descriptor each in server and client; {limit}.\n"
    )
}

fn rounded(time: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(time.as_secs().max(1)))
}
