//! What a self-test leaves on the machine, so that later runs can name its result: two files in cargo's target directory.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tickbench_record::SelfTest;

use crate::clock::rfc3339;
use crate::root::Root;

const RECORD: &str = "tickbench-selftest.json";
const TABLE: &str = "tickbench-selftest.md";

/// A probe and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) name: String,
    /// What was done.
    pub(super) done: String,
    pub(super) expected: String,
    pub(super) seen: String,
    pub(super) caught: bool,
}

#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(flatten)]
    result: SelfTest,
    rows: Vec<Row>,
}

impl Row {
    pub(super) fn verdict(&self) -> &'static str {
        if self.caught { "caught" } else { "MISSED" }
    }
}

/// Writes the result, and a table to read. Returns the path of the table.
pub(super) fn keep(target: &Path, rows: &[Row]) -> anyhow::Result<PathBuf> {
    let result = SelfTest {
        at: rfc3339(SystemTime::now()),
        tickbench_version: env!("CARGO_PKG_VERSION").into(),
        done: rows.len(),
        caught: rows.iter().filter(|row| row.caught).count(),
    };
    let table = markdown(&result, rows);
    let record = serde_json::to_string_pretty(&Record { result, rows: rows.to_vec() })? + "\n";
    for (name, text) in [(RECORD, &record), (TABLE, &table)] {
        let path = target.join(name);
        std::fs::create_dir_all(target)
            .and_then(|()| std::fs::write(&path, text))
            .with_context(|| format!("failed to write `{}`", path.display()))?;
    }
    Ok(target.join(TABLE))
}

/// The result of the last self-test on this machine. A file that cannot be read is as good as none: the next self-test writes it anew.
pub(crate) fn last(root: &Root) -> Option<SelfTest> {
    let text = std::fs::read_to_string(root.target().ok()?.join(RECORD)).ok()?;
    serde_json::from_str::<Record>(&text).ok().map(|record| record.result)
}

fn markdown(result: &SelfTest, rows: &[Row]) -> String {
    let SelfTest { at, tickbench_version, done, caught } = result;
    let mut text = format!(
        "# Self-test\n\ntickbench {tickbench_version}, {at}: {caught} of {done} caught.\n\n| Probe | What was done | Expected | \
         Seen | |\n|---|---|---|---|---|\n"
    );
    for row in rows {
        let cells = [&row.name, &row.done, &row.expected, &row.seen].map(|cell| cell.replace('|', "\\|"));
        text += &format!("| {} | {} |\n", cells.join(" | "), row.verdict());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_result_reads_back_from_what_was_kept() {
        let folder = tempfile::tempdir().unwrap();
        let row = |name: &str, caught| Row {
            name: name.into(),
            done: "d".into(),
            expected: "e".into(),
            seen: "a | b".into(),
            caught,
        };
        let table = keep(&folder.path().join("target"), &[row("one", true), row("two", false)]).unwrap();
        let text = std::fs::read_to_string(&table).unwrap();
        assert!(
            text.contains("1 of 2 caught") && text.contains("| two | d | e | a \\| b | MISSED |"),
            "{text}"
        );
        let record = std::fs::read_to_string(table.with_file_name(RECORD)).unwrap();
        let result = serde_json::from_str::<Record>(&record).unwrap().result;
        assert_eq!((result.done, result.caught), (2, 1));
    }
}
