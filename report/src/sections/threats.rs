//! What may be wrong with the figures: first what the records show, then what holds for every such run.

use tickbench_record::ScenarioKind;
use tickbench_stats::{Caveat, CellSummary, Estimate, Metric, Ruling};

use super::tails::{MUCH_SET_ASIDE, is_much};
use super::throughput::marked;
use crate::run::{Run, metric_words};
use crate::units::{count, list, number, range};

/// An interval that reaches farther than this from its estimate is worth a word.
const WIDE: f64 = 0.10;

/// Percentile intervals over fewer iterations come out too narrow.
const FEW_ITERATIONS: usize = 20;

/// A busier machine than this, per core, was busy with something else.
const LOAD_PER_CORE: f64 = 0.25;

/// What this run's records show, a sentence or two each.
pub(crate) fn from_records(run: &Run) -> Vec<String> {
    let found = [
        iterations(run),
        wide_intervals(run),
        floods(run),
        failures(run),
        messages(run),
        set_aside(run),
        audits(run),
        noisy(run),
        pinning(run),
        machine(run),
    ];
    found.into_iter().flatten().collect()
}

fn iterations(run: &Run) -> Option<String> {
    let fewest =
        run.summary.cells.iter().map(|cell| cell.completed).filter(|&completed| completed > 0).min()?;
    (fewest < FEW_ITERATIONS).then(|| {
        format!(
            "**Few iterations.** Some cells rest on {fewest}. Intervals over fewer than {FEW_ITERATIONS} come out \
             too narrow, and a signed-rank test may be unable to tell anything apart."
        )
    })
}

fn wide_intervals(run: &Run) -> Option<String> {
    let reach = |estimate: &Estimate| {
        (estimate.high - estimate.estimate).max(estimate.estimate - estimate.low) / estimate.estimate
    };
    let mut wide: Vec<(f64, String)> = Vec::new();
    for question in run.summary.questions() {
        for metric in Metric::primary(&question) {
            for cell in &question {
                if let Some(reach) = cell.figure(metric).map(reach).filter(|&reach| reach > WIDE) {
                    wide.push((reach, format!("{} of {}", metric_words(metric).0, named(run, cell))));
                }
            }
        }
    }
    wide.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let (widest, _) = wide.first()?;
    let names: Vec<String> =
        wide.iter().take(3).map(|(reach, name)| format!("{name} (±{} %)", number(reach * 100.0))).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Some(if wide.len() == 1 {
        format!("**A wide interval.** {} reaches {} % from its estimate.", wide[0].1, number(widest * 100.0))
    } else {
        format!(
            "**Wide intervals.** {} figures have intervals that reach more than {:.0} % from their estimate, most of all {}.",
            wide.len(),
            WIDE * 100.0,
            list(&names)
        )
    })
}

fn floods(run: &Run) -> Option<String> {
    let marked: Vec<_> = marked(run).into_iter().filter(|(_, caveat)| *caveat != Caveat::Coalesced).collect();
    let goes_to_the_limit =
        |kind| matches!(kind, ScenarioKind::Throughput | ScenarioKind::Load | ScenarioKind::Capacity);
    let kinds: Vec<ScenarioKind> = run.summary.cells.iter().map(|cell| cell.cell.kind).collect();
    let all = kinds.iter().filter(|kind| goes_to_the_limit(**kind)).count();
    let floods = kinds.iter().filter(|kind| **kind == ScenarioKind::Throughput).count();
    let what = if floods == all { "throughput rows" } else { "rows at the limit" };
    (!marked.is_empty()).then(|| {
        format!(
            "**Rates that are no verdict.** In {} of {all} {what} the server was not what limited the rate. They are \
             marked there, compared with nothing and left out of the ranking.",
            marked.len()
        )
    })
}

fn failures(run: &Run) -> Option<String> {
    let failed: usize =
        run.summary.cells.iter().flat_map(|cell| &cell.failures).map(|failure| failure.count).sum();
    (failed > 0).then(|| {
        format!(
            "**Failed executions.** {} failed and are in no figure. If a server fails when it is slow, its figures flatter it.",
            count(failed as u64)
        )
    })
}

fn messages(run: &Run) -> Option<String> {
    let total = |count: fn(&CellSummary) -> u64| run.summary.cells.iter().map(count).sum::<u64>();
    let (lost, reordered, negative, beyond) = (
        total(|cell| cell.lost),
        total(|cell| cell.reordered),
        total(|cell| cell.negative),
        total(|cell| cell.beyond),
    );
    (lost + reordered + negative + beyond > 0).then(|| {
        format!(
            "**Odd messages.** {} lost, {} reordered, {} with a negative latency, {} latencies beyond {} (see Failures). A negative \
             latency is in no histogram: it means that the clocks of the two cores disagree, or that a stamp is wrong. One beyond the \
             range counts as its end, so that a quantile which reaches it is a lower bound.",
            count(lost),
            count(reordered),
            count(negative),
            count(beyond),
            range()
        )
    })
}

fn set_aside(run: &Run) -> Option<String> {
    let cells = run.summary.cells.iter().filter(|cell| !cell.cell.is_control());
    let much = cells.filter(|cell| {
        [Metric::ClientSetAsideShare, Metric::ServerSetAsideShare].iter().any(|share| is_much(cell, *share))
    });
    let much = much.count();
    (much > 0).then(|| {
        format!(
            "**Much set aside.** In {} rows more than {:.0} % of the samples may have been delayed by a hiccup of the machine. What is left of such \
             a tail is a choice of samples: read the tail as it was beside it, or run on a quieter machine.",
            count(much as u64),
            MUCH_SET_ASIDE * 100.0
        )
    })
}

fn audits(run: &Run) -> Option<String> {
    let failed = run.summary.cells.iter().filter(|cell| !cell.is_sound()).count();
    (failed > 0).then(|| {
        format!(
            "**Failed audits.** {} rows failed one and are shown as failed (see Audits).",
            count(failed as u64)
        )
    })
}

fn noisy(run: &Run) -> Option<String> {
    let noisy = run.summary.cells.iter().filter(|cell| cell.ruled(Ruling::Noisy).is_some()).count();
    (noisy > 0).then(|| {
        format!(
            "**Noisy rows.** {} rows fell short of what was asked in more than one execution in twenty, for no longer than the machine kept a \
             core from them (see Audits). They are in the figures.",
            count(noisy as u64)
        )
    })
}

fn pinning(run: &Run) -> Option<String> {
    let cores = &run.environment.cores;
    let loose: Vec<&str> = [("the server", cores.server), ("the client", cores.client)]
        .into_iter()
        .filter_map(|(who, core)| core.is_none().then_some(who))
        .collect();
    if !loose.is_empty() {
        return Some(format!(
            "**Not pinned.** The scheduler could move {} between cores, which shows in the tails.",
            list(&loose)
        ));
    }
    let shared = cores.harness.iter().any(|&core| Some(core) == cores.server || Some(core) == cores.client);
    shared.then(|| {
        "**Shared cores.** The harness had no core of its own. It sleeps during windows, but the rest of the system does not."
            .into()
    })
}

fn machine(run: &Run) -> Option<String> {
    let machine = &run.environment.machine;
    let mut words = Vec::new();
    if let Some(hypervisor) = &machine.hypervisor {
        words.push(format!(
            "It is a virtual machine ({hypervisor}): the hypervisor takes cores away, which makes tails, and wakes cores slowly."
        ));
    }
    if machine.governor.as_deref().is_some_and(|governor| governor != "performance") {
        words.push("The frequency governor is not `performance`: clock rates follow the load.".into());
    }
    if machine.smt == Some(true) {
        words.push("SMT is on: two logical cores may be halves of one.".into());
    }
    if machine.load_1m.is_some_and(|load| load > LOAD_PER_CORE * machine.logical_cores as f64) {
        words.push("It was busy with something else before the run began.".into());
    }
    (!words.is_empty()).then(|| format!("**The machine.** {}", words.join(" ")))
}

fn named(run: &Run, cell: &CellSummary) -> String {
    format!("{} ({})", cell.cell.server, run.label(&cell.cell))
}
