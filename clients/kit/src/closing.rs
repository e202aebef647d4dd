//! The end of a measurement: what was seen, put together.

use std::path::Path;

use tickbench_record::{Hiccups, Observation, Relayed, Sample, Stage, Stages, write_samples};

use crate::clock_map::{ClockMap, Offset};
use crate::gaps::Gaps;
use crate::memory::read_memory;
use crate::{Failure, Question, Session, lag, stages};

impl Session {
    /// What was seen. `closed_ns` is the end of the last poll.
    ///
    /// # Errors
    /// Where what was seen cannot be believed, and where something cannot be read or written that was asked for.
    pub fn finish(mut self, closed_ns: u64) -> Result<Observation, Failure> {
        if self.recorder.question() == Question::Flood {
            self.recorder.end_at(closed_ns);
        }
        self.read_usage(closed_ns)?;
        let clocks = self.clocks.take().map(|before| ClockMap::between(before, Offset::read()));
        let (usage, hiccups) = self.take_window();
        let Session { mut recorder, server_gaps, opened_ns, samples, .. } = self;
        let is_relay = recorder.question() == Question::Relay;
        let cleaned = recorder.cleaned();
        let kept = recorder.take_kept();
        let contents = recorder.contents.take();
        // First whether the streams are whole: what is missing or merged is none of the contents' faults.
        let mut observation = recorder.finish(closed_ns)?;
        observation.checked = match contents {
            Some(contents) => contents.check()?,
            // Each answer was compared with its question as it came.
            None => observation.received,
        };
        let end_ns = opened_ns + observation.elapsed_ns;
        if let (Some(file), Some(lags), 1) = (&server_gaps, kept.lags(), self.connections) {
            let gaps = Gaps::read(file, opened_ns, closed_ns)
                .map_err(|cause| unreadable_gaps(Stage::Audit, &cause))?;
            let (cleaned, hiccups) = lag::cleaned(&lags, &gaps, end_ns);
            observation.lag_cleaned_ns = cleaned;
            observation.server_hiccups = Some(hiccups);
        }
        if let Some(hiccups) = hiccups {
            let (cleaned, set_aside) = cleaned;
            if observation.round_trip_ns.is_some() {
                observation.round_trip_cleaned_ns = cleaned;
            } else {
                observation.delivery_cleaned_ns = cleaned;
            }
            observation.client_hiccups = Some(Hiccups { set_aside, ..hiccups });
        }
        if let Some(mut messages) = kept.into_messages()? {
            observation.stages = clocks.map(|clocks| split(&mut messages, &clocks)).transpose()?;
            if let Some(path) = &samples {
                write_samples(path, &messages).map_err(|cause| unwritable(path, &cause))?;
            }
        }
        observation.connect_ns = self.connect_ns;
        if let Some(usage) = usage {
            if is_relay {
                let server_rss_start_bytes = usage.server_rss_start_bytes;
                observation.relayed = Some(Relayed { server_rss_start_bytes, ..Relayed::default() });
            }
            observation.server_usage = usage.server;
            observation.client_usage = usage.client;
            observation.usage_samples = usage.samples;
        }
        if let (Some(before), Some(pid)) = (self.memory_before, self.server_pid) {
            // After all counters: it takes milliseconds of a server that holds much.
            match (before, read_memory(pid)) {
                (Ok(before), Ok(after)) => {
                    observation.server_memory_before = Some(before);
                    observation.server_memory_after = Some(after);
                }
                (Err(error), _) | (_, Err(error)) => {
                    observation.server_memory_missing = Some(error.to_string());
                }
            }
        }
        Ok(observation)
    }
}

/// The stages of the messages, whose kernel times are put on the client's clock.
fn split(messages: &mut [Sample], clocks: &ClockMap) -> Result<Stages, Failure> {
    stages::map(messages, clocks);
    let stages = stages::of(messages, clocks.bound_ns);
    if stages.stamped == 0 {
        let reason =
            "no message of the window has a timestamp of the kernel: leave stages out on this system";
        return Err(Failure::own(Stage::Audit, reason));
    }
    Ok(stages)
}

fn unwritable(path: &Path, cause: &std::io::Error) -> Failure {
    Failure::own(Stage::Audit, format!("failed to write the samples to `{}`: {cause}", path.display()))
}

pub(crate) fn unreadable_gaps(stage: Stage, cause: &std::io::Error) -> Failure {
    Failure::own(stage, format!("failed to read the gaps of the server's core: {cause}"))
}
