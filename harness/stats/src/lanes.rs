//! How much of a server's distance to the baseline its tuned lane closes.
//!
//! The distance is how many times as bad as the baseline's a figure is, each lane against the baseline in the same lane: what the
//! settings of a lane do for any program, they do for the baseline too, and what is left is the framework's.

use serde::Serialize;
use tickbench_record::{Cell, DistributionError, Lane};

use crate::compared_cell::ComparedCell;
use crate::figure::{Completed, Figure, merge, merged_figure, ratio};
use crate::metric::Source;
use crate::parallel::on_all_cores;
use crate::resample::Tables;
use crate::values::Values;
use crate::{CellSummary, Estimate, Metric};

/// One server from its default lane to its tuned one, in one question and metric. All intervals are of iterations that every
/// figure has, resampled together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LaneStep {
    /// The question in the default lane.
    pub question: String,
    /// The same question in the tuned lane.
    pub tuned_question: String,
    /// The server.
    pub server: String,
    /// What is compared.
    pub metric: Metric,
    /// The figure in the default lane.
    pub default: Estimate,
    /// The figure in the tuned lane.
    pub tuned: Estimate,
    /// Ratio `tuned / default`.
    pub ratio: Estimate,
    /// The distances to the baseline; `None` of the baseline itself, and where it was not measured in both lanes.
    pub distance: Option<Distance>,
}

/// How far a server is from the baseline in each lane.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Distance {
    /// How many times as bad as the baseline's figure the server's is, both in the default lane: 1 is level with it.
    pub default: Estimate,
    /// The same, both in the tuned lane.
    pub tuned: Estimate,
    /// The share of what lies between 1 and `default` that `tuned` takes away: 1 is all of it, below 0 is farther off than before.
    /// `None` where the default lane cannot be told from the baseline, for then there is nothing to close.
    pub closed: Option<Estimate>,
}

/// Every server that was asked a question in both lanes, on the metrics that decide it.
pub(crate) fn all(
    cells: &[ComparedCell],
    baseline: Option<&str>,
    tables: &Tables,
) -> Result<Vec<LaneStep>, DistributionError> {
    let believed: Vec<&ComparedCell> =
        cells.iter().filter(|one| one.cell.is_comparable() && !one.cell.cell.is_control()).collect();
    let pairs: Vec<[&ComparedCell; 2]> = believed
        .iter()
        .filter(|one| one.cell.cell.lane == Lane::Default)
        .filter_map(|one| Some([*one, tuned(one, &believed)?]))
        .collect();
    let steps = on_all_cores(&pairs, |pair| {
        let baselines = baseline.filter(|name| *name != pair[0].cell.cell.server).and_then(|name| {
            Some([of_server(name, pair[0], &believed)?, of_server(name, pair[1], &believed)?])
        });
        steps(pair, baselines, tables)
    });
    Ok(steps.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
}

/// The same server, asked the same in its tuned lane: in the same scenario, else in another that asks what this one does.
fn tuned<'c, 'a>(one: &ComparedCell, all: &[&'c ComparedCell<'a>]) -> Option<&'c ComparedCell<'a>> {
    let Cell { scenario, .. } = &one.cell.cell;
    let same = |other: &&&ComparedCell| {
        other.cell.cell.lane == Lane::Tuned
            && Cell { lane: Lane::Default, scenario: scenario.clone(), ..other.cell.cell.clone() }
                == one.cell.cell
    };
    all.iter().filter(same).min_by_key(|other| other.cell.cell.scenario != *scenario).copied()
}

/// Another server in the question of this one.
fn of_server<'c, 'a>(
    name: &str,
    one: &ComparedCell,
    all: &[&'c ComparedCell<'a>],
) -> Option<&'c ComparedCell<'a>> {
    let same = |other: &&&ComparedCell| {
        other.cell.cell.server == name && other.cell.cell.asks_the_same_as(&one.cell.cell)
    };
    all.iter().find(same).copied()
}

fn steps(
    pair: &[&ComparedCell; 2],
    baselines: Option<[&ComparedCell; 2]>,
    tables: &Tables,
) -> Result<Vec<LaneStep>, DistributionError> {
    let all: Vec<&ComparedCell> = pair.iter().copied().chain(baselines.into_iter().flatten()).collect();
    let cells: Vec<&CellSummary> = all.iter().map(|one| one.cell).collect();
    let mut steps = Vec::new();
    for metric in Metric::primary(&cells) {
        let Some(figures) = figures(&all, metric, tables)? else { continue };
        let (figures, iterations) = figures;
        let estimate = |figure: &Figure| figure.estimate(iterations);
        let lanes =
            (estimate(&figures[0]), estimate(&figures[1]), estimate(&ratio(&figures[1], &figures[0])));
        let (Some(default), Some(tuned), Some(ratio)) = lanes else { continue };
        let [one, other] = pair.map(|one| &one.cell.cell);
        let distance = match &figures[..] {
            [default, tuned, baseline, tuned_baseline] => {
                distance(&apart(metric, default, baseline), &apart(metric, tuned, tuned_baseline), iterations)
            }
            _ => None,
        };
        steps.push(LaneStep {
            question: one.question(),
            tuned_question: other.question(),
            server: one.server.clone(),
            metric,
            default,
            tuned,
            ratio,
            distance,
        });
    }
    Ok(steps)
}

/// How many times as bad one figure is as another.
fn apart(metric: Metric, figure: &Figure, baseline: &Figure) -> Figure {
    if metric.higher_is_better() { ratio(baseline, figure) } else { ratio(figure, baseline) }
}

fn distance(default: &Figure, tuned: &Figure, iterations: usize) -> Option<Distance> {
    let share = |(default, tuned): (&f64, &f64)| 1.0 - (tuned - 1.0) / (default - 1.0);
    let closed = Figure {
        value: share((&default.value, &tuned.value)),
        resampled: default.resampled.iter().zip(&tuned.resampled).map(share).collect(),
    };
    let (default, tuned) = (default.estimate(iterations)?, tuned.estimate(iterations)?);
    let closed = if default.low > 1.0 { closed.estimate(iterations) } else { None };
    Some(Distance { default, tuned, closed })
}

/// One metric of several cells over the iterations, or blocks of them, that all have, and how many those are; `None` where it cannot be
/// had of each.
fn figures(
    all: &[&ComparedCell],
    metric: Metric,
    tables: &Tables,
) -> Result<Option<(Vec<Figure>, usize)>, DistributionError> {
    let of_each =
        all.iter().map(|one| one.executions.values(metric)).collect::<Result<Option<Vec<_>>, _>>()?;
    let Some(of_each) = of_each else { return merged(all, metric, tables) };
    let length = of_each.iter().map(|values| values.iterations_each).max().unwrap_or(1);
    let mut values = Vec::new();
    for (one, own) in all.iter().zip(of_each) {
        let as_long = own.iterations_each == length;
        let longer = || Values::by_blocks_of(length, metric, &one.executions.completed);
        let Some(own) = (if as_long { Some(Values::clone(&own)) } else { longer()? }) else {
            return Ok(None);
        };
        values.push(own);
    }
    let shared = values.iter().skip(1).fold(values[0].clone(), |shared, one| shared.shared_with(one));
    let paired = |one: &Values| Figure::paired(&one.shared_with(&shared).numbers(), tables);
    Ok(values.iter().map(paired).collect::<Option<Vec<_>>>().map(|figures| (figures, shared.by_place.len())))
}

/// The same of a quantile of all iterations merged.
fn merged(
    all: &[&ComparedCell],
    metric: Metric,
    tables: &Tables,
) -> Result<Option<(Vec<Figure>, usize)>, DistributionError> {
    let Source::Quantile(latency, quantile) = metric.source() else { return Ok(None) };
    let shared = |at: &u32| all.iter().all(|one| one.executions.completed.contains_key(at));
    let shared: Vec<u32> = all[0].executions.completed.keys().copied().filter(shared).collect();
    let figure = |one: &&ComparedCell| {
        let completed: Completed = shared.iter().map(|at| (*at, one.executions.completed[at])).collect();
        Ok(merged_figure(quantile.q(), &merge(&completed, latency)?, shared.len(), tables))
    };
    if shared.is_empty() {
        return Ok(None);
    }
    let figures = all.iter().map(figure).collect::<Result<Option<Vec<Figure>>, DistributionError>>()?;
    Ok(figures.map(|figures| (figures, shared.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(value: f64, resampled: &[f64]) -> Figure {
        Figure { value, resampled: resampled.to_vec() }
    }

    #[test]
    fn a_share_is_of_what_lay_above_the_baseline() {
        let half = distance(&figure(1.4, &[1.4, 1.4]), &figure(1.2, &[1.2, 1.2]), 9).unwrap();
        assert!((half.closed.unwrap().estimate - 0.5).abs() < 1e-12);
        let farther = distance(&figure(1.1, &[1.1]), &figure(1.2, &[1.2]), 9).unwrap();
        assert!(farther.closed.unwrap().estimate < 0.0);
    }

    #[test]
    fn where_the_default_lane_is_level_there_is_nothing_to_close() {
        let level = distance(&figure(1.01, &[0.99, 1.01, 1.03]), &figure(1.0, &[1.0, 1.0, 1.0]), 9).unwrap();
        assert_eq!(level.closed, None);
    }

    #[test]
    fn of_a_rate_less_is_farther() {
        let (slow, baseline) = (figure(0.5, &[0.5]), figure(1.0, &[1.0]));
        assert_eq!(apart(Metric::MessagesPerS, &slow, &baseline).value, 2.0);
        assert_eq!(apart(Metric::DeliveryP50, &slow, &baseline).value, 0.5);
    }
}
