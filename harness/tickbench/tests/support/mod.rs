//! A project of fake contestants in a folder of its own, and the harness run on it.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tickbench_record::{Environment, Measurement, Outcome, RunFolder, Stage};

/// By then a condition holds, or never will.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A project whose servers and clients are fakes.
pub(crate) struct Project {
    folder: TempDir,
}

/// The folder of a finished or interrupted run.
pub(crate) struct Run(pub(crate) PathBuf);

impl Project {
    /// Servers are `(name, mode)`; the client and its verification have a mode each.
    pub(crate) fn new(servers: &[(&str, &str)], client: &str, verify: &str) -> Project {
        let project = Project { folder: tempfile::tempdir().unwrap() };
        let servers: String = servers.iter().map(|(name, mode)| project.server(name, mode)).collect();
        project.write("servers/servers.toml", &servers);
        let (fake, tag) = (fake(), project.tag());
        project.write(
            "clients/clients.toml",
            &format!(
                "[[client]]\nname = 'probe'\nbuild = ['true']\nrun = ['{fake}', 'client', '{client}', '{tag}']\n\
                 sources = ['clients/fake.txt']\nversion = ['{fake}', 'version']\nverify = ['{fake}', 'verify', '{verify}', '{tag}']\n"
            ),
        );
        project.write("clients/fake.txt", "a fake");
        project.write("study.toml", &study(5, 3));
        project
    }

    /// A project where everything keeps the contract.
    pub(crate) fn sound() -> Project {
        Project::new(&[("one", "fine"), ("two", "fine")], "fine", "fine")
    }

    /// A project where everything keeps the contract, and a client that brings a server of prepared frames and a program that
    /// watches cores, in its mode.
    pub(crate) fn watched(mode: &str) -> Project {
        Project::sound().watching(mode)
    }

    /// The same, whose clients soon give up on a server that is silent.
    pub(crate) fn impatient(self) -> Project {
        self.write("study.toml", &study(5, 3).replace("stall_ms = 20000", "stall_ms = 200"));
        self
    }

    pub(crate) fn watching(self, mode: &str) -> Project {
        let (fake, tag) = (fake(), self.tag());
        let more = format!(
            "prepared = ['{fake}', 'server', 'fine', '{tag}']\nwatch = ['{fake}', 'watch', '{mode}', '{tag}']\n"
        );
        let clients = std::fs::read_to_string(self.path().join("clients/clients.toml")).unwrap();
        self.write("clients/clients.toml", &(clients + &more));
        self
    }

    /// A project whose client can hold a stream open, in its mode; its only server has two lanes in which it sets nothing.
    pub(crate) fn streaming(mode: &str) -> Project {
        let project = Project::new(&[], "fine", "fine");
        let both = project.server("one", "fine").replace("['default']", "['default', 'tuned']");
        project.write("servers/servers.toml", &both);
        let clients = std::fs::read_to_string(project.path().join("clients/clients.toml")).unwrap();
        let more = format!("stream = ['{}', 'stream', '{mode}', '{}']\n", fake(), project.tag());
        project.write("clients/clients.toml", &(clients + &more));
        project
    }

    /// A project whose only server is said to do wrong on purpose, and does not; the client has a mode.
    pub(crate) fn injecting(client: &str) -> Project {
        let project = Project::new(&[], client, "fine").watching("fine");
        project.write("servers/servers.toml", &(project.server("one", "fine") + "injects = true\n"));
        project
    }

    /// The manifest's entry of a server.
    pub(crate) fn server(&self, name: &str, mode: &str) -> String {
        self.write(&format!("servers/{name}/fake.txt"), "a fake");
        let (fake, tag) = (fake(), self.tag());
        format!(
            "[[server]]\nname = '{name}'\nlanguage = 'Rust'\nfolder = 'servers/{name}'\nwhy = 'a fake'\nsetup = []\n\
             build = ['true']\nrun = ['{fake}', 'server', '{mode}', '{tag}']\nversion = ['{fake}', 'version']\n\
             sources = ['fake.txt']\nlanes = ['default']\nencodings = ['json', 'binary']\nflush = ['each', 'batch']\n"
        )
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A word in the command line of every process of this project, and of no other.
    pub(crate) fn tag(&self) -> String {
        self.path().file_name().unwrap().to_str().unwrap().to_owned()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.bare_command();
        command.arg("--root").arg(self.path()).args(args);
        command
    }

    /// The harness without an argument, in the project's folder.
    pub(crate) fn bare_command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tickbench"));
        command.current_dir(self.path());
        command.env("CARGO_TARGET_DIR", self.path().join("target")).stdin(Stdio::null());
        // Projects of other tests measure on the same cores at the same time.
        command.env("TICKBENCH_MACHINE_DIR", self.path());
        listen_to_signals(&mut command);
        command
    }

    pub(crate) fn tickbench(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs the project's study into `out`.
    pub(crate) fn run(&self, more: &[&str]) -> (Output, Run) {
        let args = [&["run", "--study", "study.toml", "--seed", "7", "--out", "out"], more].concat();
        (self.tickbench(&args), self.out())
    }

    pub(crate) fn out(&self) -> Run {
        Run(self.path().join("out"))
    }

    pub(crate) fn start(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Process ids of this project's servers and clients that are alive.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let tag = self.tag();
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
            let command = std::fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
            if command.split('\0').any(|word| word == tag) {
                found.push(pid);
            }
        }
        found
    }
}

impl Run {
    pub(crate) fn measurements(&self) -> Vec<Measurement> {
        RunFolder::open(&self.0).unwrap().records().unwrap().measurements
    }

    /// Whole lines in measurements.jsonl, whether or not the run has begun.
    pub(crate) fn lines(&self) -> usize {
        std::fs::read(self.0.join("measurements.jsonl"))
            .map_or(0, |bytes| bytes.iter().filter(|&&byte| byte == b'\n').count())
    }

    pub(crate) fn environment(&self) -> Environment {
        RunFolder::open(&self.0).unwrap().environment().unwrap()
    }

    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }

    /// The failures of a server: stage and reason.
    pub(crate) fn failures(&self, server: &str) -> Vec<(Stage, String)> {
        self.measurements()
            .into_iter()
            .filter(|measurement| measurement.cell.server == server)
            .map(|measurement| match measurement.outcome {
                Outcome::Failed { stage, reason } => (stage, reason),
                Outcome::Completed => panic!("{server} completed iteration {}", measurement.iteration),
            })
            .collect()
    }

    pub(crate) fn completed(&self, server: &str) -> usize {
        let measurements = self.measurements();
        let completed = |m: &&Measurement| m.cell.server == server && m.outcome == Outcome::Completed;
        measurements.iter().filter(completed).count()
    }
}

/// A study of one question. Nothing sound is ever given up on, however busy the machine.
pub(crate) fn study(window_ms: u64, iterations: u32) -> String {
    format!(
        "name = 'test'\niterations = {iterations}\nstall_ms = 20000\n[[scenario]]\nname = 'latency'\nkind = 'latency'\n\
         encodings = ['json', 'binary']\nrate_per_s = 1000\nwait = 'spin'\nwarmup_ms = 1\nwindow_ms = {window_ms}\n"
    )
}

/// The fake contestant, which cargo builds with the tests.
fn fake() -> String {
    let fake = Path::new(env!("CARGO_BIN_EXE_tickbench")).with_file_name("examples").join("fake");
    assert!(fake.is_file(), "{} is missing: cargo builds it with `cargo test -p tickbench`", fake.display());
    fake.to_str().unwrap().to_owned()
}

/// Waits until a condition holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not come about");
        std::thread::yield_now();
    }
}

/// Undoes what whoever runs the tests ignores: a shell lets its background jobs ignore SIGINT, `nohup` SIGHUP.
fn listen_to_signals(command: &mut Command) {
    let usual = || {
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            // SAFETY: the usual action is no handler, which could be unsafe.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(())
    };
    // SAFETY: it makes system calls alone, as is demanded between fork and exec.
    unsafe { std::os::unix::process::CommandExt::pre_exec(command, usual) };
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
pub(crate) fn assert_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}{}", stdout(output), stderr(output));
}
