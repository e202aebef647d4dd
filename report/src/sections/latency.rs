//! Latency of paced ticks.

use tickbench_record::ScenarioKind;
use tickbench_stats::Metric;

use super::tails::{self, Tails};
use super::{Part, any_has, heading, quantiles, remark_on_iterations, remark_on_merging, sizes};
use crate::run::{Question, Run};

const DELIVERY: [Metric; 4] =
    [Metric::DeliveryP50, Metric::DeliveryP90, Metric::DeliveryP99, Metric::DeliveryP999];
const LAG: [Metric; 4] = [Metric::LagP50, Metric::LagP90, Metric::LagP99, Metric::LagP999];
const RESPONSE: [Metric; 4] =
    [Metric::ResponseP50, Metric::ResponseP90, Metric::ResponseP99, Metric::ResponseP999];

const TAILS: Tails = Tails {
    raw: &[Metric::DeliveryP50, Metric::DeliveryP99, Metric::DeliveryP999],
    set_aside: Metric::ClientSetAsideShare,
};
const LAG_TAILS: Tails =
    Tails { raw: &[Metric::LagP50, Metric::LagP99, Metric::LagP999], set_aside: Metric::ServerSetAsideShare };

pub(crate) fn section(run: &Run) -> Vec<Part> {
    let by_size = sizes::series(run).concat();
    let mut questions = run.questions(ScenarioKind::Latency);
    questions.retain(|question| !by_size.iter().any(|other| other[0].cell == question[0].cell));
    let single = questions.iter().map(|question| part(run, question));
    single.chain(sizes::section(run)).collect()
}

fn part(run: &Run, question: &Question) -> Part {
    let (label, workload) = heading(run, question);
    let primary = Metric::primary(question);
    let is_cleaned = TAILS.are_cleaned(question);
    let delivery = if is_cleaned {
        TAILS.table(run, question).markdown()
    } else {
        quantiles(run, question, &DELIVERY).markdown()
    };
    let ratios = tails::ratios(run, question, &primary).markdown();
    let mut more = vec![
        ("Lag: how far each server fell behind its schedule (sent − due)", LAG),
        ("Response: what a user feels (received − due), free of coordinated omission", RESPONSE),
    ];
    if is_cleaned {
        more.insert(0, ("Delivery as it was", DELIVERY));
    }
    let folded = more.iter().filter(|(_, metrics)| any_has(question, metrics[0]));
    let folded =
        folded.map(|(title, metrics)| (title.to_string(), quantiles(run, question, metrics).markdown()));
    let less = LAG_TAILS.are_cleaned(question).then(|| {
        let title = "Lag as it was, and less the hiccups of the server's core";
        (title.to_string(), LAG_TAILS.table(run, question).markdown())
    });
    let shown: Vec<Metric> = DELIVERY.into_iter().chain(primary).collect();
    Part {
        label,
        workload,
        table: format!("{delivery}\n{ratios}"),
        more: folded.chain(less).collect(),
        remarks: [remark_on_merging(question, &shown), remark_on_iterations(run, question)]
            .into_iter()
            .flatten()
            .collect(),
    }
}
