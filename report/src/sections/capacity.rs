//! The highest rate at which a target for the response holds.

use tickbench_record::{Cell, ScenarioKind, Study};
use tickbench_stats::{
    CLIENT_BUSY, CLIENT_HEADROOM, Caveat, CellSummary, Estimate, Metric, SERVER_BUSY, Searches,
};

use super::flags::row_name;
use super::{Part, Ratios, heading, parts, plain, remark_on_iterations};
use crate::run::{Question, Run};
use crate::table::Table;
use crate::units::{Unit, number};

pub(crate) fn section(run: &Run) -> Vec<Part> {
    parts(run, ScenarioKind::Capacity, |question| {
        let (label, workload) = heading(run, question);
        Part {
            label,
            workload: format!("Target: {}. {workload}", target(run.study, &question[0].cell)),
            table: capacities(run, question).markdown(),
            more: vec![("What was seen at that rate".into(), at_capacity(run, question).markdown())],
            remarks: remark_on_iterations(run, question).into_iter().collect(),
        }
    })
}

/// The target of a cell's scenario in words.
pub(crate) fn target(study: &Study, cell: &Cell) -> String {
    let scenario = study.scenario(cell);
    let limits = [("p99", scenario.and_then(|s| s.p99_us)), ("p99.9", scenario.and_then(|s| s.p999_us))];
    let limit =
        |(name, us): (&str, Option<f64>)| Some(format!("{name} of the response ≤ {} µs", number(us?)));
    limits.into_iter().filter_map(limit).collect::<Vec<_>>().join(" and ")
}

fn capacities<'a>(run: &Run<'a>, question: &Question<'a>) -> Table {
    let ratios = Ratios::of(run, question, Metric::CapacityPerS);
    let headings =
        ["server", "thousand messages/s"].map(String::from).into_iter().chain(ratios.headings("capacity"));
    let rest = [
        "server busy %",
        "thousand messages a CPU second",
        "client busy %",
        "what ended the searches",
        "steps",
    ];
    let mut table = Table::new(headings.chain(rest.map(String::from)));
    for cell in question {
        let (sign, mark) = match cell.caveat() {
            None => ("", String::new()),
            Some(caveat) => mark(&mut table, caveat),
        };
        let mut row = vec![
            format!("{}{mark}", row_name(run, &mut table, cell)),
            format!("{sign}{}", run.figure(&mut table, cell, Metric::CapacityPerS, Unit::Thousands)),
        ];
        row.extend(ratios.row(run, &mut table, cell));
        row.push(run.figure(&mut table, cell, Metric::ServerCpuShare, Unit::Percent));
        row.push(efficiency(run, &mut table, cell));
        row.push(plain(&mut table, cell, Metric::ClientCpuShare, Unit::Percent));
        row.push(cell.searches.map_or_else(|| table.missing("no search came to its end"), |s| ended_by(&s)));
        row.push(
            cell.searches.map_or_else(|| table.missing("no search came to its end"), |s| number(s.steps)),
        );
        table.push(row);
    }
    table
}

/// Messages for each second of the server's CPU time: the inverse of its CPU time a message.
fn efficiency(run: &Run, table: &mut Table, cell: &CellSummary) -> String {
    match cell.figure(Metric::ServerCpuNsPerMessage).filter(|cost| cost.low > 0.0) {
        Some(&Estimate { estimate, low, high, iterations }) => {
            let [estimate, low, high] = [estimate, high, low].map(|ns| 1e9 / ns);
            Unit::Thousands.with_interval(&Estimate { estimate, low, high, iterations })
        }
        None => run.figure(table, cell, Metric::ServerCpuNsPerMessage, Unit::One),
    }
}

/// What most of p99 was in the lowest rate that did not hold, over the searches.
fn ended_by(searches: &Searches) -> String {
    let ways = [
        (searches.ended_by_lag, "lag"),
        (searches.ended_by_delivery, "delivery"),
        (searches.ended_by_failure, "a failure"),
        (searches.ended_at_top, "the highest rate"),
    ];
    let mut ways: Vec<(usize, &str)> = ways.into_iter().filter(|(count, _)| *count > 0).collect();
    ways.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    match ways.as_slice() {
        [(_, only)] => (*only).into(),
        several => {
            several.iter().map(|(count, way)| format!("{way} {count}×")).collect::<Vec<_>>().join(", ")
        }
    }
}

fn mark(table: &mut Table, caveat: Caveat) -> (&'static str, String) {
    let (sign, word, note) = match caveat {
        Caveat::Coalesced => (
            "",
            "coalesces",
            "coalesces: this server gathers messages into one write by itself, so this is its capacity with coalesced sends; \
             no place here"
                .into(),
        ),
        Caveat::Unbounded => (
            "≥ ",
            "at least",
            "at least: the search ended at the highest rate that it tries, and the target still held; no place".into(),
        ),
        Caveat::ClientBound | Caveat::Idle | Caveat::Unknown => (
            "≥ ",
            "client-bound",
            format!(
                "client-bound: a lower bound, for the client was above {:.0} % of its ceiling, or used {:.0} % of its core or more \
                 in the step that ended the search while the server used under {:.0} %; no place",
                CLIENT_HEADROOM * 100.0,
                CLIENT_BUSY * 100.0,
                SERVER_BUSY * 100.0
            ),
        ),
    };
    (sign, format!(" **{word}** {}", table.mark(note)))
}

/// The quantiles of the highest step that held.
fn at_capacity(run: &Run, question: &Question) -> Table {
    const SHOWN: [(&str, Metric); 5] = [
        ("response p50 µs", Metric::ResponseP50),
        ("response p99 µs", Metric::ResponseP99),
        ("response p99.9 µs", Metric::ResponseP999),
        ("lag p99 µs", Metric::LagP99),
        ("delivery p99 µs", Metric::DeliveryP99),
    ];
    let mut table = Table::new(std::iter::once("server").chain(SHOWN.map(|(title, _)| title)));
    for cell in question {
        let mut row = vec![row_name(run, &mut table, cell)];
        row.extend(SHOWN.map(|(_, metric)| run.figure(&mut table, cell, metric, Unit::Micros)));
        table.push(row);
    }
    table
}
