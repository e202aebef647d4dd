//! What tuning does to each server's distance from the baseline.

use tickbench_stats::{LaneStep, Metric};

use crate::card::Card;
use crate::layout::rows::{self, Column, Figure, Group, Row, Table};
use crate::run::Run;
use crate::units::Unit;
use crate::{Chart, GraphError, Section};

/// Quantiles beyond which a chart has no room; the report's tables hold them.
const SHOWN: usize = 2;

/// One chart for the whole run: a group of rows a question, a column a metric.
pub(crate) fn charts(run: &Run) -> Result<Vec<Chart>, GraphError> {
    let steps: Vec<&LaneStep> = run.summary.lanes.iter().filter(|step| step.distance.is_some()).collect();
    let Some(baseline) = run.baseline().filter(|_| !steps.is_empty()) else { return Ok(Vec::new()) };
    let mut questions: Vec<&str> = steps.iter().map(|step| step.question.as_str()).collect();
    questions.dedup();
    let most = questions.iter().map(|question| metrics(&steps, question).len()).max().unwrap_or(0);
    let groups = questions.iter().map(|question| group(run, &steps, question, most)).collect();
    let columns = (0..most).map(|at| Column { title: title(&steps, &questions, at), unit: Unit::Ratio });
    let table = Table { columns: columns.collect(), groups };
    let card = Card {
        name: "lanes".into(),
        title: format!("Distance to {}: default and tuned", baseline.name),
        setting: "how many times as bad, each lane against the same lane · filled: default · ring: tuned"
            .into(),
        better: Some("nearer to ×1 is better"),
        caption: format!(
            "How many times as bad as {}'s each server's figure is in its default lane (filled) and in its tuned lane (ring), with \
             the ratio of the second to the first. Tuning that does as much for {} moves nothing here.",
            baseline.name, baseline.name
        ),
        section: Section::Lanes,
        legend: Vec::new(),
        missing: None,
    };
    card.draw(|canvas, top| rows::draw(canvas, top, &table)).map(|chart| vec![chart])
}

/// The metrics of a question, in order, at most as many as are shown.
fn metrics(steps: &[&LaneStep], question: &str) -> Vec<Metric> {
    let mut metrics: Vec<Metric> =
        steps.iter().filter(|step| step.question == question).map(|step| step.metric).collect();
    metrics.sort();
    metrics.dedup();
    metrics.truncate(SHOWN);
    metrics
}

fn title(steps: &[&LaneStep], questions: &[&str], at: usize) -> String {
    let mut names: Vec<String> = Vec::new();
    for metric in questions.iter().filter_map(|question| metrics(steps, question).get(at).copied()) {
        let name = match metric.quantile() {
            Some(q) => format!("p{}", q * 100.0),
            None => "Messages per second".into(),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(" or ")
}

fn group(run: &Run, steps: &[&LaneStep], question: &str, columns: usize) -> Group {
    let metrics = metrics(steps, question);
    let of = |server: &str, metric: Metric| {
        let same =
            |step: &&&LaneStep| step.question == question && step.server == server && step.metric == metric;
        steps.iter().find(same).and_then(|step| step.distance.as_ref())
    };
    let has = |server: &str| metrics.iter().any(|metric| of(server, *metric).is_some());
    let row = |server: &str| Row {
        server: server.to_owned(),
        look: run.look(server),
        figures: (0..columns)
            .map(|at| match metrics.get(at) {
                Some(metric) => of(server, *metric)
                    .map_or(Figure::Absent, |distance| Figure::Pair(distance.default, distance.tuned)),
                None => Figure::NotAsked,
            })
            .collect(),
    };
    let servers = run.servers.iter().map(|server| server.name.as_str()).filter(|server| has(server));
    Group { title: question.to_owned(), rows: servers.map(row).collect() }
}
