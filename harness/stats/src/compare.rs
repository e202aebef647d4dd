//! Servers in pairs, by iteration, within a question.

use tickbench_record::DistributionError;

use crate::executions::Executions;
use crate::figure::{Completed, Figure, is_by_iteration, merge, merged_figure, values};
use crate::holm;
use crate::metric::Source;
use crate::pair::Paired;
use crate::resample::Tables;
use crate::{CellSummary, Comparison, Estimate, Metric, Verdict};

/// The chance of even one false verdict among the comparisons of a scenario.
pub const FAMILY_ERROR: f64 = 0.05;

/// Compares every two servers that were asked the same, on the metrics that decide the question. Floods whose rate is no
/// verdict on their server are compared with nobody. The comparisons of one scenario are one family of Holm's correction.
pub(crate) fn all(
    executions: &[Executions],
    cells: &[CellSummary],
    tables: &Tables,
) -> Result<Vec<Comparison>, DistributionError> {
    let mut comparisons = Vec::new();
    for family in executions.chunk_by(|a, b| a.cell.scenario == b.cell.scenario) {
        let mut of_family = Vec::new();
        for (at, first) in family.iter().enumerate() {
            let is_first = !family[..at].iter().any(|earlier| earlier.cell.asks_the_same_as(&first.cell));
            if is_first {
                let asked: Vec<&Executions> =
                    family[at..].iter().filter(|other| other.cell.asks_the_same_as(&first.cell)).collect();
                question(&asked, cells, tables, &mut of_family)?;
            }
        }
        conclude(&mut of_family);
        comparisons.append(&mut of_family);
    }
    Ok(comparisons)
}

/// The comparisons of one question: each metric, each pair, the later server of a pair as its baseline.
fn question(
    asked: &[&Executions],
    cells: &[CellSummary],
    tables: &Tables,
    comparisons: &mut Vec<Comparison>,
) -> Result<(), DistributionError> {
    let is_verdict =
        |one: &Executions| cells.iter().any(|cell| cell.cell == one.cell && cell.doubt().is_none());
    let asked: Vec<&&Executions> = asked.iter().filter(|one| is_verdict(one)).collect();
    let Some(first) = asked.first() else { return Ok(()) };
    for &metric in Metric::deciding(first.cell.kind) {
        for (at, one) in asked.iter().enumerate() {
            for other in &asked[at + 1..] {
                let Some((ratio, p)) = paired(metric, &one.completed, &other.completed, tables)? else {
                    continue;
                };
                comparisons.push(Comparison {
                    question: one.cell.question(),
                    metric,
                    server: one.cell.server.clone(),
                    baseline: other.cell.server.clone(),
                    ratio,
                    p,
                    verdict: Verdict::NoDifference,
                });
            }
        }
    }
    Ok(())
}

/// The ratio of two cells' figures over the iterations that both completed, and the p of their being equal. `None` where they
/// share no iteration, or where either has too few samples.
fn paired(
    metric: Metric,
    one: &Completed,
    other: &Completed,
    tables: &Tables,
) -> Result<Option<(Estimate, f64)>, DistributionError> {
    let shared = |of: &Completed, with: &Completed| -> Vec<u32> {
        of.keys().copied().filter(|iteration| with.contains_key(iteration)).collect()
    };
    let iterations = shared(one, other);
    if iterations.is_empty() {
        return Ok(None);
    }
    let (one, other) = (restricted(one, &iterations), restricted(other, &iterations));
    if is_by_iteration(metric, &one) && is_by_iteration(metric, &other) {
        let paired = Paired::with(&values(metric, &one), &values(metric, &other), tables);
        return Ok(paired.map(|paired| (paired.ratio, paired.p)));
    }
    // Not every iteration has the metric to itself: a quantile may still be had from all of them merged.
    let Source::Quantile(latency, quantile) = metric.source() else { return Ok(None) };
    let figure = |completed: &Completed| {
        let merged = merge(completed, latency)?;
        Ok::<_, DistributionError>(merged_figure(quantile.q(), &merged, iterations.len(), tables))
    };
    let (Some(one), Some(other)) = (figure(&one)?, figure(&other)?) else { return Ok(None) };
    let ratio = ratio(&one, &other);
    let p = normal_p(ratio.value.ln(), &ratio.resampled);
    Ok(ratio.estimate(iterations.len()).map(|ratio| (ratio, p)))
}

fn restricted<'a>(completed: &Completed<'a>, iterations: &[u32]) -> Completed<'a> {
    iterations.iter().map(|iteration| (*iteration, completed[iteration])).collect()
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

/// Corrects the p values of a family, and draws the verdicts.
fn conclude(family: &mut [Comparison]) {
    let p: Vec<f64> = family.iter().map(|comparison| comparison.p).collect();
    for (comparison, p) in family.iter_mut().zip(holm::corrected(&p)) {
        comparison.p = p;
        comparison.verdict = match comparison.ratio {
            _ if p >= FAMILY_ERROR => Verdict::NoDifference,
            Estimate { high, .. } if high < 1.0 => Verdict::Lower,
            Estimate { low, .. } if low > 1.0 => Verdict::Higher,
            _ => Verdict::NoDifference,
        };
    }
}
