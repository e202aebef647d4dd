//! Building servers and clients as their manifests say, and what was built.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tickbench_record::{BuiltServer, Client, SkippedServer, foreign};

use crate::fingerprint::{self, Fingerprint};
use crate::interrupt::Interrupt;
use crate::manifest::{ClientEntry, Manifest, Server};
use crate::process::{Process, describe, wait};
use crate::program::{Program, on_path, quoted};
use crate::progress::Progress;
use crate::root::Root;

/// How long a program may take to tell its version.
const VERSION_DEADLINE: Duration = Duration::from_secs(10);

/// Lines of a failed build's output that are shown.
const SHOWN_LINES: usize = 20;

/// A program that can be started.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    pub(crate) run: Program,
    /// The command that built it.
    pub(crate) build: Program,
    pub(crate) record: BuiltServer,
    /// SHA-256 over what runs, the command and all files that it names.
    pub(crate) fingerprint: String,
}

/// A server that can be started.
#[derive(Debug, Clone)]
pub(crate) struct Contestant {
    /// Its name in the study, which may carry a label.
    pub(crate) name: String,
    pub(crate) entry: Server,
    pub(crate) built: Built,
}

/// A client that can be started.
#[derive(Debug, Clone)]
pub(crate) struct Instrument {
    pub(crate) name: Client,
    pub(crate) built: Built,
    /// The command that checks a server, where this client has one.
    pub(crate) verify: Option<Program>,
    /// The server of prepared frames, where this client brings one.
    pub(crate) prepared: Option<Program>,
    /// The program that looks after cores, where this client brings one.
    pub(crate) watch: Option<Program>,
    /// The command that holds a stream open, where this client has one.
    pub(crate) stream: Option<Program>,
}

/// Builds things below one project.
pub(crate) struct Builder<'a> {
    pub(crate) root: &'a Root,
    pub(crate) target: PathBuf,
    pub(crate) interrupt: &'a mut Interrupt,
    pub(crate) progress: &'a Progress,
}

/// What a manifest says of one program, with its placeholders filled in.
struct Recipe {
    name: String,
    language: String,
    setup: Vec<Program>,
    build: Program,
    run: Program,
    version: Program,
    sources: Vec<PathBuf>,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(
        root: &'a Root,
        interrupt: &'a mut Interrupt,
        progress: &'a Progress,
    ) -> anyhow::Result<Builder<'a>> {
        Ok(Builder { root, target: root.target()?, interrupt, progress })
    }

    /// Builds the servers of these names. One whose toolchain is missing is passed over; a build that fails is an error.
    pub(crate) fn servers(
        &mut self,
        manifest: &Manifest,
        names: &[String],
    ) -> anyhow::Result<(Vec<Contestant>, Vec<SkippedServer>)> {
        let (mut contestants, mut skipped): (Vec<Contestant>, Vec<SkippedServer>) = Default::default();
        for name in names {
            let entry = manifest.server(name)?.clone();
            if let Some(program) = entry.skip_if_missing.as_deref().filter(|program| !on_path(program)) {
                let reason = format!("`{program}` is not on PATH: install it to measure this server");
                skipped.push(SkippedServer { name: name.clone(), reason });
                continue;
            }
            let twin = contestants.iter().find(|known| known.entry.name == entry.name);
            let mut built = match twin {
                Some(known) => known.built.clone(),
                None => self.program(&self.server_recipe(&entry))?,
            };
            built.record.name.clone_from(name);
            built.record.coalesces = entry.coalesces;
            contestants.push(Contestant { name: name.clone(), entry, built });
        }
        Ok((contestants, skipped))
    }

    /// Builds one client.
    pub(crate) fn client(&mut self, entry: &ClientEntry) -> anyhow::Result<Instrument> {
        let fill = |argv: &[String]| Program::new(argv, &self.target, self.root.path());
        let recipe = Recipe {
            name: entry.name.to_string(),
            language: "Rust".into(),
            setup: Vec::new(),
            build: fill(&entry.build),
            run: fill(&entry.run),
            version: fill(&entry.version),
            sources: entry.sources.clone(),
        };
        let also = |argv: &Option<Vec<String>>| argv.as_deref().map(fill);
        let (verify, prepared, watch) = (also(&entry.verify), also(&entry.prepared), also(&entry.watch));
        let stream = also(&entry.stream);
        Ok(Instrument { name: entry.name, built: self.program(&recipe)?, verify, prepared, watch, stream })
    }

    /// The same, unless it is among those that are built already.
    pub(crate) fn client_unless(
        &mut self,
        built: &[Instrument],
        entry: &ClientEntry,
    ) -> anyhow::Result<Instrument> {
        match built.iter().find(|client| client.name == entry.name) {
            Some(client) => Ok(client.clone()),
            None => self.client(entry),
        }
    }

    fn server_recipe(&self, server: &Server) -> Recipe {
        let folder = self.root.path().join(&server.folder);
        let fill = |argv: &Vec<String>| Program::new(argv, &self.target, &folder);
        Recipe {
            name: server.name.clone(),
            language: server.language.clone(),
            setup: server.setup.iter().map(fill).collect(),
            build: fill(&server.build),
            run: fill(&server.run),
            version: fill(&server.version),
            sources: server.sources.clone(),
        }
    }

    fn program(&mut self, recipe: &Recipe) -> anyhow::Result<Built> {
        for command in recipe.setup.iter().chain([&recipe.build]) {
            self.step(&recipe.name, command)?;
        }
        let version = self.version(recipe)?;
        let Fingerprint { main, sha256, with_command } =
            fingerprint::of(&recipe.run, &version, &recipe.sources)
                .with_context(|| format!("failed to tell what runs as {}", recipe.name))?;
        let record = BuiltServer {
            name: recipe.name.clone(),
            language: recipe.language.clone(),
            version,
            build: self.as_typed(&recipe.build),
            binary: self.below(&main).display().to_string(),
            sha256: Some(sha256),
            coalesces: false,
            deviations: Vec::new(),
        };
        let (run, build) = (recipe.run.clone(), recipe.build.clone());
        Ok(Built { run, build, record, fingerprint: with_command })
    }

    /// Runs one command of a recipe, showing its last line; keeps its output in a log, and shows the end of it on failure.
    fn step(&mut self, name: &str, command: &Program) -> anyhow::Result<()> {
        self.progress.building(name, "");
        let mut process = Process::start(command, None).with_context(|| {
            format!("failed to start `{}` for {name}: install it, or put it on PATH", command.line())
        })?;
        process.close_stdin();
        let far = Instant::now() + Duration::from_secs(24 * 3600);
        while process.out.is_open() || process.err.is_open() {
            wait(&mut [&mut process.out, &mut process.err], far, Some(self.interrupt))?;
            self.interrupt.check(format_args!(" while {name} was being built: nothing was measured yet"))?;
            if let Some(line) = process.err.last_lines(1).first() {
                self.progress.building(name, line);
            }
        }
        let status = process.wait_end(far)?.context("a build that ended has a status")?;
        let log = self.keep_log(name, command, &process)?;
        if status.success() {
            return Ok(());
        }
        let mut lines = process.err.last_lines(SHOWN_LINES);
        if lines.is_empty() {
            lines = process.out.last_lines(SHOWN_LINES);
        }
        bail!(
            "failed to build {name}: `{}` {}\n  {}\nthe whole output is in `{}`; mend the build, or leave the server out \
             with --servers",
            command.line(),
            describe(status),
            lines.join("\n  "),
            log.display()
        )
    }

    fn keep_log(&self, name: &str, command: &Program, process: &Process) -> anyhow::Result<PathBuf> {
        let folder = self.target.join("tickbench-logs");
        let path = folder.join(format!("{name}.log"));
        let text = format!("$ {}\n{}{}", command.line(), process.err.text(), process.out.text());
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(&path, text))
            .with_context(|| format!("failed to write the build log `{}`", path.display()))?;
        Ok(path)
    }

    fn version(&self, recipe: &Recipe) -> anyhow::Result<String> {
        let line = recipe.version.line();
        let hint = || format!("failed to ask {} for its version with `{line}`", recipe.name);
        let mut process = Process::start(&recipe.version, None).with_context(hint)?;
        process.close_stdin();
        match process.wait_end(Instant::now() + VERSION_DEADLINE).with_context(hint)? {
            Some(status) if status.success() => {}
            Some(status) => {
                bail!("{}: it {}: {}", hint(), describe(status), process.err.last_lines(3).join(" / "))
            }
            None => bail!("{}: no answer within {} s", hint(), VERSION_DEADLINE.as_secs()),
        }
        let version = process.out.text();
        match version.lines().map(str::trim).find(|line| !line.is_empty()) {
            Some(version) => Ok(foreign(version.as_bytes())),
            None => bail!("{}: it printed nothing", hint()),
        }
    }

    /// A command with the paths of this machine taken out.
    fn as_typed(&self, command: &Program) -> String {
        command
            .argv
            .iter()
            .map(|word| quoted(self.below(Path::new(word)).as_os_str()))
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn below<'p>(&self, path: &'p Path) -> &'p Path {
        let short = path.strip_prefix(&self.target).or_else(|_| path.strip_prefix(self.root.path()));
        short.unwrap_or(path)
    }
}
