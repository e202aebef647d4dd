//! Servers in pairs, by iteration, within a question; and a server with itself, which tells what a difference must exceed.

use std::collections::BTreeMap;

use tickbench_record::{CONTROL, Cell, DistributionError};

use crate::executions::Executions;
use crate::figure::{Completed, Figure, merge, merged_figure};
use crate::holm;
use crate::metric::Source;
use crate::pair::Paired;
use crate::parallel::on_all_cores;
use crate::resample::Tables;
use crate::summarize::Tail;
use crate::values::Values;
use crate::{CellSummary, Comparison, Estimate, Floor, Metric, Verdict};

/// The chance of even one false verdict among the comparisons of a scenario.
pub const FAMILY_ERROR: f64 = 0.05;

/// A cell with all that comparing it needs.
pub(crate) struct Contender<'a> {
    pub(crate) executions: &'a Executions<'a>,
    pub(crate) cell: &'a CellSummary,
    /// The quantiles that single iterations do not tell, as the summary made them over all of the cell's iterations.
    pub(crate) tails: &'a BTreeMap<Metric, Tail>,
}

/// Compares every two servers that were asked the same, on the metrics that decide the question, and each control with its
/// twin. Cells whose figures are no verdict on their server are compared with nobody. The comparisons of one scenario are one
/// family of Holm's correction; all controls of the run are another, so that one run in twenty raises a false alarm and not one
/// scenario in twenty.
pub(crate) fn all(
    contenders: &[Contender],
    tables: &Tables,
) -> Result<(Vec<Comparison>, Vec<Floor>), DistributionError> {
    let (controls, contenders): (Vec<&Contender>, Vec<&Contender>) =
        contenders.iter().filter(|one| one.cell.is_comparable()).partition(|one| one.cell.cell.is_control());
    let floors = on_all_cores(&controls, |control| floors(control, &contenders, tables));
    let mut floors: Vec<Floor> = floors.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
    let p = holm::corrected(&floors.iter().map(|floor| floor.p).collect::<Vec<_>>());
    for (floor, p) in floors.iter_mut().zip(p) {
        floor.p = p;
        floor.verdict = verdict(&floor.ratio, p);
    }
    let mut questions: Vec<Vec<&Contender>> = Vec::new();
    for one in contenders {
        match questions.iter_mut().find(|asked| asked[0].cell.cell.asks_the_same_as(&one.cell.cell)) {
            Some(asked) => asked.push(one),
            None => questions.push(vec![one]),
        }
    }
    let compared = on_all_cores(&questions, |asked| question(asked, tables));
    let scenarios = questions.iter().map(|asked| asked[0].cell.cell.scenario.as_str());
    let mut families: Vec<(&str, Vec<Comparison>)> = Vec::new();
    for (scenario, compared) in scenarios.zip(compared) {
        match families.last_mut().filter(|(family, _)| *family == scenario) {
            Some((_, family)) => family.extend(compared?),
            None => families.push((scenario, compared?)),
        }
    }
    for (scenario, family) in &mut families {
        conclude(family, |metric| floor_of(&floors, scenario, metric));
    }
    Ok((families.into_iter().flat_map(|(_, family)| family).collect(), floors))
}

/// The comparisons of one question: each metric, each pair, the later server of a pair as its baseline.
fn question(asked: &[&Contender], tables: &Tables) -> Result<Vec<Comparison>, DistributionError> {
    let mut comparisons = Vec::new();
    let cells: Vec<&CellSummary> = asked.iter().map(|one| one.cell).collect();
    for metric in Metric::deciding(&cells) {
        let sides: Vec<Side> = asked.iter().map(|one| Side::whole(one, metric, tables)).collect();
        for (at, one) in sides.iter().enumerate() {
            for other in &sides[at + 1..] {
                let Some(told) = told(metric, one, other, tables)? else { continue };
                comparisons.push(Comparison {
                    question: one.cell.question(),
                    metric,
                    server: one.cell.server.clone(),
                    baseline: other.cell.server.clone(),
                    ratio: told.ratio,
                    p: told.p,
                    ratio_of_medians: told.ratio_of_medians,
                    cliffs_delta: told.cliffs_delta,
                    floor: None,
                    below_floor: false,
                    verdict: Verdict::NoDifference,
                });
            }
        }
    }
    Ok(comparisons)
}

/// A server against itself, on the metrics that decide its question and on the same tails as they were.
fn floors(
    control: &Contender,
    contenders: &[&Contender],
    tables: &Tables,
) -> Result<Vec<Floor>, DistributionError> {
    let cell = &control.cell.cell;
    let twin = Cell { server: cell.server.trim_end_matches(CONTROL).into(), ..cell.clone() };
    let Some(twin) = contenders.iter().find(|one| one.cell.cell == twin) else { return Ok(Vec::new()) };
    let deciding = Metric::deciding(&[twin.cell, control.cell]);
    let as_it_was = deciding.iter().filter_map(|metric| metric.uncleaned());
    let mut floors = Vec::new();
    for metric in deciding.iter().copied().chain(as_it_was) {
        let sides = [twin, control].map(|one| Side::whole(one, metric, tables));
        let Some(told) = told(metric, &sides[0], &sides[1], tables)? else { continue };
        floors.push(Floor {
            scenario: cell.scenario.clone(),
            question: cell.question(),
            server: twin.cell.cell.server.clone(),
            metric,
            ratio: told.ratio,
            p: told.p,
            floor: (told.ratio.low - 1.0).abs().max((told.ratio.high - 1.0).abs()),
            verdict: Verdict::NoDifference,
        });
    }
    Ok(floors)
}

fn floor_of(floors: &[Floor], scenario: &str, metric: Metric) -> Option<f64> {
    let of = floors.iter().filter(|floor| floor.scenario == scenario && floor.metric == metric);
    of.map(|floor| floor.floor).max_by(f64::total_cmp)
}

/// One of the two that are compared: its iterations and its figure over them.
pub(crate) struct Side<'a> {
    cell: &'a Cell,
    completed: Completed<'a>,
    /// Where the metric can be told by iteration or block.
    series: Option<Series>,
    /// The quantile of all iterations merged, where it is told by that.
    merged: Option<&'a Figure>,
}

/// The values of one side, and their median.
struct Series {
    values: Values,
    median: Figure,
}

impl Series {
    fn of(values: Values, tables: &Tables) -> Option<Series> {
        let median = Figure::paired(&values.numbers(), tables)?;
        Some(Series { values, median })
    }

    /// How two differ, by the places that both have.
    fn paired_with(&self, other: &Series, tables: &Tables) -> Option<Paired> {
        if self.values.by_place.keys().ne(other.values.by_place.keys()) {
            let shared = [self.values.shared_with(&other.values), other.values.shared_with(&self.values)];
            let [one, other] = shared.map(|values| Series::of(values, tables));
            return one?.paired_with(&other?, tables);
        }
        Paired::with((&self.values.numbers(), &self.median), (&other.values.numbers(), &other.median))
    }
}

impl<'a> Side<'a> {
    /// All iterations of a contender.
    pub(crate) fn whole(one: &Contender<'a>, metric: Metric, tables: &Tables) -> Side<'a> {
        let completed = one.executions.completed.clone();
        let (values, merged) = match one.tails.get(&metric) {
            Some(Tail::Merged(figure)) => (None, Some(figure)),
            Some(Tail::Blocks(values)) => (Some(values.clone()), None),
            None => (Values::by_iteration(metric, &completed), None),
        };
        let series = values.and_then(|values| Series::of(values, tables));
        Side { cell: &one.cell.cell, completed, series, merged }
    }

    /// Told by longer blocks.
    fn by_blocks_of(
        &self,
        length: u32,
        metric: Metric,
        tables: &Tables,
    ) -> Result<Option<Series>, DistributionError> {
        let values = Values::by_blocks_of(length, metric, &self.completed)?;
        Ok(values.and_then(|values| Series::of(values, tables)))
    }
}

/// What was told of a pair.
pub(crate) struct Told {
    pub(crate) ratio: Estimate,
    pub(crate) p: f64,
    ratio_of_medians: Option<Estimate>,
    cliffs_delta: Option<f64>,
}

/// The ratio of two cells' figures over the iterations that both have, and the p of their being equal. `None` where they
/// share no iteration, or where either has too few samples.
pub(crate) fn told(
    metric: Metric,
    one: &Side,
    other: &Side,
    tables: &Tables,
) -> Result<Option<Told>, DistributionError> {
    if let (Some(series), Some(of_other)) = (&one.series, &other.series) {
        let [length, of_others] = [series, of_other].map(|series| series.values.iterations_each);
        let paired = if length == of_others {
            series.paired_with(of_other, tables)
        } else {
            let length = length.max(of_others);
            let longer = [one, other].map(|side| side.by_blocks_of(length, metric, tables));
            let [one, other] = longer;
            one?.zip(other?).and_then(|(one, other)| one.paired_with(&other, tables))
        };
        return Ok(paired.map(|Paired { ratio, p, ratio_of_medians, cliffs_delta }| Told {
            ratio,
            p,
            ratio_of_medians: Some(ratio_of_medians),
            cliffs_delta: Some(cliffs_delta),
        }));
    }
    // Iterations have too few samples by themselves: a quantile may still be had from all of them merged.
    let Source::Quantile(latency, quantile) = metric.source() else { return Ok(None) };
    let shared: Vec<u32> =
        one.completed.keys().filter(|at| other.completed.contains_key(at)).copied().collect();
    let ratio_to = |one: &Figure, other: &Figure| {
        let ratio = ratio(one, other);
        let p = normal_p(ratio.value.ln(), &ratio.resampled);
        let told = |ratio| Told { ratio, p, ratio_of_medians: None, cliffs_delta: None };
        ratio.estimate(shared.len()).map(told)
    };
    let are_whole = [one, other].iter().all(|side| side.completed.len() == shared.len());
    if let (true, Some(one), Some(other)) = (are_whole, one.merged, other.merged) {
        return Ok(ratio_to(one, other));
    }
    if shared.is_empty() {
        return Ok(None);
    }
    let figure = |side: &Side| {
        let completed = shared.iter().map(|at| (*at, side.completed[at])).collect();
        let merged = merge(&completed, latency)?;
        Ok::<_, DistributionError>(merged_figure(quantile.q(), &merged, shared.len(), tables))
    };
    let (Some(one), Some(other)) = (figure(one)?, figure(other)?) else { return Ok(None) };
    Ok(ratio_to(&one, &other))
}

/// The ratio of two figures, resample by resample.
pub(crate) fn ratio(one: &Figure, other: &Figure) -> Figure {
    let divided = |(one, other): (&f64, &f64)| one / other;
    Figure {
        value: one.value / other.value,
        resampled: one.resampled.iter().zip(&other.resampled).map(divided).collect(),
    }
}

/// The two-sided p of a log ratio of merged quantiles. They have no value of their own in each iteration to rank: the log
/// ratio is taken as normal, as wide as it came out over the resamples.
pub(crate) fn normal_p(log_ratio: f64, resampled: &[f64]) -> f64 {
    let logs: Vec<f64> = resampled.iter().map(|ratio| ratio.ln()).collect();
    let mean = logs.iter().sum::<f64>() / logs.len() as f64;
    let deviation =
        (logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (logs.len() - 1) as f64).sqrt();
    // Without any spread (a single iteration) there is nothing to judge by.
    if deviation > 0.0 { libm::erfc((log_ratio / deviation).abs() / std::f64::consts::SQRT_2) } else { 1.0 }
}

/// Corrects the p values of a family, and draws the verdicts: none on a difference below the noise floor of its metric.
fn conclude(family: &mut [Comparison], floor: impl Fn(Metric) -> Option<f64>) {
    let p: Vec<f64> = family.iter().map(|comparison| comparison.p).collect();
    for (comparison, p) in family.iter_mut().zip(holm::corrected(&p)) {
        comparison.p = p;
        comparison.floor = floor(comparison.metric);
        let verdict = verdict(&comparison.ratio, p);
        let is_below = comparison.floor.is_some_and(|floor| (comparison.ratio.estimate - 1.0).abs() < floor);
        comparison.below_floor = is_below && verdict != Verdict::NoDifference;
        comparison.verdict = if is_below { Verdict::NoDifference } else { verdict };
    }
}

pub(crate) fn verdict(ratio: &Estimate, p: f64) -> Verdict {
    match ratio {
        _ if p >= FAMILY_ERROR => Verdict::NoDifference,
        Estimate { high, .. } if *high < 1.0 => Verdict::Lower,
        Estimate { low, .. } if *low > 1.0 => Verdict::Higher,
        _ => Verdict::NoDifference,
    }
}
