//! HdrHistogram's interval logs, version 1.3: what its standard viewers and `HistogramLogProcessor` open. One file a cell and
//! latency; an interval is an iteration's window, placed at the iteration's start; values are nanoseconds, `Interval_Max` in
//! milliseconds.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::IntervalLogWriterBuilder;
use tickbench_record::{Distribution, Measurement};

use super::columns::LATENCIES;

/// One interval of a log.
struct Interval<'a> {
    started_at_s: f64,
    length_ns: u64,
    distribution: &'a Distribution,
}

/// Writes all logs into a folder, and returns how many.
pub(super) fn write(measurements: &[Measurement], out: &Path) -> anyhow::Result<usize> {
    std::fs::create_dir_all(out).with_context(|| format!("failed to create `{}`", out.display()))?;
    let logs = logs(measurements);
    for ((cell, latency), intervals) in &logs {
        let path = out.join(format!("{}.{latency}.hlog", file_stem(cell)));
        log(cell, latency, intervals, &path)
            .with_context(|| format!("failed to write `{}`", path.display()))?;
    }
    Ok(logs.len())
}

/// The intervals of each cell and latency, in the order in which they were measured.
fn logs(measurements: &[Measurement]) -> BTreeMap<(String, &'static str), Vec<Interval<'_>>> {
    let mut logs: BTreeMap<_, Vec<Interval>> = BTreeMap::new();
    for measurement in measurements {
        let Some(seen) = &measurement.observation else { continue };
        for (latency, _, of) in LATENCIES {
            if let Some(distribution) = of(seen) {
                logs.entry((measurement.cell.to_string(), latency)).or_default().push(Interval {
                    started_at_s: measurement.started_at_s,
                    length_ns: seen.elapsed_ns,
                    distribution,
                });
            }
        }
    }
    for intervals in logs.values_mut() {
        intervals.sort_by(|a, b| a.started_at_s.total_cmp(&b.started_at_s));
    }
    logs
}

fn log(cell: &str, latency: &str, intervals: &[Interval], path: &Path) -> anyhow::Result<()> {
    let first = intervals.first().map_or(0.0, |interval| interval.started_at_s);
    let base = SystemTime::UNIX_EPOCH + Duration::try_from_secs_f64(first)?;
    let (mut file, mut serializer) = (BufWriter::new(File::create(path)?), V2DeflateSerializer::new());
    let mut builder = IntervalLogWriterBuilder::new();
    builder
        .add_comment("[Histogram log format version 1.3]")
        .add_comment(&format!("[{cell}: {latency}, in nanoseconds]"));
    let beyond: u64 = intervals.iter().map(|interval| interval.distribution.beyond).sum();
    if beyond > 0 {
        builder.add_comment(&format!("[{beyond} samples are beyond one hour, and stand as one hour]"));
    }
    let mut writer = builder
        .with_start_time(base)
        .with_base_time(base)
        .with_max_value_divisor(1e6)
        .begin_log_with(&mut file, &mut serializer)?;
    for Interval { started_at_s, length_ns, distribution } in intervals {
        let since = Duration::try_from_secs_f64(started_at_s - first)?;
        writer.write_histogram(&distribution.histogram()?, since, Duration::from_nanos(*length_ns), None)?;
    }
    Ok(file.flush()?)
}

/// A cell's name as a file's, in letters that every file system takes.
fn file_stem(cell: &str) -> String {
    let words: Vec<String> = cell
        .replace('×', "x")
        .split(|letter: char| !(letter.is_alphanumeric() || letter == '#'))
        .filter(|word| !word.is_empty())
        .map(|word| word.replace('#', "+"))
        .collect();
    words.join("-")
}
