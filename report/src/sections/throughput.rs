//! Floods: how many messages a second.

use tickbench_record::ScenarioKind;
use tickbench_stats::{CLIENT_BUSY, CellSummary, Doubt, Metric, SERVER_BUSY};

use super::{Part, Ratios, heading, name, parts, plain, remark_on_iterations};
use crate::run::{Question, Run};
use crate::table::Table;
use crate::units::Unit;

pub(crate) fn section(run: &Run) -> Vec<Part> {
    parts(run, ScenarioKind::Throughput, |question| {
        let (label, workload) = heading(run, question);
        Part {
            label,
            workload,
            table: rates(run, question).markdown(),
            more: Vec::new(),
            remarks: remark_on_iterations(run, question).into_iter().collect(),
        }
    })
}

fn rates<'a>(run: &Run<'a>, question: &Question<'a>) -> Table {
    let ratios = Ratios::of(run, question, Metric::MessagesPerS);
    let headings = ["server", "M messages/s"].map(String::from).into_iter().chain(ratios.headings("rate"));
    let rest = ["MiB/s", "messages a read", "server CPU ns a message", "server busy %", "client busy %"];
    let mut table = Table::new(headings.chain(rest.map(String::from)));
    for cell in question {
        let mark = cell.doubt().map(|doubt| mark(&mut table, doubt)).unwrap_or_default();
        let mut row = vec![
            format!("{}{mark}", name(run, &cell.cell.server)),
            run.figure(&mut table, cell, Metric::MessagesPerS, Unit::Millions),
        ];
        row.extend(ratios.row(run, &mut table, cell));
        row.push(plain(&mut table, cell, Metric::BytesPerS, Unit::Mib));
        row.push(plain(&mut table, cell, Metric::MessagesPerRead, Unit::One));
        row.push(run.figure(&mut table, cell, Metric::ServerCpuNsPerMessage, Unit::One));
        row.push(plain(&mut table, cell, Metric::ServerCpuShare, Unit::Percent));
        row.push(plain(&mut table, cell, Metric::ClientCpuShare, Unit::Percent));
        table.push(row);
    }
    table
}

fn mark(table: &mut Table, doubt: Doubt) -> String {
    let (word, note) = match doubt {
        Doubt::Coalesced => (
            "coalesces",
            "coalesces: this server gathers messages into one write by itself, so this is its rate of coalesced sends; no \
             rank here"
                .into(),
        ),
        Doubt::ClientBound => (
            "client-bound",
            format!(
                "client-bound: the client used {:.0} % of its core or more and the server under {:.0} %, so this is the \
                 client's rate; no verdict, no rank",
                CLIENT_BUSY * 100.0,
                SERVER_BUSY * 100.0
            ),
        ),
        Doubt::Idle => (
            "idle",
            format!(
                "idle: the server used under {:.0} % of its core and the client was not busy either, so neither is what \
                 limited the rate; no verdict, no rank",
                SERVER_BUSY * 100.0
            ),
        ),
        Doubt::Unknown => (
            "unknown",
            "unknown: the server's CPU time could not be read, so what limited the rate is not known; no verdict, no rank"
                .into(),
        ),
    };
    format!(" **{word}** {}", table.mark(note))
}

/// Whether any flood is no verdict on its server.
pub(crate) fn marked<'a>(run: &Run<'a>) -> Vec<(&'a CellSummary, Doubt)> {
    run.summary.cells.iter().filter_map(|cell| Some((cell, cell.doubt()?))).collect()
}
