//! What a run does before and around its executions so that the machine is quiet, on fake contestants: preflight, cores, ceilings,
//! an awake core.

#![cfg(target_os = "linux")]

mod support;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use support::{Project, Run, assert_code, stderr, stdout, study};
use tickbench_record::{ClockCheck, Encoding, Environment, Observation, Wait};

/// A study of a flood, and of ticks whose server is kept awake.
fn study_of_both() -> String {
    let awake = study(5, 2).replace("wait = 'spin'", "wait = 'spin'\nidle = ['spin']");
    awake
        + "[[scenario]]\nname = 'flood'\nkind = 'throughput'\nencodings = ['json', 'binary']\nwait = 'block'\n\
           warmup_ms = 1\nwindow_ms = 5\n"
}

/// A finished run of it; its folder goes with the project.
fn run_both(mode: &str) -> (Project, Run) {
    let project = Project::watched(mode);
    project.write("study.toml", &study_of_both());
    let (output, run) = project.run(&[]);
    assert_code(&output, 0);
    assert_eq!(project.processes(), [0_u32; 0]);
    (project, run)
}

fn is_awake(observation: &Observation) -> bool {
    observation.server_hiccups.is_some()
}

#[test]
fn the_quieter_cores_are_taken_and_their_thresholds_reach_client_and_spinner() {
    let (_project, run) = run_both("fine");
    let Environment { cores, hiccups, clocks, findings, .. } = run.environment();
    assert_eq!(clocks, Some(ClockCheck { readings: 1000, backwards: 0, worst_ns: 0 }));
    let quietest = hiccups.iter().min_by(|a, b| a.lost_share.total_cmp(&b.lost_share)).unwrap();
    assert_eq!(cores.client, Some(quietest.core));
    let worked = findings.iter().find(|finding| finding.subject.contains("SCHED_IDLE")).unwrap();
    assert_eq!((worked.found.as_str(), &worked.advice), ("works", &None));
    let threshold_of = |core: Option<usize>| 7000 + core.unwrap() as u64;
    for measurement in run.measurements() {
        assert!(measurement.stolen.is_some(), "{measurement:?}");
        let seen = measurement.observation.unwrap();
        assert_eq!(seen.client_hiccups.unwrap().threshold_ns, threshold_of(cores.client));
        assert_eq!(is_awake(&seen), measurement.cell.scenario == "latency");
        if let Some(gaps) = seen.server_hiccups {
            assert_eq!(gaps.threshold_ns, threshold_of(cores.server));
        }
    }
}

#[test]
fn ceilings_are_measured_once_for_each_way_in_which_the_study_floods() {
    let (_project, run) = run_both("fine");
    let ceilings = run.environment().ceilings;
    let settings: Vec<_> = ceilings.iter().map(|one| (one.ceiling.encoding, one.ceiling.wait)).collect();
    assert_eq!(settings, [(Encoding::Json, Wait::Block), (Encoding::Binary, Wait::Block)]);
    assert!(ceilings.iter().all(|one| one.ceiling.messages_per_s > 0.0 && one.ceiling.cpu_share == 0.5));
}

#[test]
fn a_ceiling_that_could_not_be_measured_is_a_warning() {
    let project = Project::watched("fine");
    project.write("study.toml", &study_of_both());
    let path = project.path().join("clients/clients.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("'server', 'fine'", "'server', 'exits'")).unwrap();
    let (output, run) = project.run(&[]);
    assert_code(&output, 0);
    let Environment { ceilings, warnings, .. } = run.environment();
    assert_eq!(ceilings, []);
    let said = |words: &str| warnings.iter().filter(|warning| warning.contains(words)).count();
    assert_eq!((said("is not known"), said("no licence found")), (2, 2), "{warnings:?}");
}

#[test]
fn a_resumed_run_keeps_what_was_found_before_it() {
    let project = Project::watched("fine");
    project.write("study.toml", &study_of_both());
    let (output, run) = project.run(&[]);
    assert_code(&output, 0);
    let (before, text) = (run.environment(), run.text("measurements.jsonl"));
    let lines = run.lines();
    std::fs::write(run.0.join("measurements.jsonl"), &text[..text.len() - 100]).unwrap();
    assert_code(&project.tickbench(&["run", "--resume", "out"]), 0);
    let after = run.environment();
    assert_eq!(run.lines(), lines);
    assert_eq!(
        (before.ceilings, before.hiccups, before.findings),
        (after.ceilings, after.hiccups, after.findings)
    );
    assert_eq!((before.cores, before.clocks), (after.cores, after.clocks));
}

#[test]
fn a_core_that_cannot_be_kept_awake_sleeps_and_no_server_is_blamed() {
    let project = Project::watched("refuses");
    project.write("study.toml", &study_of_both());
    let (output, run) = project.run(&["--servers", "one"]);
    assert_code(&output, 0);
    assert_eq!((run.completed("one"), run.lines()), (8, 8));
    assert!(run.measurements().iter().all(|one| !is_awake(one.observation.as_ref().unwrap())));
    let Environment { findings, warnings, .. } = run.environment();
    let refused = findings.iter().find(|finding| finding.subject.contains("SCHED_IDLE")).unwrap();
    assert!(refused.found.contains("not permitted") && refused.advice.is_some(), "{refused:?}");
    let said = |words: &str| warnings.iter().any(|warning| warning.contains(words));
    assert!(said("SCHED_IDLE: not permitted") && said("it slept"), "{warnings:?}");
}

#[test]
fn a_clock_that_goes_backwards_is_recorded_and_a_warning() {
    let (_project, run) = run_both("backwards");
    let Environment { clocks, warnings, .. } = run.environment();
    assert_eq!(clocks, Some(ClockCheck { readings: 1000, backwards: 3, worst_ns: 70 }));
    assert!(warnings.iter().any(|warning| warning.contains("70 ns")), "{warnings:?}");
}

#[test]
fn one_core_pins_nothing_lets_the_server_sleep_and_says_so() {
    // This thread's affinity alone: what it starts from now on inherits it.
    let all = sched_getaffinity(None).unwrap();
    let first = (0..CpuSet::MAX_CPU).find(|&core| all.is_set(core)).unwrap();
    let mut one = CpuSet::new();
    one.set(first);
    sched_setaffinity(None, &one).unwrap();

    let (_project, run) = run_both("fine");
    let Environment { cores, warnings, hiccups, .. } = run.environment();
    assert_eq!((cores.server, cores.client, cores.harness), (None, None, vec![first]));
    assert_eq!(hiccups, []);
    for words in ["There is one core only", "it slept"] {
        assert!(warnings.iter().any(|warning| warning.contains(words)), "{words}: {warnings:?}");
    }
    assert_eq!((run.completed("one"), run.completed("two")), (8, 8));
    assert!(
        run.measurements().iter().all(|measurement| !is_awake(measurement.observation.as_ref().unwrap()))
    );
}

/// From now on the kernel refuses to pin this thread, and all that it starts.
fn forbid_pinning() {
    let filter = SeccompFilter::new(
        [(libc::SYS_sched_setaffinity, Vec::new())].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM as u32),
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let program: BpfProgram = filter.unwrap().try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();
}

#[test]
fn a_kernel_that_refuses_to_pin_leaves_a_run_unpinned_and_says_so() {
    forbid_pinning();
    let (_project, run) = run_both("fine");
    let Environment { cores, warnings, .. } = run.environment();
    assert_eq!((cores.server, cores.client), (None, None));
    for words in ["Pinning was refused (Operation not permitted", "No core was watched", "it slept"] {
        assert!(warnings.iter().any(|warning| warning.contains(words)), "{words}: {warnings:?}");
    }
    assert_eq!((run.completed("one"), run.completed("two")), (8, 8));
}

#[test]
fn a_run_waits_for_quiet_and_says_for_how_long() {
    let project = Project::watched("calms");
    let (output, run) = project.run(&["--wait-for-quiet", "1m"]);
    assert_code(&output, 0);
    assert!(stderr(&output).contains("waiting: core"), "{}", stderr(&output));
    let Environment { warnings, spent, .. } = run.environment();
    assert!(!warnings.iter().any(|warning| warning.contains("nothing was waited for")), "{warnings:?}");
    let spent = spent.unwrap();
    assert!(
        spent.waiting_ns > 0
            && std::fs::read_to_string(run.0.join("REPORT.md")).unwrap().contains("waiting for quiet"),
        "{spent:?}"
    );
    assert_eq!((run.completed("one"), run.completed("two")), (6, 6));
}

#[test]
fn a_run_whose_patience_ends_goes_on_and_says_so() {
    let project = Project::watched("restless");
    let (output, run) = project.run(&["--wait-for-quiet", "1ms"]);
    assert_code(&output, 0);
    let warnings = run.environment().warnings;
    for words in
        ["From iteration 1 on nothing was waited for: core", "was away 50.0 % of the time before the run"]
    {
        assert!(warnings.iter().any(|warning| warning.contains(words)), "{words}: {warnings:?}");
    }
    assert_eq!((run.completed("one"), run.completed("two")), (6, 6));
}

#[test]
fn quiet_cannot_be_waited_for_where_no_core_is_the_runs_own() {
    forbid_pinning();
    let project = Project::watched("fine");
    let output =
        project.tickbench(&["run", "--study", "study.toml", "--out", "out", "--wait-for-quiet", "1s"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("leave --wait-for-quiet out"), "{}", stderr(&output));
    assert!(!project.path().join("out").exists());
}

#[test]
fn preflight_prints_what_it_found_and_what_a_run_would_take() {
    let project = Project::watched("fine");
    let output = project.tickbench(&["preflight"]);
    assert_code(&output, 0);
    for words in [
        "frequency governor",
        "CPU quota",
        "hiccups of core",
        "never backwards",
        "A run would put the server on core",
    ] {
        assert!(stdout(&output).contains(words), "{words} is missing from {}", stdout(&output));
    }
    let output = project.tickbench(&["preflight", "--cores", "0,4096"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("core 4096"), "{}", stderr(&output));
}

/// What the last run took is taken again, though the other way round would be a little quieter; and two such runs can be compared.
#[test]
fn an_automatic_choice_of_cores_stays_the_same() {
    let project = Project::watched("fine");
    let (output, run) = project.run(&[]);
    assert_code(&output, 0);
    let first = run.environment().cores;
    let (server, client) = (first.server.unwrap(), first.client.unwrap());
    let remembered = std::fs::read_dir(project.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_string_lossy().starts_with("tickbench-cores-"))
        .unwrap();
    assert_eq!(std::fs::read_to_string(&remembered).unwrap(), format!("{server},{client}\n"));
    std::fs::write(&remembered, format!("{client},{server}\n")).unwrap();
    for out in ["second", "third"] {
        assert_code(&project.tickbench(&["run", "--study", "study.toml", "--out", out]), 0);
        let Environment { cores, findings, .. } = Run(project.path().join(out)).environment();
        assert_eq!((cores.server, cores.client), (Some(client), Some(server)));
        let choice = findings.iter().find(|finding| finding.subject == "choice of cores").unwrap();
        assert!(choice.found.contains("those of the last run on this machine"), "{choice:?}");
    }
    assert_code(&project.tickbench(&["compare", "second", "third"]), 0);
}
