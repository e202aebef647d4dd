//! A server against itself, on fake contestants: within a study, and alone.

mod support;

use support::{Project, assert_code, stderr, stdout, study};
use tickbench_record::CONTROL;

/// Enough for a signed-rank test to reject, whatever the correction.
const ITERATIONS: u32 = 16;

#[test]
fn a_study_runs_its_control_in_the_first_question_of_the_scenarios_that_ask_for_it() {
    let project = Project::sound();
    let text = format!("control = 'two'\n{}control = true\n", study(5, 3));
    project.write("study.toml", &text);
    let (output, run) = project.run(&[]);
    assert_code(&output, 0);
    assert_eq!((run.completed("one"), run.completed("two"), run.completed("two#control")), (6, 6, 3));
    assert!(!stderr(&output).contains("verifying two#control"), "{}", stderr(&output));
    let names: Vec<String> = run.environment().servers.into_iter().map(|server| server.name).collect();
    assert_eq!(names, ["one", "two"], "the control is no program of its own");
    assert_code(&project.tickbench(&["run", "--resume", "out"]), 0);
}

#[test]
fn a_control_that_is_not_among_the_servers_gives_its_place_to_another_one() {
    let project = Project::sound();
    project.write("study.toml", &format!("control = 'two'\n{}control = true\n", study(5, 1)));
    let (output, run) = project.run(&["--servers", "one"]);
    assert_code(&output, 0);
    assert_eq!((run.completed("one"), run.completed("one#control"), run.lines()), (2, 1, 3));
}

#[test]
fn a_control_that_is_no_server_is_refused() {
    let project = Project::sound();
    for (control, words) in [("three", "there is no server \"three\""), ("one#x", "without a label")] {
        project.write("study.toml", &format!("control = '{control}'\n{}", study(5, 1)));
        let args = ["run", "--study", "study.toml", "--out", "out", "--servers", &format!("one,{control}")];
        let output = project.tickbench(&args);
        assert_code(&output, 2);
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
    project.write("study.toml", &format!("control = 'one'\n{}control = true\n", study(5, 1)));
    let args = ["run", "--study", "study.toml", "--out", "out", "--servers", "one,one#control"];
    let output = project.tickbench(&args);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("the study's own control"), "{}", stderr(&output));
}

fn control(project: &Project, more: &[&str]) -> std::process::Output {
    let iterations = ITERATIONS.to_string();
    let args = ["control", "--study", "study.toml", "--seed", "7", "--iterations", &iterations];
    project.tickbench(&[&args, more].concat())
}

#[test]
fn a_server_that_equals_itself_passes() {
    let project = Project::sound();
    let output = control(&project, &["--server", "two", "--out", "out"]);
    assert_code(&output, 0);
    let (text, run) = (stdout(&output), project.out());
    assert!(
        text.contains("no difference in") && text.contains("delivery_p50  1.0000 [1.0000, 1.0000]"),
        "{text}"
    );
    let both = ["two".to_owned(), format!("two{CONTROL}")];
    assert_eq!(both.map(|name| run.completed(&name)), [2 * ITERATIONS as usize; 2], "every question, both");
    assert!(run.0.join("REPORT.md").is_file());
}

#[test]
fn a_second_instance_that_is_slower_is_told_and_ends_with_1() {
    let project = Project::new(&[("one", "fine")], "scripted", "fine");
    // The plan is a function of the seed: a first run tells which launches are the control's.
    assert_code(&control(&project, &["--out", "first"]), 0);
    std::fs::remove_file(project.path().join("launches")).unwrap();
    let slow: String = (0..)
        .zip(support::Run(project.path().join("first")).measurements())
        .filter(|(_, measurement)| measurement.cell.is_control())
        .map(|(launch, _)| format!("{launch}\n"))
        .collect();
    project.write("slow.txt", &slow);
    let output = control(&project, &["--out", "second"]);
    assert_code(&output, 1);
    let text = stdout(&output);
    assert!(text.contains("DIFFERENT") && text.contains("call the server different from itself"), "{text}");
}

#[test]
fn an_unknown_server_is_refused() {
    let output = control(&Project::sound(), &["--server", "three", "--out", "out"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("there is no server \"three\""), "{}", stderr(&output));
}
