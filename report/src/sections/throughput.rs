//! Floods: how many messages a second.

use tickbench_record::ScenarioKind;
use tickbench_stats::{CLIENT_BUSY, CLIENT_HEADROOM, Caveat, CellSummary, Metric, SERVER_BUSY};

use super::flags::row_name;
use super::{Part, Ratios, heading, parts, plain, remark_on_iterations};
use crate::run::{Question, Run};
use crate::table::Table;
use crate::units::{Unit, number};

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
    let rest = [
        "MiB/s",
        "messages a read",
        "server CPU ns a message",
        "server busy %",
        "client busy %",
        "of the client's ceiling %",
    ];
    let mut table = Table::new(headings.chain(rest.map(String::from)));
    for cell in question {
        let mark = cell.caveat().map(|caveat| mark(&mut table, caveat)).unwrap_or_default();
        let mut row = vec![
            format!("{}{mark}", row_name(run, &mut table, cell)),
            run.figure(&mut table, cell, Metric::MessagesPerS, Unit::Millions),
        ];
        row.extend(ratios.row(run, &mut table, cell));
        row.push(plain(&mut table, cell, Metric::BytesPerS, Unit::Mib));
        row.push(plain(&mut table, cell, Metric::MessagesPerRead, Unit::One));
        row.push(run.figure(&mut table, cell, Metric::ServerCpuNsPerMessage, Unit::One));
        row.push(plain(&mut table, cell, Metric::ServerCpuShare, Unit::Percent));
        row.push(plain(&mut table, cell, Metric::ClientCpuShare, Unit::Percent));
        row.push(match cell.ceiling_share {
            Some(share) => number(share * 100.0),
            None => table.missing("no ceiling was measured for this client, encoding and way to wait"),
        });
        table.push(row);
    }
    table
}

fn mark(table: &mut Table, caveat: Caveat) -> String {
    let (word, note) = match caveat {
        Caveat::Coalesced => (
            "coalesces",
            "coalesces: this server gathers messages into one write by itself, so this is its rate of coalesced sends; no \
             place here"
                .into(),
        ),
        Caveat::ClientBound => (
            "client-bound",
            format!(
                "client-bound: the client was above {:.0} % of its ceiling, or used {:.0} % of its core or more while the \
                 server used under {:.0} %, so this may be the client's rate; no verdict, no place",
                CLIENT_HEADROOM * 100.0,
                CLIENT_BUSY * 100.0,
                SERVER_BUSY * 100.0
            ),
        ),
        Caveat::Idle => (
            "idle",
            format!(
                "idle: the server used under {:.0} % of its core and the client was not busy either, so neither is what \
                 limited the rate; no verdict, no place",
                SERVER_BUSY * 100.0
            ),
        ),
        Caveat::Unknown | Caveat::Unbounded => (
            "unknown",
            "unknown: the server's CPU time could not be read, so what limited the rate is not known; no verdict, no place"
                .into(),
        ),
    };
    format!(" **{word}** {}", table.mark(note))
}

/// Whether any rate at the limit is no verdict on its server.
pub(crate) fn marked<'a>(run: &Run<'a>) -> Vec<(&'a CellSummary, Caveat)> {
    let cells = run.summary.cells.iter().filter(|cell| !cell.cell.is_control());
    cells.filter_map(|cell| Some((cell, cell.caveat()?))).collect()
}
