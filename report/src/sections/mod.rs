//! The sections that show figures: each turns a part of the summary into Markdown.

pub(crate) mod audits;
pub(crate) mod capacity;
pub(crate) mod clients;
pub(crate) mod connecting;
pub(crate) mod disturbed;
pub(crate) mod echo;
pub(crate) mod environment;
pub(crate) mod failures;
pub(crate) mod flags;
pub(crate) mod idle;
pub(crate) mod lanes;
pub(crate) mod latency;
pub(crate) mod load;
pub(crate) mod memory;
pub(crate) mod noise;
pub(crate) mod parity;
pub(crate) mod quiet;
pub(crate) mod relay;
pub(crate) mod resources;
pub(crate) mod scaling;
pub(crate) mod sizes;
pub(crate) mod stages;
pub(crate) mod tails;
pub(crate) mod threats;
pub(crate) mod throughput;
pub(crate) mod unfinished;

use serde::Serialize;
use tickbench_record::ScenarioKind;
use tickbench_stats::{CellSummary, Metric};

use crate::reason::absent;
use crate::run::{Question, Run, workload};
use crate::table::{Table, escaped};
use crate::units::{Unit, count, percentile};
use flags::row_name;

/// A question as the template shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Part {
    /// Its heading.
    label: String,
    /// What was asked.
    workload: String,
    /// The table that answers it.
    table: String,
    /// Tables for those who want to know more, folded away, each with its title.
    more: Vec<(String, String)>,
    /// What to know when reading the table.
    remarks: Vec<String>,
}

/// Every question of a kind, shown by `show`.
fn parts<'a>(run: &Run<'a>, kind: ScenarioKind, show: impl Fn(&Question<'a>) -> Part) -> Vec<Part> {
    run.questions(kind).iter().map(show).collect()
}

fn heading(run: &Run, question: &Question) -> (String, String) {
    (run.label(&question[0].cell), workload(&question[0].cell))
}

/// The columns of ratios to the baseline and to the best contestant, as far as they make sense in this question.
struct Ratios<'a> {
    metric: Metric,
    baseline: Option<&'a str>,
    best: Option<&'a str>,
}

impl<'a> Ratios<'a> {
    fn of(run: &Run<'a>, question: &Question<'a>, metric: Metric) -> Ratios<'a> {
        let present = |server: &str| question.iter().any(|cell| cell.cell.server == server);
        let places = run.ranking(question, metric);
        let contested = question.len() > 1;
        Ratios {
            metric,
            baseline: run.baseline.filter(|baseline| contested && present(baseline)),
            best: places.first().map(|place| place.server).filter(|_| places.len() > 1),
        }
    }

    fn headings(&self, name: &str) -> Vec<String> {
        let to = |server: &&str| format!("{name} ÷ {server}");
        self.baseline.iter().chain(&self.best).map(to).collect()
    }

    fn row(&self, run: &Run, table: &mut Table, cell: &CellSummary) -> Vec<String> {
        let ratios = self.baseline.iter().chain(&self.best);
        ratios.map(|to| run.ratio(table, cell, self.metric, Some(to))).collect()
    }
}

/// The name of a server in a table: the baseline in italics.
fn name(run: &Run, server: &str) -> String {
    if run.is_baseline(server) { format!("*{}*", escaped(server)) } else { escaped(server) }
}

/// The headings of columns of quantiles, in microseconds.
fn quantile_headings(metrics: &[Metric]) -> Vec<String> {
    metrics.iter().filter_map(|metric| metric.quantile()).map(|q| format!("{} µs", percentile(q))).collect()
}

/// Four quantiles of one latency, a row a server.
fn quantiles(run: &Run, question: &Question, metrics: &[Metric]) -> Table {
    let mut table = Table::new(std::iter::once("server".to_string()).chain(quantile_headings(metrics)));
    for cell in question {
        let mut row = vec![row_name(run, &mut table, cell)];
        for &metric in metrics {
            row.push(run.figure(&mut table, cell, metric, Unit::Micros));
        }
        table.push(row);
    }
    table
}

/// Says which of the quantiles are of more than single iterations.
fn remark_on_merging(question: &Question, metrics: &[Metric]) -> Option<String> {
    let names = |is_one: &dyn Fn(&CellSummary, Metric) -> bool| {
        let mut names: Vec<String> = metrics
            .iter()
            .filter(|metric| question.iter().any(|cell| is_one(cell, **metric)))
            .filter_map(|metric| metric.quantile())
            .map(percentile)
            .collect();
        names.sort();
        names.dedup();
        names
    };
    let merged = names(&|cell, metric| cell.merged.contains(&metric));
    let in_blocks = names(&|cell, metric| cell.blocks.contains_key(&metric));
    let list = |names: &[String]| crate::units::list(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let remarks = [
        (!in_blocks.is_empty()).then(|| {
            let cells = question.iter();
            let lengths: Vec<u32> =
                cells.flat_map(|cell| metrics.iter().filter_map(|metric| cell.blocks.get(metric))).copied().collect();
            let (least, most) = (lengths.iter().min().unwrap_or(&0), lengths.iter().max().unwrap_or(&0));
            let length = if least == most { format!("{most}") } else { format!("{least} to {most}") };
            format!(
                "{}: single iterations hold too few samples, so that the figure is the median over blocks of {length} consecutive \
                 iterations, merged within.",
                list(&in_blocks)
            )
        }),
        (!merged.is_empty()).then(|| {
            format!(
                "{}: single iterations hold too few samples, so that the figure is that of all iterations' samples merged. \
                 The interval comes from resampling whole iterations.",
                list(&merged)
            )
        }),
    ];
    let remarks: Vec<String> = remarks.into_iter().flatten().collect();
    (!remarks.is_empty()).then(|| remarks.join(" "))
}

/// How many iterations the figures rest on, where it is not the same for all.
fn remark_on_iterations(run: &Run, question: &Question) -> Option<String> {
    let short: Vec<String> = question
        .iter()
        .filter(|cell| cell.completed < run.summary.iterations as usize)
        .map(|cell| format!("{} on {}", cell.cell.server, count(cell.completed as u64)))
        .collect();
    let names: Vec<&str> = short.iter().map(String::as_str).collect();
    (!names.is_empty()).then(|| {
        format!(
            "Not all figures rest on {} iterations: {}.",
            run.summary.iterations,
            crate::units::list(&names)
        )
    })
}

/// Nothing where a metric is missing from every row and its column would be empty.
fn any_has(question: &Question, metric: Metric) -> bool {
    question.iter().any(|cell| cell.estimates.contains_key(&metric))
}

/// A figure without its interval.
fn plain(table: &mut Table, cell: &CellSummary, metric: Metric, unit: Unit) -> String {
    match cell.figure(metric) {
        Some(estimate) => unit.plain(estimate),
        None => absent(table, cell, metric),
    }
}
