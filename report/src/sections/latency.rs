//! Latency of paced ticks.

use tickbench_record::ScenarioKind;
use tickbench_stats::Metric;

use super::{
    Part, Ratios, any_has, heading, name, parts, quantiles, remark_on_iterations, remark_on_merging,
};
use crate::run::{Question, Run};
use crate::table::Table;
use crate::units::{Unit, percentile};

const DELIVERY: [Metric; 4] =
    [Metric::DeliveryP50, Metric::DeliveryP90, Metric::DeliveryP99, Metric::DeliveryP999];
const LAG: [Metric; 4] = [Metric::LagP50, Metric::LagP90, Metric::LagP99, Metric::LagP999];
const RESPONSE: [Metric; 4] =
    [Metric::ResponseP50, Metric::ResponseP90, Metric::ResponseP99, Metric::ResponseP999];

pub(crate) fn section(run: &Run) -> Vec<Part> {
    parts(run, ScenarioKind::Latency, |question| {
        let (label, workload) = heading(run, question);
        let more = [
            ("Lag: how far each server fell behind its schedule (sent − due)", LAG),
            ("Response: what a user feels (received − due), free of coordinated omission", RESPONSE),
        ];
        let folded = more.iter().filter(|(_, metrics)| any_has(question, metrics[0]));
        Part {
            label,
            workload,
            table: delivery(run, question).markdown(),
            more: folded
                .map(|(title, metrics)| (title.to_string(), quantiles(run, question, metrics).markdown()))
                .collect(),
            remarks: [remark_on_merging(question, &DELIVERY), remark_on_iterations(run, question)]
                .into_iter()
                .flatten()
                .collect(),
        }
    })
}

fn delivery<'a>(run: &Run<'a>, question: &Question<'a>) -> Table {
    let ratios = [
        ("p50", Ratios::of(run, question, Metric::DeliveryP50)),
        ("p99", Ratios::of(run, question, Metric::DeliveryP99)),
    ];
    let headings =
        DELIVERY.iter().filter_map(|metric| metric.quantile()).map(|q| format!("{} µs", percentile(q)));
    let compared = ratios.iter().flat_map(|(quantile, ratios)| ratios.headings(quantile));
    let mut table = Table::new(std::iter::once("server".to_string()).chain(headings).chain(compared));
    for cell in question {
        let mut row = vec![name(run, &cell.cell.server)];
        for metric in DELIVERY {
            row.push(run.figure(&mut table, cell, metric, Unit::Micros));
        }
        for (_, ratios) in &ratios {
            row.extend(ratios.row(run, &mut table, cell));
        }
        table.push(row);
    }
    table
}
