//! What no server is to blame for: the run ends with an error that says so, keeps what it has, and can be resumed.

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use support::{Project, Run, assert_code, stderr, until};
use tickbench_record::Stage;

/// The end of a run that a fault of its client stops: code 2, no failure of a server, and these words.
#[track_caller]
fn stopped(project: &Project, output: &Output, words: &[&str]) {
    assert_code(output, 2);
    for word in [&["no server is to blame", "tickbench run --resume out"], words].concat() {
        assert!(stderr(output).contains(word), "{word:?} is missing from: {}", stderr(output));
    }
    let run = project.out();
    assert!(run.measurements().iter().all(|one| one.observation.is_some()), "a server was blamed");
    assert!(run.environment().warnings.iter().any(|warning| warning.contains("by no server's doing")));
    assert_eq!(project.processes(), [0_u32; 0]);
    assert!(run.environment().spent.is_some());
}

#[test]
fn a_client_that_crashes_ends_the_run() {
    let project = Project::new(&[("one", "fine")], "dies", "fine");
    let (output, run) = project.run(&[]);
    stopped(&project, &output, &["the client was killed by signal 6 (SIGABRT) without a reply"]);
    assert_eq!(run.lines(), 0);
}

#[test]
fn a_client_that_prints_something_else_ends_the_run() {
    let project = Project::new(&[("one", "fine")], "babbles", "fine");
    let (output, _) = project.run(&[]);
    stopped(&project, &output, &["the client printed no reply but \"not a reply\""]);
}

#[test]
fn a_run_whose_client_crashed_is_resumed_where_it_ended() {
    let project = Project::new(&[("one", "fine")], "dies-late", "fine");
    let (output, run) = project.run(&[]);
    stopped(&project, &output, &["failed to execute iteration 3, one: latency"]);
    assert_eq!(run.completed("one"), 5);
    assert_code(&project.tickbench(&["report", "out"]), 0);
    let report = run.text("REPORT.md");
    assert!(report.contains("Interrupted after 2 of 3 iterations"), "{report}");
    // What counts the launches: from now on none is the sixth.
    std::fs::remove_file(project.path().join("launches")).unwrap();
    assert_code(&project.tickbench(&["run", "--resume", "out"]), 0);
    assert_eq!((run.completed("one"), run.lines()), (6, 6));
    assert!(!run.text("REPORT.md").contains("Interrupted after"));
}

/// A client that is a file of the project, and how to spoil it.
fn with_own_client(project: &Project) -> PathBuf {
    let path = project.path().join("clients/clients.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let fake = text.split('\'').find(|word| word.ends_with("/fake")).unwrap().to_owned();
    let own = project.path().join("own-client");
    std::fs::copy(&fake, &own).unwrap();
    let run = format!("run = ['{}'", own.display());
    project.write("clients/clients.toml", &text.replace(&format!("run = ['{fake}'"), &run));
    own
}

/// A run under way whose client is then spoilt.
fn spoilt(spoil: impl FnOnce(&Path)) -> (Project, Output) {
    let project = Project::new(&[("one", "fine")], "fine", "fine");
    let client = with_own_client(&project);
    let harness = project.start(&["run", "--study", "study.toml", "--iterations", "100000", "--out", "out"]);
    until("an iteration", || project.out().lines() > 2);
    spoil(&client);
    let output = harness.wait_with_output().unwrap();
    (project, output)
}

#[test]
fn a_client_that_is_removed_in_the_middle_of_a_run_ends_it() {
    let (project, output) = spoilt(|client| std::fs::remove_file(client).unwrap());
    stopped(&project, &output, &["failed to start", "own-client", "No such file"]);
}

#[test]
fn a_client_that_cannot_be_executed_any_more_ends_the_run() {
    let (project, output) = spoilt(|client| {
        std::fs::set_permissions(client, std::fs::Permissions::from_mode(0o644)).unwrap();
    });
    stopped(&project, &output, &["failed to start", "own-client", "Permission denied"]);
}

/// Samples that cannot be written, as on a full disk: in the place of one of them there is a folder.
#[test]
fn samples_that_cannot_be_written_end_the_run() {
    let project = Project::new(&[("one", "fine")], "fine", "fine");
    let args = ["run", "--study", "study.toml", "--samples", "--iterations", "100000", "--out", "out"];
    let harness = project.start(&args);
    until("an iteration", || project.out().lines() > 2);
    // Where the samples of a later iteration go.
    (3..200).for_each(|iteration| {
        let _ = std::fs::create_dir(project.path().join(format!("out/samples/{iteration}-0.csv.gz")));
    });
    let output = harness.wait_with_output().unwrap();
    stopped(&project, &output, &["the client could not do its part, at audit", "Is a directory"]);
}

#[test]
fn one_client_that_never_replies_does_not_end_the_run_and_is_told() {
    let project = Project::new(&[("one", "fine")], "hangs-once", "fine").impatient();
    let (output, run) = project.run(&[]);
    assert_code(&output, 0);
    assert_eq!((run.lines(), run.completed("one")), (6, 5));
    let reason = overdue(&run).remove(0);
    assert!(reason.contains("whose doing that was is not known"), "{reason}");
}

#[test]
fn clients_in_a_row_that_never_reply_end_the_run() {
    let project = Project::new(&[("one", "fine"), ("two", "fine")], "hangs", "fine").impatient();
    let (output, run) = project.run(&[]);
    assert_code(&output, 2);
    for words in ["3 clients in a row outlived their deadline", "no server is to blame"] {
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
    assert_eq!((overdue(&run).len(), run.lines()), (3, 3));
    assert_eq!(project.processes(), [0_u32; 0]);
}

/// The reasons of executions whose client had not replied.
fn overdue(run: &Run) -> Vec<String> {
    run.measurements()
        .into_iter()
        .filter_map(|one| match one.outcome {
            tickbench_record::Outcome::Failed { stage: Stage::Measure, reason } => Some(reason),
            _ => None,
        })
        .filter(|reason| reason.contains("the client had not replied when its time was over"))
        .collect()
}

#[test]
fn a_server_that_is_stopped_while_its_client_hangs_is_blamed() {
    let project = Project::new(&[("faulty", "freezes")], "patient", "fine").impatient();
    let (output, run) = project.run(&["--iterations", "1"]);
    assert_code(&output, 3);
    let (stage, reason) = run.failures("faulty").remove(0);
    assert_eq!(stage, Stage::Measure);
    assert!(
        reason.contains("the server was stopped by a signal, and the client had not replied"),
        "{reason}"
    );
}
