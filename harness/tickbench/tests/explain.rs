//! `tickbench study --check`: what a study would do, or why it cannot.

mod support;

use support::{Project, assert_code, stderr, stdout, study};

#[test]
fn a_plan_is_explained_and_nothing_is_run() {
    let project = Project::sound();
    let exotic = project.server("exotic", "fine") + "skip_if_missing = 'no-such-compiler'\n";
    let json_only = project.server("narrow", "fine").replace("['json', 'binary']", "['json']");
    project.write("servers/servers.toml", &(project.server("one", "fine") + &exotic + &json_only));
    project.write("study.toml", &study(100, 30));
    let output = project.tickbench(&["study", "--check", "study.toml"]);
    assert_code(&output, 0);
    let text = stdout(&output);
    for words in [
        "30 iterations of 3 cells, 90 executions",
        "latency (latency): 3 cells; 1 ms warm-up, 100 ms window; 1 connections",
        "of one, narrow",
        "each connection is owed 100.0 messages in a window, or more",
        "does not support it: narrow: latency binary",
        "exotic, for `no-such-compiler` is not on PATH",
        "Time: about 10s: 9s in warm-ups and windows, and 1s around them",
        "Open files: 1 connections at most",
    ] {
        assert!(text.contains(words), "{words} is missing from {text}");
    }
    assert!(!project.out().0.exists() && project.processes().is_empty());
}

#[test]
fn a_study_is_refused_as_a_run_would_refuse_it() {
    let project = Project::sound();
    for (text, words) in [
        (study(0, 1), "window_ms is 0"),
        (study(2, 1), "each of 1 connections is owed 2.00 messages in a window"),
        (study(5, 1) + "servers = ['three']\n", "there is no server \"three\""),
        (
            study(5, 1).replace("rate_per_s = 1000", "connections = [4000000000]\nrate_per_s = 1e13"),
            "RLIMIT_NOFILE",
        ),
    ] {
        project.write("study.toml", &text);
        let check = project.tickbench(&["study", "--check", "study.toml"]);
        let run = project.tickbench(&["run", "--study", "study.toml", "--out", "out"]);
        assert_code(&check, 2);
        assert!(stderr(&check).contains(words), "{words} is missing from {}", stderr(&check));
        assert_eq!(stderr(&check), stderr(&run));
    }
    assert_code(&project.tickbench(&["study", "--check", "nowhere.toml"]), 2);
}
