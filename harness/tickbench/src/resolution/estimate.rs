//! From the records to the power of the report's verdict at each delay.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Serialize;
use tickbench_record::{Distribution, Measurement, Observation, Records, RunFolder, Study};
use tickbench_stats::{Detection, STUDIES, detection};

use super::ladder::{self, Step};
use crate::table::Columns;
use crate::{out, records};

/// A delay is found where at least so many studies of its kind find it.
const POWER: f64 = 0.9;

/// A quantile, and how it is read from a distribution.
type Quantile = (&'static str, f64, fn(&Distribution) -> u64);

const QUANTILES: [Quantile; 3] = [
    ("p50", 0.5, |figure| figure.p50),
    ("p99", 0.99, |figure| figure.p99),
    ("p99.9", 0.999, |figure| figure.p999),
];

/// A figure of an iteration, where it has it.
type Tail = (&'static str, fn(&Observation) -> Option<&Distribution>);

/// Delivery as it was, and less what the machine did to the client's core.
const TAILS: [Tail; 2] = [
    ("as it was", |seen| seen.delivery_ns.as_ref()),
    ("hiccups apart", |seen| seen.delivery_cleaned_ns.as_ref()),
];

const COLUMNS: Columns<8> = Columns { widths: [13, 8, 8, 10, 10, 12, 10, 5] };

/// How surely one delay is found in one quantile.
#[derive(Debug, Serialize)]
struct Line {
    tail: &'static str,
    quantile: &'static str,
    delay_ns: u64,
    /// Whether nothing was injected here either.
    is_control: bool,
    iterations: usize,
    without_ns: f64,
    with_ns: f64,
    /// The share of studies that judge it higher.
    found: f64,
}

/// What is written beside the records.
#[derive(Serialize)]
struct Resolution {
    studies: usize,
    power: f64,
    lines: Vec<Line>,
    smallest: Vec<Smallest>,
}

/// The smallest delay that is found, together with every larger one.
#[derive(Debug, PartialEq, Serialize)]
struct Smallest {
    tail: &'static str,
    quantile: &'static str,
    delay_ns: Option<u64>,
    /// The figure without a delay.
    without_ns: f64,
}

/// Prints the tables, and writes the same as `resolution.json`. `false` where too little completed for any of it.
pub(super) fn print(folder: &RunFolder) -> anyhow::Result<bool> {
    let Records { study, measurements, .. } = records::read(folder)?;
    let lines = estimate(&study, &measurements)
        .with_context(|| format!("failed to estimate the resolution from `{}`", folder.path().display()))?;
    if lines.is_empty() {
        let records = folder.path().join("measurements.jsonl");
        out::note(format_args!(
            "nothing can be estimated: too few executions completed; `{}` says why",
            records.display()
        ));
        return Ok(false);
    }
    let smallest = smallest(&lines);
    let scenario = study.scenarios.first().context("the study has no scenario")?;
    out::line(format_args!(
        "Delivery, {} ticks/s, {} iterations of {} ms. Found: the share of {STUDIES} studies drawn from these iterations in \
         which the delay is judged as higher.\n8 % are expected where nothing was injected.\n",
        scenario.rate_per_s, study.iterations, scenario.window_ms
    ));
    let heads = ["delivery", "quantile", "injected", "without", "with", "difference", "", "found"];
    out::text(format_args!("{}{}", COLUMNS.row(heads), COLUMNS.rule()));
    for line in &lines {
        out::text(line.row());
    }
    out::line("");
    for smallest in &smallest {
        out::line(smallest);
    }
    out::line("");
    folder.write_json("resolution.json", &Resolution { studies: STUDIES, power: POWER, lines, smallest })?;
    Ok(true)
}

/// Compares each delay with none, in each quantile, over the iterations in which both completed.
fn estimate(study: &Study, measurements: &[Measurement]) -> anyhow::Result<Vec<Line>> {
    let steps = ladder::of_study(study)
        .context("its study is none of the resolution: make one with `tickbench resolution`")?;
    let (&(first, _), others) = steps.split_first().context("the study names no server")?;
    let seed = study.seed.unwrap_or_default();
    let mut lines = Vec::new();
    for (tail, figure) in TAILS {
        let none = by_iteration(measurements, first, figure);
        for quantile in QUANTILES {
            for &(name, step) in others {
                let with = by_iteration(measurements, name, figure);
                lines.extend(compare(tail, quantile, step, &with, &none, seed)?);
            }
        }
    }
    Ok(lines)
}

type Iterations<'a> = BTreeMap<u32, &'a Distribution>;

fn by_iteration<'a>(
    measurements: &'a [Measurement],
    server: &str,
    figure: fn(&Observation) -> Option<&Distribution>,
) -> Iterations<'a> {
    let of_server = measurements.iter().filter(|measurement| measurement.cell.server == server);
    of_server
        .filter_map(|measurement| Some((measurement.iteration, figure(measurement.observation.as_ref()?)?)))
        .collect()
}

/// `None` where the samples do not do for the quantile.
fn compare(
    tail: &'static str,
    (quantile, q, read): Quantile,
    step: Step,
    with: &Iterations<'_>,
    none: &Iterations<'_>,
    seed: u64,
) -> anyhow::Result<Option<Line>> {
    let both: BTreeMap<u32, [&Distribution; 2]> = with
        .iter()
        .filter_map(|(iteration, with)| Some((*iteration, [*with, *none.get(iteration)?])))
        .collect();
    let found = detection(q, read, &both, seed).context("failed to read a histogram")?;
    Ok(found.map(|Detection { one_ns, other_ns, found }| Line {
        tail,
        quantile,
        delay_ns: step.ns,
        is_control: step.ns == 0,
        iterations: both.len(),
        without_ns: other_ns,
        with_ns: one_ns,
        found,
    }))
}

impl Line {
    fn row(&self) -> String {
        let difference = self.with_ns - self.without_ns;
        COLUMNS.row([
            self.tail,
            self.quantile,
            &format!("{} ns", self.delay_ns),
            &shown(self.without_ns),
            &shown(self.with_ns),
            &format!("{difference:+.0} ns"),
            &format!("{:+.1} %", 100.0 * difference / self.without_ns),
            &format!("{:.0} %", 100.0 * self.found),
        ])
    }
}

/// Nanoseconds, to a thousandth of what they are told in.
fn shown(ns: f64) -> String {
    if ns < 1e6 { format!("{:.3} µs", ns / 1e3) } else { format!("{:.3} ms", ns / 1e6) }
}

/// For each tail and quantile, the delay from which on all are found. `lines` come in the order of the delays.
fn smallest(lines: &[Line]) -> Vec<Smallest> {
    let same = |a: &Line, b: &Line| (a.tail, a.quantile) == (b.tail, b.quantile);
    lines
        .chunk_by(same)
        .map(|lines| {
            let injected = lines.iter().filter(|line| !line.is_control).rev();
            let found = injected.take_while(|line| line.found >= POWER);
            Smallest {
                tail: lines[0].tail,
                quantile: lines[0].quantile,
                delay_ns: found.last().map(|line| line.delay_ns),
                without_ns: lines[0].without_ns,
            }
        })
        .collect()
}

impl std::fmt::Display for Smallest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Smallest { tail, quantile, delay_ns, without_ns } = self;
        write!(f, "{quantile} of delivery, {tail}: ")?;
        match delay_ns {
            Some(ns) => write!(
                f,
                "{ns} ns ({:.1} % of {:.2} µs) is the smallest that {:.0} % of studies find",
                100.0 * *ns as f64 / without_ns,
                without_ns / 1e3,
                100.0 * POWER
            ),
            None => {
                let most = ladder::STEPS.iter().map(|step| step.ns).max().unwrap_or_default();
                write!(f, "none up to {most} ns is found by {:.0} % of studies", 100.0 * POWER)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(delay_ns: u64, found: f64) -> Line {
        Line {
            tail: "as it was",
            quantile: "p50",
            delay_ns,
            is_control: delay_ns == 0,
            iterations: 100,
            without_ns: 5_000.0,
            with_ns: 5_000.0 + delay_ns as f64,
            found,
        }
    }

    fn of(found: [f64; 4]) -> Option<u64> {
        let lines: Vec<Line> =
            [0, 50, 100, 200].into_iter().zip(found).map(|(ns, found)| line(ns, found)).collect();
        smallest(&lines)[0].delay_ns
    }

    #[test]
    fn the_smallest_is_the_one_from_which_on_all_are_found() {
        assert_eq!(of([0.1, 0.3, 0.9, 1.0]), Some(100));
        assert_eq!(
            of([1.0, 1.0, 1.0, 1.0]),
            Some(50),
            "what is found by chance where nothing was injected does not count"
        );
        assert_eq!(of([0.1, 1.0, 0.5, 1.0]), Some(200), "a lucky smaller one does not count");
        assert_eq!(of([0.1, 1.0, 1.0, 0.8]), None);
    }

    #[test]
    fn a_delay_is_said_in_words_and_as_a_share() {
        let some = &smallest(&[line(0, 0.0), line(100, 0.95)])[0];
        assert_eq!(
            some.to_string(),
            "p50 of delivery, as it was: 100 ns (2.0 % of 5.00 µs) is the smallest that 90 % of studies find"
        );
        let none = &smallest(&[line(0, 0.0), line(100, 0.5)])[0];
        assert!(none.to_string().ends_with("none up to 1000 ns is found by 90 % of studies"));
    }
}
