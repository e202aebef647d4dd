//! What a connection costs in memory: the slope of memory over connection counts.
//!
//! Each iteration has a line of its own, by least squares through its executions at different counts, and its slope is one
//! observation; the estimate is the median over iterations, with the interval of every other figure. Least squares, for the readings'
//! errors are those of pages and arenas and do not grow with the count: the largest counts then weigh most, as they should (a
//! median of all slopes between two counts would count that between 1 and 10 connections as much as any). An iteration that went
//! wrong is one bad observation of many.

use std::collections::BTreeMap;

use serde::Serialize;
use tickbench_record::{Cell, MemoryReading, Observation, ScenarioKind};

use crate::Estimate;
use crate::executions::Executions;
use crate::figure::{Figure, median_estimate, ratio};
use crate::resample::Tables;

/// Whose memory, and how it is counted: see [`MemoryReading`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Memory {
    /// The server's pages, shared ones divided among those who share them.
    ServerPss,
    /// The server's pages that no other process has.
    ServerPrivate,
    /// All of the server's resident pages.
    ServerRss,
    /// Buffers of TCP sockets, of both ends of each connection.
    KernelBuffers,
    /// Objects of the kernel, of both ends of each connection.
    KernelObjects,
}

impl Memory {
    /// Every way to count, in the order of its declaration.
    pub const ALL: [Memory; 5] = [
        Memory::ServerPss,
        Memory::ServerPrivate,
        Memory::ServerRss,
        Memory::KernelBuffers,
        Memory::KernelObjects,
    ];

    fn of(self, reading: &MemoryReading) -> u64 {
        match self {
            Memory::ServerPss => reading.pss_bytes,
            Memory::ServerPrivate => reading.private_bytes,
            Memory::ServerRss => reading.rss_bytes,
            Memory::KernelBuffers => reading.kernel_buffer_bytes,
            Memory::KernelObjects => reading.kernel_slab_bytes,
        }
    }

    /// How much it grew while the connections were opened and used.
    fn growth(self, seen: &Observation) -> Option<f64> {
        let [before, after] =
            [seen.server_memory_before?, seen.server_memory_after?].map(|one| self.of(&one));
        Some(after as f64 - before as f64)
    }
}

/// One server's memory for each connection, in a question that was asked with several connection counts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MemorySlope {
    /// The cell with the fewest connections; the others differ from it in nothing else.
    pub cell: Cell,
    /// The connection counts, ascending.
    pub connections: Vec<u32>,
    /// Bytes for each connection. A way to count that is absent could not be had.
    pub bytes_per_connection: BTreeMap<Memory, Estimate>,
    /// The same over that of another server in the same question, by that server's name: paired by iteration.
    pub ratios: BTreeMap<String, BTreeMap<Memory, Estimate>>,
    /// Why there is no figure, where there is none.
    pub missing: Option<String>,
}

/// The slopes of one server, by iteration.
struct Fitted {
    slope: MemorySlope,
    by_iteration: BTreeMap<Memory, BTreeMap<u32, f64>>,
}

/// The slopes of all servers in all questions about connections that stay open; nothing of runs in which memory was not looked at.
pub(crate) fn slopes(executions: &[Executions], tables: &Tables) -> Vec<MemorySlope> {
    let mut series: Vec<Vec<&Executions>> = Vec::new();
    for one in executions.iter().filter(|one| stays_open(one.cell.kind) && !one.cell.is_control()) {
        match series.iter_mut().find(|series| differ_in_connections(&series[0].cell, &one.cell)) {
            Some(series) => series.push(one),
            None => series.push(vec![one]),
        }
    }
    let looked_at = |series: &&Vec<&Executions>| {
        let mut seen = series.iter().flat_map(|one| one.completed.values());
        seen.any(|seen| seen.server_memory_after.is_some() || seen.server_memory_missing.is_some())
    };
    let mut fitted: Vec<Fitted> = series.iter().filter(looked_at).map(|series| fit(series, tables)).collect();
    let ratios: Vec<_> = fitted.iter().map(|one| ratios(one, &fitted, tables)).collect();
    fitted.iter_mut().zip(ratios).for_each(|(one, ratios)| one.slope.ratios = ratios);
    fitted.into_iter().map(|one| one.slope).collect()
}

/// Connections that come and go have no count.
fn stays_open(kind: ScenarioKind) -> bool {
    matches!(kind, ScenarioKind::Scaling | ScenarioKind::Ping | ScenarioKind::Relay)
}

fn differ_in_connections(one: &Cell, other: &Cell) -> bool {
    Cell { connections: one.connections, ..other.clone() } == *one
}

fn fit(series: &[&Executions], tables: &Tables) -> Fitted {
    let mut series = series.to_vec();
    series.sort_by_key(|one| one.cell.connections);
    let by_iteration: BTreeMap<Memory, BTreeMap<u32, f64>> =
        Memory::ALL.iter().map(|&memory| (memory, slopes_by_iteration(memory, &series))).collect();
    let estimate = |slopes: &BTreeMap<u32, f64>| median_estimate(slopes.values().copied().collect(), tables);
    let bytes_per_connection: BTreeMap<Memory, Estimate> =
        by_iteration.iter().filter_map(|(&memory, slopes)| Some((memory, estimate(slopes)?))).collect();
    let slope = MemorySlope {
        cell: series[0].cell.clone(),
        connections: series.iter().map(|one| one.cell.connections).collect(),
        missing: bytes_per_connection.is_empty().then(|| why_missing(&series)),
        bytes_per_connection,
        ratios: BTreeMap::new(),
    };
    Fitted { slope, by_iteration }
}

fn slopes_by_iteration(memory: Memory, series: &[&Executions]) -> BTreeMap<u32, f64> {
    let mut points: BTreeMap<u32, Vec<(f64, f64)>> = BTreeMap::new();
    for one in series {
        for (&iteration, seen) in &one.completed {
            if let Some(growth) = memory.growth(seen) {
                points.entry(iteration).or_default().push((one.cell.connections.into(), growth));
            }
        }
    }
    points.into_iter().filter_map(|(iteration, points)| Some((iteration, least_squares(&points)?))).collect()
}

/// The slope of the line `y = a + bx` with the least sum of squared distances in y. `None` of points that do not differ in x.
pub(crate) fn least_squares(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let spread: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let together: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    (spread > 0.0).then(|| together / spread)
}

fn why_missing(series: &[&Executions]) -> String {
    if series.len() < 2 {
        return "it takes at least two connection counts: list more under connections".into();
    }
    let mut seen = series.iter().flat_map(|one| one.completed.values());
    seen.find_map(|seen| seen.server_memory_missing.clone())
        .unwrap_or_else(|| "no iteration completed at two connection counts".into())
}

/// The slope over that of every other server that was asked the same.
fn ratios(one: &Fitted, all: &[Fitted], tables: &Tables) -> BTreeMap<String, BTreeMap<Memory, Estimate>> {
    let asked_the_same = |other: &&Fitted| {
        other.slope.cell != one.slope.cell && other.slope.cell.asks_the_same_as(&one.slope.cell)
    };
    let to = |other: &Fitted| -> BTreeMap<Memory, Estimate> {
        let of = |memory| {
            Some((memory, paired_ratio(&one.by_iteration[&memory], &other.by_iteration[&memory], tables)?))
        };
        Memory::ALL.into_iter().filter_map(of).collect()
    };
    all.iter()
        .filter(asked_the_same)
        .map(|other| (other.slope.cell.server.clone(), to(other)))
        .filter(|(_, ratios)| !ratios.is_empty())
        .collect()
}

/// The ratio of the two medians over the iterations that both have; `None` where the divisor is not surely above 0.
fn paired_ratio(one: &BTreeMap<u32, f64>, other: &BTreeMap<u32, f64>, tables: &Tables) -> Option<Estimate> {
    let both: Vec<(f64, f64)> =
        one.iter().filter_map(|(at, value)| Some((*value, *other.get(at)?))).collect();
    let (one, other): (Vec<f64>, Vec<f64>) = both.into_iter().unzip();
    let (of_one, of_other) = (Figure::paired(&one, tables)?, Figure::paired(&other, tables)?);
    (of_other.estimate(other.len())?.low > 0.0).then(|| ratio(&of_one, &of_other).estimate(one.len()))?
}
