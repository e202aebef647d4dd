//! The messages of a run, a row each: what the clients kept of each window, beside the cell that it was of.

use crate::out;
use anyhow::{Context as _, ensure};
use tickbench_record::{Measurement, Outcome, RunFolder, Sample, read_samples};

use super::columns::{self, Kind, Value};
use super::table::{Head, Rows, Table};

/// A column of a message.
pub(super) struct SampleColumn {
    pub(super) name: &'static str,
    /// What it counts.
    pub(super) unit: &'static str,
    pub(super) meaning: &'static str,
    read: fn(&Sample) -> Option<u64>,
}

/// What is told of a message; all are whole numbers. Times are CLOCK_MONOTONIC.
pub(super) const COLUMNS: [SampleColumn; 7] = [
    SampleColumn {
        name: "seq",
        unit: "",
        meaning: "its number within its connection's stream",
        read: |sample| Some(sample.seq),
    },
    SampleColumn {
        name: "connection",
        unit: "",
        meaning: "which connection brought it, from 0",
        read: |sample| Some(sample.connection.into()),
    },
    SampleColumn {
        name: "due_ns",
        unit: "ns",
        meaning: "when the schedule wanted it sent",
        read: |sample| Some(sample.due_ns),
    },
    SampleColumn {
        name: "sent_ns",
        unit: "ns",
        meaning: "when the server sent it",
        read: |sample| Some(sample.sent_ns),
    },
    SampleColumn {
        name: "kernel_ns",
        unit: "ns",
        meaning: "when the client's kernel took in its last packet; only in a scenario with stages, and only of the last message of \
                  a read",
        read: |sample| sample.kernel_ns,
    },
    SampleColumn {
        name: "received_ns",
        unit: "ns",
        meaning: "when the client had read it",
        read: |sample| Some(sample.received_ns),
    },
    SampleColumn {
        name: "set_aside",
        unit: "",
        meaning: "1 where a hiccup of the client's core may have delayed it, else 0",
        read: |sample| Some(sample.set_aside.into()),
    },
];

/// The dictionary of this table as Markdown.
pub(super) fn dictionary() -> String {
    let keys = columns::keys();
    let keys = keys.iter().map(|key| columns::row(&key.name, key.kind, key.unit, &key.meaning));
    let own = COLUMNS.iter().map(|own| columns::row(own.name, Kind::Whole, own.unit, own.meaning));
    format!(
        "# Data dictionary of samples\n\nOne row is one message of a window of paced ticks. Times are CLOCK_MONOTONIC. {}\n\n{}{}",
        columns::MISSING,
        columns::HEADING,
        keys.chain(own).collect::<String>()
    )
}

/// The messages of all executions that completed, in the order in which they were measured.
pub(super) fn table<'a>(folder: &'a RunFolder, measurements: &'a [Measurement]) -> anyhow::Result<Table<'a>> {
    let completed = |one: &&Measurement| one.outcome == Outcome::Completed && one.cell.kind.is_paced();
    let paced: Vec<&Measurement> = measurements.iter().filter(completed).collect();
    let (kept, lacking): (Vec<_>, Vec<_>) =
        paced.into_iter().partition(|one| folder.samples(one.iteration, one.position).is_file());
    ensure!(
        !kept.is_empty(),
        "`{}` keeps no samples: `tickbench run --samples` leaves a row for each message of paced ticks",
        folder.path().display()
    );
    if !lacking.is_empty() {
        let all = kept.len() + lacking.len();
        out::note(format_args!(
            "note: {} of {all} completed executions of paced ticks left no samples",
            lacking.len()
        ));
    }
    let keys = columns::keys();
    let heads = keys.iter().map(Head::of);
    let columns = heads.chain(COLUMNS.map(|column| Head { name: column.name.into(), kind: Kind::Whole }));
    Ok(Table {
        columns: columns.collect(),
        rows: Box::new(kept.into_iter().flat_map(move |one| {
            let key = keys.iter().map(|column| column.of(one)).collect();
            rows(folder, one, key).unwrap_or_else(|cause| Box::new(std::iter::once(Err(cause))))
        })),
    })
}

/// The messages of one execution.
fn rows<'a>(folder: &RunFolder, one: &Measurement, key: Vec<Value>) -> anyhow::Result<Rows<'a>> {
    let samples = read_samples(&folder.samples(one.iteration, one.position))?;
    Ok(Box::new(samples.map(move |sample| {
        let sample = sample.context("the file of samples is damaged: remove it")?;
        let of = |column: &SampleColumn| (column.read)(&sample).map_or(Value::Missing, Value::Whole);
        Ok(key.iter().cloned().chain(COLUMNS.iter().map(of)).collect())
    })))
}
