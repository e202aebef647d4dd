//! Paced ticks over more and more connections.

use tickbench_record::{Cell, ScenarioKind};
use tickbench_stats::Metric;

use super::flags::flags;
use super::{Part, name, remark_on_merging};
use crate::run::{Question, Run, connections, workload};
use crate::table::Table;
use crate::units::{Unit, count};

const SHOWN: [(&str, Metric, Unit); 5] = [
    ("p50 delivery, µs", Metric::DeliveryP50, Unit::Micros),
    ("p99 delivery, µs", Metric::DeliveryP99, Unit::Micros),
    ("resident memory, MiB", Metric::ServerRssBytes, Unit::Mib),
    ("server CPU, % of its core", Metric::ServerCpuShare, Unit::Percent),
    ("delivered, thousand messages/s", Metric::MessagesPerS, Unit::Thousands),
];

/// Questions that differ in nothing but their connections make one part.
pub(crate) fn section(run: &Run) -> Vec<Part> {
    let mut steps: Vec<Vec<Question>> = Vec::new();
    for question in run.questions(ScenarioKind::Scaling) {
        let same = |asked: &&mut Vec<Question>| alike(&asked[0][0].cell, &question[0].cell);
        match steps.iter_mut().find(same) {
            Some(asked) => asked.push(question),
            None => steps.push(vec![question]),
        }
    }
    steps.iter().map(|asked| part(run, asked)).collect()
}

fn alike(one: &Cell, other: &Cell) -> bool {
    Cell { connections: one.connections, server: one.server.clone(), ..other.clone() } == *one
}

fn part(run: &Run, asked: &[Question]) -> Part {
    let cell = &asked[0][0].cell;
    let most = asked.iter().map(|question| question[0].cell.connections).max().unwrap_or(1);
    let label = match run.label(cell).strip_suffix(&format!(", {}", connections(cell.connections))) {
        Some(label) => label.to_string(),
        None => cell.scenario.clone(),
    };
    // Less the machine's hiccups, where that decides every question of the part.
    let cleaned =
        asked.iter().all(|question| Metric::primary(question).contains(&Metric::DeliveryCleanedP50));
    let shown = SHOWN.map(|(title, metric, unit)| match metric.cleaned().filter(|_| cleaned) {
        Some(less) => (title.replace(" delivery", " delivery less hiccups"), less, unit),
        None => (title.to_string(), metric, unit),
    });
    let tables =
        shown.clone().map(|(title, metric, unit)| (title, table(run, asked, metric, unit, step).markdown()));
    let mut tables = tables.into_iter();
    let mut text = String::new();
    for (title, table) in tables.by_ref().take(3) {
        text += &format!("**{title}**, by connections\n\n{table}\n");
    }
    let metrics = shown.map(|(_, metric, _)| metric);
    let remarks = asked.iter().flat_map(|question| remark_on_merging(question, &metrics));
    let mut remarks: Vec<String> = remarks.collect();
    remarks.dedup();
    Part {
        label,
        workload: workload(cell)
            .replace(&connections(cell.connections), &format!("up to {}", connections(most))),
        table: text,
        more: tables.collect(),
        remarks,
    }
}

fn step(cell: &Cell) -> String {
    count(cell.connections.into())
}

/// A metric, a row a server and a column a question, each headed by what `step` says of it.
pub(super) fn table(
    run: &Run,
    asked: &[Question],
    metric: Metric,
    unit: Unit,
    step: impl Fn(&Cell) -> String,
) -> Table {
    let steps = asked.iter().map(|question| step(&question[0].cell));
    let mut table = Table::new(std::iter::once("server".to_string()).chain(steps));
    let mut servers: Vec<&str> = Vec::new();
    for cell in asked.iter().flatten() {
        if !servers.contains(&cell.cell.server.as_str()) {
            servers.push(&cell.cell.server);
        }
    }
    for server in servers {
        let mut row = vec![name(run, server)];
        for question in asked {
            row.push(match question.iter().find(|cell| cell.cell.server == server) {
                Some(cell) => {
                    format!("{}{}", run.figure(&mut table, cell, metric, unit), flags(&mut table, cell))
                }
                None => table.missing("was not asked, or never ran"),
            });
        }
        table.push(row);
    }
    table
}
