//! The usage of server and client: at both ends of the window, and over it.

use std::io::ErrorKind;

use tickbench_record::{Request, Usage, UsageSamples};

use crate::usage::{Meter, Snapshot, UsageError};

/// Reads the usage of both processes.
#[derive(Debug)]
pub struct UsageSampler {
    server: Option<Meter>,
    client: Option<Meter>,
    start: (Option<Snapshot>, Option<Snapshot>),
    period_ns: Option<u64>,
    opened_ns: u64,
    next_ns: u64,
    samples: UsageSamples,
}

impl UsageSampler {
    /// Opens the counters. On a system that has none, usage is absent; a server's process that is not there is an error.
    pub fn new(request: &Request) -> Result<UsageSampler, UsageError> {
        let per_s = u64::from(request.usage_samples_per_s);
        // Room for all samples at once: the window is no time to grow.
        let expected = (request.window_ns as u128 * u128::from(per_s) / 1_000_000_000) as usize + 2;
        let column = || Vec::with_capacity(expected.min(1 << 20));
        Ok(UsageSampler {
            server: request.server_pid.map(Meter::of).transpose().or_else(none_where_unsupported)?,
            client: Meter::own().map(Some).or_else(none_where_unsupported)?,
            start: (None, None),
            period_ns: 1_000_000_000u64.checked_div(per_s),
            opened_ns: 0,
            next_ns: u64::MAX,
            samples: UsageSamples {
                at_ns: column(),
                server_cpu_ns: column(),
                server_rss_bytes: column(),
                client_cpu_ns: column(),
                client_rss_bytes: column(),
            },
        })
    }

    /// Reads all counters just before the window. Takes some 100 µs.
    pub fn start(&mut self) -> Result<(), UsageError> {
        let read = |meter: &Option<Meter>| meter.as_ref().map(Meter::snapshot_at_start).transpose();
        self.start = (read(&self.server)?, read(&self.client)?);
        Ok(())
    }

    /// The window begins.
    pub fn open(&mut self, now_ns: u64) {
        self.opened_ns = now_ns;
        self.next_ns = if self.period_ns.is_some() { now_ns } else { u64::MAX };
    }

    /// When the next sample is due.
    pub fn next_ns(&self) -> u64 {
        self.next_ns
    }

    /// Takes the sample that is due, if the client is `idle` or has not been for half a period.
    pub fn poll(&mut self, now_ns: u64, idle: bool) -> Result<(), UsageError> {
        let Some(period_ns) = self.period_ns else { return Ok(()) };
        if now_ns < self.next_ns || !(idle || now_ns - self.next_ns > period_ns / 2) {
            return Ok(());
        }
        if let (Some(server), Some(client)) = (&self.server, &self.client) {
            let (server, client) = (server.sample()?, client.sample()?);
            self.samples.at_ns.push(now_ns - self.opened_ns);
            self.samples.server_cpu_ns.push(server.cpu_ns);
            self.samples.server_rss_bytes.push(server.rss_bytes);
            self.samples.client_cpu_ns.push(client.cpu_ns);
            self.samples.client_rss_bytes.push(client.rss_bytes);
        }
        self.next_ns += (1 + (now_ns - self.next_ns) / period_ns) * period_ns;
        Ok(())
    }

    /// What the server's process is doing, where it is known.
    pub fn server_state(&self) -> Option<&'static str> {
        self.server.as_ref().map(Meter::state)
    }

    /// Reads all counters just after a window since whose opening messages came at `messages_per_s`.
    pub(crate) fn finish(&mut self, messages_per_s: f64) -> Result<WindowUsage, UsageError> {
        let read = |meter: &Option<Meter>| meter.as_ref().map(Meter::snapshot_at_end).transpose();
        let (server, client) = (read(&self.server)?, read(&self.client)?);
        let usage =
            |start: Option<Snapshot>, end: Option<Snapshot>| Some(start?.until(&end?, messages_per_s));
        let samples = std::mem::take(&mut self.samples);
        Ok(WindowUsage {
            server_rss_start_bytes: self.start.0.map(|start| start.rss_bytes),
            server: usage(self.start.0, server),
            client: usage(self.start.1, client),
            samples: (!samples.at_ns.is_empty()).then_some(samples),
        })
    }
}

/// What both processes used in the window, where it can be read.
#[derive(Debug)]
pub(crate) struct WindowUsage {
    pub(crate) server: Option<Usage>,
    pub(crate) client: Option<Usage>,
    pub(crate) samples: Option<UsageSamples>,
    /// The server's resident memory just before the window.
    pub(crate) server_rss_start_bytes: Option<u64>,
}

fn none_where_unsupported<T>(error: UsageError) -> Result<Option<T>, UsageError> {
    if error.cause.kind() == ErrorKind::Unsupported { Ok(None) } else { Err(error) }
}
