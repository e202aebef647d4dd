//! Whether a server keeps the contract: asked before it is timed, and by `tickbench verify`.
//!
//! What goes over the wire is checked by a client; how the process starts and ends is checked here.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::Signal;
use sha2::{Digest as _, Sha256};
use tickbench_record::{Check, Lane, SkippedServer, printable};

use crate::build::{Builder, Contestant, Instrument, hexadecimal};
use crate::cli::{Loopback, VerifyArgs};
use crate::exit::ExitStatus;
use crate::interrupt::Interrupt;
use crate::launch::{END_DEADLINE, Launch, LiveServer, Stop, last_words, start};
use crate::manifest::Manifest;
use crate::out;
use crate::process::{Process, describe, wait};
use crate::program::Program;
use crate::progress::Progress;
use crate::root::Root;

/// The verifying client is given up when it says nothing for so long.
const SILENCE_DEADLINE: Duration = Duration::from_secs(60);

/// `tickbench verify`: every check of every server asked for, in each of its lanes.
pub(crate) fn command(root: &Root, args: &VerifyArgs) -> anyhow::Result<ExitStatus> {
    let manifest = Manifest::read(root)?;
    let names = args.server.as_ref().map_or_else(|| manifest.names(), |name| vec![name.clone()]);
    for name in &names {
        manifest.server(name)?;
    }
    let mut interrupt = Interrupt::install()?;
    let progress = Progress::new();
    let mut builder = Builder::new(root, &mut interrupt, &progress)?;
    let verifier = verifier(&manifest, &[], &mut builder)?;
    let (servers, skipped) = builder.servers(&manifest, &names)?;
    progress.end();
    let mut failed = 0;
    for server in &servers {
        for &lane in &server.entry.lanes {
            out::line(format_args!("{} {} ({lane})", server.name, server.built.record.version));
            let show = |check: &Check| out::line(shown(check));
            let checks = run_checks(server, lane, &verifier, Loopback::default().0, &mut interrupt, show)?;
            failed += checks.iter().filter(|check| check.failure.is_some()).count();
        }
    }
    for SkippedServer { name, reason } in &skipped {
        out::line(format_args!("{name}: skipped, {reason}"));
    }
    match failed {
        0 if servers.is_empty() => out::line("no server is left to check"),
        0 => out::line("every check holds"),
        count => {
            out::line(format_args!("{count} checks failed: servers/PROTOCOL.md says what a server must do"))
        }
    }
    Ok(match failed {
        0 if servers.is_empty() => ExitStatus::Undecided,
        0 => ExitStatus::Success,
        _ => ExitStatus::CheckFailed,
    })
}

fn shown(check: &Check) -> String {
    match &check.failure {
        None => format!("  ok      {}", check.name),
        Some(failure) => format!("  FAILED  {}: {failure}", check.name),
    }
}

/// The command that checks servers, and a hash of it, from the first client that has one.
pub(crate) struct Verifier {
    program: Program,
    fingerprint: String,
}

/// The client that checks servers: one that is built already, or built now.
pub(crate) fn verifier(
    manifest: &Manifest,
    clients: &[Instrument],
    builder: &mut Builder<'_>,
) -> anyhow::Result<Verifier> {
    let entry = manifest.clients.iter().find(|client| client.verify.is_some());
    let entry = entry.context("no client in clients/clients.toml can verify a server")?;
    let Instrument { verify, built, .. } = builder.client_unless(clients, entry)?;
    let program = verify.context("the verifying client has a verify command")?;
    Ok(Verifier { program, fingerprint: built.fingerprint })
}

/// Checks servers before they are timed. A server that passed with the same bytes is not checked again. Returns those
/// that keep the contract, and those that do not.
pub(crate) fn before_timing(
    servers: Vec<Contestant>,
    lanes: &[Lane],
    verifier: &Verifier,
    passed: &PassedBefore,
    listen: SocketAddr,
    interrupt: &mut Interrupt,
    progress: &Progress,
) -> anyhow::Result<(Vec<Contestant>, Vec<SkippedServer>)> {
    let (mut fit, mut unfit) = (Vec::new(), Vec::new());
    for server in servers {
        let mut failure = None;
        for &lane in lanes.iter().filter(|lane| server.entry.lanes.contains(lane)) {
            let key = passed.key(&server, lane, verifier);
            if passed.holds(&key) {
                progress.now(&format!("verifying {} ({lane}): these bytes passed before", server.name));
                continue;
            }
            progress.now(&format!("verifying {} ({lane})", server.name));
            let checks = run_checks(&server, lane, verifier, listen, interrupt, |_| {})?;
            failure = first_failure(&checks, lane);
            if failure.is_some() {
                break;
            }
            passed.remember(&key, &checks)?;
        }
        match failure {
            None => fit.push(server),
            Some(reason) => {
                progress.say(&format!("{} is not timed: {reason}", server.name));
                unfit.push(SkippedServer { name: server.name.clone(), reason });
            }
        }
    }
    Ok((fit, unfit))
}

fn first_failure(checks: &[Check], lane: Lane) -> Option<String> {
    let failures: Vec<&Check> = checks.iter().filter(|check| check.failure.is_some()).collect();
    let first = failures.first()?;
    let more = match failures.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    let what = first.failure.as_deref().unwrap_or_default();
    Some(format!("it does not keep the contract in its {lane} lane: {}: {what}{more}", first.name))
}

/// Which bytes passed all checks: one file each, in the build folder.
pub(crate) struct PassedBefore(PathBuf);

impl PassedBefore {
    pub(crate) fn new(target: &Path) -> PassedBefore {
        PassedBefore(target.join("tickbench-verified"))
    }

    fn key(&self, server: &Contestant, lane: Lane, verifier: &Verifier) -> String {
        let line = checks_of(server, &verifier.program).line();
        let all = [&server.built.fingerprint, lane.name(), &verifier.fingerprint, &line].join("\n");
        hexadecimal(&Sha256::digest(all))
    }

    fn holds(&self, key: &str) -> bool {
        self.0.join(key).is_file()
    }

    fn remember(&self, key: &str, checks: &[Check]) -> anyhow::Result<()> {
        let text: String = checks.iter().map(|check| shown(check) + "\n").collect();
        std::fs::create_dir_all(&self.0)
            .and_then(|()| std::fs::write(self.0.join(key), text))
            .with_context(|| format!("failed to write `{}`", self.0.display()))
    }
}

fn checks_of(server: &Contestant, verify: &Program) -> Program {
    fn list<T: ToString>(words: &[T]) -> String {
        words.iter().map(T::to_string).collect::<Vec<_>>().join(",")
    }
    verify.with([
        "--encodings".into(),
        list(&server.entry.encodings),
        "--flush".into(),
        list(&server.entry.flush),
    ])
}

/// Runs every check of a server in a lane, handing each on as it is made.
fn run_checks(
    server: &Contestant,
    lane: Lane,
    verifier: &Verifier,
    listen: SocketAddr,
    interrupt: &mut Interrupt,
    mut made: impl FnMut(&Check),
) -> anyhow::Result<Vec<Check>> {
    let mut checks = Vec::new();
    let mut add = |check: Check| {
        made(&check);
        checks.push(check);
    };
    let launch = Launch { listen, core: None };
    let Some(live) = launched(LiveServer::launch(&server.built, lane, launch, interrupt), &mut add)? else {
        return Ok(checks);
    };
    let program =
        checks_of(server, &verifier.program).with(["--server".to_owned(), live.address.to_string()]);
    ask(&program, interrupt, &mut add)?;
    let complaint = unless_stopped(live.end())?.complaint();
    add(Check { name: "ends when standard input closes".into(), failure: complaint });
    if let Some(live) = launched(LiveServer::launch(&server.built, lane, launch, interrupt), &mut add)? {
        add(Check { name: "ends on SIGTERM".into(), failure: terminated(live)? });
    }
    Ok(checks)
}

/// A failed launch is a failed check.
fn launched(
    outcome: Result<LiveServer, Stop>,
    add: &mut impl FnMut(Check),
) -> anyhow::Result<Option<LiveServer>> {
    let name = "prints its ready line".to_owned();
    match outcome {
        Ok(live) => Ok(Some(live)),
        Err(Stop::Failed { reason, .. }) => {
            add(Check { name, failure: Some(reason) });
            Ok(None)
        }
        Err(stop) => unless_stopped(Err(stop)),
    }
}

fn terminated(mut live: LiveServer) -> anyhow::Result<Option<String>> {
    live.process.terminate();
    let status = live.process.wait_end(Instant::now() + END_DEADLINE)?;
    // A server may catch the signal and exit, or let it do what it does.
    let by_signal = |status: &std::process::ExitStatus| {
        std::os::unix::process::ExitStatusExt::signal(status) == Some(Signal::TERM.as_raw())
    };
    Ok(match status {
        None => Some(format!("the server went on for {} s", END_DEADLINE.as_secs())),
        Some(status) if status.success() || by_signal(&status) => None,
        Some(status) => Some(format!("the server {}{}", describe(status), last_words(&live.process))),
    })
}

/// Lets the client check a running server; each line that it prints is a check.
fn ask(program: &Program, interrupt: &mut Interrupt, add: &mut impl FnMut(Check)) -> anyhow::Result<()> {
    let mut client: Process = unless_stopped(start(program, None))?;
    let mut heard = Instant::now();
    loop {
        while let Some(line) = client.out.take_line() {
            let Check { name, failure } = serde_json::from_str(&line)
                .with_context(|| format!("the verifying client printed no check but {line:?}"))?;
            // Words of the server may be in it.
            add(Check { name, failure: failure.map(|failure| printable(&failure)) });
            heard = Instant::now();
        }
        if !client.out.is_open() {
            break;
        }
        let deadline = heard + SILENCE_DEADLINE;
        let in_time = wait(&mut [&mut client.out, &mut client.err], deadline, Some(interrupt))?;
        interrupt.check(" while a server was being verified: nothing was measured yet")?;
        if !in_time && Instant::now() >= deadline {
            let failure = format!("no answer within {} s", SILENCE_DEADLINE.as_secs());
            add(Check { name: "answers the verifying client".into(), failure: Some(failure) });
            return Ok(());
        }
    }
    match client.wait_end(Instant::now() + END_DEADLINE)? {
        // 0: every check holds; 1: one does not, and was told above.
        Some(status) if matches!(status.code(), Some(0 | 1)) => Ok(()),
        Some(status) => bail!(
            "failed to verify with `{}`: it {}{}",
            program.line(),
            describe(status),
            last_words(&client)
        ),
        None => bail!("failed to verify with `{}`: it did not end", program.line()),
    }
}

fn unless_stopped<T>(outcome: Result<T, Stop>) -> anyhow::Result<T> {
    outcome.map_err(|stop| match stop {
        Stop::Failed { reason, .. } | Stop::Overdue(reason) => anyhow::anyhow!(reason),
        Stop::Interrupted(interrupted) => interrupted.into(),
        Stop::Broken(cause) => cause,
    })
}
