//! `tickbench capacity`: the search alone, from a few flags.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use tickbench_record::{Encoding, Flush, Study};
use tickbench_stats::{Caveat, CellSummary, Metric};

use crate::cli::RunArgs;
use crate::cores::CoreArgs;
use crate::exit::ExitStatus;
use crate::figures::Unit;
use crate::manifest::Manifest;
use crate::root::Root;
use crate::state::RunOutcome;
use crate::{derive, out, run};

/// So many searches tell three servers and a baseline apart within five minutes: eight are the fewest for a signed-rank test that
/// is corrected over their six pairs.
const ITERATIONS: u32 = 10;

#[derive(Debug, Args)]
pub(crate) struct CapacityArgs {
    /// What p99 of the response may be at most, such as `500us`.
    #[arg(long, value_name = "TIME", value_parser = limit)]
    p99: Option<Duration>,
    /// What p99.9 of the response may be at most, such as `1ms`.
    #[arg(long, value_name = "TIME", value_parser = limit)]
    p999: Option<Duration>,
    /// Only these servers, and the baseline.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    servers: Vec<String>,
    /// How often each server is searched, a fresh process each time.
    #[arg(long, value_name = "N", default_value_t = ITERATIONS, value_parser = clap::value_parser!(u32).range(1..))]
    iterations: u32,
    /// How messages are written: json or binary.
    #[arg(long, value_name = "ENCODING", default_value_t = Encoding::Binary)]
    encoding: Encoding,
    /// When messages leave the server: each alone, or in a batch.
    #[arg(long, value_name = "FLUSH", default_value_t = Flush::Each)]
    flush: Flush,
    /// The folder of the run; else `runs/` and the time.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    cores: CoreArgs,
    /// Seed of order, feed and intervals; else drawn.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: Option<u64>,
}

/// A limit above zero, to the nanosecond.
fn limit(text: &str) -> Result<Duration, String> {
    const EXAMPLE: &str = "write a whole number and its unit, such as 500us or 2ms";
    match humantime::parse_duration(text) {
        Ok(time) if time.is_zero() => Err(format!("nothing arrives in no time: {EXAMPLE}")),
        Ok(time) => Ok(time),
        Err(cause) => Err(format!("{cause}: {EXAMPLE}")),
    }
}

/// Searches, and prints what was found.
pub(crate) fn command(root: &Root, args: &CapacityArgs) -> anyhow::Result<ExitStatus> {
    let manifest = Manifest::read(root)?;
    let wishes = RunArgs {
        made: Some(args.study(&manifest)?),
        out: args.out.clone(),
        cores: args.cores,
        seed: args.seed,
        ..RunArgs::default()
    };
    let RunOutcome { folder, status } = run::run_study(root, &wishes)?;
    let Some(folder) = folder else { return Ok(status) };
    let summary = derive::summary(&folder)?;
    out::line(format_args!(
        "\n{} of the response, {} messages, flush={}:",
        args.words(),
        args.encoding,
        args.flush
    ));
    out::text(shown(&summary.cells));
    Ok(status)
}

impl CapacityArgs {
    /// The study that asks this and nothing else. The client sleeps until there is data, and leaves the machine to the server;
    /// the server's core is kept awake, so that of the wake-ups only the client's own stands in the response at low rates.
    fn study(&self, manifest: &Manifest) -> anyhow::Result<Study> {
        let CapacityArgs { iterations, encoding, flush, .. } = self;
        ensure!(
            self.p99.is_some() || self.p999.is_some(),
            "capacity needs a target for the response: --p99 500us, --p999 2ms, or both"
        );
        let us = |time: Duration| time.as_nanos() as f64 / 1e3;
        let limits = [("p99_us", self.p99), ("p999_us", self.p999)];
        let limits: String =
            limits.into_iter().filter_map(|(key, time)| Some(format!("{key} = {:?}\n", us(time?)))).collect();
        let text = format!(
            "name = \"capacity\"\niterations = {iterations}\n\n[[scenario]]\nname = \"capacity\"\nkind = \"capacity\"\n{limits}\
             encodings = [\"{encoding}\"]\nflush = [\"{flush}\"]\nwait = \"block\"\nidle = [\"spin\"]\nwarmup_ms = 40\n\
             window_ms = 350\n"
        );
        let study = Study::from_toml(&text).context("failed to make a study of the flags")?;
        let mut servers = self.servers.clone();
        let baseline = manifest.baseline().map(|entry| entry.name.clone());
        servers.extend(baseline.filter(|name| !servers.is_empty() && !servers.contains(name)));
        Ok(Study { servers, ..study })
    }

    fn words(&self) -> String {
        let limits = [("p99", self.p99), ("p99.9", self.p999)];
        let limit = |(name, time): (&str, Option<Duration>)| {
            Some(format!("{name} ≤ {}", humantime::format_duration(time?)))
        };
        limits.into_iter().filter_map(limit).collect::<Vec<_>>().join(" and ")
    }
}

/// A line for each server: its capacity with its interval, and what is to be known of it.
fn shown(cells: &[CellSummary]) -> String {
    let width = cells.iter().map(|cell| cell.cell.server.chars().count()).max().unwrap_or(0);
    let show = |rate| Unit::PerSecond.show(rate);
    cells
        .iter()
        .map(|cell| {
            let what = match (cell.figure(Metric::CapacityPerS), cell.caveat()) {
                (None, _) if !cell.is_sound() => {
                    "no capacity: failed an audit (see Audits in the report)".into()
                }
                (None, _) => match cell.failures.first() {
                    Some(failure) => format!("no capacity: {}", failure.reason),
                    None => "no capacity".into(),
                },
                (Some(found), caveat) => {
                    let interval = format!("[{}, {}]", show(found.low), show(found.high));
                    let (mark, note) = match caveat {
                        None | Some(Caveat::Coalesced) => ("", ""),
                        Some(Caveat::ClientBound) => ("≥ ", ", client-bound"),
                        Some(_) => ("≥ ", ", the search ended at its highest rate"),
                    };
                    format!("{mark}{} {interval}{note}", show(found.estimate))
                }
            };
            format!("{:width$}  {what}\n", cell.cell.server)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_time_above_zero() {
        assert_eq!(limit("500us"), Ok(Duration::from_micros(500)));
        for wrong in ["500", "fast", "0ms", "-1ms", "", "1.5.2ms"] {
            let refusal = limit(wrong).unwrap_err();
            assert!(refusal.contains("such as 500us"), "{wrong}: {refusal}");
        }
    }
}
