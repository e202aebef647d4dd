//! How often a client that sleeps lets itself be woken.
//!
//! Many connections that are sent to one after another wake it for each message, if it is quick enough to be asleep again: that costs
//! it a fifth of its time and the server, on whose core the waking is done, some of its own. So a client of many paced streams is
//! woken at most once in [`PERIOD_NS`], as network cards moderate their interrupts, which may add as much to a delivery. One that asks for delivery
//! to the microsecond spins. Whoever answers or is waited for is woken at once.

use std::io;

use tickbench_client_kit::{Question, monotonic_ns};
use tickbench_record::Wait;

use crate::pacer::Pacer;

/// The least time between two wake-ups: 20,000 a second. 9,000 connections with ten messages a second each then cost four fifths of what
/// they cost without.
const PERIOD_NS: u64 = 50_000;

/// The last wake-up, and a timer until the next.
pub(crate) struct Rest {
    pacer: Pacer,
    woken_ns: u64,
}

impl Rest {
    /// `None` where the client is to be woken at once, or this system has no exact timer.
    pub(crate) fn of(wait: Wait, question: Question) -> io::Result<Option<Rest>> {
        if wait == Wait::Spin || !matches!(question, Question::Paced | Question::Relay) {
            return Ok(None);
        }
        match Pacer::new() {
            Ok(pacer) => Ok(Some(Rest { pacer, woken_ns: 0 })),
            Err(cause) if cause.kind() == io::ErrorKind::Unsupported => Ok(None),
            Err(cause) => Err(cause),
        }
    }

    /// Rests where the last wake-up was too near, for `most_ns` at most; returns how much of them is left to wait in.
    #[inline]
    pub(crate) fn take(&self, most_ns: u32) -> io::Result<u32> {
        let now_ns = monotonic_ns();
        let until_ns = (self.woken_ns + PERIOD_NS).min(now_ns + u64::from(most_ns));
        if until_ns <= now_ns {
            return Ok(most_ns);
        }
        self.pacer.wait_until(until_ns)?;
        Ok(most_ns - (until_ns - now_ns) as u32)
    }

    /// Something has come.
    #[inline]
    pub(crate) fn woken(&mut self) {
        self.woken_ns = monotonic_ns();
    }
}
