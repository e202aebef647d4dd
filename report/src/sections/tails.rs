//! Tails as they were beside the same less the machine's hiccups, and ratios of what decides.

use tickbench_stats::{CellSummary, Metric};

use super::Ratios;
use super::flags::row_name;
use crate::run::{Question, Run, metric_words};
use crate::table::Table;
use crate::units::{Unit, percentile};

/// More samples set aside than this share, and a row is flagged: so much of the tail is the machine's that what is left may be a
/// choice of samples.
pub(crate) const MUCH_SET_ASIDE: f64 = 0.03;

/// Quantiles of one latency.
pub(crate) struct Tails {
    /// The first is shown in one column, cleaned; each other in two, as it was and less the machine's hiccups.
    pub(crate) raw: &'static [Metric],
    /// Which share of the samples was set aside.
    pub(crate) set_aside: Metric,
}

impl Tails {
    /// Whether any row has a tail less the machine's hiccups.
    pub(crate) fn are_cleaned(&self, question: &Question) -> bool {
        let cleaned = self.raw.iter().filter_map(|metric| metric.cleaned());
        cleaned.into_iter().any(|metric| super::any_has(question, metric))
    }

    /// Every column, with its heading.
    fn columns(&self) -> Vec<(String, Metric)> {
        let mut columns = Vec::new();
        for (at, &raw) in self.raw.iter().enumerate() {
            let (Some(q), Some(cleaned)) = (raw.quantile(), raw.cleaned()) else { continue };
            if at > 0 {
                columns.push((format!("{} µs, as it was", percentile(q)), raw));
            }
            let less = if at > 0 { ", less hiccups" } else { "" };
            columns.push((format!("{} µs{less}", percentile(q)), cleaned));
        }
        columns
    }

    pub(crate) fn headings(&self) -> Vec<String> {
        let columns = self.columns().into_iter().map(|(heading, _)| heading);
        columns.chain(["set aside %".to_string()]).collect()
    }

    pub(crate) fn row(&self, run: &Run, table: &mut Table, cell: &CellSummary) -> Vec<String> {
        let columns = self.columns();
        let figures = columns.iter().map(|(_, metric)| run.figure(table, cell, *metric, Unit::Micros));
        let mut row: Vec<String> = figures.collect();
        row.push(super::plain(table, cell, self.set_aside, Unit::Percent));
        row
    }

    /// The server's name, flagged where too much was set aside.
    pub(crate) fn flagged(&self, run: &Run, table: &mut Table, cell: &CellSummary) -> String {
        let much = is_much(cell, self.set_aside);
        let flag = much.then(|| {
            format!(
                " **noisy** {}",
                table.mark(format!(
                    "noisy: more than {:.0} % of the samples were set aside, so read the tail as it was too",
                    MUCH_SET_ASIDE * 100.0
                ))
            )
        });
        format!("{}{}", row_name(run, table, cell), flag.unwrap_or_default())
    }

    pub(crate) fn table(&self, run: &Run, question: &Question) -> Table {
        let mut table = Table::new(std::iter::once("server".to_string()).chain(self.headings()));
        for cell in question {
            let mut row = vec![self.flagged(run, &mut table, cell)];
            row.extend(self.row(run, &mut table, cell));
            table.push(row);
        }
        table
    }
}

pub(crate) fn is_much(cell: &CellSummary, set_aside: Metric) -> bool {
    cell.figure(set_aside).is_some_and(|share| share.estimate > MUCH_SET_ASIDE)
}

/// The ratios of what decides, to the baseline and to the best, a row a server; nothing where there is nobody to compare with.
pub(crate) fn ratios<'a>(run: &Run<'a>, question: &Question<'a>, metrics: &[Metric]) -> Table {
    let ratios: Vec<(Metric, Ratios)> =
        metrics.iter().map(|&metric| (metric, Ratios::of(run, question, metric))).collect();
    let headings: Vec<String> = ratios
        .iter()
        .flat_map(|(metric, ratios)| {
            let short = metric.quantile().map_or_else(|| metric_words(*metric).0.to_string(), percentile);
            ratios.headings(&short)
        })
        .collect();
    let nobody = headings.is_empty();
    let mut table = Table::new(std::iter::once("ratios, paired".to_string()).chain(headings));
    for cell in question.iter().filter(|_| !nobody) {
        let mut row = vec![row_name(run, &mut table, cell)];
        for (_, ratios) in &ratios {
            row.extend(ratios.row(run, &mut table, cell));
        }
        table.push(row);
    }
    table
}
