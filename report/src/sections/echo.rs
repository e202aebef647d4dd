//! Round trips.

use tickbench_record::ScenarioKind;
use tickbench_stats::Metric;

use super::flags::row_name;
use super::tails::Tails;
use super::{
    Part, Ratios, heading, parts, plain, quantile_headings, remark_on_iterations, remark_on_merging,
};
use crate::run::{Question, Run};
use crate::table::Table;
use crate::units::Unit;

const ROUND_TRIP: [Metric; 3] = [Metric::RoundTripP50, Metric::RoundTripP99, Metric::RoundTripP999];

const TAILS: Tails = Tails { raw: &ROUND_TRIP, set_aside: Metric::ClientSetAsideShare };

pub(crate) fn section(run: &Run) -> Vec<Part> {
    parts(run, ScenarioKind::Echo, |question| {
        let (label, workload) = heading(run, question);
        let shown: Vec<Metric> = ROUND_TRIP.into_iter().chain(Metric::primary(question)).collect();
        let remarks = [remark_on_merging(question, &shown), remark_on_iterations(run, question)];
        Part {
            label,
            workload,
            table: trips(run, question).markdown(),
            more: Vec::new(),
            remarks: remarks.into_iter().flatten().collect(),
        }
    })
}

fn trips<'a>(run: &Run<'a>, question: &Question<'a>) -> Table {
    let is_cleaned = TAILS.are_cleaned(question);
    let p50 = Metric::primary(question).first().copied().unwrap_or(Metric::RoundTripP50);
    let ratios = Ratios::of(run, question, p50);
    let quantiles = if is_cleaned { TAILS.headings() } else { quantile_headings(&ROUND_TRIP) };
    let headings = std::iter::once("server".to_string()).chain(quantiles).chain(ratios.headings("p50"));
    let rest = ["thousand round trips/s", "server CPU ns a message", "server busy %"];
    let mut table = Table::new(headings.chain(rest.map(String::from)));
    for cell in question {
        let mut row = Vec::new();
        if is_cleaned {
            row.push(TAILS.flagged(run, &mut table, cell));
            row.extend(TAILS.row(run, &mut table, cell));
        } else {
            row.push(row_name(run, &mut table, cell));
            row.extend(ROUND_TRIP.map(|metric| run.figure(&mut table, cell, metric, Unit::Micros)));
        }
        row.extend(ratios.row(run, &mut table, cell));
        row.push(run.figure(&mut table, cell, Metric::MessagesPerS, Unit::Thousands));
        row.push(run.figure(&mut table, cell, Metric::ServerCpuNsPerMessage, Unit::One));
        row.push(plain(&mut table, cell, Metric::ServerCpuShare, Unit::Percent));
        table.push(row);
    }
    table
}
