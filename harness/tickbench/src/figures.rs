//! The names by which people ask for a figure, and the units in which they read it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use tickbench_record::Cell;
use tickbench_stats::Metric;

/// Short names for what is asked for most.
const SHORT: [(&str, &str); 5] = [
    ("cpu_per_message", "server_cpu_ns_per_message"),
    ("cpu_share", "server_cpu_share"),
    ("rss", "server_rss_bytes"),
    ("rss_peak", "server_rss_peak_bytes"),
    ("connect", "connect_ns"),
];

/// A figure's name in `summary.json`: `delivery_p99`.
pub(crate) fn key(metric: Metric) -> String {
    let serde_json::Value::String(key) = serde_json::json!(metric) else {
        unreachable!("a metric is written as a word")
    };
    key
}

/// A figure's name as people write it: `delivery.p99`, `cpu_per_message`.
pub(crate) fn name(metric: Metric) -> String {
    let key = key(metric);
    if let Some((short, _)) = SHORT.iter().find(|(_, long)| *long == key) {
        return (*short).into();
    }
    match key.rsplit_once("_p") {
        Some((latency, digits)) if metric.quantile().is_some() => format!("{latency}.p{digits}"),
        _ => key,
    }
}

/// The figure of this name.
pub(crate) fn by_name(wanted: &str) -> Option<Metric> {
    Metric::ALL.iter().copied().find(|&metric| name(metric) == wanted || key(metric) == wanted)
}

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Nanoseconds,
    PerSecond,
    Bytes,
    Share,
    Bare,
}

impl Unit {
    pub(crate) fn of(metric: Metric) -> Unit {
        let key = key(metric);
        match key.as_str() {
            _ if metric.quantile().is_some() => Unit::Nanoseconds,
            _ if key.ends_with("_ns") || key.contains("_ns_per_") => Unit::Nanoseconds,
            _ if key.ends_with("_per_s") => Unit::PerSecond,
            _ if key.ends_with("_bytes") => Unit::Bytes,
            _ if key.ends_with("_share") => Unit::Share,
            _ => Unit::Bare,
        }
    }

    /// A figure with three significant digits and its unit.
    pub(crate) fn show(self, figure: f64) -> String {
        let (scaled, unit) = match self {
            Unit::Nanoseconds => scaled(figure, 1e3, &[" ns", " µs", " ms", " s"]),
            Unit::PerSecond => scaled(figure, 1e3, &["/s", " k/s", " M/s"]),
            Unit::Bytes => scaled(figure, 1024.0, &[" B", " KiB", " MiB", " GiB"]),
            Unit::Share => (figure * 100.0, " %"),
            Unit::Bare => (figure, ""),
        };
        let decimals = match scaled.abs() {
            size if size >= 99.95 => 0,
            size if size >= 9.995 => 1,
            _ => 2,
        };
        format!("{scaled:.decimals$}{unit}")
    }
}

fn scaled(mut figure: f64, step: f64, units: &[&'static str]) -> (f64, &'static str) {
    let mut at = 0;
    // Half a digit below the step already rounds up to it.
    while figure.abs() >= step * 0.9995 && at + 1 < units.len() {
        figure /= step;
        at += 1;
    }
    (figure, units[at])
}

/// `summary.json` as far as it is read back: the figures of each cell.
#[derive(Debug, Deserialize)]
pub(crate) struct KeptSummary {
    pub(crate) study: String,
    pub(crate) cells: Vec<KeptCell>,
}

impl KeptSummary {
    /// Reads a run's summary; `None` where the run has none yet.
    pub(crate) fn read(run: &Path) -> anyhow::Result<Option<KeptSummary>> {
        let path = run.join("summary.json");
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(cause).with_context(|| format!("failed to read `{}`", path.display())),
        };
        let read = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(&text));
        let checked = read.map_err(anyhow::Error::from).and_then(KeptSummary::checked);
        checked.map(Some).with_context(|| {
            format!(
                "failed to read `{}`: derive it anew with `tickbench report {}`",
                path.display(),
                run.display()
            )
        })
    }

    /// The summary, where its figures are numbers between bounds and no cell is told twice.
    fn checked(self) -> anyhow::Result<KeptSummary> {
        for (at, KeptCell { cell, estimates }) in self.cells.iter().enumerate() {
            let twice = self.cells[..at].iter().any(|earlier| earlier.cell == *cell);
            ensure!(!twice, "cells[{at}].cell: {cell} is told twice");
            for (metric, KeptEstimate { estimate, low, high, iterations }) in estimates {
                let is_figure = [estimate, low, high].iter().all(|number| number.is_finite());
                ensure!(
                    is_figure && low <= high && *iterations > 0,
                    "cells[{at}].estimates.{metric}: {estimate} [{low}, {high}] of {iterations} iterations is no estimate"
                );
            }
        }
        Ok(self)
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct KeptCell {
    pub(crate) cell: Cell,
    /// By the name of the metric; those of other versions of tickbench included.
    pub(crate) estimates: BTreeMap<String, KeptEstimate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(crate) struct KeptEstimate {
    pub(crate) estimate: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) iterations: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_is_found_by_its_name_and_by_its_key() {
        for &metric in Metric::ALL {
            assert_eq!(by_name(&name(metric)), Some(metric));
            assert_eq!(by_name(&key(metric)), Some(metric));
        }
        assert_eq!(name(Metric::DeliveryP999), "delivery.p999");
        assert_eq!(name(Metric::RoundTripP50), "round_trip.p50");
        assert_eq!(by_name("cpu_per_message"), Some(Metric::ServerCpuNsPerMessage));
        assert_eq!(by_name("delivery"), None);
    }

    #[test]
    fn figures_are_read_in_their_units() {
        let show = |metric, figure| Unit::of(metric).show(figure);
        assert_eq!(show(Metric::DeliveryP50, 5_154.0), "5.15 µs");
        assert_eq!(show(Metric::DeliveryP50, 999.7), "1.00 µs");
        assert_eq!(show(Metric::MessagesPerS, 222_400.0), "222 k/s");
        assert_eq!(show(Metric::ServerRssBytes, 6.5 * 1024.0 * 1024.0), "6.50 MiB");
        assert_eq!(show(Metric::ServerCpuShare, 0.284), "28.4 %");
        assert_eq!(show(Metric::ServerCpuNsPerMessage, 512.0), "512 ns");
        assert_eq!(show(Metric::MessagesPerRead, 1.3), "1.30");
    }
}
