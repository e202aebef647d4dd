//! One publishes and many receive, by how many they are.

use tickbench_record::{Disturbance, ScenarioKind};
use tickbench_stats::Metric;

use super::flags::row_name;
use super::{Part, Ratios, plain, remark_on_iterations, remark_on_merging};
use crate::run::{Question, Run, workload};
use crate::table::Table;
use crate::units::{Unit, percentile};

const SKEW: [Metric; 2] = [Metric::SkewP50, Metric::SkewP99];

/// A part a question that nothing disturbs.
pub(crate) fn section(run: &Run) -> Vec<Part> {
    let mut questions = run.questions(ScenarioKind::Relay);
    questions.retain(|question| question[0].cell.beside == Disturbance::Nothing);
    questions.iter().map(|question| part(run, question)).collect()
}

fn part<'a>(run: &Run<'a>, question: &Question<'a>) -> Part {
    let primary = Metric::primary(question);
    let shown: Vec<Metric> = primary.iter().copied().chain(SKEW).collect();
    let remarks = [remark_on_merging(question, &shown), remark_on_iterations(run, question)];
    let more = vec![
        ("Memory, and how late the client published".to_string(), beside(run, question).markdown()),
        ("Delivery as it was, and response".to_string(), raw(run, question).markdown()),
    ];
    Part {
        label: run.label(&question[0].cell),
        workload: workload(&question[0].cell),
        table: table(run, question, &primary).markdown(),
        more,
        remarks: remarks.into_iter().flatten().collect(),
    }
}

fn table<'a>(run: &Run<'a>, question: &Question<'a>, primary: &[Metric]) -> Table {
    let delivery: Vec<Metric> =
        primary.iter().copied().filter(|metric| metric.quantile() != Some(0.999)).collect();
    let cleaned = if delivery.iter().any(|metric| metric.raw().is_some()) { ", cleaned" } else { "" };
    let quantile = |metric: &Metric| metric.quantile().map(percentile).unwrap_or_default();
    let ratios = Ratios::of(run, question, delivery[0]);
    let headings = std::iter::once("server".to_string())
        .chain(delivery.iter().map(|metric| format!("delivery {} µs{cleaned}", quantile(metric))))
        .chain(ratios.headings("p50"))
        .chain(SKEW.iter().map(|metric| format!("skew {} µs", quantile(metric))))
        .chain(
            ["server CPU ns a delivery", "server busy %", "connecting all ms", "thousand deliveries/s"]
                .map(String::from),
        );
    let mut table = Table::new(headings);
    for cell in question {
        let mut row = vec![row_name(run, &mut table, cell)];
        row.extend(delivery.iter().map(|metric| run.figure(&mut table, cell, *metric, Unit::Micros)));
        row.extend(ratios.row(run, &mut table, cell));
        for metric in SKEW {
            row.push(if cell.cell.connections == 1 {
                table.missing("one subscriber has no skew")
            } else {
                run.figure(&mut table, cell, metric, Unit::Micros)
            });
        }
        row.push(run.figure(&mut table, cell, Metric::ServerCpuNsPerMessage, Unit::One));
        row.push(plain(&mut table, cell, Metric::ServerCpuShare, Unit::Percent));
        row.push(run.figure(&mut table, cell, Metric::ConnectNs, Unit::Millis));
        row.push(plain(&mut table, cell, Metric::MessagesPerS, Unit::Thousands));
        table.push(row);
    }
    table
}

fn beside(run: &Run, question: &Question) -> Table {
    let mut table = Table::new([
        "server",
        "RSS MiB",
        "RSS grown in the window MiB",
        "peak RSS MiB",
        "published late p50 µs",
        "published late p99 µs",
        "client busy %",
    ]);
    for cell in question {
        let row = vec![
            row_name(run, &mut table, cell),
            run.figure(&mut table, cell, Metric::ServerRssBytes, Unit::Mib),
            run.figure(&mut table, cell, Metric::ServerRssGrowthBytes, Unit::Mib),
            plain(&mut table, cell, Metric::ServerRssPeakBytes, Unit::Mib),
            plain(&mut table, cell, Metric::PublishLagP50, Unit::Micros),
            plain(&mut table, cell, Metric::PublishLagP99, Unit::Micros),
            plain(&mut table, cell, Metric::ClientCpuShare, Unit::Percent),
        ];
        table.push(row);
    }
    table
}

fn raw(run: &Run, question: &Question) -> Table {
    let shown = [
        ("delivery p50 µs", Metric::DeliveryP50),
        ("delivery p99 µs", Metric::DeliveryP99),
        ("delivery p99.9 µs", Metric::DeliveryP999),
        ("response p50 µs", Metric::ResponseP50),
        ("response p99 µs", Metric::ResponseP99),
    ];
    let mut table = Table::new(std::iter::once("server").chain(shown.iter().map(|(title, _)| *title)));
    for cell in question {
        let mut row = vec![row_name(run, &mut table, cell)];
        row.extend(shown.iter().map(|(_, metric)| run.figure(&mut table, cell, *metric, Unit::Micros)));
        table.push(row);
    }
    table
}
