//! Whether a server keeps the contract: asked before it is timed, and by `tickbench verify`.
//!
//! What goes over the wire is checked by a client; how the process starts and ends is checked here.

mod judge;
mod passed;
mod process;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tickbench_record::{Check, Deviation, Lane, SkippedServer, printable};

use crate::build::{Builder, Contestant, Instrument};
use crate::cli::{Loopback, VerifyArgs};
use crate::exit::ExitStatus;
use crate::interrupt::Interrupt;
use crate::launch::{END_DEADLINE, Stop, last_words, start};
use crate::manifest::Manifest;
use crate::process::{Process, describe, wait};
use crate::program::Program;
use crate::progress::Progress;
use crate::root::Root;
use crate::{fingerprint, limits, out, study};
use judge::{Judgement, judge, shown};
pub(crate) use passed::PassedBefore;

/// The verifying client is given up when it says nothing for so long.
const SILENCE_DEADLINE: Duration = Duration::from_secs(60);

/// Connections that are held at once where nobody says how many: as many as the default study holds.
const USUAL_CONNECTIONS: u32 = 1_000;

/// `tickbench verify`: every check of every server asked for, in each of its lanes.
pub(crate) fn command(root: &Root, args: &VerifyArgs) -> anyhow::Result<ExitStatus> {
    let manifest = Manifest::read(root)?;
    let names = args.server.as_ref().map_or_else(|| manifest.names(), |name| vec![name.clone()]);
    for name in &names {
        manifest.server(name)?;
    }
    let connections = connections(args.connections)?;
    let seed = args.seed.unwrap_or_else(study::draw_seed);
    let mut interrupt = Interrupt::install()?;
    let progress = Progress::new();
    let mut builder = Builder::new(root, &mut interrupt, &progress)?;
    let verifier = verifier(&manifest, &[], &mut builder)?.asking(connections, seed);
    let (servers, skipped) = builder.servers(&manifest, &names)?;
    progress.end();
    let (mut failed, mut deviated) = (0, 0);
    for server in &servers {
        for &lane in &server.entry.lanes {
            out::line(format_args!(
                "{} {} ({lane}), {connections} connections, seed {seed}",
                server.name, server.built.record.version
            ));
            let show = |check: &Check| out::line(shown(check, &server.entry.deviations));
            let checks = run_checks(server, lane, &verifier, Loopback::default().0, &mut interrupt, show)?;
            let judgement = judge(&checks, &server.entry.deviations);
            judgement.misdeclared.iter().for_each(|what| out::line(format_args!("  FAILED  {what}")));
            failed += judgement.complaints().count();
            let deviations = &judgement.deviations;
            deviated += deviations.iter().filter(|deviation| deviation.seen.is_some()).count();
            deviations.iter().filter_map(unseen).for_each(|note| out::line(format_args!("  note    {note}")));
        }
    }
    for SkippedServer { name, reason } in &skipped {
        out::line(format_args!("{name}: skipped, {reason}"));
    }
    match (failed, deviated) {
        (0, 0) if servers.is_empty() => out::line("no server is left to check"),
        (0, 0) => out::line("every check holds"),
        (0, count) => out::line(format_args!("every check holds but for {count} declared deviations")),
        (count, _) => {
            out::line(format_args!("{count} checks failed: servers/PROTOCOL.md says what a server must do"));
        }
    }
    Ok(match failed {
        0 if servers.is_empty() => ExitStatus::Undecided,
        0 => ExitStatus::Success,
        _ => ExitStatus::CheckFailed,
    })
}

/// As many connections as were asked for; else as many as are usual and a process may hold.
fn connections(asked: Option<u32>) -> anyhow::Result<u32> {
    if let Some(connections) = asked {
        limits::raise_open_files(connections)?;
        return Ok(connections);
    }
    let limit = limits::raise_open_files(1)?;
    let most = limit.map_or(u64::MAX, |limit| limit.saturating_sub(limits::BESIDES)).max(1);
    Ok(u32::try_from(most).unwrap_or(u32::MAX).min(USUAL_CONNECTIONS))
}

/// What to say of a declared deviation that does not occur.
fn unseen(deviation: &Deviation) -> Option<String> {
    let Deviation { check, seen, .. } = deviation;
    let note = format!("the manifest declares the deviation `{check}`, and that check holds: take it out");
    seen.is_none().then_some(note)
}

/// The command that checks servers, from the first client that has one, and what it is asked.
pub(crate) struct Verifier {
    program: Program,
    /// Of the client's program and this command.
    fingerprint: String,
    /// The hash of this program, which makes checks as well.
    harness: String,
    connections: u32,
    seed: u64,
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
    let this = std::env::current_exe().context("failed to find this program's own file")?;
    Ok(Verifier {
        fingerprint: format!("{}\n{}", built.fingerprint, fingerprint::of_command(&program)?),
        harness: fingerprint::file_hash(&this)?,
        program,
        connections: 1,
        seed: 0,
    })
}

impl Verifier {
    /// The same, holding so many connections at once, its chances and its feeds drawn from `seed`.
    pub(crate) fn asking(self, connections: u32, seed: u64) -> Verifier {
        Verifier { connections, seed, ..self }
    }

    /// The command for a server, but for where it listens and for the seed.
    fn program_for(&self, server: &Contestant) -> Program {
        fn list<T: ToString>(words: &[T]) -> String {
            words.iter().map(T::to_string).collect::<Vec<_>>().join(",")
        }
        self.program.with([
            "--encodings".into(),
            list(&server.entry.encodings),
            "--flush".into(),
            list(&server.entry.flush),
            "--connections".into(),
            self.connections.to_string(),
        ])
    }
}

/// Checks servers before they are timed. A server that passed with the same bytes is not checked again. Returns those
/// that keep the contract, with what they deviate in, and those that do not.
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
    for mut server in servers {
        let mut failure = None;
        for &lane in lanes.iter().filter(|lane| server.entry.lanes.contains(lane)) {
            let judgement = judged_once(&server, lane, verifier, passed, listen, interrupt, progress)?;
            failure = first_complaint(&judgement, lane);
            if failure.is_some() {
                break;
            }
            note(&mut server.built.record.deviations, judgement.deviations);
        }
        match failure {
            None => {
                let notes = server.built.record.deviations.iter().filter_map(unseen);
                notes.for_each(|note| progress.say(&format!("note: {}: {note}", server.name)));
                fit.push(server);
            }
            Some(reason) => {
                progress.say(&format!("{} is not timed: {reason}", server.name));
                unfit.push(SkippedServer { name: server.name.clone(), reason });
            }
        }
    }
    Ok((fit, unfit))
}

/// Judges a server in a lane by checks that were made before of the same bytes, where it passed them, or by new ones.
fn judged_once(
    server: &Contestant,
    lane: Lane,
    verifier: &Verifier,
    passed: &PassedBefore,
    listen: SocketAddr,
    interrupt: &mut Interrupt,
    progress: &Progress,
) -> anyhow::Result<Judgement> {
    let file = passed.file(server, lane, verifier)?;
    let before = passed::read(&file).map(|checks| judge(&checks, &server.entry.deviations));
    if let Some(judgement) = before.filter(|judgement| judgement.complaints().next().is_none()) {
        progress.now(&format!("verifying {} ({lane}): these bytes passed before", server.name));
        return Ok(judgement);
    }
    progress.now(&format!("verifying {} ({lane})", server.name));
    let checks = run_checks(server, lane, verifier, listen, interrupt, |_| {})?;
    let judgement = judge(&checks, &server.entry.deviations);
    if judgement.complaints().next().is_none() {
        passed::write(&file, &checks)?;
    }
    Ok(judgement)
}

/// Adds what was found in a further lane: a deviation occurs where it does in any.
fn note(known: &mut Vec<Deviation>, found: Vec<Deviation>) {
    for deviation in found {
        match known.iter_mut().find(|known| known.check == deviation.check) {
            Some(known) => known.seen = known.seen.take().or(deviation.seen),
            None => known.push(deviation),
        }
    }
}

fn first_complaint(judgement: &Judgement, lane: Lane) -> Option<String> {
    let first = judgement.complaints().next()?;
    let more = match judgement.complaints().count() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    Some(format!("it does not keep the contract in its {lane} lane: {first}{more}"))
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
    let Some(live) = process::launched(server, lane, listen, interrupt, &mut add)? else {
        return Ok(checks);
    };
    let program = verifier.program_for(server).with([
        "--seed".to_owned(),
        verifier.seed.to_string(),
        "--server".to_owned(),
        live.address.to_string(),
    ]);
    ask(&program, interrupt, &mut add)?;
    add(process::ended(live)?);
    if let Some(live) = process::launched(server, lane, listen, interrupt, &mut add)? {
        add(process::terminated(live)?);
    }
    process::started_wrong(&server.built, &mut add)?;
    Ok(checks)
}

/// Lets the client check a running server; each line that it prints is a check.
fn ask(program: &Program, interrupt: &mut Interrupt, add: &mut impl FnMut(Check)) -> anyhow::Result<()> {
    let mut client: Process = unless_stopped(start(program, None))?;
    let mut heard = Instant::now();
    loop {
        while let Some(line) = client.out.take_line() {
            let check: Check = serde_json::from_str(&line)
                .with_context(|| format!("the verifying client printed no check but {line:?}"))?;
            // Words of the server may be in it.
            let failure = check.failure.as_deref().map(printable);
            add(Check { failure, ..check });
            heard = Instant::now();
        }
        if !client.out.is_open() {
            break;
        }
        let deadline = heard + SILENCE_DEADLINE;
        let in_time = wait(&mut [&mut client.out, &mut client.err], deadline, Some(interrupt))?;
        interrupt.check(" while a server was being verified: nothing was measured yet")?;
        if !in_time && Instant::now() >= deadline {
            add(Check {
                id: "answers".into(),
                name: "answers the verifying client".into(),
                essential: true,
                failure: Some(format!("no answer within {} s", SILENCE_DEADLINE.as_secs())),
            });
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
