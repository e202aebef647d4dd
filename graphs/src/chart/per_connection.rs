//! What a connection takes of memory.

use tickbench_stats::{Memory, MemorySlope};

use crate::card::Card;
use crate::layout::rows::{self, Column, Figure, Group, Row, Table};
use crate::run::{Facet, Run, slug};
use crate::units::{Unit, counted, grouped};
use crate::{Chart, GraphError, Section};

const SHOWN: [(&str, Memory); 2] =
    [("Server, PSS a connection", Memory::ServerPss), ("Kernel objects, both ends", Memory::KernelObjects)];

/// Bars of the slopes, user and kernel apart, a chart a scenario, a group a lane and kind of message.
pub(crate) fn charts(run: &Run) -> Result<Vec<Chart>, GraphError> {
    let mut charts = Vec::new();
    for slopes in run.summary.memory.chunk_by(|a, b| a.cell.scenario == b.cell.scenario) {
        let table = table(run, slopes);
        if table.is_empty() {
            continue;
        }
        let first = &slopes[0];
        let counts: Vec<String> = first.connections.iter().map(|one| grouped((*one).into())).collect();
        let card = Card {
            name: format!("{}-memory", slug(&first.cell.scenario)),
            title: format!("Memory per connection: {}", first.cell.scenario),
            setting: format!(
                "{} study · {} · {} connections",
                run.summary.study,
                counted(run.summary.iterations.into(), "iteration"),
                counts.join(", ")
            ),
            better: Some("lower is better"),
            caption: "What one more connection takes of the server's memory (PSS), and of the kernel's for both its ends: the slope \
                      over connection counts, with 95 % intervals over iterations. Lower is better."
                .into(),
            section: Section::Memory,
            legend: Vec::new(),
            missing: missing(slopes),
        };
        charts.push(card.draw(|canvas, top| rows::draw(canvas, top, &table))?);
    }
    Ok(charts)
}

fn table(run: &Run, slopes: &[MemorySlope]) -> Table {
    let columns = SHOWN.map(|(title, _)| Column { title: title.into(), unit: Unit::Bytes });
    let facet = |slope: &MemorySlope| Facet { connections: 0, ..Facet::of(&slope.cell) };
    let facets: Vec<Facet> = slopes.iter().map(facet).collect();
    let lanes = slopes.iter().any(|slope| slope.cell.lane != slopes[0].cell.lane);
    let title = |slope: &MemorySlope| {
        let label = facet(slope).label(&facets);
        if lanes { format!("{label}, {} lane", slope.cell.lane) } else { label }
    };
    let mut groups: Vec<Group> = Vec::new();
    for slope in slopes {
        let row = Row {
            server: slope.cell.server.clone(),
            look: run.look(&slope.cell.server),
            figures: SHOWN.map(|(_, memory)| figure(slope, memory)).into(),
        };
        let title = title(slope);
        match groups.iter_mut().find(|group| group.title == title) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group { title, rows: vec![row] }),
        }
    }
    Table { columns: columns.into(), groups }
}

/// Noise around nothing may fall below zero, where no bar can stand.
fn figure(slope: &MemorySlope, memory: Memory) -> Figure {
    match slope.bytes_per_connection.get(&memory) {
        Some(bytes) if bytes.estimate >= 0.0 => Figure::Bar(*bytes),
        _ => Figure::Absent,
    }
}

fn missing(slopes: &[MemorySlope]) -> Option<String> {
    let reasons =
        slopes.iter().filter_map(|slope| Some(format!("{}: {}", slope.cell.server, slope.missing.as_ref()?)));
    let reasons: Vec<String> = reasons.collect();
    (!reasons.is_empty()).then(|| format!("Not shown: {}", reasons.join("; ")))
}
