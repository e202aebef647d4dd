//! A row a message: asked for at a run, kept beside its measurements, exported with the keys of its cell.

mod support;

use std::path::Path;

use support::{Project, assert_code, stderr, stdout, study};
use tickbench_record::RunFolder;

/// A project that asks of one server a question of paced ticks and a flood, twice.
fn project() -> Project {
    let project = Project::new(&[("one", "fine")], "fine", "fine");
    let flood =
        "[[scenario]]\nname = 'flood'\nkind = 'throughput'\nwait = 'block'\nwarmup_ms = 1\nwindow_ms = 5\n";
    project.write("study.toml", &(study(5, 2).replace("'json', 'binary'", "'json'") + flood));
    project
}

fn files(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.collect();
    names.sort();
    names
}

#[test]
fn samples_of_paced_ticks_are_kept_and_exported_with_their_keys() {
    let project = project();
    let (output, run) = project.run(&["--samples"]);
    assert_code(&output, 0);
    let folder = RunFolder::open(&run.0).unwrap();
    let paced: Vec<_> = run.measurements().into_iter().filter(|one| one.cell.kind.is_paced()).collect();
    let mut expected: Vec<String> =
        paced.iter().map(|one| format!("{}-{}.csv.gz", one.iteration, one.position)).collect();
    expected.sort();
    assert_eq!(files(&folder.samples_folder()), expected);

    let csv = project.tickbench(&["export", "out", "--samples", "--format", "csv"]);
    assert_code(&csv, 0);
    let text = stdout(&csv);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header: Vec<String> = reader.headers().unwrap().iter().map(Into::into).collect();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let of = |row: &csv::StringRecord, name: &str| {
        row[header.iter().position(|column| column == name).unwrap()].to_owned()
    };
    assert_eq!(rows.len(), 2 * paced.len());
    for (pair, one) in rows.chunks(2).zip(&paced) {
        let keys = ["iteration", "position", "scenario", "server", "encoding"];
        let due = [&*one.iteration.to_string(), &*one.position.to_string(), "latency", "one", "json"];
        for row in pair {
            assert_eq!(keys.map(|key| of(row, key)), due);
        }
        let own = ["seq", "connection", "due_ns", "sent_ns", "kernel_ns", "received_ns", "set_aside"];
        assert_eq!(own.map(|name| of(&pair[0], name)), ["41", "0", "1000", "1200", "1230", "1300", "0"]);
        assert_eq!(own.map(|name| of(&pair[1], name)), ["42", "3", "2000", "2200", "", "2300", "1"]);
    }

    let json = project.tickbench(&["export", "out", "--samples", "--format", "json"]);
    let array: Vec<serde_json::Map<String, serde_json::Value>> =
        serde_json::from_str(&stdout(&json)).unwrap();
    assert_eq!(array.len(), rows.len());
    assert_eq!(array[0]["kernel_ns"], 1230);
    assert!(array[1]["kernel_ns"].is_null());

    let dictionary = stdout(&project.tickbench(&["export", "--dictionary", "--samples"]));
    let named = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    assert_eq!(dictionary.lines().filter_map(named).collect::<Vec<_>>(), header);
}

#[test]
fn a_parquet_file_holds_the_same_messages() {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    let project = project();
    assert_code(&project.run(&["--samples"]).0, 0);
    let args = ["export", "out", "--samples", "--format", "parquet", "--out", "samples.parquet"];
    assert_code(&project.tickbench(&args), 0);
    let file = std::fs::File::open(project.path().join("samples.parquet")).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let rows: Vec<String> = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
    assert_eq!(rows.len(), 4);
    assert!(rows[0].contains("seq: 41") && rows[0].contains("kernel_ns: 1230"), "{}", rows[0]);
    assert!(rows[1].contains("seq: 42") && rows[1].contains("kernel_ns: null"), "{}", rows[1]);
}

#[test]
fn without_samples_there_is_nothing_to_export_and_how_to_get_some() {
    let project = project();
    let (output, run) = project.run(&[]);
    assert_code(&output, 0);
    assert!(!RunFolder::open(&run.0).unwrap().samples_folder().exists());
    let refused = project.tickbench(&["export", "out", "--samples", "--format", "csv"]);
    assert_code(&refused, 2);
    assert!(stderr(&refused).contains("keeps no samples: `tickbench run --samples`"), "{}", stderr(&refused));
}

#[test]
fn what_is_lacking_or_damaged_is_told() {
    let project = project();
    let (output, run) = project.run(&["--samples"]);
    assert_code(&output, 0);
    let folder = RunFolder::open(&run.0).unwrap();
    let paced: Vec<_> = run.measurements().into_iter().filter(|one| one.cell.kind.is_paced()).collect();
    let sample = |at: usize| folder.samples(paced[at].iteration, paced[at].position);
    std::fs::remove_file(sample(0)).unwrap();
    let export = |format: &str| project.tickbench(&["export", "out", "--samples", "--format", format]);
    let partly = export("csv");
    assert_code(&partly, 0);
    assert!(stderr(&partly).contains("1 of 2 completed executions of paced ticks left no samples"));
    std::fs::write(sample(1), b"no gzip").unwrap();
    let damaged = export("csv");
    assert_code(&damaged, 2);
    assert!(stderr(&damaged).contains(".csv.gz`, line 1"), "{}", stderr(&damaged));
    for format in ["hlog", "openmetrics"] {
        let refused = export(format);
        assert_code(&refused, 2);
        assert!(stderr(&refused).contains("--"), "{}", stderr(&refused));
    }
}
