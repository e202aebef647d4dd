//! Runs that go well, on fake contestants: what is kept, and that it is the same again.

mod support;

use std::ffi::OsStr;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt as _;

use support::{Project, assert_code, stderr, stdout, study};
use tickbench_record::{Outcome, RunFolder};

#[test]
fn a_run_leaves_its_records_and_a_report_that_derives_again_byte_for_byte() {
    let project = Project::sound();
    let (output, run) = project.run(&[]);
    assert_code(&output, 0);
    assert!(stdout(&output).contains("12 executions completed, 0 failed"), "{}", stdout(&output));
    assert!(stdout(&output).trim_end().ends_with("out/REPORT.md"), "{}", stdout(&output));
    let folder = RunFolder::open(&run.0).unwrap();
    assert_eq!(folder.study().unwrap().seed, Some(7));
    let environment = folder.environment().unwrap();
    assert_eq!(environment.servers.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    assert!(environment.command.starts_with("tickbench") && environment.command.contains("--seed 7"));
    let spent = environment.spent.unwrap();
    assert!(spent.executing_ns > spent.measuring_ns && spent.measuring_ns == 12 * 5_000_000);

    let derived = |name: &str| std::fs::read(run.0.join(name)).unwrap();
    let mut names: Vec<String> = vec!["REPORT.md".into(), "summary.json".into()];
    for graph in std::fs::read_dir(folder.graphs()).unwrap() {
        names.push(format!("graphs/{}", graph.unwrap().file_name().to_string_lossy()));
    }
    let before: Vec<Vec<u8>> = names.iter().map(|name| derived(name)).collect();
    names.iter().for_each(|name| std::fs::remove_file(run.0.join(name)).unwrap());
    assert_code(&project.tickbench(&["report", "out"]), 0);
    let after: Vec<Vec<u8>> = names.iter().map(|name| derived(name)).collect();
    assert!(before == after, "{names:?}");
}

#[test]
fn iterations_are_outside_and_cells_inside_in_an_order_of_chance() {
    let project = Project::sound();
    let (output, run) = project.run(&[]);
    assert_code(&output, 0);
    let measurements = run.measurements();
    let places: Vec<(u32, u32)> = measurements.iter().map(|m| (m.iteration, m.position)).collect();
    assert_eq!(places, (0..3).flat_map(|i| (0..4).map(move |p| (i, p))).collect::<Vec<_>>());
    let order = |k: u32| -> Vec<String> {
        measurements.iter().filter(|m| m.iteration == k).map(|m| m.cell.to_string()).collect()
    };
    assert!(order(0) != order(1) || order(1) != order(2), "three iterations in one order");
}

#[test]
fn the_second_run_does_not_verify_the_same_bytes_again() {
    let project = Project::sound();
    let (output, _) = project.run(&[]);
    assert_code(&output, 0);
    assert!(!stderr(&output).contains("one (default): these bytes passed before"), "{}", stderr(&output));
    let output = project.tickbench(&["run", "--study", "study.toml", "--out", "second"]);
    assert_code(&output, 0);
    assert!(stderr(&output).contains("one (default): these bytes passed before"), "{}", stderr(&output));
}

#[test]
fn a_server_can_be_compared_with_itself() {
    let project = Project::sound();
    let (output, run) = project.run(&["--servers", "one,one#again"]);
    assert_code(&output, 0);
    assert_eq!((run.completed("one"), run.completed("one#again")), (6, 6));
}

#[test]
fn a_resumed_run_that_is_complete_derives_its_report_again() {
    let project = Project::sound();
    let (output, run) = project.run(&[]);
    assert_code(&output, 0);
    let lines = run.lines();
    assert_code(&project.tickbench(&["run", "--resume", "out", "--seed", "7", "--iterations", "3"]), 0);
    assert_eq!(run.lines(), lines);
}

#[test]
fn a_replay_lasts_as_long_as_its_capture_at_its_speed() {
    let project = Project::sound();
    project
        .write("tape.jsonl", "{\"ts_ns\":5,\"payload\":\"a\"}\n{\"ts_ns\":2000000005,\"payload\":\"b\"}\n");
    let (output, run) = project.run(&["--feed", "tape.jsonl", "--speed", "100", "--iterations", "1"]);
    assert_code(&output, 0);
    let study = RunFolder::open(&run.0).unwrap().study().unwrap();
    assert_eq!((study.speed, study.scenarios[0].window_ms), (100.0, 20));
    assert!(study.feed.unwrap().ends_with("/tape.jsonl"));
    assert!(run.measurements().iter().all(|m| m.outcome == Outcome::Completed && m.cell.rate_per_s == 0.0));
}

#[test]
fn a_capture_is_for_those_that_replay_one_and_without_it_they_are_left_out_with_a_word() {
    let project = Project::sound();
    let replay = study(5, 1)
        .replace("'latency'\nkind", "'replay'\nkind")
        .replace("rate_per_s = 1000", "arrival = 'recorded'");
    let (_, replay) = replay.split_once("[[scenario]]").unwrap();
    project.write("study.toml", &format!("{}[[scenario]]{replay}", study(5, 1)));
    let (output, run) = project.run(&["--servers", "one"]);
    assert_code(&output, 0);
    assert_eq!(run.measurements().iter().filter(|m| m.cell.scenario == "replay").count(), 0);
    assert!(run.environment().warnings.iter().any(|warning| warning.contains("replay replays a capture")));
    project
        .write("tape.jsonl", "{\"ts_ns\":5,\"payload\":\"a\"}\n{\"ts_ns\":2000000005,\"payload\":\"b\"}\n");
    let words = [
        "run",
        "--study",
        "study.toml",
        "--servers",
        "one",
        "--feed",
        "tape.jsonl",
        "--speed",
        "100",
        "--out",
        "fed",
    ];
    assert_code(&project.tickbench(&words), 0);
    let study = RunFolder::open(&project.path().join("fed")).unwrap().study().unwrap();
    let windows: Vec<u64> = study.scenarios.iter().map(|scenario| scenario.window_ms).collect();
    assert_eq!(windows, [5, 20], "the generated ticks are left alone");
}

/// Servers and clients run in folders of their own.
#[test]
fn a_capture_that_a_study_names_is_told_by_its_whole_path() {
    let project = Project::sound();
    let named = study(5, 1)
        .replace("rate_per_s = 1000", "arrival = 'recorded'")
        .replace("[[", "feed = 'tape.jsonl'\n[[");
    project.write("study.toml", &named);
    project.write("tape.jsonl", "{\"ts_ns\":5,\"payload\":\"a\"}\n{\"ts_ns\":2000005,\"payload\":\"b\"}\n");
    let (output, run) = project.run(&[]);
    assert_code(&output, 0);
    let feed = RunFolder::open(&run.0).unwrap().study().unwrap().feed.unwrap();
    assert_eq!(feed, project.path().canonicalize().unwrap().join("tape.jsonl").to_str().unwrap());
    assert_code(&project.tickbench(&["run", "--resume", "out"]), 0);
}

#[test]
fn list_shows_servers_clients_and_studies() {
    let project = Project::sound();
    project.write("studies/short.toml", &study(5, 3));
    let output = project.tickbench(&["list"]);
    assert_code(&output, 0);
    for word in ["one", "two", "probe", "short.toml", "3 iterations: latency"] {
        assert!(stdout(&output).contains(word), "{word} is missing from {}", stdout(&output));
    }
}

#[test]
fn completions_and_man_page_are_printed() {
    let project = Project::sound();
    for (args, word) in [(&["completions", "bash"][..], "_tickbench"), (&["man"], ".TH tickbench")] {
        let output = project.tickbench(args);
        assert_code(&output, 0);
        assert!(stdout(&output).contains(word), "{args:?}");
    }
}

/// A server that says a few things and closes.
fn talker() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/feed", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut socket = tungstenite::accept(stream.unwrap()).unwrap();
            let subscription = socket.read().unwrap();
            for text in [subscription.into_text().unwrap().as_str(), "{\"price\":1}", "{\"price\":2}"] {
                socket.send(tungstenite::Message::text(text)).unwrap();
            }
            let _ = socket.close(None);
            while socket.read().is_ok() {}
            let _ = socket.get_mut().flush();
        }
    });
    url
}

#[test]
fn a_capture_holds_what_was_said_and_can_be_replayed() {
    let project = Project::sound();
    let url = talker();
    for (name, more) in [("plain.jsonl", &[][..]), ("packed.jsonl.gz", &["--count", "3"])] {
        let args = [&["capture", &url, "--out", name, "--send", "subscribe!"], more].concat();
        let output = project.tickbench(&args);
        assert_code(&output, 0);
        assert!(stdout(&output).contains("3 messages"), "{}", stdout(&output));
        let again = project.tickbench(&args);
        assert_code(&again, 2);
        assert!(stderr(&again).contains("failed to create"), "{}", stderr(&again));
        let out = format!("run-{name}");
        let run = ["run", "--study", "study.toml", "--iterations", "1", "--feed", name, "--out", &out];
        assert_code(&project.tickbench(&run), 0);
    }
    assert!(std::fs::read_to_string(project.path().join("plain.jsonl")).unwrap().contains("subscribe!"));
}

#[test]
fn a_capture_of_nothing_says_why() {
    let project = Project::sound();
    let output = project.tickbench(&["capture", "ws://127.0.0.1:1/", "--out", "none.jsonl"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("failed to open `ws://127.0.0.1:1/`"), "{}", stderr(&output));
    assert!(!project.path().join("none.jsonl").exists());
}

/// Bytes that are no text, in an argument, in a path that a client is told, and in the project's own folder.
#[test]
fn paths_need_not_be_text() {
    let project = Project::sound();
    let folder = project.path().join(OsStr::from_bytes(b"p\xff"));
    for part in ["servers", "clients"] {
        std::fs::create_dir_all(folder.join(part)).unwrap();
        let manifest = format!("{part}/{part}.toml");
        std::fs::copy(project.path().join(&manifest), folder.join(&manifest)).unwrap();
    }
    for server in ["one", "two"] {
        std::fs::create_dir(folder.join("servers").join(server)).unwrap();
        std::fs::write(folder.join("servers").join(server).join("fake.txt"), "a fake").unwrap();
    }
    std::fs::write(folder.join("clients/fake.txt"), "a fake").unwrap();
    // A server whose program lies in the folder.
    let path = folder.join("servers/servers.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let fake = text.split('\'').find(|word| word.ends_with("/fake")).unwrap();
    std::fs::copy(fake, folder.join("servers/one/own")).unwrap();
    std::fs::write(&path, text.replacen(&format!("run = ['{fake}'"), "run = ['{folder}/own'", 1)).unwrap();
    let mut command = project.bare_command();
    command.arg("--root").arg(&folder).args(["run", "--study", "study.toml", "--samples", "--out"]);
    let out = OsStr::from_bytes(b"o\xffut");
    let output = command.arg(out).env("CARGO_TARGET_DIR", folder.join("target")).output().unwrap();
    assert_code(&output, 0);
    let run = support::Run(project.path().join(out));
    assert_eq!((run.completed("one"), run.completed("two")), (6, 6));
    let command = run.environment().command;
    assert!(command.contains("--out $'o\\xffut'"), "{command}");
    let samples = RunFolder::open(&run.0).unwrap().samples_folder();
    assert_eq!(samples.read_dir().unwrap().count(), 12);
}

#[test]
fn nothing_to_measure_or_to_check_is_no_success() {
    let project = Project::sound();
    let entry = project.server("exotic", "fine") + "skip_if_missing = 'no-such-compiler'\n";
    project.write("servers/servers.toml", &entry);
    for args in [
        &["run", "--study", "study.toml", "--out", "out"][..],
        &["verify"],
        &["study", "--check", "study.toml"],
    ] {
        let output = project.tickbench(args);
        assert_code(&output, 3);
        assert!(stdout(&output).contains("exotic") || stderr(&output).contains("exotic"), "{args:?}");
    }
    assert!(!project.out().0.exists());

    let project = Project::new(&[("one", "dies")], "fine", "fine");
    let (output, _) = project.run(&[]);
    assert_code(&output, 3);
    assert_code(&project.tickbench(&["report", "out"]), 3);
}

#[test]
fn too_few_iterations_decide_nothing_about_a_control() {
    let project = Project::sound();
    let output =
        project.tickbench(&["control", "--study", "study.toml", "--iterations", "1", "--out", "out"]);
    assert_code(&output, 3);
}
