//! What CSV, JSON and Parquet write: columns with rows under them, a row at a time.

use tickbench_record::Measurement;

use super::columns::{self, Column, Kind, Value};

/// Rows as they are read; reading one may fail.
pub(super) type Rows<'a> = Box<dyn Iterator<Item = anyhow::Result<Vec<Value>>> + 'a>;

/// A table on its way into a file.
pub(super) struct Table<'a> {
    pub(super) columns: Vec<Head>,
    /// Each as long as there are columns.
    pub(super) rows: Rows<'a>,
}

/// What a column is called and what it holds.
pub(super) struct Head {
    pub(super) name: String,
    pub(super) kind: Kind,
}

impl Head {
    pub(super) fn of(column: &Column) -> Head {
        Head { name: column.name.clone(), kind: column.kind }
    }
}

/// A row a measurement.
pub(super) fn of_measurements(measurements: &[Measurement]) -> Table<'_> {
    let columns = columns::all();
    Table {
        columns: columns.iter().map(Head::of).collect(),
        rows: Box::new(
            measurements
                .iter()
                .map(move |measurement| Ok(columns.iter().map(|column| column.of(measurement)).collect())),
        ),
    }
}
