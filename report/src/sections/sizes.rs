//! Latency of ever larger messages: questions that differ in nothing but their size.

use tickbench_record::{Cell, ScenarioKind};
use tickbench_stats::Metric;

use super::scaling::table;
use super::{Part, remark_on_merging};
use crate::run::{Question, Run, workload};
use crate::units::{Unit, count};

const SHOWN: [(&str, Metric, Unit); 4] = [
    ("p50 delivery, µs", Metric::DeliveryP50, Unit::Micros),
    ("p99 delivery, µs", Metric::DeliveryP99, Unit::Micros),
    ("server CPU, ns a message", Metric::ServerCpuNsPerMessage, Unit::One),
    ("messages a read", Metric::MessagesPerRead, Unit::One),
];

/// Sizes from which on they are shown side by side.
const LEAST_SIZES: usize = 3;

/// The questions of latency that differ in size alone, where there are enough of them.
pub(crate) fn series<'a>(run: &Run<'a>) -> Vec<Vec<Question<'a>>> {
    let mut series: Vec<Vec<Question>> = Vec::new();
    for question in run.questions(ScenarioKind::Latency) {
        let same = |asked: &&mut Vec<Question>| differ_in_size(&asked[0][0].cell, &question[0].cell);
        match series.iter_mut().find(same) {
            Some(asked) => asked.push(question),
            None => series.push(vec![question]),
        }
    }
    series.retain(|asked| asked.len() >= LEAST_SIZES);
    series
}

fn differ_in_size(one: &Cell, other: &Cell) -> bool {
    Cell { size_bytes: one.size_bytes, server: one.server.clone(), ..other.clone() } == *one
}

pub(crate) fn section(run: &Run) -> Vec<Part> {
    series(run).iter().map(|asked| part(run, asked)).collect()
}

fn part(run: &Run, asked: &[Question]) -> Part {
    let cell = &asked[0][0].cell;
    let cleaned =
        asked.iter().all(|question| Metric::primary(question).contains(&Metric::DeliveryCleanedP50));
    let shown = SHOWN.map(|(title, metric, unit)| match metric.cleaned().filter(|_| cleaned) {
        Some(less) => (title.replace(" delivery", " delivery less hiccups"), less, unit),
        None => (title.to_string(), metric, unit),
    });
    let step = |cell: &Cell| format!("{} B", count(cell.size_bytes));
    let mut text = String::new();
    for (title, metric, unit) in &shown {
        text += &format!("**{title}**, by size\n\n{}\n", table(run, asked, *metric, *unit, step).markdown());
    }
    let metrics = shown.map(|(_, metric, _)| metric);
    let mut remarks: Vec<String> =
        asked.iter().flat_map(|question| remark_on_merging(question, &metrics)).collect();
    remarks.dedup();
    let size = |cell: &Cell| format!(" of {} B", count(cell.size_bytes));
    Part {
        label: run.label(cell).replace(&format!(", {} B", count(cell.size_bytes)), ", by size"),
        workload: workload(cell).replace(&size(cell), " of growing size"),
        table: text,
        more: Vec::new(),
        remarks,
    }
}
