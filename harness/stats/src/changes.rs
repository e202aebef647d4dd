//! What changed from one run to another: each figure of each cell that both have.

use std::collections::BTreeMap;

use tickbench_record::{Cell, DistributionError, Measurement, ScenarioKind, Study};

use crate::between::TwoTables;
use crate::executions::{self, Executions};
use crate::figure::{Completed, Figure, merge, merged_figure, normal_p, ratio, values};
use crate::metric::Source;
use crate::parallel::on_all_cores;
use crate::resample::{Tables, median};
use crate::row_audit::{self, RowAudit};
use crate::values::Values;
use crate::{
    Between, Context, Estimate, FAMILY_ERROR, Metric, Ruling, SERVER_BUSY, SummaryError, Verdict, holm,
    row_checks,
};

/// The records of one of the runs.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Its study.
    pub study: &'a Study,
    /// Everything it measured.
    pub measurements: &'a [Measurement],
}

/// One figure of one cell in two runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The cell, as the later run has it.
    pub cell: Cell,
    /// What is compared.
    pub metric: Metric,
    /// The figure in the earlier run: the median over iterations or blocks of them, or the quantile of all of them merged.
    pub before: f64,
    /// The same in the later run.
    pub after: f64,
    /// The two as they are: what the programs do, and how the machine drifted.
    pub plain: Between,
    /// The same after each iteration's figure was divided by the baseline's of that iteration: less what drifted for all.
    pub normalised: Option<Between>,
    /// The p of [`Change::primary`], corrected by Holm over all changes.
    pub p: f64,
    /// What follows: `Higher` where the later run's figure is.
    pub verdict: Verdict,
    /// Whether this is the rate of a flood in which the server was not busy in one of the runs: something else held it back.
    pub server_idle: bool,
}

impl Change {
    /// The comparison that the verdict rests on: the normalised one where there is one.
    pub fn primary(&self) -> &Between {
        self.normalised.as_ref().unwrap_or(&self.plain)
    }
}

/// All changes between two runs, in the order of the later one's study.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// The servers' figures: one family of Holm's correction.
    pub figures: Vec<Change>,
    /// The baseline's own: how far the machine drifted, if its program stayed the same. Their p are not corrected.
    pub drift: Vec<Change>,
    /// The rows that both have and that are not compared, because in one of the runs their figures are no verdict on their server.
    pub unsound: Vec<Unsound>,
}

/// A row whose figures are not to be believed, or not to be compared, in one of two runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Unsound {
    /// The cell, as the later run has it.
    pub cell: Cell,
    /// What follows from the earlier run's audits; `None` where it may be compared.
    pub before: Option<Ruling>,
    /// The same of the later run.
    pub after: Option<Ruling>,
}

impl Unsound {
    /// Whether the row could be compared before, and fails an audit now.
    pub fn is_new_failure(&self) -> bool {
        self.before.is_none() && self.after == Some(Ruling::Failed)
    }
}

impl Changes {
    /// Compares the figures that decide each question, and those that `also` names for a cell. `baseline` is the server that both
    /// runs have as theirs. A server's second run as a control is left out, and so is a row whose audits make it no verdict in either
    /// run. Equal input gives equal output: resamples are drawn from `seed`.
    pub fn between(
        before: Side,
        after: Side,
        baseline: Option<&str>,
        also: impl Fn(&Cell) -> Vec<Metric>,
        seed: u64,
    ) -> Result<Changes, SummaryError> {
        let mut earlier = executions::group(before.study, before.measurements)?;
        let mut later = executions::group(after.study, after.measurements)?;
        let unsound = set_unsound_apart(&mut earlier, &mut later, baseline);
        let runs = Runs { earlier: &earlier, later: &later, baseline, tables: TwoTables::new(seed) };
        let asked: Vec<Asked> = later
            .iter()
            .filter(|now| !now.cell.is_control())
            .filter_map(|now| Some((same_in(&earlier, &now.cell, &now.cell.server)?, now)))
            .flat_map(|(then, now)| {
                let asked = move |metric| Asked { metric, then, now };
                metrics(then, now, &also).into_iter().map(asked).collect::<Vec<_>>()
            })
            .collect();
        let compared = on_all_cores(&asked, |asked| {
            let of_cell = |cause| SummaryError::Histogram { cell: asked.now.cell.to_string(), cause };
            runs.change(asked).map_err(of_cell)
        });
        let mut changes = Changes { unsound, ..Changes::default() };
        for change in compared {
            let Some(change) = change? else { continue };
            let is_baseline = Some(change.cell.server.as_str()) == baseline;
            if is_baseline { &mut changes.drift } else { &mut changes.figures }.push(change);
        }
        conclude(&mut changes.figures);
        Ok(changes)
    }
}

/// Removes the rows that are no verdict from both runs, and returns those that both had.
fn set_unsound_apart(
    earlier: &mut Vec<Executions>,
    later: &mut Vec<Executions>,
    baseline: Option<&str>,
) -> Vec<Unsound> {
    let [then, now] = [&*earlier, &*later].map(|rows| rulings(rows, baseline));
    let ruled =
        |rulings: &BTreeMap<String, Ruling>, row: &Executions| rulings.get(&row.cell.to_string()).copied();
    let unsound = later.iter().filter(|row| !row.cell.is_control()).filter_map(|row| {
        let before = ruled(&then, same_in(earlier, &row.cell, &row.cell.server)?);
        let after = ruled(&now, row);
        (before.is_some() || after.is_some()).then(|| Unsound { cell: row.cell.clone(), before, after })
    });
    let unsound: Vec<Unsound> = unsound.collect();
    earlier.retain(|row| ruled(&then, row).is_none());
    later.retain(|row| ruled(&now, row).is_none());
    unsound
}

/// What follows from the audits of each row that is no verdict on its server.
fn rulings(rows: &[Executions], baseline: Option<&str>) -> BTreeMap<String, Ruling> {
    let context = Context { baseline: baseline.map(Into::into), ..Context::default() };
    let audited = row_audit::all(rows, &context);
    let worst = |(row, of_executions): (&Executions, RowAudit)| {
        let audits = of_executions.audits.into_iter().chain(row_checks::of_cell(row, &context));
        let worst = audits.map(|audit| audit.ruling).max()?;
        (worst >= Ruling::ClientBound).then(|| (row.cell.to_string(), worst))
    };
    rows.iter().zip(audited).filter_map(worst).collect()
}

/// One figure to compare.
struct Asked<'a> {
    metric: Metric,
    then: &'a Executions<'a>,
    now: &'a Executions<'a>,
}

/// The metrics that decide a cell's question, and those asked for besides, each once.
fn metrics(then: &Executions, now: &Executions, also: impl Fn(&Cell) -> Vec<Metric>) -> Vec<Metric> {
    let has = |metric| [then, now].iter().all(|one| !values(metric, &one.completed).is_empty());
    let mut metrics = Metric::primary_where(now.cell.kind, has).to_vec();
    for metric in also(&now.cell) {
        if !metrics.contains(&metric) {
            metrics.push(metric);
        }
    }
    metrics
}

/// What a run has of a server in a cell's question.
fn same_in<'a, 'b>(
    executions: &'a [Executions<'b>],
    cell: &Cell,
    server: &str,
) -> Option<&'a Executions<'b>> {
    let question = cell.question();
    executions.iter().find(|other| other.cell.server == server && other.cell.question() == question)
}

/// Two runs while they are compared.
struct Runs<'a> {
    earlier: &'a [Executions<'a>],
    later: &'a [Executions<'a>],
    baseline: Option<&'a str>,
    tables: TwoTables,
}

impl<'a> Runs<'a> {
    fn change(&self, asked: &Asked<'a>) -> Result<Option<Change>, DistributionError> {
        let &Asked { metric, then, now } = asked;
        let figures = |own, baseline| Figures { own, baseline };
        let alone = Pair { then: figures(then, None), now: figures(now, None) };
        let Some((before, after, plain)) = alone.compared(metric, &self.tables)? else { return Ok(None) };
        let is_flood = now.cell.kind == ScenarioKind::Throughput;
        Ok(Some(Change {
            cell: now.cell.clone(),
            metric,
            before,
            after,
            plain,
            normalised: self.normalised(metric, then, now)?,
            p: plain.p,
            verdict: Verdict::NoDifference,
            server_idle: is_flood && [then, now].iter().any(|one| is_idle(&one.completed)),
        }))
    }

    fn normalised(
        &self,
        metric: Metric,
        then: &'a Executions<'a>,
        now: &'a Executions<'a>,
    ) -> Result<Option<Between>, DistributionError> {
        let Some(baseline) = self.baseline.filter(|name| *name != now.cell.server) else { return Ok(None) };
        let baselines =
            same_in(self.earlier, &now.cell, baseline).zip(same_in(self.later, &now.cell, baseline));
        let Some((baseline_then, baseline_now)) = baselines else { return Ok(None) };
        let over = |own, baseline| Figures { own, baseline: Some(baseline) };
        let over = Pair { then: over(then, baseline_then), now: over(now, baseline_now) };
        Ok(over.compared(metric, &self.tables)?.map(|(_, _, between)| between))
    }
}

/// Whether a server used less than all of its core, in the typical iteration.
fn is_idle(completed: &Completed) -> bool {
    median(&values(Metric::ServerCpuShare, completed)).is_some_and(|share| share < SERVER_BUSY)
}

/// The same figure in both runs.
struct Pair<'a> {
    then: Figures<'a>,
    now: Figures<'a>,
}

/// A cell's iterations, and those of the baseline that they are divided by.
struct Figures<'a> {
    own: &'a Executions<'a>,
    baseline: Option<&'a Executions<'a>>,
}

impl Figures<'_> {
    /// One value an iteration or block, where the metric can be told so.
    fn values(&self, metric: Metric) -> Result<Option<Vec<f64>>, DistributionError> {
        let Some(own) = self.own.values(metric)? else { return Ok(None) };
        let Some(baseline) = self.baseline else { return Ok(Some(own.numbers())) };
        let Some(of_baseline) = baseline.values(metric)? else { return Ok(None) };
        let over = |own: &Values, baseline: &Values| {
            let of_baseline = |place, own: &f64| Some(own / baseline.by_place.get(place)?);
            own.by_place.iter().filter_map(|(place, own)| of_baseline(place, own)).collect()
        };
        if own.iterations_each == of_baseline.iterations_each {
            return Ok(Some(over(&own, &of_baseline)));
        }
        let length = own.iterations_each.max(of_baseline.iterations_each);
        let longer = |of: &Executions| Values::by_blocks_of(length, metric, &of.completed);
        Ok(longer(self.own)?.zip(longer(baseline)?).map(|(own, baseline)| over(&own, &baseline)))
    }

    /// The quantile of all iterations merged; over those that both completed, where it is divided by the baseline's. The far tail of a
    /// flood is that of full buffers, and nobody's figure.
    fn merged(&self, metric: Metric, tables: &Tables) -> Result<Option<Figure>, DistributionError> {
        let Source::Quantile(latency, quantile) = metric.source() else { return Ok(None) };
        if self.own.cell.kind == ScenarioKind::Throughput {
            return Ok(None);
        }
        let of = |completed: &Completed| {
            let merged = merge(completed, latency)?;
            Ok::<_, DistributionError>(merged_figure(quantile.q(), &merged, completed.len(), tables))
        };
        let Some(baseline) = self.baseline else { return of(&self.own.completed) };
        let (own, baseline) = (&self.own.completed, &baseline.completed);
        let shared = |one: &Completed, with: &Completed| {
            let mut one = one.clone();
            one.retain(|at, _| with.contains_key(at));
            of(&one)
        };
        Ok(shared(own, baseline)?.zip(shared(baseline, own)?).map(|(own, baseline)| ratio(&own, &baseline)))
    }
}

impl Pair<'_> {
    /// Before, after, and how they differ; `None` where either run has too few samples.
    fn compared(
        &self,
        metric: Metric,
        tables: &TwoTables,
    ) -> Result<Option<(f64, f64, Between)>, DistributionError> {
        if self.then.own.completed.is_empty() || self.now.own.completed.is_empty() {
            return Ok(None);
        }
        if let Some((before, after)) = self.then.values(metric)?.zip(self.now.values(metric)?) {
            let between = Between::with(&before, &after, tables);
            let medians = median(&before).zip(median(&after));
            return Ok(medians.zip(between).map(|((before, after), between)| (before, after, between)));
        }
        let figures = (self.then.merged(metric, &tables.before)?, self.now.merged(metric, &tables.after)?);
        let (Some(before), Some(after)) = figures else { return Ok(None) };
        let divided = ratio(&after, &before);
        let p = normal_p(divided.value.ln(), &divided.resampled);
        let estimate: Option<Estimate> =
            divided.estimate(self.then.own.completed.len().min(self.now.own.completed.len()));
        Ok(estimate.map(|ratio| (before.value, after.value, Between { ratio, p, smallest_p: 0.0 })))
    }
}

/// Corrects the p values, and draws the verdicts.
fn conclude(family: &mut [Change]) {
    let p: Vec<f64> = family.iter().map(|change| change.primary().p).collect();
    for (change, p) in family.iter_mut().zip(holm::corrected(&p)) {
        change.p = p;
        change.verdict = match change.primary().ratio {
            _ if p >= FAMILY_ERROR => Verdict::NoDifference,
            Estimate { high, .. } if high < 1.0 => Verdict::Lower,
            Estimate { low, .. } if low > 1.0 => Verdict::Higher,
            _ => Verdict::NoDifference,
        };
    }
}
