//! One pass over a server in a lane: launched, streamed from, looked at, ended.

use std::time::{Duration, Instant};

use tickbench_record::{
    Encoding, Flush, Lane, Ledger, LedgerEntry, Reading, Stage, StreamPass, StreamRequest, Streamed,
    SystemCalls,
};

use super::{calls, flags, system};
use crate::build::Contestant;
use crate::interrupt::Interrupt;
use crate::launch::{END_DEADLINE, Launch, LiveServer, Stop, last_words, start};
use crate::process::{describe, wait};
use crate::program::Program;
use crate::progress::Progress;
use crate::root::Root;

/// What is streamed: flush mode, ticks a second (0 for a flood), ticks. Few enough that all passes over a server take less than
/// two seconds, and enough that what begins and ends a stream is a hundredth of it.
const STREAMS: [(Flush, f64, u64); 3] =
    [(Flush::Each, 1000.0, 250), (Flush::Each, 0.0, 1024), (Flush::Batch, 0.0, 1024)];

/// A client that takes longer than this for some hundred ticks gets no more of them.
const STREAM_DEADLINE: Duration = Duration::from_secs(10);

/// How servers are looked at.
pub(crate) struct Survey<'a> {
    pub(crate) root: &'a Root,
    /// The command that holds a stream open.
    pub(crate) streamer: &'a Program,
    pub(crate) launch: Launch,
    pub(crate) client_core: Option<usize>,
}

impl Survey<'_> {
    /// An entry for each of these programs in each lane that is `wanted` of its name in the manifest. What cannot be had of one is missing with its reason.
    pub(crate) fn of_all(
        &self,
        servers: &[Contestant],
        wanted: impl Fn(&str, Lane) -> bool,
        interrupt: &mut Interrupt,
        progress: &Progress,
    ) -> anyhow::Result<Ledger> {
        let mut ledger = Ledger::default();
        for (at, server) in servers.iter().enumerate() {
            let name = &server.entry.name;
            // A server under a second name is the same program.
            if servers[..at].iter().any(|earlier| earlier.entry.name == *name) {
                continue;
            }
            for &lane in Lane::ALL.iter().filter(|&&lane| wanted(name, lane)) {
                progress.now(&format!("looking at what {name} sets ({lane})"));
                match self.of_one(server, lane, interrupt) {
                    Ok(entry) => ledger.entries.push(entry),
                    Err(Stop::Failed { reason, .. } | Stop::Overdue(reason)) => {
                        ledger.entries.push(self.unseen(server, lane, &reason))
                    }
                    Err(Stop::Interrupted(interrupted)) => return Err(interrupted.into()),
                    Err(Stop::Broken(cause)) => return Err(cause),
                }
                interrupt.check(": nothing was measured yet")?;
            }
        }
        Ok(ledger)
    }

    fn of_one(
        &self,
        server: &Contestant,
        lane: Lane,
        interrupt: &mut Interrupt,
    ) -> Result<LedgerEntry, Stop> {
        let live = LiveServer::launch(&server.built, lane, self.launch, interrupt)?;
        let pid = live.process.id();
        let mut entry = self.unseen(server, lane, "nothing was streamed");
        entry.backlog = system::backlog(pid, live.address).into();
        let encoding = if server.entry.encodings.contains(&Encoding::Binary) {
            Encoding::Binary
        } else {
            Encoding::Json
        };
        for (flush, rate_per_s, count) in STREAMS {
            if !server.entry.flush.contains(&flush) {
                continue;
            }
            let request = StreamRequest { server: live.address, encoding, flush, rate_per_s, count };
            let seen = missing(self.stream(&request, interrupt, &mut |streamed| {
                // The first stream of a fresh process: what it set by itself, before a flood has moved anything.
                if entry.socket.read().is_none() {
                    entry.socket = system::settings(pid, live.address, streamed.client).into();
                    entry.executable = system::executable(pid).into();
                    entry.threads = system::threads(pid).into();
                }
            }))?;
            let calls = missing(self.traced(&live, &request, interrupt))?;
            entry.streams.push(StreamPass { flush, encoding, rate_per_s, seen, calls });
        }
        live.end()?;
        Ok(entry)
    }

    /// An entry of which nothing was read.
    fn unseen(&self, server: &Contestant, lane: Lane, reason: &str) -> LedgerEntry {
        fn none<T>(reason: &str) -> Reading<T> {
            Reading::Missing { missing: reason.into() }
        }
        LedgerEntry {
            server: server.entry.name.clone(),
            lane,
            version: server.built.record.version.clone(),
            build: flags::of_build(self.root, &server.built.build, &server.built.record.build),
            executable: none(reason),
            threads: none(reason),
            backlog: none(reason),
            socket: none(reason),
            streams: Vec::new(),
        }
    }

    /// Streams with the server under a tracer.
    fn traced(
        &self,
        live: &LiveServer,
        request: &StreamRequest,
        interrupt: &mut Interrupt,
    ) -> Result<SystemCalls, Stop> {
        let failed = |reason| Stop::failed(Stage::Measure, reason);
        let pid = live.process.id();
        let tracer = system::Tracer::attach(pid).map_err(failed)?;
        let mut descriptors = Err("the stream ended before its connection was found".to_owned());
        let streamed = self.stream(request, interrupt, &mut |streamed| {
            descriptors = system::descriptors(pid, live.address, streamed.client);
        });
        let calls = tracer.finish().map_err(failed);
        let (streamed, calls) = (streamed?, calls?);
        calls::of_stream(&calls, &descriptors.map_err(failed)?, &streamed).map_err(failed)
    }

    /// Lets a client receive a stream; calls `look` while it holds the connection.
    fn stream(
        &self,
        request: &StreamRequest,
        interrupt: &mut Interrupt,
        look: &mut dyn FnMut(&Streamed),
    ) -> Result<Streamed, Stop> {
        let mut client = start(&self.streamer.with(request.to_args()), self.client_core)?;
        let deadline = Instant::now() + STREAM_DEADLINE;
        let line = loop {
            if let Some(line) = client.out.take_line() {
                break line;
            }
            if !client.out.is_open() {
                let end = client.wait_end(Instant::now() + END_DEADLINE)?;
                let what = end.map_or("closed its standard output".into(), describe);
                let reason = format!("the client {what} before the last tick{}", last_words(&client));
                return Err(Stop::failed(Stage::Measure, reason));
            }
            let in_time = wait(&mut [&mut client.out, &mut client.err], deadline, Some(interrupt))?;
            interrupt.check(": nothing was measured yet")?;
            if !in_time && Instant::now() >= deadline {
                let reason = format!("the client had no last tick within {} s", STREAM_DEADLINE.as_secs());
                return Err(Stop::failed(Stage::Measure, reason));
            }
        };
        let streamed = serde_json::from_str(&line).map_err(|cause| {
            Stop::failed(Stage::Measure, format!("the client printed no stream but {line:?} ({cause})"))
        })?;
        look(&streamed);
        client.close_stdin();
        if client.wait_end(Instant::now() + END_DEADLINE)?.is_none() {
            client.kill();
        }
        Ok(streamed)
    }
}

/// A failure as a reading that is missing; what ends everything ends this too.
fn missing<T>(outcome: Result<T, Stop>) -> Result<Reading<T>, Stop> {
    match outcome {
        Ok(value) => Ok(Reading::Read(value)),
        Err(Stop::Failed { reason, .. } | Stop::Overdue(reason)) => Ok(Reading::Missing { missing: reason }),
        Err(stop) => Err(stop),
    }
}
