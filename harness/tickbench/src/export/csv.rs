//! CSV as RFC 4180 has it: a header, a row a measurement, missing values empty.

use std::io::Write;

use tickbench_record::Measurement;

use super::columns::{self, Value};

pub(super) fn write(measurements: &[Measurement], file: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let columns = columns::all();
    let mut writer = csv::Writer::from_writer(file);
    writer.write_record(columns.iter().map(|column| &column.name))?;
    for measurement in measurements {
        writer.write_record(columns.iter().map(|column| match column.of(measurement) {
            Value::Text(text) => text,
            Value::Whole(number) => number.to_string(),
            // The shortest digits that read back as the same number.
            Value::Real(number) => number.to_string(),
            Value::Missing => String::new(),
        }))?;
    }
    Ok(writer.flush()?)
}
