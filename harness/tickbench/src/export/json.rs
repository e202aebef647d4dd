//! JSON: the rows of the CSV as an array of objects, a line each.

use std::io::Write;

use serde::Serializer as _;

use super::table::Table;

pub(super) fn write(table: Table<'_>, file: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let (mut before, mut end) = ("[\n", "[]\n");
    for row in table.rows {
        file.write_all(before.as_bytes())?;
        let fields = table.columns.iter().map(|column| &column.name).zip(row?);
        serde_json::Serializer::new(&mut *file).collect_map(fields)?;
        (before, end) = (",\n", "\n]\n");
    }
    Ok(file.write_all(end.as_bytes())?)
}
