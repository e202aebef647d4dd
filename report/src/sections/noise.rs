//! Servers compared with themselves: what this machine could tell apart.

use tickbench_stats::{NoiseFloor, Verdict};

use crate::run::{Run, metric_words};
use crate::table::{Table, escaped};
use crate::units::{Unit, list};

/// A row each scenario and figure; nothing where no control ran.
pub(crate) fn section(run: &Run) -> String {
    let mut table =
        Table::new(["scenario", "figure", "server", "ratio to its second run", "noise floor, %"]).texts(3);
    for floor in &run.summary.noise_floors {
        let mark = if is_alarm(floor) {
            table.mark("called a difference, and there is none: a false alarm")
        } else if has_cleaned_beside(run, floor) {
            table.mark("as it was, for comparison: it decides nothing here")
        } else {
            String::new()
        };
        table.push(vec![
            escaped(&floor.scenario),
            format!("{} {mark}", metric_words(floor.metric).0).trim_end().into(),
            escaped(&floor.server),
            Unit::One.fine_with_interval(&floor.ratio),
            format!("{:.1}", floor.floor * 100.0),
        ]);
    }
    table.markdown()
}

fn has_cleaned_beside(run: &Run, floor: &NoiseFloor) -> bool {
    let Some(cleaned) = floor.metric.cleaned() else { return false };
    run.summary.noise_floors.iter().any(|other| other.scenario == floor.scenario && other.metric == cleaned)
}

fn is_alarm(floor: &NoiseFloor) -> bool {
    floor.verdict != Verdict::NoDifference
}

/// What a reader must know before all else: a server was told from itself.
pub(crate) fn alarm(run: &Run) -> Option<String> {
    let alarms: Vec<String> = run
        .summary
        .noise_floors
        .iter()
        .filter(|floor| is_alarm(floor))
        .map(|floor| {
            let (figure, _) = metric_words(floor.metric);
            format!("{figure} of {} ({})", escaped(&floor.server), escaped(&floor.scenario))
        })
        .collect();
    let named = list(&alarms.iter().map(String::as_str).collect::<Vec<_>>());
    (!alarms.is_empty()).then(|| {
        format!(
            "**A server was told from itself: {named}.** The two runs of one program differ by more than chance allows, so the \
             machine, and not a server, made a difference in this run. Do not trust differences of such a size; quieten the \
             machine and run again."
        )
    })
}

/// How many comparisons spoke of a difference that is below the floor.
pub(crate) fn below_floor(run: &Run) -> usize {
    run.summary.comparisons.iter().filter(|one| one.below_floor).count()
}
