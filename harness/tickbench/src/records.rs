//! The records of a run, as every command reads them.

use tickbench_record::{Records, RunFolder};

use crate::out;

/// Reads what a run has measured, and says what was left out.
pub(crate) fn read(folder: &RunFolder) -> anyhow::Result<Records> {
    let records = folder.records()?;
    if let Some(note) = &records.note {
        out::note(format_args!("note: {note}"));
    }
    Ok(records)
}
