//! One stream of ticks with harm in it, and what the client said of it.

use anyhow::{Context as _, bail};
use tickbench_record::{Measurement, Observation, Outcome, Stage, Study};

use crate::execute::{Executed, execute_under};
use crate::injection::Injection;
use crate::interrupt::Interrupt;
use crate::plan::Execution;

/// What is asked of the server.
pub(super) struct Stream {
    pub(super) connections: u32,
    /// Ticks a second over all connections; a whole number.
    pub(super) rate_per_s: u32,
    pub(super) window_ms: u64,
    /// What the server is told to do wrong.
    pub(super) faults: Vec<String>,
    /// Without a message for so long, the execution has failed.
    pub(super) stall_ms: u64,
}

/// Long enough for a first tick on a busy machine.
pub(super) const WARMUP_MS: u64 = 100;

impl Default for Stream {
    fn default() -> Stream {
        Stream { connections: 1, rate_per_s: 5_000, window_ms: 300, faults: Vec::new(), stall_ms: 2_000 }
    }
}

/// An execution that failed.
pub(super) struct Failed {
    pub(super) stage: Stage,
    pub(super) reason: String,
}

/// What came of a stream.
pub(super) type Seen = Result<Observation, Failed>;

/// The server and the client that are tested, and who may end it.
pub(super) struct Subject<'a> {
    pub(super) injection: &'a Injection,
    pub(super) interrupt: &'a mut Interrupt,
}

impl Subject<'_> {
    /// Measures a stream with these faults.
    pub(super) fn stream(&mut self, stream: &Stream) -> anyhow::Result<Seen> {
        self.stream_under(stream, &mut |_| {})
    }

    /// Measures a stream while something is done to the server, whose process `act` is told directly before the client starts.
    pub(super) fn stream_under(&mut self, stream: &Stream, act: &mut dyn FnMut(u32)) -> anyhow::Result<Seen> {
        let servers = [self.injection.contestant("selftest", &stream.faults)];
        let study = stream.study()?;
        let cell = study.cells(&[servers[0].name.clone()], |_| true).pop().context("a study has a cell")?;
        let execution = Execution { iteration: 0, position: 0, cell };
        let rig = self.injection.rig(&study, &servers);
        let executed = execute_under(&rig, &execution, self.interrupt, act)?;
        self.interrupt.check(": the self-test is not whole, and nothing of it is kept")?;
        let (Executed::Measured(Measurement { outcome, observation, .. })
        | Executed::Overdue(Measurement { outcome, observation, .. })) = executed
        else {
            bail!("an execution ended early, and nobody asked for it")
        };
        match (outcome, observation) {
            (Outcome::Failed { stage, reason }, _) => Ok(Err(Failed { stage, reason })),
            (Outcome::Completed, Some(observation)) => Ok(Ok(observation)),
            (Outcome::Completed, None) => bail!("a completed execution lacks its figures"),
        }
    }
}

impl Stream {
    fn study(&self) -> anyhow::Result<Study> {
        let Stream { connections, rate_per_s, window_ms, stall_ms, .. } = self;
        let kind = if *connections == 1 { "latency" } else { "scaling" };
        let text = format!(
            "name = 'selftest'\niterations = 1\nseed = 1\nstall_ms = {stall_ms}\nusage_samples_per_s = 0\n[[scenario]]\n\
             name = 'selftest'\nkind = '{kind}'\nconnections = [{connections}]\nwait = 'spin'\nrate_per_s = {rate_per_s}\nwarmup_ms = {WARMUP_MS}\n\
             window_ms = {window_ms}\n"
        );
        Study::from_toml(&text).context("failed to make a study of a stream")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stream_is_a_study() {
        for connections in [1, 4] {
            let study = Stream { connections, ..Stream::default() }.study().unwrap();
            assert_eq!(study.cells(&["a".into()], |_| true).len(), 1);
        }
    }
}
