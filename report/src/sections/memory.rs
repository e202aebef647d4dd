//! What a connection takes of memory: slopes over connection counts.

use tickbench_stats::{Memory, MemorySlope};

use super::name;
use crate::run::{Run, connections};
use crate::table::Table;
use crate::units::{Unit, count, list};

/// One table a scenario: its name, and the table with what it rests on.
pub(crate) fn section(run: &Run) -> Vec<(String, String)> {
    let scenarios = run.summary.memory.chunk_by(|a, b| a.cell.scenario == b.cell.scenario);
    scenarios.map(|slopes| (slopes[0].cell.scenario.clone(), part(run, slopes))).collect()
}

fn part(run: &Run, slopes: &[MemorySlope]) -> String {
    let mut counts: Vec<u32> = slopes.iter().flat_map(|slope| slope.connections.iter().copied()).collect();
    counts.sort_unstable();
    counts.dedup();
    let counts: Vec<String> = counts.into_iter().map(|one| count(one.into())).collect();
    let counts: Vec<&str> = counts.iter().map(String::as_str).collect();
    format!("Over {} connections.\n\n{}", list(&counts), table(run, slopes).markdown())
}

fn table(run: &Run, slopes: &[MemorySlope]) -> Table {
    let to = run.baseline.filter(|to| slopes.iter().any(|slope| slope.cell.server != *to));
    let over = |what: &str| to.map(|to| format!("{what} ÷ {to}"));
    let headings = [
        Some("server".to_string()),
        Some("PSS KiB".into()),
        over("PSS"),
        Some("private KiB".into()),
        Some("RSS KiB".into()),
        Some("kernel objects KiB".into()),
        over("objects"),
        Some("kernel buffers KiB".into()),
    ];
    let mut table = Table::new(headings.into_iter().flatten());
    for slope in slopes {
        let mut row = vec![format!("{}{}", name(run, &slope.cell.server), question(run, slope))];
        row.push(figure(&mut table, slope, Memory::ServerPss));
        row.extend(to.map(|to| ratio(&mut table, slope, Memory::ServerPss, to)));
        row.push(figure(&mut table, slope, Memory::ServerPrivate));
        row.push(figure(&mut table, slope, Memory::ServerRss));
        row.push(figure(&mut table, slope, Memory::KernelObjects));
        row.extend(to.map(|to| ratio(&mut table, slope, Memory::KernelObjects, to)));
        row.push(figure(&mut table, slope, Memory::KernelBuffers));
        table.push(row);
    }
    table
}

/// What tells a row from the others of its server in the scenario.
fn question(run: &Run, slope: &MemorySlope) -> String {
    let label = run.label(&slope.cell);
    let label = label.strip_prefix(&slope.cell.scenario).unwrap_or(&label);
    label.replace(&format!(", {}", connections(slope.cell.connections)), "")
}

fn figure(table: &mut Table, slope: &MemorySlope, memory: Memory) -> String {
    match slope.bytes_per_connection.get(&memory) {
        Some(bytes) => Unit::Kib.with_interval(bytes),
        None => table.missing(slope.missing.as_deref().unwrap_or("could not be read on this machine")),
    }
}

fn ratio(table: &mut Table, slope: &MemorySlope, memory: Memory, to: &str) -> String {
    if slope.cell.server == to {
        return "1".into();
    }
    match slope.ratios.get(to).and_then(|ratios| ratios.get(&memory)) {
        Some(ratio) => Unit::One.fine_with_interval(ratio),
        None => match &slope.missing {
            Some(reason) => table.missing(reason.as_str()),
            None => table.missing(format!("no ratio: {to} has no slope here that is surely above 0")),
        },
    }
}
