//! Apache Parquet: the rows of the CSV, typed, every column nullable.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

use super::columns::{Kind, Value};
use super::table::{Head, Table};

/// Rows of a group: what is held in memory at once.
const GROUP_ROWS: usize = 1 << 16;

pub(super) fn write(table: Table<'_>, file: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let fields = table.columns.iter().map(|column| Ok(Arc::new(field(column)?)));
    let fields = fields.collect::<anyhow::Result<_>>()?;
    let schema = Type::group_type_builder("rows").with_fields(fields).build()?;
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), properties)?;
    let Table { columns, mut rows } = table;
    loop {
        let group: Vec<Vec<Value>> = rows.by_ref().take(GROUP_ROWS).collect::<anyhow::Result<_>>()?;
        if group.is_empty() {
            break;
        }
        write_group(writer.next_row_group()?, &columns, &group)?;
    }
    writer.close()?;
    Ok(())
}

fn write_group(
    mut group: SerializedRowGroupWriter<'_, &mut (dyn Write + Send)>,
    columns: &[Head],
    rows: &[Vec<Value>],
) -> anyhow::Result<()> {
    for (at, column) in columns.iter().enumerate() {
        let values = rows.iter().map(|row| &row[at]);
        match column.kind {
            Kind::Text => write_column::<ByteArrayType>(&mut group, values, |value| match value {
                Value::Text(text) => Some(ByteArray::from(text.as_str())),
                _ => None,
            })?,
            Kind::Whole => write_column::<Int64Type>(&mut group, values, |value| match value {
                Value::Whole(number) => i64::try_from(*number).ok(),
                _ => None,
            })?,
            Kind::Real => write_column::<DoubleType>(&mut group, values, |value| match value {
                Value::Real(number) => Some(*number),
                _ => None,
            })?,
        }
    }
    group.close()?;
    Ok(())
}

fn field(column: &Head) -> anyhow::Result<Type> {
    let physical = match column.kind {
        Kind::Text => Physical::BYTE_ARRAY,
        Kind::Whole => Physical::INT64,
        Kind::Real => Physical::DOUBLE,
    };
    let field = Type::primitive_type_builder(&column.name, physical).with_repetition(Repetition::OPTIONAL);
    let logical = (column.kind == Kind::Text).then_some(LogicalType::String);
    Ok(field.with_logical_type(logical).build()?)
}

/// Writes the next column: definition level 1 where there is a value, 0 where there is none.
fn write_column<'v, T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, &mut (dyn Write + Send)>,
    values: impl Iterator<Item = &'v Value>,
    read: impl Fn(&Value) -> Option<T::T>,
) -> anyhow::Result<()> {
    let cells: Vec<Option<T::T>> = values.map(read).collect();
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
    let present: Vec<T::T> = cells.into_iter().flatten().collect();
    let Some(mut column) = group.next_column()? else {
        anyhow::bail!("the schema has fewer columns than the dictionary")
    };
    column.typed::<T>().write_batch(&present, Some(&levels), None)?;
    Ok(column.close()?)
}
