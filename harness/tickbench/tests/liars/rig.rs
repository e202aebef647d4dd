//! The real probe and the real floor behind the liar, in a project of their own, and what came of it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tickbench_record::{Account, Observation, Outcome};

use crate::support::{Project, Run, assert_code, stderr};

/// The server that tells no lie.
pub(crate) const HONEST: &str = "honest";

/// A server of the manifest: its name, and the words for the liar before it.
pub(crate) type Entry = (String, String);

struct Programs {
    liar: PathBuf,
    floor: PathBuf,
    probe: PathBuf,
}

/// Cargo builds the liar with the tests, and nothing of servers and clients.
fn programs() -> &'static Programs {
    static BUILT: OnceLock<Programs> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_BIN_EXE_tickbench")).parent().unwrap();
        let args = ["build", "--locked", "-p", "tickbench-floor", "-p", "tickbench-probe"];
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(args).current_dir(env!("CARGO_MANIFEST_DIR"));
        let output = cargo.env("CARGO_TARGET_DIR", folder.parent().unwrap()).output().unwrap();
        assert!(output.status.success(), "failed to build floor and probe: {}", stderr(&output));
        let target = folder.with_file_name("debug");
        Programs {
            liar: folder.join("examples/liar"),
            floor: target.join("tickbench-floor"),
            probe: target.join("tickbench-probe"),
        }
    })
}

/// What is asked of a server before it is measured.
#[derive(Clone, Copy)]
pub(crate) enum Verification {
    /// Nothing: each is measured, whatever it does.
    None,
    /// One rule, by its name.
    Of(&'static str),
    All,
}

/// A project of these servers, and one that is honest.
pub(crate) fn project(entries: &[Entry], verification: Verification) -> Project {
    let Programs { liar, floor, .. } = programs();
    let project = Project::new(&[], "fine", "fine");
    let honest = (HONEST.to_owned(), HONEST.to_owned());
    let server = |(name, words): &Entry| {
        let words: String = words.split(' ').map(|word| format!("'{word}', ")).collect();
        let run = format!("['{}', {words}'--', '{}']", liar.display(), floor.display());
        let baseline = if name == HONEST { "baseline = true\n" } else { "" };
        with(&project.server(name, "fine"), "run", &run) + baseline
    };
    let servers: String = entries.iter().chain([&honest]).map(server).collect();
    project.write("servers/servers.toml", &servers);
    if matches!(verification, Verification::None) {
        // Nobody asks for `GET /`, and yet these lie as who has been verified.
        for (name, _) in entries {
            project.write(&format!("servers/{name}/verified"), "");
        }
    }
    measuring(project, verification)
}

/// A project of the floor alone, which does wrong where it is told to.
pub(crate) fn injecting() -> Project {
    let floor = programs().floor.display();
    let project = Project::injecting("fine");
    let server = project.server("one", "fine") + "injects = true\n";
    project.write("servers/servers.toml", &with(&server, "run", &format!("['{floor}']")));
    measuring(project, Verification::All)
}

/// The same project, in which the real probe measures and verifies.
fn measuring(project: Project, verification: Verification) -> Project {
    let probe = programs().probe.display();
    let clients = std::fs::read_to_string(project.path().join("clients/clients.toml")).unwrap();
    let clients = with(&clients, "run", &format!("['{probe}']"));
    let clients = match verification {
        Verification::None => clients,
        Verification::Of(rule) => {
            with(&clients, "verify", &format!("['{probe}', 'verify', '--only', '{rule}']"))
        }
        Verification::All => with(&clients, "verify", &format!("['{probe}', 'verify']")),
    };
    project.write("clients/clients.toml", &clients);
    project
}

/// The manifest `text`, a key of which has another value.
fn with(text: &str, key: &str, value: &str) -> String {
    let lines = text.lines().map(|line| match line.strip_prefix(key) {
        Some(rest) if rest.starts_with(" = ") => format!("{key} = {value}\n"),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

/// What `tickbench verify` says of a server, line by line, as far as `enough` wants to hear.
pub(crate) fn verify(project: &Project, server: &str, enough: impl Fn(&String) -> bool) -> Vec<String> {
    let mut child = project.command(&["verify", "--server", server]).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let is_enough = enough(&line);
        said.push(line);
        if is_enough {
            // Servers end with whoever started them.
            child.kill().unwrap();
            break;
        }
    }
    child.wait().unwrap();
    said
}

/// What came of one execution.
pub(crate) struct Execution {
    /// What failed: the execution itself, or the audits of its row; a line each.
    pub(crate) failed: Vec<String>,
    /// What the client saw, where it completed.
    pub(crate) seen: Option<Observation>,
}

/// The executions of each server in each scenario.
pub(crate) struct Evidence(BTreeMap<(String, String), Vec<Execution>>);

/// Where nothing may fail, a host that stops the whole machine for a moment is nobody's fault: one of so many executions must do.
const TRIES: usize = 3;

/// Measures each server in its scenario, and the honest one in all. Those that are to be `sound` are executed several times.
pub(crate) fn measure(entries: &[(Entry, &str)], sound: &[String], scenarios: &[(&str, &str)]) -> Evidence {
    let servers: Vec<Entry> = entries.iter().map(|(entry, _)| entry.clone()).collect();
    let project = project(&servers, Verification::None);
    let in_scenario = |scenario: &str| -> Vec<String> {
        let told = entries.iter().filter(|(_, of)| *of == scenario).map(|((server, _), _)| server.clone());
        let again = |server: String| match sound.contains(&server) || server == HONEST {
            true => (1..TRIES).map(|nth| format!("{server}#{nth}")).chain([server.clone()]).collect(),
            false => vec![server],
        };
        told.chain([HONEST.to_owned()]).flat_map(again).collect()
    };
    let mut text = "name = 'liars'\niterations = 1\nstall_ms = 1500\nusage_samples_per_s = 0\n".to_owned();
    for (name, keys) in scenarios {
        let servers = in_scenario(name).join("', '");
        text += &format!("[[scenario]]\nname = '{name}'\nwait = 'block'\nservers = ['{servers}']\n{keys}\n");
    }
    project.write("study.toml", &text);
    let mut all: Vec<String> = scenarios.iter().flat_map(|(name, _)| in_scenario(name)).collect();
    all.sort();
    all.dedup();
    let (output, run) = project.run(&["--no-parity", "--servers", &all.join(",")]);
    assert_code(&output, 0);
    assert_eq!(project.processes(), [0_u32; 0]);
    Evidence::of(&run)
}

impl Evidence {
    fn of(run: &Run) -> Evidence {
        let summary: Value = serde_json::from_str(&run.text("summary.json")).unwrap();
        let mut found: BTreeMap<_, Vec<Execution>> = BTreeMap::new();
        for measurement in run.measurements() {
            let (server, scenario) = (measurement.cell.server, measurement.cell.scenario);
            let mut failed = failed_audits(&summary, &server, &scenario);
            if let Outcome::Failed { stage, reason } = measurement.outcome {
                failed.push(format!("failed at {stage}: {reason}"));
            }
            let plain = server.split('#').next().unwrap().to_owned();
            let seen = measurement.observation;
            if let Some(Account { connection, owed, received }) = worst_account(seen.as_ref()) {
                let counts = failed.iter_mut().filter(|line| line.starts_with("failed its audit counts"));
                counts
                    .for_each(|line| *line += &format!("; connection {connection} got {received} of {owed}"));
            }
            found.entry((plain, scenario)).or_default().push(Execution { failed, seen });
        }
        Evidence(found)
    }

    pub(crate) fn executions(&self, server: &str, scenario: &str) -> &[Execution] {
        &self.0[&(server.to_owned(), scenario.to_owned())]
    }
}

/// The account of the connection that lost the largest share of what it was owed.
fn worst_account(seen: Option<&Observation>) -> Option<Account> {
    Some(seen?.accounts.as_ref()?.worst)
}

/// The audits that a row failed, a line each.
fn failed_audits(summary: &Value, server: &str, scenario: &str) -> Vec<String> {
    let cells = summary["cells"].as_array().unwrap().iter();
    let of_row = |cell: &&Value| cell["cell"]["server"] == server && cell["cell"]["scenario"] == scenario;
    let audits = cells.filter(of_row).flat_map(|cell| cell["audits"].as_array().unwrap());
    audits
        .filter(|audit| audit["ruling"] == "failed")
        .map(|audit| format!("failed its audit {}: {}", audit["check"].as_str().unwrap(), audit["figure"]))
        .collect()
}
