//! Servers in pairs, by iteration, within a question; and a server with itself, which tells what a difference must exceed.

use serde::Serialize;
use tickbench_record::{CONTROL, Cell, DistributionError};

use crate::compared_cell::ComparedCell;
use crate::holm;
use crate::pair_comparison::{Side, compare_pair};
use crate::parallel::on_all_cores;
use crate::resample::Tables;
use crate::verdict::verdict;
use crate::{CellSummary, Estimate, Metric, Verdict};

/// Two servers in the same question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The question: the cell's name without its server.
    pub question: String,
    /// What is compared.
    pub metric: Metric,
    /// The server whose figure is divided.
    pub server: String,
    /// The server it is divided by.
    pub baseline: String,
    /// Ratio `server / baseline`: the Hodges–Lehmann shift of the log ratios of the iterations that both completed, and the interval of
    /// the shifts that the signed-rank test does not reject. Where the figure is that of merged samples, their ratio, resampled together.
    pub ratio: Estimate,
    /// Two-sided p of the signed-rank test on the iterations' log ratios, corrected by Holm over the scenario's comparisons.
    pub p: f64,
    /// Ratio `server / baseline` of the two medians over the same iterations, resampled together. `None` where the figure is that of merged
    /// samples.
    pub ratio_of_medians: Option<Estimate>,
    /// Cliff's delta over the iterations' values: 1 where all of the server's are larger. `None` as `ratio_of_medians` is.
    pub cliffs_delta: Option<f64>,
    /// The noise floor of its scenario and metric: how far from 1 a ratio must be to be a difference. `None` where no control ran.
    pub floor: Option<f64>,
    /// Whether the evidence spoke of a difference, and it was called none because it is smaller than the floor.
    pub below_floor: bool,
    /// What follows.
    pub verdict: Verdict,
}

/// A server compared with its own second run: what differs between the two is the machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NoiseFloor {
    /// The scenario, in all of whose questions it holds.
    pub scenario: String,
    /// The question in which the control ran.
    pub question: String,
    /// The server that ran twice.
    pub server: String,
    /// What is compared.
    pub metric: Metric,
    /// Ratio of the server's figure to that of its second run.
    pub ratio: Estimate,
    /// Two-sided p, corrected by Holm over all controls of the run.
    pub p: f64,
    /// The end of the ratio's interval that is farther from 1, as its distance from 1: the smallest difference that this machine
    /// could tell apart in this run.
    pub floor: f64,
    /// What the two runs of one server would be called on this evidence: anything but no difference is a false alarm.
    pub verdict: Verdict,
}

/// Compares every two servers that were asked the same, on the metrics that decide the question, and each control with its
/// twin. Cells whose figures are no verdict on their server are compared with nobody. The comparisons of one scenario are one
/// family of Holm's correction; all controls of the run are another, so that one run in twenty raises a false alarm and not one
/// scenario in twenty.
pub(crate) fn all(
    cells: &[ComparedCell],
    tables: &Tables,
) -> Result<(Vec<Comparison>, Vec<NoiseFloor>), DistributionError> {
    let (controls, cells): (Vec<&ComparedCell>, Vec<&ComparedCell>) =
        cells.iter().filter(|one| one.cell.is_comparable()).partition(|one| one.cell.cell.is_control());
    let noise_floors = on_all_cores(&controls, |control| noise_floors(control, &cells, tables));
    let mut noise_floors: Vec<NoiseFloor> = noise_floors.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
    let p = holm::corrected(&noise_floors.iter().map(|floor| floor.p).collect::<Vec<_>>());
    for (floor, p) in noise_floors.iter_mut().zip(p) {
        floor.p = p;
        floor.verdict = verdict(&floor.ratio, p);
    }
    let mut questions: Vec<Vec<&ComparedCell>> = Vec::new();
    for one in cells {
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
        conclude(family, |metric| noise_floor_of(&noise_floors, scenario, metric));
    }
    Ok((families.into_iter().flat_map(|(_, family)| family).collect(), noise_floors))
}

/// The comparisons of one question: each metric, each pair, the later server of a pair as its baseline.
fn question(asked: &[&ComparedCell], tables: &Tables) -> Result<Vec<Comparison>, DistributionError> {
    let mut comparisons = Vec::new();
    let cells: Vec<&CellSummary> = asked.iter().map(|one| one.cell).collect();
    for metric in Metric::primary(&cells) {
        let sides: Vec<Side> = asked.iter().map(|one| Side::whole(one, metric, tables)).collect();
        for (at, one) in sides.iter().enumerate() {
            for other in &sides[at + 1..] {
                let Some(pair) = compare_pair(metric, one, other, tables)? else { continue };
                comparisons.push(Comparison {
                    question: one.cell.question(),
                    metric,
                    server: one.cell.server.clone(),
                    baseline: other.cell.server.clone(),
                    ratio: pair.ratio,
                    p: pair.p,
                    ratio_of_medians: pair.ratio_of_medians,
                    cliffs_delta: pair.cliffs_delta,
                    floor: None,
                    below_floor: false,
                    verdict: Verdict::NoDifference,
                });
            }
        }
    }
    Ok(comparisons)
}

/// A server against itself, on the metrics that decide its question and on the raw ones of the same tails.
fn noise_floors(
    control: &ComparedCell,
    cells: &[&ComparedCell],
    tables: &Tables,
) -> Result<Vec<NoiseFloor>, DistributionError> {
    let cell = &control.cell.cell;
    let twin = Cell { server: cell.server.trim_end_matches(CONTROL).into(), ..cell.clone() };
    let Some(twin) = cells.iter().find(|one| one.cell.cell == twin) else { return Ok(Vec::new()) };
    let primary = Metric::primary(&[twin.cell, control.cell]);
    let raw = primary.iter().filter_map(|metric| metric.raw());
    let mut noise_floors = Vec::new();
    for metric in primary.iter().copied().chain(raw) {
        let sides = [twin, control].map(|one| Side::whole(one, metric, tables));
        let Some(pair) = compare_pair(metric, &sides[0], &sides[1], tables)? else { continue };
        noise_floors.push(NoiseFloor {
            scenario: cell.scenario.clone(),
            question: cell.question(),
            server: twin.cell.cell.server.clone(),
            metric,
            ratio: pair.ratio,
            p: pair.p,
            floor: (pair.ratio.low - 1.0).abs().max((pair.ratio.high - 1.0).abs()),
            verdict: Verdict::NoDifference,
        });
    }
    Ok(noise_floors)
}

fn noise_floor_of(noise_floors: &[NoiseFloor], scenario: &str, metric: Metric) -> Option<f64> {
    let of = noise_floors.iter().filter(|floor| floor.scenario == scenario && floor.metric == metric);
    of.map(|floor| floor.floor).max_by(f64::total_cmp)
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
