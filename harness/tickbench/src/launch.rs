//! Starting a server and ending it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tickbench_protocol::parse_ready_line;
use tickbench_record::{Lane, Stage};

use crate::build::Built;
use crate::exit::Interrupted;
use crate::interrupt::Interrupt;
use crate::process::{Process, describe, wait};
use crate::program::Program;
use crate::system;

/// Within this time a server prints its ready line.
const READY_DEADLINE: Duration = Duration::from_secs(5);

/// Within this time a process ends once it is asked to.
pub(crate) const END_DEADLINE: Duration = Duration::from_secs(1);

/// Why an execution has no figures.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The server failed, and the failure is the execution's record.
    Failed { stage: Stage, reason: String },
    /// The client outlived its deadline while the server ran, and nobody knows why.
    Overdue(String),
    /// The user wants to end at once.
    Interrupted(Interrupted),
    /// What is no server's doing: the client, the harness or the machine fails.
    Broken(anyhow::Error),
}

impl From<std::io::Error> for Stop {
    fn from(cause: std::io::Error) -> Stop {
        Stop::Broken(cause.into())
    }
}

impl From<Interrupted> for Stop {
    fn from(interrupted: Interrupted) -> Stop {
        Stop::Interrupted(interrupted)
    }
}

impl Stop {
    pub(crate) fn failed(stage: Stage, reason: impl Into<String>) -> Stop {
        Stop::Failed { stage, reason: reason.into() }
    }

    pub(crate) fn broken(reason: String) -> Stop {
        Stop::Broken(anyhow::Error::msg(reason))
    }
}

/// How servers are started in a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Launch {
    pub(crate) listen: SocketAddr,
    /// The core to pin to.
    pub(crate) core: Option<usize>,
}

/// A server that accepts connections.
#[derive(Debug)]
pub(crate) struct LiveServer {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

/// How a server ended.
#[derive(Debug)]
pub(crate) enum ServerEnd {
    /// By itself, with status 0, soon after its standard input closed.
    Clean,
    /// Only when it was told twice. A check of the contract fails by this; a measurement that was complete before does not,
    /// for a busy machine can delay an end.
    Late(String),
    /// With an error, or by force.
    Wrong(String),
}

impl ServerEnd {
    /// What was not as the contract says.
    pub(crate) fn complaint(self) -> Option<String> {
        match self {
            ServerEnd::Clean => None,
            ServerEnd::Late(what) | ServerEnd::Wrong(what) => Some(what),
        }
    }
}

/// Starts a program of the harness's own, a client or what looks after cores, and checks that it runs where it should.
pub(crate) fn start(program: &Program, core: Option<usize>) -> Result<Process, Stop> {
    let mut process = spawn(program, core)?;
    check_core(&mut process, program, core).map_err(Stop::broken)?;
    Ok(process)
}

/// A program that does not even start has done nothing: it is missing, or the machine has no room for it.
fn spawn(program: &Program, core: Option<usize>) -> Result<Process, Stop> {
    Process::start(program, core)
        .map_err(|cause| Stop::broken(format!("failed to start `{}`: {cause}", program.line())))
}

fn check_core(process: &mut Process, program: &Program, core: Option<usize>) -> Result<(), String> {
    let Some(core) = core else { return Ok(()) };
    match system::allowed_cores_of(process.id()) {
        Ok(found) if found == [core] => Ok(()),
        // It may have ended already; what it did says more than this.
        Err(_) if process.status().is_some() => Ok(()),
        Ok(found) => Err(format!("asked for core {core}, read back {found:?}")),
        Err(cause) => {
            Err(format!("failed to read the affinity of `{}` back: {cause}", program.argv[0].display()))
        }
    }
}

impl LiveServer {
    /// Starts a server and waits for its ready line.
    pub(crate) fn launch(
        built: &Built,
        lane: Lane,
        launch: Launch,
        interrupt: &mut Interrupt,
    ) -> Result<LiveServer, Stop> {
        let tuned = (lane == Lane::Tuned).then(|| "--tuned".to_owned());
        let program = built.run.with(["--listen".to_owned(), launch.listen.to_string()]).with(tuned);
        LiveServer::start(&program, launch.core, interrupt)
    }

    /// Starts the program of a server, its arguments complete, and waits for its ready line.
    pub(crate) fn start(
        program: &Program,
        core: Option<usize>,
        interrupt: &mut Interrupt,
    ) -> Result<LiveServer, Stop> {
        let mut process = spawn(program, core)?;
        // A server may pin itself elsewhere.
        check_core(&mut process, program, core).map_err(|what| Stop::failed(Stage::Launch, what))?;
        let line = ready_line(&mut process, "server", interrupt)?;
        match parse_ready_line(&line) {
            Some(address) => Ok(LiveServer { process, address }),
            None => {
                Err(failed_launch(&process, &format!("the server printed {line:?} instead of a ready line")))
            }
        }
    }

    /// Ends the server as its contract says: by closing its standard input; by force where that does not do.
    pub(crate) fn end(mut self) -> Result<ServerEnd, Stop> {
        self.process.close_stdin();
        if let Some(status) = self.process.wait_end(Instant::now() + END_DEADLINE)? {
            if status.success() {
                return Ok(ServerEnd::Clean);
            }
            let (what, words) = (describe(status), last_words(&self.process));
            return Ok(ServerEnd::Wrong(format!("when its standard input closed, the server {what}{words}")));
        }
        self.process.terminate();
        if self.process.wait_end(Instant::now() + END_DEADLINE)?.is_some() {
            return Ok(ServerEnd::Late(
                "the server went on after its standard input closed, until SIGTERM".into(),
            ));
        }
        self.process.kill();
        let what = "the server went on after its standard input closed and after SIGTERM: it was killed";
        Ok(ServerEnd::Wrong(what.into()))
    }

    /// What can be told of the server beside what a client saw of it: its end, that it is stopped, its last words.
    pub(crate) fn condition(&mut self) -> Option<String> {
        let state = match self.process.status() {
            Some(status) => Some(describe(status)),
            None => system::idle_state(self.process.id()).map(|state| format!("is {state}")),
        };
        let words = last_words(&self.process);
        match state {
            Some(state) => Some(format!("the server {state}{words}")),
            None if !words.is_empty() => Some(format!("the server runs on{words}")),
            None => None,
        }
    }
}

/// The first line that a process prints, which says that it is ready. `role` is what to call the process.
pub(crate) fn ready_line(
    process: &mut Process,
    role: &str,
    interrupt: &mut Interrupt,
) -> Result<String, Stop> {
    let deadline = Instant::now() + READY_DEADLINE;
    loop {
        if let Some(line) = process.out.take_line() {
            return Ok(line);
        }
        if !process.out.is_open() {
            let end = process.wait_end(Instant::now() + END_DEADLINE)?;
            let what = end.map_or("closed its standard output".into(), describe);
            return Err(failed_launch(process, &format!("the {role} {what} before its ready line")));
        }
        let in_time = wait(&mut [&mut process.out, &mut process.err], deadline, Some(interrupt))?;
        interrupt.check_at_once()?;
        if !in_time && Instant::now() >= deadline {
            let waited = READY_DEADLINE.as_secs();
            return Err(failed_launch(
                process,
                &format!("the {role} printed no ready line within {waited} s"),
            ));
        }
    }
}

fn failed_launch(process: &Process, what: &str) -> Stop {
    Stop::failed(Stage::Launch, format!("{what}{}", last_words(process)))
}

/// The end of what a process wrote to standard error, for a reason.
pub(crate) fn last_words(process: &Process) -> String {
    let lines = process.err.last_lines(3);
    if lines.is_empty() {
        return String::new();
    }
    let text = lines.join(" / ");
    let start = text.char_indices().rev().nth(399).map_or(0, |(at, _)| at);
    format!("; its last words: {}", &text[start..])
}
