//! What the measured subscribers feel of those beside them, and what becomes of these.

use tickbench_record::{Disturbance, Disturbed, MAX_PINGED_BYTES, MAX_PINGED_BYTES_PER_S, ScenarioKind};
use tickbench_stats::{CellSummary, Interference, Metric, Verdict};

use super::flags::row_name;
use super::{Part, plain};
use crate::reason;
use crate::run::{Question, Run, beside, workload};
use crate::table::Table;
use crate::units::{Unit, count, list, number, percentile};

/// A part a question that something disturbs.
pub(crate) fn section(run: &Run) -> Vec<Part> {
    let mut questions = run.questions(ScenarioKind::Relay);
    questions.retain(|question| question[0].cell.beside != Disturbance::Nothing);
    questions.iter().map(|question| part(run, question)).collect()
}

fn part(run: &Run, question: &Question) -> Part {
    let cell = &question[0].cell;
    Part {
        label: run.label(cell),
        workload: format!("{}; {}: {}", workload(cell), beside(cell.beside), what(cell.beside)),
        table: table(run, question).markdown(),
        more: vec![("Delivery in figures".into(), figures(run, question).markdown())],
        remarks: Vec::new(),
    }
}

/// What exactly is done, in a clause.
fn what(beside: Disturbance) -> String {
    let per_s = count(beside.begun_per_s().unwrap_or(0).into());
    match beside {
        Disturbance::Nothing => "nothing is done".into(),
        Disturbance::StoppedReader => {
            "one more subscriber, with a small receive buffer, stops reading when the window opens".into()
        }
        Disturbance::SlowReader => {
            "one more subscriber, with a small receive buffer, reads a tenth of the bytes that are published"
                .into()
        }
        Disturbance::Vanishing => format!(
            "{per_s} subscribers a second come, and go without a close frame once they are subscribed, every other by a reset"
        ),
        Disturbance::HalfOpen => format!(
            "{} connections send half of their handshake's request and are held open",
            beside.most_at_once()
        ),
        Disturbance::ConnectFlood => {
            format!("{per_s} connections a second are made and closed without a byte")
        }
        Disturbance::Churn => {
            format!("{per_s} subscribers a second come, take a message and leave with a close handshake")
        }
        Disturbance::PingFlood => format!(
            "one connection that publishes nothing sends pings as fast as the server takes them, up to {} MB a second and {} MiB an \
             execution, and reads no answer before the window is over",
            MAX_PINGED_BYTES_PER_S / 1_000_000,
            MAX_PINGED_BYTES >> 20,
        ),
    }
}

fn table(run: &Run, question: &Question) -> Table {
    let metrics = ratios_shown(run, question);
    let quantile = |metric: &Metric| metric.quantile().map(percentile).unwrap_or_default();
    let headings = std::iter::once("server".to_string())
        .chain(metrics.iter().map(|metric| format!("{} delivery ÷ undisturbed", quantile(metric))))
        .chain(
            [
                "memory grown MiB",
                "undisturbed MiB",
                "what became of them",
                "they got",
                "they missed",
                "client busy with them %",
            ]
            .map(String::from),
        );
    let pings = question[0].cell.beside == Disturbance::PingFlood;
    let mut table = Table::new(headings.chain(pings.then(|| "pings taken MiB an execution".into())));
    for cell in question {
        let mut row = vec![row_name(run, &mut table, cell)];
        row.extend(metrics.iter().map(|metric| ratio(run, &mut table, cell, *metric)));
        row.push(run.figure(&mut table, cell, Metric::ServerRssGrowthBytes, Unit::Mib));
        row.push(match undisturbed(run, cell) {
            Some(twin) => run.figure(&mut table, twin, Metric::ServerRssGrowthBytes, Unit::Mib),
            None => table.missing("the study does not ask it undisturbed"),
        });
        match &cell.disturbed {
            Some(seen) => row.extend([became(seen), count(seen.received), count(seen.lost)]),
            None => (0..3).for_each(|_| row.push(table.missing("no iteration completed"))),
        }
        row.push(plain(&mut table, cell, Metric::DisturberShare, Unit::Percent));
        if pings {
            row.push(pinged(&mut table, cell));
        }
        table.push(row);
    }
    table
}

/// The mean of the pings that the server, or the kernel for it, took of one flood.
fn pinged(table: &mut Table, cell: &CellSummary) -> String {
    match cell.disturbed.as_ref().and_then(|seen| Some((seen.pinged_bytes?, seen.attempted))) {
        Some((bytes, floods)) => number(bytes as f64 / floods as f64 / f64::from(1 << 20)),
        None => table.missing("no iteration completed"),
    }
}

/// The metrics that any server has a ratio of.
fn ratios_shown(run: &Run, question: &Question) -> Vec<Metric> {
    let has = |metric: &Metric| question.iter().any(|cell| interference(run, cell, *metric).is_some());
    let primary: Vec<Metric> = Metric::primary(question).into_iter().filter(has).collect();
    if primary.is_empty() { vec![Metric::DeliveryP50, Metric::DeliveryP99] } else { primary }
}

fn interference<'r>(run: &Run<'r>, cell: &CellSummary, metric: Metric) -> Option<&'r Interference> {
    run.summary.interference.iter().find(|one| one.metric == metric && one.cell == cell.cell)
}

fn undisturbed<'r>(run: &Run<'r>, cell: &CellSummary) -> Option<&'r CellSummary> {
    let calm = tickbench_record::Cell { beside: Disturbance::Nothing, ..cell.cell.clone() };
    run.summary.cells.iter().find(|other| other.cell == calm)
}

fn ratio(run: &Run, table: &mut Table, cell: &CellSummary, metric: Metric) -> String {
    match interference(run, cell, metric) {
        Some(one) => {
            let ratio = Unit::One.fine_with_interval(&one.ratio);
            if one.verdict == Verdict::NoDifference { format!("= {ratio}") } else { ratio }
        }
        None => {
            let sides: Vec<&CellSummary> = std::iter::once(cell).chain(undisturbed(run, cell)).collect();
            let why = reason::of_all(&sides, metric);
            let why = if why.is_empty() { "no iteration has both".into() } else { why };
            table.missing(format!("no ratio to the undisturbed one; {why}"))
        }
    }
}

/// What became of the disturbers of all iterations, in words.
fn became(seen: &Disturbed) -> String {
    let mut fates: Vec<String> = Vec::new();
    let mut say = |how_many: u64, what: &str| {
        if how_many > 0 {
            fates.push(format!("{} {what}", count(how_many)));
        }
    };
    say(seen.left, "left by themselves");
    say(seen.open, "still connected");
    for closed in &seen.closed {
        match closed.code {
            Some(code) => say(closed.count, &format!("closed with {code}")),
            None => say(closed.count, "closed without a code"),
        }
    }
    say(seen.ended, "ended without a close frame");
    say(seen.reset, "reset");
    say(seen.refused, "refused");
    let fates: Vec<&str> = fates.iter().map(String::as_str).collect();
    format!("of {}: {}", count(seen.attempted), list(&fates))
}

fn figures(run: &Run, question: &Question) -> Table {
    let mut table = Table::new([
        "server",
        "delivery p50 µs",
        "delivery p99 µs",
        "delivery p99.9 µs",
        "skew p50 µs",
        "peak RSS MiB",
        "bytes they got, MiB",
    ]);
    for cell in question {
        let got = match &cell.disturbed {
            Some(seen) => number(seen.bytes as f64 / f64::from(1 << 20)),
            None => table.missing("no iteration completed"),
        };
        let row = vec![
            row_name(run, &mut table, cell),
            run.figure(&mut table, cell, Metric::DeliveryP50, Unit::Micros),
            run.figure(&mut table, cell, Metric::DeliveryP99, Unit::Micros),
            run.figure(&mut table, cell, Metric::DeliveryP999, Unit::Micros),
            run.figure(&mut table, cell, Metric::SkewP50, Unit::Micros),
            plain(&mut table, cell, Metric::ServerRssPeakBytes, Unit::Mib),
            got,
        ];
        table.push(row);
    }
    table
}
