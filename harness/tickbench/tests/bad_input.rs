//! Bad input: each kind has an error that names the thing, the cause and the next step, exit code 2, and loses nothing.

mod support;

use std::net::TcpListener;

use support::{Project, assert_code, stderr, study};

/// Runs the harness, expects exit code 2 and every word in its error.
#[track_caller]
fn refused(project: &Project, args: &[&str], words: &[&str]) {
    let output = project.tickbench(args);
    assert_code(&output, 2);
    for word in words {
        assert!(stderr(&output).contains(word), "{word:?} is missing from: {}", stderr(&output));
    }
    assert!(!project.out().0.exists(), "nothing is written for a run that cannot begin");
}

const RUN: [&str; 5] = ["run", "--study", "study.toml", "--out", "out"];

fn run_with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&RUN, more].concat()
}

#[test]
fn an_unknown_server() {
    let words = ["there is no server \"three\"", "one, two"];
    refused(&Project::sound(), &run_with(&["--servers", "one,three"]), &words);
    refused(&Project::sound(), &["verify", "--server", "three"], &words);
}

#[test]
fn a_server_named_twice() {
    refused(&Project::sound(), &run_with(&["--servers", "one,one"]), &["named twice", "one#again"]);
}

#[test]
fn a_study_that_cannot_be_read() {
    let project = Project::sound();
    refused(&project, &["run", "--study", "none.toml", "--out", "out"], &["none.toml", "tickbench list"]);
    project.write("study.toml", "name = 'x'\niterations = 1\nfoo = 3\n");
    refused(&project, &RUN, &["study.toml` is no study", "unknown field `foo`"]);
    project.write("study.toml", &study(0, 1));
    refused(&project, &RUN, &["scenario \"latency\": window_ms is 0"]);
}

#[test]
fn a_study_that_owes_a_connection_too_little_is_refused_before_anything_is_built() {
    let project = Project::sound();
    let entry = project.server("bad", "fine").replace("build = ['true']", "build = ['false']");
    project.write("servers/servers.toml", &entry);
    project.write("study.toml", &study(100, 1).replace("rate_per_s", "connections = [1, 50]\nrate_per_s"));
    let words =
        ["scenario \"latency\"", "50 connections is owed 2.00", "rate_per_s to 1500", "window_ms to 150"];
    refused(&project, &RUN, &words);
}

#[test]
fn a_scenario_of_an_unknown_server() {
    let project = Project::sound();
    project.write("study.toml", &(study(5, 1) + "servers = ['three']\n"));
    refused(&project, &RUN, &["scenario \"latency\"", "there is no server \"three\""]);
}

#[test]
fn an_output_folder_that_exists_and_is_no_run() {
    let project = Project::sound();
    let kept = project.write("taken/notes.txt", "mine");
    refused(&project, &["run", "--study", "study.toml", "--out", "taken"], &["taken", "--out", "--resume"]);
    refused(&project, &["run", "--resume", "taken"], &["`taken` holds no run"]);
    refused(&project, &["report", "taken"], &["`taken` holds no run"]);
    refused(&project, &["report", "nowhere"], &["`nowhere` holds no run"]);
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "mine");
}

/// What cannot be written to is found before anything is built.
#[test]
fn an_output_folder_that_cannot_be_made() {
    let project = Project::injecting("fine");
    project.write("file", "mine");
    for args in [
        &["run", "--study", "study.toml"][..],
        &["control", "--study", "study.toml"],
        &["capacity", "--p99", "1ms"],
        &["resolution"],
    ] {
        let output = project.tickbench(&[args, &["--out", "file/below/run"]].concat());
        assert_code(&output, 2);
        for words in ["failed to create `file/below", "Not a directory", "--out"] {
            assert!(stderr(&output).contains(words), "{args:?}: {words} is missing from {}", stderr(&output));
        }
        assert!(!stderr(&output).contains("building"), "{args:?}: {}", stderr(&output));
    }
    assert_eq!(std::fs::read_to_string(project.path().join("file")).unwrap(), "mine");
}

#[test]
fn folders_that_were_made_for_a_run_that_cannot_begin_are_gone_again() {
    let project = Project::sound();
    let entry = project.server("bad", "fine").replace("build = ['true']", "build = ['false']");
    project.write("servers/servers.toml", &entry);
    let output = project.tickbench(&["run", "--study", "study.toml", "--out", "a/b/run"]);
    assert_code(&output, 2);
    assert!(!project.path().join("a").exists());
}

#[test]
fn a_port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    refused(&Project::sound(), &run_with(&["--listen", &address]), &[&address, "in use", "--listen"]);
}

#[test]
fn a_build_that_fails() {
    let project = Project::sound();
    let entry = project
        .server("bad", "fine")
        .replace("build = ['true']", "build = ['sh', '-c', 'echo boom >&2; exit 3']");
    project.write("servers/servers.toml", &(project.server("one", "fine") + &entry));
    refused(&project, &RUN, &["failed to build bad", "sh -c", "exited with status 3", "boom", "bad.log"]);
    let entry = entry.replace("'sh'", "'no-such-compiler'");
    project.write("servers/servers.toml", &entry);
    refused(&project, &RUN, &["failed to start `no-such-compiler", "for bad", "PATH"]);
}

#[test]
fn a_toolchain_that_is_missing_passes_the_server_over() {
    let project = Project::sound();
    let entry = project.server("exotic", "fine") + "skip_if_missing = 'no-such-compiler'\n";
    project.write("servers/servers.toml", &(project.server("one", "fine") + &entry));
    let (output, run) = project.run(&[]);
    assert_code(&output, 0);
    assert_eq!(run.completed("one"), run.lines());
    let environment = tickbench_record::RunFolder::open(&run.0).unwrap().environment().unwrap();
    assert!(environment.skipped[0].reason.contains("`no-such-compiler` is not on PATH"));
}

#[test]
fn a_capture_that_is_missing_or_bad() {
    let project = Project::sound();
    let feed = ["--feed", "tape.jsonl"];
    refused(&project, &run_with(&feed), &["tape.jsonl", "No such file", "tickbench capture"]);
    let good = "{\"ts_ns\":1,\"payload\":\"a\"}\n";
    project.write("tape.jsonl", &format!("{good}{good}{{\"ts_ns\":\"x\"}}\n"));
    refused(&project, &run_with(&feed), &["tape.jsonl", "line 3"]);
    project.write("tape.jsonl", good);
    refused(&project, &run_with(&feed), &["1 messages", "at least two"]);
}

/// What could only fail later, in the middle of a run and as a server's fault, is refused as the feed's before anything is built.
#[test]
fn a_capture_that_would_blow_up_later() {
    let project = Project::sound();
    // Building would fail: the feed is looked at before.
    let bad = project.server("one", "fine").replace("build = ['true']", "build = ['false']");
    project.write("servers/servers.toml", &bad);
    let good = "{\"ts_ns\":1,\"payload\":\"a\"}\n{\"ts_ns\":2000001,\"payload\":\"b\"}\n";
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let many: String = (0..2_000).map(|at| format!("{{\"ts_ns\":{at},\"payload\":\"{at}\"}}\n")).collect();
    std::io::Write::write_all(&mut packed, many.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    for (bytes, words) in [
        (b"".to_vec(), &["it holds 0 messages"][..]),
        ([b"\xef\xbb\xbf", good.as_bytes()].concat(), &["byte-order mark of UTF-8", "without one"]),
        ([good.as_bytes(), b"{\"ts_ns\":9000000,\"payload\":\"\xff\"}"].concat(), &["line 3 is not UTF-8"]),
        ([good.as_bytes(), b"{\"ts_ns\":3,\"payload\":\"c\"}"].concat(), &["line 3 is earlier"]),
        (packed[..packed.len() - 20].to_vec(), &["line ", " cannot be read"]),
        ([&packed[..], b"rubbish"].concat(), &["line ", " cannot be read"]),
        (b"{\"ts_ns\":1,\"payload\":\"a\"}\n{\"ts_ns\":1,\"payload\":\"b\"}".to_vec(), &["all of one time"]),
        (
            [good.as_bytes(), b"{\"ts_ns\":19000000000,\"payload\":\"c\"}"].concat(),
            &["is silent for 18998 ms after its message 2", "raise stall_ms", "a speed of at least 1.056"],
        ),
    ] {
        std::fs::write(project.path().join("tape.jsonl"), bytes).unwrap();
        let words: Vec<&str> = words.iter().copied().chain(["capture", "tape.jsonl"]).collect();
        refused(&project, &run_with(&["--feed", "tape.jsonl"]), &words);
        assert!(!project.path().join("target").exists(), "nothing was built");
    }
    refused(&project, &run_with(&["--feed", "servers"]), &["`servers`", "it is no file"]);
    let made = std::process::Command::new("mkfifo").arg(project.path().join("pipe")).status().unwrap();
    assert!(made.success(), "mkfifo is there on every system that has pipes");
    refused(&project, &run_with(&["--feed", "pipe"]), &["`pipe`", "it is no file"]);
    // The same of a feed that the study names.
    let replay = study(5, 1)
        .replace("rate_per_s = 1000", "arrival = 'recorded'")
        .replace("[[", "feed = 'tape.jsonl'\n[[");
    project.write("study.toml", &replay);
    refused(&project, &RUN, &["is silent for 18998 ms", "raise stall_ms"]);
}

#[test]
fn a_study_that_only_replays_a_capture_that_nobody_named() {
    let project = Project::sound();
    let replay = study(5, 1).replace("rate_per_s = 1000", "arrival = 'recorded'");
    project.write("study.toml", &replay);
    refused(&project, &RUN, &["latency replays a capture, and there is none", "--feed"]);
}

#[test]
fn a_core_that_is_not_there() {
    refused(&Project::sound(), &run_with(&["--cores", "0,4096"]), &["core 4096"]);
    refused(&Project::sound(), &run_with(&["--cores", "0,0"]), &["two cores"]);
}

#[test]
fn too_few_descriptors() {
    let project = Project::sound();
    project.write(
        "study.toml",
        &study(5, 1).replace("rate_per_s = 1000", "connections = [4000000000]\nrate_per_s = 1e13"),
    );
    refused(&project, &RUN, &["4000000000 connections", "RLIMIT_NOFILE", "ulimit -n"]);
}

#[test]
fn a_manifest_that_makes_no_sense() {
    let project = Project::sound();
    let good = project.server("one", "fine");
    for (manifest, words) in [
        (format!("{good}colour = 'red'\n"), &["unknown field `colour`", "servers.toml"][..]),
        (format!("{good}{good}"), &["two servers are named \"one\""]),
        (good.replace("lanes = ['default']", "lanes = ['fast']"), &["unknown variant `fast`"]),
        (good.replace("build = ['true']", "build = []"), &["server \"one\": build is empty"]),
        (good.replace("servers/one", "servers/nowhere"), &["server \"one\": its folder", "does not exist"]),
        (good.replace("name = 'one'", "name = 'o#e'"), &["\"o#e\" is no name"]),
    ] {
        project.write("servers/servers.toml", &manifest);
        refused(&project, &RUN, words);
    }
}

#[test]
fn a_folder_that_is_no_project() {
    let project = Project::sound();
    std::fs::remove_file(project.path().join("servers/servers.toml")).unwrap();
    refused(&project, &RUN, &["is no tickbench project", "--root"]);
}

#[test]
fn flags_that_contradict_the_run_that_is_resumed() {
    let project = Project::sound();
    let (output, run) = project.run(&[]);
    assert_code(&output, 0);
    let before = run.text("measurements.jsonl");
    for flags in [
        &["--iterations", "9"][..],
        &["--seed", "8"],
        &["--servers", "one"],
        &["--quick"],
        &["--cores", "1,0"],
    ] {
        let output = project.tickbench(&[&["run", "--resume", "out"], flags].concat());
        assert_code(&output, 2);
        assert!(stderr(&output).contains(&format!("{} contradicts", flags[0])), "{}", stderr(&output));
    }
    assert_eq!(run.text("measurements.jsonl"), before);
}

#[test]
fn other_programs_under_the_names_of_the_run_that_is_resumed() {
    let project = Project::sound();
    let (output, _) = project.run(&[]);
    assert_code(&output, 0);
    let path = project.path().join("servers/servers.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    // The same fake under another path: a shell script that runs it has other bytes.
    let script = project.write("servers/one/run.sh", "#!/bin/sh\nexit 1\n");
    std::fs::write(
        &path,
        text.replacen("run = [", &format!("run = ['/bin/sh', '{}', ", script.display()), 1),
    )
    .unwrap();
    let output = project.tickbench(&["run", "--resume", "out"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("one is not the program that `out` began with"), "{}", stderr(&output));
}
