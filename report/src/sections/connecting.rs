//! Connections opened and closed in turn.

use tickbench_record::ScenarioKind;
use tickbench_stats::{Metric, SERVER_BUSY};

use super::flags::row_name;
use super::{Part, Ratios, heading, parts, plain, remark_on_iterations, remark_on_merging};
use crate::run::{Question, Run};
use crate::table::Table;
use crate::units::Unit;

const TIMES: [(&str, Metric); 4] = [
    ("handshake p50 µs", Metric::HandshakeP50),
    ("handshake p99 µs", Metric::HandshakeP99),
    ("first tick p50 µs", Metric::FirstTickP50),
    ("first tick p99 µs", Metric::FirstTickP99),
];

pub(crate) fn section(run: &Run) -> Vec<Part> {
    parts(run, ScenarioKind::Connect, |question| {
        let (label, workload) = heading(run, question);
        let metrics = TIMES.map(|(_, metric)| metric);
        let remarks = [
            remark_on_idle_servers(question),
            remark_on_merging(question, &metrics),
            remark_on_iterations(run, question),
        ];
        Part {
            label,
            workload,
            table: table(run, question).markdown(),
            more: Vec::new(),
            remarks: remarks.into_iter().flatten().collect(),
        }
    })
}

fn table<'a>(run: &Run<'a>, question: &Question<'a>) -> Table {
    // A rate that is not the server's is set against nobody's.
    let primary = Metric::primary(question);
    let ratios = |metric| primary.contains(&metric).then(|| Ratios::of(run, question, metric));
    let (rate, cost) = (ratios(Metric::MessagesPerS), ratios(Metric::ServerCpuNsPerMessage));
    let of =
        |ratios: &Option<Ratios>, name| ratios.as_ref().map(|one| one.headings(name)).unwrap_or_default();
    let headings = ["server", "connections/s"].map(String::from).into_iter().chain(of(&rate, "rate"));
    let headings = headings
        .chain(TIMES.map(|(title, _)| title.to_string()))
        .chain(["server CPU µs a connection".to_string()])
        .chain(of(&cost, "CPU"))
        .chain(["server busy %", "client busy %"].map(String::from));
    let mut table = Table::new(headings);
    for cell in question {
        let mut row = vec![
            row_name(run, &mut table, cell),
            run.figure(&mut table, cell, Metric::MessagesPerS, Unit::One),
        ];
        row.extend(rate.iter().flat_map(|ratios| ratios.row(run, &mut table, cell)));
        for (_, metric) in TIMES {
            row.push(run.figure(&mut table, cell, metric, Unit::Micros));
        }
        row.push(run.figure(&mut table, cell, Metric::ServerCpuNsPerMessage, Unit::Micros));
        row.extend(cost.iter().flat_map(|ratios| ratios.row(run, &mut table, cell)));
        row.push(plain(&mut table, cell, Metric::ServerCpuShare, Unit::Percent));
        row.push(plain(&mut table, cell, Metric::ClientCpuShare, Unit::Percent));
        table.push(row);
    }
    table
}

fn remark_on_idle_servers(question: &Question) -> Option<String> {
    let measured = || question.iter().filter(|cell| cell.completed > 0);
    let idle: Vec<&str> =
        measured().filter(|cell| !cell.server_was_busy()).map(|cell| cell.cell.server.as_str()).collect();
    (!idle.is_empty()).then(|| {
        format!(
            "{} used under {:.0} % of {} core: there the client or the kernel limited the rate, and so it ranks nobody. What a \
             connection costs the server is its own figure all the same.",
            crate::units::list(&idle),
            SERVER_BUSY * 100.0,
            if idle.len() == 1 { "its" } else { "their" }
        )
    })
}
