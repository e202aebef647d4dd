//! From the records of a run to its summary, graphs and report. Equal records give equal bytes.

use std::path::Path;

use anyhow::Context as _;
use tickbench_graphs::{Chart, Options};
use tickbench_record::{Environment, Records, RunFolder};
use tickbench_report::Figure;
use tickbench_stats::{Context, Summary};

use crate::exit::ExitStatus;
use crate::{out, records};

const REPORT: &str = "REPORT.md";

/// Lines of the answer that are shown when a run ends.
const ANSWER_LINES: usize = 12;

/// `tickbench report DIR`.
pub(crate) fn command(path: &Path) -> anyhow::Result<ExitStatus> {
    let folder = RunFolder::open(path)?;
    let (report, summary) = derive(&folder, note_progress(&folder))?;
    print_answer(&report);
    out::line(path.join(REPORT).display());
    let has_figures = summary.cells.iter().any(|cell| cell.completed > 0);
    Ok(if has_figures { ExitStatus::Success } else { ExitStatus::Undecided })
}

/// Whether another process measures into the run now; says so.
pub(crate) fn note_progress(folder: &RunFolder) -> bool {
    let held = folder.in_use();
    if let Some(held) = &held {
        let path = folder.path().display();
        out::note(format_args!(
            "note: `{path}` is in progress: what it holds by now is read; it is written by {held}"
        ));
    }
    held.is_some()
}

/// Writes `summary.json`, `graphs/*.svg` and `REPORT.md`. Returns the report's text, and what it shows.
pub(crate) fn derive(folder: &RunFolder, in_progress: bool) -> anyhow::Result<(String, Summary)> {
    let records = records::read(folder)?;
    let environment = folder.environment()?;
    let summary = summary_of(&records, &environment, in_progress)?;
    folder.write_json("summary.json", &summary)?;
    let charts = tickbench_graphs::charts(&summary, Options { baseline: environment.baseline.as_deref() })?;
    std::fs::create_dir_all(folder.graphs())
        .with_context(|| format!("failed to create `{}`", folder.graphs().display()))?;
    for chart in &charts {
        folder.write(&path_of(chart), chart.svg.as_bytes())?;
    }
    let figures: Vec<Figure> = charts.into_iter().map(figure).collect();
    let report = tickbench_report::render_with(
        &records.study,
        &environment,
        &summary,
        &figures,
        folder.ledger()?.as_ref(),
    )?;
    folder.write(REPORT, report.as_bytes())?;
    Ok((report, summary))
}

/// What a run comes to.
pub(crate) fn summary(folder: &RunFolder) -> anyhow::Result<Summary> {
    summary_of(&records::read(folder)?, &folder.environment()?, false)
}

fn summary_of(records: &Records, environment: &Environment, in_progress: bool) -> anyhow::Result<Summary> {
    let context = Context { in_progress, ..Context::of(environment) };
    Ok(Summary::of(&records.study, &records.measurements, &context)?)
}

fn path_of(chart: &Chart) -> String {
    format!("graphs/{}.svg", chart.name)
}

fn figure(chart: Chart) -> Figure {
    Figure { path: path_of(&chart), section: section(&chart), title: chart.title, caption: chart.caption }
}

fn section(chart: &Chart) -> tickbench_report::Section {
    use tickbench_graphs::Section as Drawn;
    use tickbench_report::Section as Shown;
    match chart.section {
        Drawn::Latency => Shown::Latency,
        Drawn::Stages => Shown::Stages,
        Drawn::Throughput => Shown::Throughput,
        Drawn::Scaling => Shown::Scaling,
        Drawn::Load => Shown::Load,
        Drawn::Capacity => Shown::Capacity,
        Drawn::Echo => Shown::Echo,
        Drawn::Connecting => Shown::Connecting,
        Drawn::Idle => Shown::Idle,
        Drawn::Memory => Shown::Memory,
        Drawn::Relay => Shown::Relay,
        Drawn::Disturbed => Shown::Disturbed,
        Drawn::Clients => Shown::Clients,
        Drawn::Lanes => Shown::Lanes,
        Drawn::Resources => Shown::Resources,
    }
}

/// Prints how the report begins: the answer, up to its first table.
pub(crate) fn print_answer(report: &str) {
    let is_prose = |line: &&str| !["|", "## ", "<"].iter().any(|start| line.starts_with(start));
    for line in report.lines().take_while(is_prose).take(ANSWER_LINES) {
        out::line(line);
    }
}
