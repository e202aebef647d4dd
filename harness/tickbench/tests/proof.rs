//! `tickbench selftest` and `tickbench resolution`, on a fake server that is told to do wrong and does not.

mod support;

use support::{Project, assert_code, stderr, stdout};
use tickbench_record::RunFolder;

#[test]
fn harm_that_nobody_notices_is_missed_and_the_exit_code_says_so() {
    let project = Project::injecting("fine");
    let output = project.tickbench(&["selftest", "--only", "drop,skew-back"]);
    assert_code(&output, 1);
    let shown = stdout(&output);
    for words in ["40 missing", "no complaint", "(attempt 3 of 3)", "2 of 2 were missed: drop, skew-back"] {
        assert!(shown.contains(words), "{words:?} is missing from: {shown}");
    }
    assert_eq!(shown.matches("MISSED").count(), 2, "{shown}");
    assert_eq!(project.processes(), [0_u32; 0]);
    let kept = project.path().join("target/tickbench-selftest.json");
    assert!(!kept.exists(), "a part of the self-test is not the self-test");
}

#[test]
fn harm_that_is_noticed_is_caught() {
    let project = Project::injecting("fine");
    let output = project.tickbench(&["selftest", "--only", "death,frozen"]);
    assert_code(&output, 0);
    let shown = stdout(&output);
    assert_eq!(shown.matches("caught\n").count(), 3, "{shown}");
    assert!(shown.contains("SIGKILL") && shown.contains("all 2 were caught"), "{shown}");
    assert_eq!(project.processes(), [0_u32; 0]);
}

#[test]
fn a_run_names_the_last_self_test_of_its_machine() {
    let project = Project::sound();
    project.write(
        "target/tickbench-selftest.json",
        r#"{"at":"2021-04-17T16:43:37Z","tickbench_version":"0.1.0","done":14,"caught":13,"rows":[]}"#,
    );
    let (output, run) = project.run(&[]);
    assert_code(&output, 0);
    let kept = RunFolder::open(&run.0).unwrap().environment().unwrap().self_test.unwrap();
    assert_eq!((kept.done, kept.caught, kept.at.as_str()), (14, 13, "2021-04-17T16:43:37Z"));
}

#[test]
fn equal_servers_differ_by_nothing_that_is_found_and_the_records_say_so_again() {
    let project = Project::injecting("fine");
    let output = project.tickbench(&["resolution", "--iterations", "2", "--seed", "7", "--out", "out"]);
    assert_code(&output, 0);
    let shown = stdout(&output);
    assert!(
        shown.contains("p50 of delivery, as it was: none up to 1000 ns is found by 90 % of studies"),
        "{shown}"
    );
    let run = project.out();
    assert_eq!(run.measurements().len(), 2 * 7);
    assert!(run.measurements().iter().all(|measurement| measurement.cell.server.starts_with("one#")));
    let kept = run.text("resolution.json");
    let again = project.tickbench(&["resolution", "--from", "out"]);
    assert_code(&again, 0);
    assert_eq!(stdout(&again), shown);
    assert_eq!(run.text("resolution.json"), kept);
    assert_code(&project.tickbench(&["report", "out"]), 0);
}

#[test]
fn a_resolution_of_nothing_is_none() {
    let project = Project::injecting("fine");
    let servers = std::fs::read_to_string(project.path().join("servers/servers.toml")).unwrap();
    project.write("servers/servers.toml", &servers.replace("'server', 'fine'", "'server', 'dies'"));
    let output = project.tickbench(&["resolution", "--iterations", "2", "--out", "out"]);
    assert_code(&output, 3);
    assert!(stderr(&output).contains("nothing can be estimated"), "{}", stderr(&output));
    assert_eq!(project.out().failures("one#50ns").len(), 2);
}

#[test]
fn what_cannot_be_proved_is_refused() {
    let project = Project::sound();
    for (args, words) in [
        (&["selftest"][..], "injects = true"),
        (&["resolution"], "injects = true"),
        (&["selftest", "--only", "nonsense"], "there is no probe \"nonsense\""),
        (&["resolution", "--from", "nowhere"], "`nowhere` holds no run"),
    ] {
        let output = project.tickbench(args);
        assert_code(&output, 2);
        assert!(stderr(&output).contains(words), "{args:?}: {}", stderr(&output));
    }
    let (output, _) = project.run(&[]);
    assert_code(&output, 0);
    let output = project.tickbench(&["resolution", "--from", "out"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("none of the resolution"), "{}", stderr(&output));
}
