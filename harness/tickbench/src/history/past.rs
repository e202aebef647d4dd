//! Finding runs, and turning them into series.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tickbench_graphs::{Counts, History, PastPanel, PastRun, PastScene, PastSeries};
use tickbench_record::{Cell, Environment, RunFolder};
use tickbench_stats::{Estimate, Metric};

use super::{LeftOut, Past};
use crate::figures::{self, KeptSummary, Unit};
use crate::out;

/// All runs below a folder, the earliest first, and what is left out: a broken run does not hide the others.
pub(super) fn read(folder: &Path) -> anyhow::Result<(Vec<Past>, Vec<LeftOut>)> {
    let name = |path: &Path| match path.strip_prefix(folder).unwrap_or(path) {
        below if below == Path::new("") => ".".into(),
        below => below.display().to_string(),
    };
    let (mut runs, mut left_out) = (Vec::new(), Vec::new());
    // The folder that was asked for must be readable; those below it need not be.
    folder.read_dir().with_context(|| format!("failed to look for runs in `{}`", folder.display()))?;
    let mut folders = Vec::new();
    find(folder, &mut folders);
    for (path, readable) in folders {
        match readable.map_err(anyhow::Error::from).and_then(|()| run(&path, name(&path))) {
            Ok(run) => runs.push(run),
            Err(cause) => left_out.push(LeftOut { folder: name(&path), why: format!("{cause:#}") }),
        }
    }
    runs.sort_by(|a, b| (&a.environment.started_at, &a.folder).cmp(&(&b.environment.started_at, &b.folder)));
    left_out.sort_by(|a, b| a.folder.cmp(&b.folder));
    Ok((runs, left_out))
}

/// One run. Of its records it is only told where the last was cut off.
fn run(path: &Path, name: String) -> anyhow::Result<Past> {
    let summary = KeptSummary::read(path)?.with_context(|| {
        format!("it has no summary.json: `tickbench report {}` derives it", path.display())
    })?;
    let folder = RunFolder::open(path)?;
    let environment = folder.environment()?;
    humantime::parse_rfc3339(&environment.started_at)
        .with_context(|| format!("environment.json: started_at: {:?} is no time", environment.started_at))?;
    if let Some(note) = folder.note()? {
        out::note(format_args!("note: {note}"));
    }
    Ok(Past { folder: name, environment, summary })
}

/// The folders of runs, and those that cannot be looked into. Runs do not lie in runs; links are not followed, so that none leads back.
fn find(folder: &Path, found: &mut Vec<(PathBuf, std::io::Result<()>)>) {
    if RunFolder::open(folder).is_ok() {
        return found.push((folder.to_owned(), Ok(())));
    }
    match below(folder) {
        Ok(folders) => folders.iter().for_each(|below| find(below, found)),
        Err(cause) => found.push((folder.to_owned(), Err(cause))),
    }
}

fn below(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in folder.read_dir()? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

/// The primary figures of every question that any run asked.
pub(super) fn history(runs: &[Past]) -> History {
    let mut scenes: Vec<PastScene> = Vec::new();
    for cell in questions(runs) {
        let panels = primary(runs, cell).iter().filter_map(|&metric| panel(runs, cell, metric));
        match scenes.iter_mut().find(|scene| scene.scenario == cell.scenario) {
            Some(scene) => scene.panels.extend(panels),
            None => scenes.push(PastScene {
                name: slug(&cell.scenario),
                scenario: cell.scenario.clone(),
                panels: panels.collect(),
            }),
        }
    }
    let last = runs.last();
    History {
        servers: servers(runs),
        baseline: last.and_then(|run| run.environment.baseline.clone()),
        runs: past_runs(runs),
        scenes,
    }
}

/// One cell for each question, those of the last run first, in its order.
pub(super) fn questions(runs: &[Past]) -> Vec<&Cell> {
    let mut questions: Vec<&Cell> = Vec::new();
    for kept in runs.iter().rev().flat_map(|run| &run.summary.cells) {
        if !questions.iter().any(|known| known.asks_the_same_as(&kept.cell)) {
            questions.push(&kept.cell);
        }
    }
    questions
}

/// The metrics that decide a question: less the machine's hiccups where every run that asked it has them.
pub(super) fn primary(runs: &[Past], question: &Cell) -> &'static [Metric] {
    Metric::primary_where(question.kind, |metric| {
        let key = figures::key(metric);
        let asked = runs.iter().flat_map(|run| &run.summary.cells);
        asked
            .filter(|kept| question.asks_the_same_as(&kept.cell) && !kept.estimates.is_empty())
            .all(|kept| kept.estimates.contains_key(&key))
    })
}

/// Every server, those of the last run first; no server's second run as a control.
pub(super) fn servers(runs: &[Past]) -> Vec<String> {
    let mut servers: Vec<String> = Vec::new();
    for kept in runs.iter().rev().flat_map(|run| &run.summary.cells) {
        if !kept.cell.is_control() && !servers.contains(&kept.cell.server) {
            servers.push(kept.cell.server.clone());
        }
    }
    servers
}

/// What a run says of a server in a question.
pub(super) fn estimate(run: &Past, question: &Cell, server: &str, metric: Metric) -> Option<Estimate> {
    let asked = |cell: &Cell| cell.server == server && question.asks_the_same_as(cell);
    let kept =
        run.summary.cells.iter().find(|kept| asked(&kept.cell))?.estimates.get(&figures::key(metric))?;
    Some(Estimate { estimate: kept.estimate, low: kept.low, high: kept.high, iterations: kept.iterations })
}

fn panel(runs: &[Past], question: &Cell, metric: Metric) -> Option<PastPanel> {
    let series: Vec<PastSeries> = servers(runs)
        .into_iter()
        .map(|server| {
            let at = |(at, run)| Some((at, estimate(run, question, &server, metric)?));
            let points = runs.iter().enumerate().filter_map(at).collect();
            PastSeries { server, points }
        })
        .filter(|series| !series.points.is_empty())
        .collect();
    let counts = match Unit::of(metric) {
        Unit::Nanoseconds => Counts::Nanoseconds,
        Unit::PerSecond => Counts::PerSecond,
        Unit::Bytes => Counts::Bytes,
        Unit::Share => Counts::Share,
        Unit::Bare => Counts::Bare,
    };
    let title = format!("{}: {}", short(question), figures::name(metric));
    (!series.is_empty()).then_some(PastPanel { title, counts, series })
}

/// A question without its scenario, which the chart's title has.
fn short(question: &Cell) -> String {
    let whole = question.question();
    whole.strip_prefix(&question.scenario).unwrap_or(&whole).trim().to_owned()
}

fn past_runs(runs: &[Past]) -> Vec<PastRun> {
    // RFC 3339: `2026-11-22T01:10:59Z`. Within a day the hour tells runs apart, else the day does.
    let day = |run: &Past| run.environment.started_at.get(..10).map(ToOwned::to_owned);
    let one_day = runs.iter().all(|run| day(run) == day(&runs[0]));
    let part = if one_day { 11..16 } else { 5..10 };
    let label = |run: &Past| run.environment.started_at.get(part.clone()).unwrap_or("?").to_owned();
    let same = |at: usize| at == 0 || is_same_machine(&runs[at - 1].environment, &runs[at].environment);
    runs.iter().enumerate().map(|(at, run)| PastRun { label: label(run), same_machine: same(at) }).collect()
}

pub(super) fn is_same_machine(one: &Environment, other: &Environment) -> bool {
    let (one, other) = (&one.machine, &other.machine);
    (&one.cpu_model, &one.kernel, one.logical_cores) == (&other.cpu_model, &other.kernel, other.logical_cores)
}

fn slug(name: &str) -> String {
    let plain = |letter: char| if letter.is_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    name.chars().map(plain).collect()
}
