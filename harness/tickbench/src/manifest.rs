//! The manifests: `servers/servers.toml`, the only list of contestants, and `clients/clients.toml`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tickbench_record::{Cell, Client, Encoding, Flush, Lane};

use crate::root::Root;

/// A server as the manifest tells it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) language: String,
    /// Below the project's folder; commands run in it.
    pub(crate) folder: PathBuf,
    pub(crate) why: String,
    #[serde(default)]
    pub(crate) setup: Vec<Vec<String>>,
    pub(crate) build: Vec<String>,
    pub(crate) run: Vec<String>,
    pub(crate) version: Vec<String>,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) encodings: Vec<Encoding>,
    pub(crate) flush: Vec<Flush>,
    /// What an interpreted server runs: files and folders relative to its own.
    #[serde(default)]
    pub(crate) sources: Vec<PathBuf>,
    /// What its framework does otherwise than the contract says, and cannot be told to leave.
    #[serde(default)]
    pub(crate) deviations: Vec<Deviation>,
    /// A program without which this server is passed over.
    #[serde(default)]
    pub(crate) skip_if_missing: Option<String>,
    /// Whether it gathers messages into one write by itself, even where each is to be sent alone.
    #[serde(default)]
    pub(crate) coalesces: bool,
    /// Whether this is the floor that the others are shown as ratios to.
    #[serde(default)]
    pub(crate) baseline: bool,
    /// Whether it does wrong on purpose when it is told to with `--inject`.
    #[serde(default)]
    pub(crate) injects: bool,
}

/// A check of `verify` that a server may fail.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deviation {
    /// The check's name.
    pub(crate) check: String,
    /// Whose doing it is, a sentence.
    pub(crate) why: String,
}

/// A client as the manifest tells it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientEntry {
    pub(crate) name: Client,
    pub(crate) build: Vec<String>,
    pub(crate) run: Vec<String>,
    pub(crate) version: Vec<String>,
    /// What an interpreted client runs: files and folders relative to the project's.
    #[serde(default)]
    pub(crate) sources: Vec<PathBuf>,
    /// The command that checks a server, where this client has one.
    #[serde(default)]
    pub(crate) verify: Option<Vec<String>>,
    /// The command of a server that floods prepared frames, where this client brings one: what a client takes from it is its
    /// ceiling.
    #[serde(default)]
    pub(crate) prepared: Option<Vec<String>>,
    /// The program that looks after cores, where this client brings one: its subcommands are `hiccups`, `clocks` and `idle`.
    #[serde(default)]
    pub(crate) watch: Option<Vec<String>>,
    /// The command that receives a stream and holds its connection open, where this client has one: the parity ledger looks at
    /// the server's end of it.
    #[serde(default)]
    pub(crate) stream: Option<Vec<String>>,
}

/// Both manifests.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) servers: Vec<Server>,
    pub(crate) clients: Vec<ClientEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServersFile {
    #[serde(rename = "server")]
    servers: Vec<Server>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientsFile {
    #[serde(rename = "client")]
    clients: Vec<ClientEntry>,
}

impl Manifest {
    /// Reads and checks both manifests of a project.
    pub(crate) fn read(root: &Root) -> anyhow::Result<Manifest> {
        let servers = parse::<ServersFile>(&root.servers())?.servers;
        check_servers(&servers, root.path())
            .with_context(|| format!("`{}` cannot be used", root.servers().display()))?;
        let clients = parse::<ClientsFile>(&root.clients())?.clients;
        check_clients(&clients).with_context(|| format!("`{}` cannot be used", root.clients().display()))?;
        Ok(Manifest { servers, clients })
    }

    /// The server of this name. `NAME#LABEL` is the server NAME, once more.
    pub(crate) fn server(&self, name: &str) -> anyhow::Result<&Server> {
        let plain = plain(name);
        self.servers.iter().find(|server| server.name == plain).with_context(|| {
            let known: Vec<&str> = self.servers.iter().map(|server| server.name.as_str()).collect();
            format!("there is no server {plain:?}: the manifest has {}", known.join(", "))
        })
    }

    pub(crate) fn client(&self, name: Client) -> anyhow::Result<&ClientEntry> {
        self.clients.iter().find(|client| client.name == name).with_context(|| {
            format!("there is no client {:?} in the manifest: add it to clients/clients.toml", name.name())
        })
    }

    pub(crate) fn baseline(&self) -> Option<&Server> {
        self.servers.iter().find(|server| server.baseline)
    }

    /// The first server that does wrong on purpose.
    pub(crate) fn injecting(&self) -> anyhow::Result<&Server> {
        self.servers.iter().find(|server| server.injects).context(
            "no server in servers/servers.toml takes --inject: mark one that does with `injects = true` (servers/TUNING.md \
             says what it must do)",
        )
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.servers.iter().map(|server| server.name.clone()).collect()
    }
}

/// The name of the program that a server's name stands for, its label taken off.
pub(crate) fn plain(name: &str) -> &str {
    name.split_once('#').map_or(name, |(plain, _)| plain)
}

impl Server {
    /// Whether it can do what the cell asks.
    pub(crate) fn supports(&self, cell: &Cell) -> bool {
        self.lanes.contains(&cell.lane)
            && self.encodings.contains(&cell.encoding)
            && self.flush.contains(&cell.flush)
    }
}

fn parse<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("failed to read `{}`", path.display()))?;
    toml::from_str(&text).with_context(|| format!("failed to read `{}`", path.display()))
}

fn check_servers(servers: &[Server], root: &Path) -> anyhow::Result<()> {
    ensure!(!servers.is_empty(), "it lists no server: add a [[server]]");
    let mut seen = HashSet::new();
    for server in servers {
        let name = &server.name;
        ensure!(seen.insert(name), "two servers are named {name:?}: rename one");
        ensure!(
            !name.is_empty() && !name.contains(['#', ',', '/']) && !name.contains(char::is_whitespace),
            "{name:?} is no name for a server: use letters, digits and hyphens"
        );
        for (key, argv) in [("build", &server.build), ("run", &server.run), ("version", &server.version)] {
            ensure!(!argv.is_empty(), "server {name:?}: {key} is empty: list a program and its arguments");
        }
        ensure!(
            server.setup.iter().all(|argv| !argv.is_empty()),
            "server {name:?}: setup holds an empty command: remove it"
        );
        let lists = [
            ("lanes", server.lanes.is_empty()),
            ("encodings", server.encodings.is_empty()),
            ("flush", server.flush.is_empty()),
        ];
        if let Some((key, _)) = lists.iter().find(|(_, empty)| *empty) {
            bail!("server {name:?}: {key} is empty: list what it supports");
        }
        for (nth, Deviation { check, why }) in server.deviations.iter().enumerate() {
            ensure!(
                why.split_whitespace().count() >= 3,
                "server {name:?}: deviation {check:?} says {why:?}: say whose doing it is, in a sentence"
            );
            ensure!(
                server.deviations[..nth].iter().all(|earlier| earlier.check != *check),
                "server {name:?}: deviation {check:?} stands there twice: keep one"
            );
        }
        let folder = root.join(&server.folder);
        ensure!(folder.is_dir(), "server {name:?}: its folder `{}` does not exist", folder.display());
    }
    let baselines: Vec<&str> = servers.iter().filter(|s| s.baseline).map(|s| s.name.as_str()).collect();
    ensure!(baselines.len() <= 1, "{} are all marked as baseline: keep one", baselines.join(" and "));
    Ok(())
}

fn check_clients(clients: &[ClientEntry]) -> anyhow::Result<()> {
    let mut seen = HashSet::new();
    for client in clients {
        let name = client.name;
        ensure!(seen.insert(name), "two clients are named {:?}: remove one", name.name());
        let commands = [
            ("build", Some(&client.build)),
            ("run", Some(&client.run)),
            ("version", Some(&client.version)),
            ("verify", client.verify.as_ref()),
            ("prepared", client.prepared.as_ref()),
            ("watch", client.watch.as_ref()),
            ("stream", client.stream.as_ref()),
        ];
        for (key, argv) in commands {
            ensure!(
                argv.is_none_or(|argv| !argv.is_empty()),
                "client {:?}: {key} is empty: list a program and its arguments",
                name.name()
            );
        }
    }
    ensure!(
        clients.iter().any(|client| client.verify.is_some()),
        "no client can verify a server: give one a verify command"
    );
    Ok(())
}
