//! JSON: the rows of the CSV as an array of objects, a line each.

use std::io::Write;

use serde::Serializer as _;
use tickbench_record::Measurement;

use super::columns;

pub(super) fn write(measurements: &[Measurement], file: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let columns = columns::all();
    let mut before = "[\n";
    for measurement in measurements {
        file.write_all(before.as_bytes())?;
        let row = columns.iter().map(|column| (&column.name, column.of(measurement)));
        serde_json::Serializer::new(&mut *file).collect_map(row)?;
        before = ",\n";
    }
    let end = if measurements.is_empty() { "[]\n" } else { "\n]\n" };
    Ok(file.write_all(end.as_bytes())?)
}
