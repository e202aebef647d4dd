//! CSV as RFC 4180 has it: a header, then the rows, missing values empty.

use std::io::Write;

use super::columns::Value;
use super::table::Table;

pub(super) fn write(table: Table<'_>, file: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_writer(file);
    writer.write_record(table.columns.iter().map(|column| &column.name))?;
    for row in table.rows {
        writer.write_record(row?.into_iter().map(|value| match value {
            Value::Text(text) => text,
            Value::Whole(number) => number.to_string(),
            // The shortest digits that read back as the same number.
            Value::Real(number) => number.to_string(),
            Value::Missing => String::new(),
        }))?;
    }
    Ok(writer.flush()?)
}
