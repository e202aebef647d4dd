//! `tickbench history DIR`: the figures of all runs below a folder, over time.
//!
//! Every figure is read from the runs' `summary.json`, and none is derived anew.

mod page;
mod past;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::exit::ExitStatus;
use crate::out;

/// One run, as far as its history goes.
struct Past {
    /// Its folder, below the one that was asked for.
    folder: String,
    environment: tickbench_record::Environment,
    summary: crate::figures::KeptSummary,
}

/// A folder that is left out of the history.
struct LeftOut {
    folder: String,
    /// What it has not, or what is wrong with it.
    why: String,
}

/// The page's name; its charts are in a folder beside it.
const PAGE: &str = "HISTORY.md";
const CHARTS: &str = "history";

/// Writes the page and its charts.
pub(crate) fn command(folder: &Path, out: Option<&Path>) -> anyhow::Result<ExitStatus> {
    let (runs, left_out) = past::read(folder)?;
    left_out.iter().for_each(|LeftOut { folder, why }| {
        out::note(format_args!("note: `{folder}` was left out: {why}"));
    });
    ensure!(
        !runs.is_empty(),
        "`{}` holds no run whose summary.json can be read: name a folder with runs below it, or derive theirs with \
         `tickbench report DIR`",
        folder.display()
    );
    let out = out.unwrap_or(folder);
    let charts = tickbench_graphs::history(&past::history(&runs))?;
    let beside = out.join(CHARTS);
    std::fs::create_dir_all(&beside).with_context(|| format!("failed to create `{}`", beside.display()))?;
    for chart in &charts {
        write(beside.join(format!("{}.svg", chart.name)), &chart.svg)?;
    }
    write(out.join(PAGE), &page::render(&runs, &left_out, &charts))?;
    out::line(format_args!("{} runs, {} charts: {}", runs.len(), charts.len(), out.join(PAGE).display()));
    Ok(ExitStatus::Success)
}

fn write(path: PathBuf, text: &str) -> anyhow::Result<()> {
    std::fs::write(&path, text).with_context(|| format!("failed to write `{}`", path.display()))
}
