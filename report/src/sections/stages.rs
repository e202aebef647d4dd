//! Where the time of a message goes, told apart by the kernel's receive timestamps.

use serde::Serialize;
use tickbench_record::ScenarioKind;
use tickbench_stats::{CellSummary, Metric, StageBand};

use super::flags::row_name;
use super::{Part, any_has, heading, plain, remark_on_iterations};
use crate::reason;
use crate::run::{Question, Run};
use crate::table::Table;
use crate::units::{Unit, number};

/// The section on stages.
#[derive(Debug, Serialize)]
pub(crate) struct Stages {
    parts: Vec<Part>,
    /// How far off a kernel timestamp may be, in microseconds: the most that any server's iterations are said to.
    clock_bound: Option<String>,
}

/// `None` where no question has stages.
pub(crate) fn section(run: &Run) -> Option<Stages> {
    let mut questions = run.questions(ScenarioKind::Latency);
    questions.retain(|question| StageBand::ALL.iter().any(|band| any_has(question, band.response)));
    let parts: Vec<Part> = questions.iter().map(|question| part(run, question)).collect();
    let bounds = questions.iter().flatten().filter_map(|cell| cell.figure(Metric::StagesClockBoundNs));
    let bound_ns = bounds.map(|bound| bound.high).reduce(f64::max);
    (!parts.is_empty())
        .then(|| Stages { parts, clock_bound: bound_ns.map(|ns| format!("{} µs", number(ns / 1e3))) })
}

fn part(run: &Run, question: &Question) -> Part {
    let (label, workload) = heading(run, question);
    let lacking: Vec<String> = StageBand::ALL
        .iter()
        .filter(|band| !any_has(question, band.response))
        .map(|band| {
            format!(
                "Most iterations have fewer than ten messages in the {}: a longer window would have more.",
                band.name
            )
        })
        .collect();
    let bands = StageBand::ALL.iter().filter(|band| any_has(question, band.response));
    let tables: Vec<String> = bands
        .map(|band| {
            let messages = band.messages;
            format!("**{}**: {messages}.\n\n{}", capital(band.name), table(run, question, band).markdown())
        })
        .collect();
    Part {
        label,
        workload,
        table: tables.join("\n"),
        more: Vec::new(),
        remarks: lacking.into_iter().chain(remark_on_iterations(run, question)).collect(),
    }
}

fn table(run: &Run, question: &Question, band: &StageBand) -> Table {
    let baseline = run.baseline.and_then(|name| question.iter().find(|cell| cell.cell.server == name));
    let headings =
        ["server", "lag µs", "network µs", "wake µs", "not split µs", "response µs"].map(String::from);
    let ratio = baseline.map(|baseline| format!("response ÷ {}", baseline.cell.server));
    let mut table = Table::new(headings.into_iter().chain(ratio).chain(["own timestamp %".into()]));
    for cell in question {
        let mut row = vec![row_name(run, &mut table, cell)];
        for metric in band.stages().into_iter().chain([band.response]) {
            row.push(run.figure(&mut table, cell, metric, Unit::Micros));
        }
        row.extend(baseline.map(|baseline| quotient(&mut table, cell, baseline, band.response)));
        row.push(plain(&mut table, cell, band.stamped, Unit::Percent));
        table.push(row);
    }
    table
}

/// Of two estimates: whether the servers differ is for their intervals to say.
fn quotient(table: &mut Table, cell: &CellSummary, baseline: &CellSummary, metric: Metric) -> String {
    match (cell.figure(metric), baseline.figure(metric)) {
        _ if cell.cell.server == baseline.cell.server => "1".into(),
        (Some(one), Some(other)) if other.estimate > 0.0 => {
            let mark = table.mark(
                "the quotient of the two estimates: whether the servers differ is for their intervals to say",
            );
            format!("{} {mark}", number(one.estimate / other.estimate))
        }
        _ => table.missing(format!("no ratio; {}", reason::of_all(&[cell, baseline], metric))),
    }
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
