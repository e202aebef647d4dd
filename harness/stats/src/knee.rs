//! Where latency takes off as the offered load grows: the knee of its curve.

use serde::Serialize;
use tickbench_record::{Cell, ScenarioKind};

use crate::compared_cell::{ComparedCell, Tail};
use crate::figure::Figure;
use crate::resample::{Tables, interval};
use crate::values::Values;
use crate::{Achieved, Metric};

/// Beyond the knee p99 of the response is more than this many times its least. The p99 of one server against itself was seen to
/// differ by up to 1.7 times on a virtual machine; a queue with random arrivals and services (M/M/1) is three times as slow as an
/// idle one at two thirds of its capacity.
pub const KNEE_FACTOR: f64 = 3.0;

/// The knee of one server's curve: Jain's knee capacity ("The Art of Computer Systems Performance Analysis", 1991, 3.3), told at
/// the rates that were offered and nowhere between them.
///
/// From the rate with the least p99 of the response on, rates are walked upwards until p99 exceeds [`KNEE_FACTOR`] times that least,
/// or less than 99 % of what was due was sent before the window's end. The knee lies between the last rate before and that one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Knee {
    /// The cell of the lowest rate; the others differ from it in their rate alone.
    pub cell: Cell,
    /// The highest offered rate before the knee.
    pub before_per_s: f64,
    /// The next rate, which is beyond it; `None` where the highest rate is not, or the client limits those above.
    pub beyond_per_s: Option<f64>,
    /// Lower end of the 95 % interval of `before_per_s`, from resampled iterations.
    pub low_per_s: f64,
    /// Upper end of that of `beyond_per_s`; `None` where it is beyond the highest rate.
    pub high_per_s: Option<f64>,
    /// The least p99 of the response, in nanoseconds.
    pub least_p99_ns: f64,
    /// Iterations at the rate that has the fewest.
    pub iterations: usize,
}

/// One offered rate of a curve.
struct Point<'a> {
    cell: &'a Cell,
    p99: Figure,
    arrives: bool,
    iterations: usize,
}

/// The knees of all curves, in the order of the study.
pub(crate) fn all(cells: &[ComparedCell], tables: &Tables) -> Vec<Knee> {
    let mut curves: Vec<Vec<&ComparedCell>> = Vec::new();
    for one in cells.iter().filter(|one| one.cell.cell.kind == ScenarioKind::Load) {
        match curves.iter_mut().find(|curve| is_one_curve(&curve[0].cell.cell, &one.cell.cell)) {
            Some(curve) => curve.push(one),
            None => curves.push(vec![one]),
        }
    }
    curves.into_iter().filter_map(|curve| knee(curve, tables)).collect()
}

/// Whether two cells differ in their rate alone.
fn is_one_curve(one: &Cell, other: &Cell) -> bool {
    Cell { rate_per_s: one.rate_per_s, ..other.clone() } == *one
}

fn knee(mut curve: Vec<&ComparedCell>, tables: &Tables) -> Option<Knee> {
    curve.sort_by(|one, other| one.cell.cell.rate_per_s.total_cmp(&other.cell.cell.rate_per_s));
    // From where the client is what limits, the curve is no longer the server's.
    let own = curve.into_iter().take_while(|one| one.cell.is_comparable());
    let points: Vec<Point> = own.filter_map(|one| point(one, tables)).collect();
    let rate = |at: usize| points.get(at).map(|point| point.cell.rate_per_s);
    let arrives: Vec<bool> = points.iter().map(|point| point.arrives).collect();
    let values: Vec<f64> = points.iter().map(|point| point.p99.value).collect();
    let before = last_before(&values, &arrives)?;
    let resamples = points.iter().map(|point| point.p99.resampled.len()).min()?;
    let resampled = (0..resamples).filter_map(|resample| {
        let values: Vec<f64> = points.iter().map(|point| point.p99.resampled[resample]).collect();
        last_before(&values, &arrives).map(|at| at as f64)
    });
    let (low, high) = interval(resampled.collect())?;
    Some(Knee {
        cell: points[0].cell.clone(),
        before_per_s: rate(before)?,
        beyond_per_s: rate(before + 1),
        low_per_s: rate(low as usize)?,
        high_per_s: rate(high as usize + 1),
        least_p99_ns: values.iter().copied().fold(f64::INFINITY, f64::min),
        iterations: points.iter().map(|point| point.iterations).min()?,
    })
}

/// `None` where the rate has too few samples for p99. Where the client kept no accounts, nobody knows whether all arrives.
fn point<'a>(one: &'a ComparedCell, tables: &Tables) -> Option<Point<'a>> {
    let (cell, completed) = (&one.cell.cell, &one.executions.completed);
    let resampled = |figure: &Figure| Figure { value: figure.value, resampled: figure.resampled.clone() };
    let paired = |values: &Values| Figure::paired(&values.numbers(), tables);
    let p99 = match one.tails.get(&Metric::ResponseP99) {
        Some(Tail::Merged(figure)) => resampled(figure),
        Some(Tail::Blocks(values)) => paired(values)?,
        None => paired(&Values::by_iteration(Metric::ResponseP99, completed)?)?,
    };
    let kept = completed.values().filter_map(|seen| Achieved::of(cell.arrival, seen));
    let kept: Vec<bool> = kept.map(|achieved| achieved.is_kept()).collect();
    // Of half of the iterations, as a median would have it.
    let arrives = !kept.is_empty() && 2 * kept.iter().filter(|kept| **kept).count() >= kept.len();
    Some(Point { cell, p99, arrives, iterations: completed.len() })
}

/// The place of the last rate before the knee; `None` of no rates. Where nothing arrives in full even at the rate with the least
/// p99, that rate is the last.
fn last_before(p99: &[f64], arrives: &[bool]) -> Option<usize> {
    let least = (0..p99.len()).min_by(|&one, &other| p99[one].total_cmp(&p99[other]))?;
    let is_before = |at: usize| p99[at] <= KNEE_FACTOR * p99[least] && arrives[at];
    let beyond = (least + 1..p99.len()).find(|&at| !is_before(at)).unwrap_or(p99.len());
    Some(beyond - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_knee_is_the_last_rate_within_the_factor_of_the_least() {
        let all = [true; 6];
        assert_eq!(last_before(&[60.0, 55.0, 57.0, 120.0, 166.0, 9_000.0], &all), Some(3));
        assert_eq!(last_before(&[60.0, 55.0, 57.0, 90.0, 100.0, 150.0], &all), Some(5), "beyond the highest");
        assert_eq!(last_before(&[], &[]), None);
    }

    #[test]
    fn waking_up_at_low_rates_is_no_knee() {
        assert_eq!(last_before(&[900.0, 400.0, 60.0, 70.0, 800.0], &[true; 5]), Some(3));
    }

    #[test]
    fn a_rate_at_which_messages_stay_away_is_beyond_the_knee() {
        assert_eq!(last_before(&[50.0, 55.0, 60.0], &[true, true, false]), Some(1));
    }

    #[test]
    fn after_the_knee_nothing_counts() {
        assert_eq!(last_before(&[50.0, 500.0, 60.0], &[true; 3]), Some(0));
    }
}
