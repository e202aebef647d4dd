//! `tickbench export DIR`: a run's figures for other tools, a file a format.

mod account_columns;
mod columns;
mod csv;
mod hlog;
mod json;
mod openmetrics;
mod parquet;
mod samples;
mod stage_columns;
mod table;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use tickbench_record::RunFolder;

use crate::cli::ExportArgs;
use crate::exit::ExitStatus;
use crate::out::{self, Stdout};
use crate::{derive, records};

/// What a run can be exported as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A row a measurement, flat columns (RFC 4180).
    Csv,
    /// The same rows as an array of objects.
    Json,
    /// The same rows as Apache Parquet.
    Parquet,
    /// HdrHistogram interval logs: a file a cell and latency, an interval an iteration. Needs a folder.
    Hlog,
    /// The summary's estimates as OpenMetrics text.
    Openmetrics,
}

/// Writes what was asked for.
pub(crate) fn command(args: &ExportArgs) -> anyhow::Result<ExitStatus> {
    if args.dictionary {
        let dictionary = if args.samples { samples::dictionary() } else { columns::dictionary() };
        out::text(dictionary);
        return Ok(ExitStatus::Success);
    }
    let (Some(run), Some(format)) = (&args.run, args.format) else {
        bail!("name the run's folder and a format: `tickbench export DIR --format csv`");
    };
    let folder = RunFolder::open(run)?;
    derive::note_progress(&folder);
    let out = args.out.as_deref();
    let measurements = records::read(&folder)?.measurements;
    let table = || match args.samples {
        true => samples::table(&folder, &measurements),
        false => Ok(table::of_measurements(&measurements)),
    };
    match format {
        Format::Csv => table().and_then(|table| to(out, |file| csv::write(table, file)))?,
        Format::Json => table().and_then(|table| to(out, |file| json::write(table, file)))?,
        Format::Parquet => {
            let out = out.context("Parquet is no text: name a file for it with --out FILE")?;
            table().and_then(|table| to(Some(out), |file| parquet::write(table, file)))?;
        }
        Format::Openmetrics | Format::Hlog if args.samples => {
            bail!("samples are rows: write them with --format csv, json or parquet")
        }
        Format::Openmetrics => to(out, |file| openmetrics::write(&folder, file))?,
        Format::Hlog => {
            let out = out.context("histogram logs are many files: name a folder for them with --out DIR")?;
            out::line(format_args!("{} logs in `{}`", hlog::write(&measurements, out)?, out.display()));
        }
    }
    Ok(ExitStatus::Success)
}

/// Lets `write` write into the file that was named, else to standard output.
fn to(
    out: Option<&Path>,
    write: impl FnOnce(&mut (dyn Write + Send)) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let Some(path) = out else {
        let mut stdout = BufWriter::new(Stdout);
        let written = write(&mut stdout).and_then(|()| Ok(stdout.flush()?));
        // A failure of standard output is told when the command ends, unless it was that nobody reads any more.
        return if out::has_failed() { Ok(()) } else { written };
    };
    let whole = || -> anyhow::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        write(&mut file)?;
        Ok(file.flush()?)
    };
    whole().with_context(|| format!("failed to write `{}`", path.display()))
}
