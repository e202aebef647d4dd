//! How a server's process starts and ends: what no client sees.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::Signal;
use tickbench_record::{Check, Lane};

use super::unless_stopped;
use crate::build::{Built, Contestant};
use crate::interrupt::Interrupt;
use crate::launch::{END_DEADLINE, Launch, LiveServer, Stop, last_words, start};
use crate::process::{Process, describe};
use crate::program::Program;

/// A server that is to end by itself, or to answer, has done so by then.
const PATIENCE: Duration = Duration::from_secs(5);

/// What no server takes.
const WRONG_FLAGS: [&[&str]; 3] = [&["--no-such-flag"], &["--listen", "nowhere"], &["--listen"]];

/// A check of this file. What they find, no framework does by itself.
fn check(id: &str, name: impl Into<String>, failure: Option<String>) -> Check {
    Check { id: id.into(), name: name.into(), essential: true, failure }
}

/// Starts a server; a failed launch is a failed check.
pub(super) fn launched(
    server: &Contestant,
    lane: Lane,
    listen: SocketAddr,
    interrupt: &mut Interrupt,
    add: &mut impl FnMut(Check),
) -> anyhow::Result<Option<LiveServer>> {
    let launch = Launch { listen, core: None };
    let (live, failure) = match LiveServer::launch(&server.built, lane, launch, interrupt) {
        Ok(live) => (Some(live), None),
        Err(Stop::Failed { reason, .. }) => (None, Some(reason)),
        Err(stop) => return unless_stopped(Err(stop)),
    };
    add(check("ready-line", "prints its ready line", failure));
    Ok(live)
}

/// Closes standard input in the middle of a flood.
pub(super) fn ended(live: LiveServer) -> anyhow::Result<Check> {
    let name = "ends when standard input closes, in the middle of a flood";
    let flood = match flooded(live.address) {
        Ok(flood) => flood,
        Err(what) => return Ok(check("stdin-end", name, Some(what))),
    };
    let complaint = unless_stopped(live.end())?.complaint();
    drop(flood);
    Ok(check("stdin-end", name, complaint))
}

/// Sends SIGTERM in the middle of a flood.
pub(super) fn terminated(mut live: LiveServer) -> anyhow::Result<Check> {
    let (id, name) = ("sigterm", "ends on SIGTERM, in the middle of a flood");
    let flood = match flooded(live.address) {
        Ok(flood) => flood,
        Err(what) => return Ok(check(id, name, Some(what))),
    };
    live.process.terminate();
    let status = live.process.wait_end(Instant::now() + END_DEADLINE)?;
    drop(flood);
    // A server may catch the signal and exit, or let it do what it does.
    let by_signal = |status: &ExitStatus| status.signal() == Some(Signal::TERM.as_raw());
    let failure = match status {
        None => Some(format!("the server went on for {} s", END_DEADLINE.as_secs())),
        Some(status) if status.success() || by_signal(&status) => None,
        Some(status) => Some(format!("the server {}{}", describe(status), last_words(&live.process))),
    };
    Ok(check(id, name, failure))
}

/// A flood that has begun and is not read: what a server has open when it is told to end.
fn flooded(server: SocketAddr) -> Result<TcpStream, String> {
    let failed = |cause: std::io::Error| format!("failed to ask for a flood: {cause}");
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    write!(
        stream,
        "GET /ticks?rate=0 HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    .map_err(failed)?;
    stream.read_exact(&mut [0]).map_err(failed)?;
    Ok(stream)
}

/// What is done with the command line.
pub(super) fn started_wrong(built: &Built, add: &mut impl FnMut(Check)) -> anyhow::Result<()> {
    for flags in WRONG_FLAGS {
        let failure = refused_flags(&built.run.with(flags.iter().copied()))?;
        add(check("wrong-flags", format!("refuses `{}`", flags.join(" ")), failure));
    }
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("failed to listen on a free port")?;
    let address = taken.local_addr().context("failed to read the address of a listener")?;
    let failure = refused_address(&built.run.with(["--listen".to_owned(), address.to_string()]))?;
    add(check("taken-address", "ends where it cannot listen", failure));
    let failure = told_version(&built.run.with(["--version"]))?;
    add(check("version", "tells its name and version", failure));
    Ok(())
}

/// The end of a process that is to end by itself; what it did instead where it does not.
fn end_of(program: &Program) -> anyhow::Result<Result<(ExitStatus, Process), String>> {
    let mut process = unless_stopped(start(program, None))?;
    Ok(match process.wait_end(Instant::now() + PATIENCE)? {
        Some(status) => Ok((status, process)),
        None => Err(format!("it ran on for {} s", PATIENCE.as_secs())),
    })
}

fn refused_flags(program: &Program) -> anyhow::Result<Option<String>> {
    Ok(match end_of(program)? {
        Err(what) => Some(what),
        Ok((status, process)) if status.code() != Some(2) => {
            Some(format!("it {} where exit code 2 was due{}", describe(status), last_words(&process)))
        }
        Ok((_, process)) if process.err.text().split_whitespace().count() < 3 => {
            Some("it printed no sentence on standard error".into())
        }
        Ok(_) => None,
    })
}

fn refused_address(program: &Program) -> anyhow::Result<Option<String>> {
    Ok(match end_of(program)? {
        Err(what) => Some(format!("the address was taken, and {what}")),
        Ok((status, _)) if status.success() => {
            Some("the address was taken, and it ended with exit code 0".into())
        }
        Ok(_) => None,
    })
}

fn told_version(program: &Program) -> anyhow::Result<Option<String>> {
    Ok(match end_of(program)? {
        Err(what) => Some(what),
        Ok((status, process)) if !status.success() => {
            Some(format!("it {}{}", describe(status), last_words(&process)))
        }
        Ok((_, process)) => {
            let printed = process.out.text();
            let is_one_line =
                printed.trim_end().lines().count() == 1 && printed.split_whitespace().count() >= 2;
            (!is_one_line).then(|| format!("it printed {printed:?} where one line of NAME VERSION was due"))
        }
    })
}
