//! What tuning does: each server's two lanes side by side, and how much of its distance to the baseline the tuned one closes.

use tickbench_stats::LaneStep;

use super::name;
use crate::run::Run;
use crate::table::Table;
use crate::units::{Unit, percentile};

/// A table for each question and metric, with its heading.
pub(crate) fn section(run: &Run) -> Vec<(String, String)> {
    let mut parts: Vec<(&LaneStep, Vec<&LaneStep>)> = Vec::new();
    for step in &run.summary.lanes {
        let same = |part: &&mut (&LaneStep, Vec<&LaneStep>)| {
            (&part.0.question, part.0.metric) == (&step.question, step.metric)
        };
        match parts.iter_mut().find(same) {
            Some((_, steps)) => steps.push(step),
            None => parts.push((step, vec![step])),
        }
    }
    parts.into_iter().map(|(first, steps)| (heading(first), table(run, &steps).markdown())).collect()
}

fn heading(step: &LaneStep) -> String {
    let of = if step.metric.raw().is_some() { ", less hiccups" } else { "" };
    let what = step.metric.quantile().map_or("messages/s".into(), |q| format!("{}{of}", percentile(q)));
    format!("{}, default and as `{}`: {what}", step.question, step.tuned_question)
}

fn table(run: &Run, steps: &[&LaneStep]) -> Table {
    let (unit, word) = match steps.first().and_then(|step| step.metric.quantile()) {
        Some(_) => (Unit::Micros, "µs"),
        None => (Unit::Thousands, "thousand/s"),
    };
    let mut heads = vec![
        "server".to_owned(),
        format!("default, {word}"),
        format!("tuned, {word}"),
        "tuned ÷ default".into(),
    ];
    if let Some(baseline) = run.baseline {
        heads.extend([
            format!("distance to {baseline}, default"),
            format!("distance to {baseline}, tuned"),
            "closed, %".into(),
        ]);
    }
    let mut table = Table::new(heads);
    for step in steps {
        let mut row = vec![
            name(run, &step.server),
            unit.with_interval(&step.default),
            unit.with_interval(&step.tuned),
            Unit::One.fine_with_interval(&step.ratio),
        ];
        if run.baseline.is_some() {
            row.extend(distance(run, &mut table, step));
        }
        table.push(row);
    }
    table
}

fn distance(run: &Run, table: &mut Table, step: &LaneStep) -> [String; 3] {
    let Some(distance) = &step.distance else {
        if run.is_baseline(&step.server) {
            return ["1".into(), "1".into(), table.missing("it is what the others are measured by")];
        }
        return [(); 3].map(|()| table.missing("the baseline has no such figure in both lanes"));
    };
    let closed = match &distance.closed {
        Some(closed) => Unit::Percent.with_interval(closed),
        None => table.missing("the default lane cannot be told from the baseline: there is nothing to close"),
    };
    let [default, tuned] =
        [&distance.default, &distance.tuned].map(|ratio| Unit::One.fine_with_interval(ratio));
    [default, tuned, closed]
}
