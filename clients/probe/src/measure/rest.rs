//! How often a client that sleeps lets itself be woken.
//!
//! Many connections that are sent to one after another wake it for each message, if it is quick enough to be asleep again: that costs
//! it a fifth of its time and the server, on whose core the waking is done, some of its own. So data wake a client of many paced
//! streams no more often than [`Wait::rest_ns`] says, as network cards moderate their interrupts. Whoever answers or is waited for is
//! woken at once.

use std::io;

use tickbench_client_kit::{Question, monotonic_ns};
use tickbench_record::Wait;

use crate::pacer::Pacer;

/// The last wake-up, and a timer until the next.
pub(crate) struct Rest {
    pacer: Pacer,
    least_ns: u64,
    woken_ns: u64,
}

impl Rest {
    /// `None` where the client is to be woken at once, or this system has no exact timer.
    pub(crate) fn of(wait: Wait, question: Question, connections: u32) -> io::Result<Option<Rest>> {
        let least_ns = wait.rest_ns(connections);
        if least_ns == 0 || !matches!(question, Question::Paced | Question::Relay) {
            return Ok(None);
        }
        match Pacer::new() {
            Ok(pacer) => Ok(Some(Rest { pacer, least_ns, woken_ns: 0 })),
            Err(cause) if cause.kind() == io::ErrorKind::Unsupported => Ok(None),
            Err(cause) => Err(cause),
        }
    }

    /// Rests where the last wake-up was too near, for `most_ns` at most; returns how much of them is left to wait in.
    #[inline]
    pub(crate) fn take(&self, most_ns: u32) -> io::Result<u32> {
        let now_ns = monotonic_ns();
        let until_ns = (self.woken_ns + self.least_ns).min(now_ns + u64::from(most_ns));
        if until_ns <= now_ns {
            return Ok(most_ns);
        }
        self.pacer.wait_until(until_ns)?;
        Ok(most_ns.saturating_sub((monotonic_ns() - now_ns) as u32))
    }

    /// Data have come.
    #[inline]
    pub(crate) fn woken(&mut self) {
        self.woken_ns = monotonic_ns();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_spins_or_is_waited_for_does_not_rest() {
        let rests = |wait, question, connections| Rest::of(wait, question, connections).unwrap().is_some();
        assert!(!rests(Wait::Spin, Question::Paced, 9_000) && !rests(Wait::Block, Question::Paced, 100));
        for question in [Question::RoundTrip, Question::Pings, Question::Connects, Question::Flood] {
            assert!(!rests(Wait::Block, question, 9_000), "{question:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_rest_is_taken_from_what_may_be_slept() {
        let mut rest = Rest::of(Wait::Block, Question::Paced, 9_000).unwrap().unwrap();
        assert_eq!(rest.take(10_000_000).unwrap(), 10_000_000, "nothing has come yet");
        // As if data had come a moment from now, however slow this machine is.
        rest.woken_ns = monotonic_ns() + 1_000_000_000;
        assert_eq!(rest.take(1_000).unwrap(), 0, "it may not sleep beyond the rest");
        rest.woken_ns = monotonic_ns() + 1_000_000;
        let left = rest.take(500_000_000).unwrap();
        assert!(left < 500_000_000, "{left}");
    }
}
