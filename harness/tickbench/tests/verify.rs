//! Verification: how a process starts and ends, what a manifest excuses, and when it is done again.

mod support;

use std::process::Command;

use support::*;

const MUTANTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../servers/smoke/mutants/server.py");

/// A project whose only server is the Python one, a copy of its own, with this mutant or without.
fn python(mutant: Option<&str>) -> Project {
    let found = Command::new("python3").arg("--version").output();
    assert!(
        found.is_ok_and(|output| output.status.success()),
        "there is no `python3`: install Python 3.11 or newer, which the mutants of `verify` need"
    );
    let project = Project::new(&[], "fine", "fine");
    project.write("servers/one/server.py", &std::fs::read_to_string(MUTANTS).unwrap());
    let mutant = mutant.map_or(String::new(), |name| format!(", '--mutant', '{name}'"));
    project.write(
        "servers/servers.toml",
        &format!(
            "[[server]]\nname = 'one'\nlanguage = 'Python'\nfolder = 'servers/one'\nwhy = 'a mutant'\nbuild = ['true']\n\
             run = ['python3', 'server.py'{mutant}]\nversion = ['python3', 'server.py', '--version']\n\
             sources = ['server.py']\nlanes = ['default']\nencodings = ['json']\nflush = ['each']\n"
        ),
    );
    project
}

fn entry(project: &Project, change: impl Fn(&str) -> String) {
    let path = project.path().join("servers/servers.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, change(&text)).unwrap();
}

#[test]
fn a_process_that_starts_and_ends_as_it_should_passes() {
    let output = python(None).tickbench(&["verify"]);
    assert_code(&output, 0);
    for name in ["refuses `--no-such-flag`", "ends where it cannot listen", "tells its name and version"] {
        assert!(stdout(&output).contains(&format!("ok      {name}")), "{}", stdout(&output));
    }
}

#[test]
fn each_mutant_of_the_process_is_caught_by_the_rule_that_it_breaks() {
    let mutants = [
        ("flags-end-with-0", "exited with status 0 where exit code 2 was due", "wrong-flags"),
        (
            "taken-address-ends-with-0",
            "the address was taken, and it ended with exit code 0",
            "taken-address",
        ),
        ("ignores-stdin", "the server went on after its standard input closed", "stdin-end"),
        ("ignores-sigterm", "the server went on for", "sigterm"),
        ("talks-before-ready", "printed \"Welcome!\" instead of a ready line", "ready-line"),
    ];
    std::thread::scope(|scope| {
        for (mutant, failure, id) in mutants {
            scope.spawn(move || {
                let output = python(Some(mutant)).tickbench(&["verify"]);
                assert_code(&output, 1);
                let said = stdout(&output);
                let caught =
                    |line: &str| line.contains("FAILED") && line.contains(failure) && line.contains(id);
                assert!(said.lines().any(caught), "{mutant}: {said}");
            });
        }
    });
}

/// What is deviated in, by the fake's failing check.
fn deviating(verify: &str, id: &str) -> Project {
    let project = Project::new(&[("one", "fine")], "fine", verify);
    let deviations =
        format!("deviations = [{{ check = '{id}', why = 'its framework does so by itself' }}]\n");
    entry(&project, |text| text.to_owned() + &deviations);
    project
}

#[test]
fn a_declared_deviation_is_shown_and_not_failed() {
    let project = deviating("fails", "vectors");
    let output = project.tickbench(&["verify"]);
    assert_code(&output, 0);
    let said = stdout(&output);
    let line =
        "deviates  streams the golden vectors: byte 3 differs [vectors: its framework does so by itself]";
    assert!(said.contains(line) && said.contains("but for 1 declared deviation"), "{said}");
    // Of a run whose checks were made, and of one for which they passed before.
    for out in ["first", "second"] {
        assert_code(&project.tickbench(&["run", "--study", "study.toml", "--out", out]), 0);
        let run = Run(project.path().join(out));
        let deviation = &run.environment().servers[0].deviations[0];
        assert_eq!(
            (deviation.check.as_str(), deviation.seen.as_deref()),
            ("vectors", Some("byte 3 differs"))
        );
        let report = run.text("REPORT.md");
        assert!(
            report.contains("its framework does so by itself") && report.contains("byte 3 differs"),
            "{report}"
        );
    }
}

#[test]
fn a_deviation_that_does_not_occur_is_said() {
    let project = deviating("fine", "vectors");
    let output = project.tickbench(&["verify"]);
    assert_code(&output, 0);
    assert!(
        stdout(&output).contains("declares the deviation `vectors`, and that check holds"),
        "{}",
        stdout(&output)
    );
    let (output, run) = project.run(&[]);
    assert_code(&output, 0);
    assert!(stderr(&output).contains("that check holds: take it out"), "{}", stderr(&output));
    assert!(run.text("REPORT.md").contains("was not seen"));
}

#[test]
fn a_deviation_from_nothing_or_from_what_figures_rest_on_fails() {
    for (id, words) in [("vektors", "no check of verify"), ("connections", "figures rest on")] {
        let project = deviating("fine", id);
        let output = project.tickbench(&["verify"]);
        assert_code(&output, 1);
        assert!(stdout(&output).contains(words), "{}", stdout(&output));
        let (output, _) = project.run(&[]);
        assert_code(&output, 3);
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
}

fn runs(project: &Project, out: &str) -> String {
    let output = project.tickbench(&["run", "--study", "study.toml", "--seed", "7", "--out", out]);
    assert_code(&output, 0);
    stderr(&output)
}

const PASSED: &str = "verifying one (default): these bytes passed before";

#[test]
fn an_interpreted_server_whose_source_has_changed_is_verified_again() {
    let project = Project::new(&[("one", "fine")], "fine", "fine");
    assert!(!runs(&project, "first").contains(PASSED));
    assert!(runs(&project, "second").contains(PASSED));
    project.write("servers/one/fake.txt", "broken");
    assert!(!runs(&project, "third").contains(PASSED));
    project.write("clients/fake.txt", "another verifier");
    assert!(!runs(&project, "fourth").contains(PASSED));
    assert!(runs(&project, "fifth").contains(PASSED));
}

#[test]
fn what_passed_holds_for_as_many_connections_as_the_study_has() {
    let project = Project::new(&[("one", "fine")], "fine", "fine");
    runs(&project, "first");
    let more = study(5, 1).replace("kind = 'latency'", "kind = 'scaling'\nconnections = [1, 23]");
    project.write("study.toml", &more.replace("rate_per_s = 1000", "rate_per_s = 100000"));
    assert!(!runs(&project, "second").contains(PASSED));
    let checks = std::fs::read_dir(project.path().join("target/tickbench-verified")).unwrap();
    let checks: String = checks.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    assert!(checks.contains("holds 1 connections") && checks.contains("holds 23 connections"), "{checks}");
}

#[test]
fn a_run_is_not_resumed_with_another_source() {
    let project = Project::new(&[("one", "fine")], "fine", "fine");
    runs(&project, "out");
    assert_code(&project.tickbench(&["run", "--resume", "out"]), 0);
    project.write("servers/one/fake.txt", "changed");
    let output = project.tickbench(&["run", "--resume", "out"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("one is not the program"), "{}", stderr(&output));
}

#[test]
fn an_interpreted_server_must_list_its_sources() {
    let project = Project::new(&[("one", "fine")], "fine", "fine");
    entry(&project, |text| text.replace("sources = ['fake.txt']\n", ""));
    let output = project.tickbench(&["verify"]);
    assert_code(&output, 2);
    let said = stderr(&output);
    assert!(said.contains("one") && said.contains("list in `sources`"), "{said}");
    entry(&project, |text| text.replace("lanes", "sources = ['absent.txt']\nlanes"));
    let output = project.tickbench(&["verify"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("absent.txt"), "{}", stderr(&output));
}

#[test]
fn verify_alone_holds_as_many_connections_as_it_is_told() {
    let project = Project::sound();
    let output = project.tickbench(&["verify", "--server", "one", "--connections", "17", "--seed", "5"]);
    assert_code(&output, 0);
    let said = stdout(&output);
    assert!(said.contains("17 connections, seed 5") && said.contains("holds 17 connections"), "{said}");
    let output = project.tickbench(&["verify", "--connections", "4000000000"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("RLIMIT_NOFILE"), "{}", stderr(&output));
}
