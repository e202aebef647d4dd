//! From the records of a run alone, in another place, the same bytes: a small run is kept below `report/tests/small_run`.
//!
//! Where the report's format changes on purpose, `TICKBENCH_REGENERATE=1 cargo test -p tickbench --test rederive` writes what is
//! derived over what is kept; read the difference before you commit it. The records themselves are invented:
//! `cargo run --example synthetic_run -p tickbench-report -- report/tests/small_run small` made them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const RECORDS: [&str; 3] = ["study.toml", "environment.json", "measurements.jsonl"];
const KEPT: [&str; 2] = ["REPORT.md", "summary.json"];

fn small_run() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../report/tests/small_run")
}

/// Copies the records, nothing else, to a new folder and derives all from them: each file that came about, by name.
fn derived_elsewhere(name: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::Builder::new().prefix(name).tempdir().unwrap();
    for record in RECORDS {
        std::fs::copy(small_run().join(record), folder.path().join(record)).unwrap();
    }
    let tickbench = Command::new(env!("CARGO_BIN_EXE_tickbench"))
        .arg("report")
        .arg(folder.path())
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(tickbench.status.success(), "{}", String::from_utf8_lossy(&tickbench.stderr));
    let graphs = folder.path().join("graphs");
    let graphs = std::fs::read_dir(&graphs).unwrap().map(|entry| entry.unwrap().path());
    let files = KEPT.map(|name| folder.path().join(name)).into_iter().chain(graphs);
    files
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect()
}

#[test]
fn a_kept_run_derives_to_the_same_bytes_elsewhere() {
    let derived = derived_elsewhere("one");
    assert!(derived.len() > 5, "there are graphs too: {:?}", derived.keys());
    assert!(derived == derived_elsewhere("another"), "two places, two results");
    for name in KEPT {
        let path = small_run().join(name);
        if std::env::var_os("TICKBENCH_REGENERATE").is_some() {
            std::fs::write(&path, &derived[name]).unwrap();
        }
        let kept = std::fs::read(&path).unwrap();
        assert!(
            kept == derived[name],
            "`{name}` is not what report/tests/small_run keeps: if that is meant, see the top of this test"
        );
    }
}
