//! What a process uses of the machine. How the system tells is in one module for each system.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::Meter;

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(not(target_os = "linux"))]
pub use elsewhere::Meter;

use thiserror::Error;
use tickbench_record::Usage;

/// Why a process's usage cannot be read.
#[derive(Debug, Error)]
#[error("failed to read the usage of process {pid}: {cause}")]
pub struct UsageError {
    /// The process.
    pub pid: u32,
    /// What the system said.
    pub cause: std::io::Error,
}

/// What is cheap to read: two system calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// CPU time since the process began, all threads, user and kernel.
    pub cpu_ns: u64,
    /// Resident memory.
    pub rss_bytes: u64,
}

/// All counters of a process at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// When [`cpu_ns`](Snapshot::cpu_ns) was read, CLOCK_MONOTONIC.
    pub at_ns: u64,
    /// CPU time since the process began, exact.
    pub cpu_ns: u64,
    /// CPU time in user space, in the kernel's clock ticks.
    pub user_ticks: u64,
    /// CPU time in the kernel, in its clock ticks.
    pub system_ticks: u64,
    /// Resident memory.
    pub rss_bytes: u64,
    /// Most resident memory since the process began.
    pub rss_peak_bytes: u64,
    /// Times that a living thread gave up its core by itself.
    pub voluntary_switches: u64,
    /// Times that the core was taken from a living thread.
    pub involuntary_switches: u64,
    /// Living threads.
    pub threads: u32,
    /// Of its busiest thread; `None` where the kernel does not count it.
    pub run_delay: Option<RunDelay>,
}

/// How long the busiest thread of a process has waited for the core since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunDelay {
    /// Which thread.
    pub thread: u32,
    /// How long it was ready to run and did not.
    pub waited_ns: u64,
    /// CPU time of the process's other threads, for which it may have waited.
    pub others_cpu_ns: u64,
}

impl RunDelay {
    /// How long it waited from `self` to `end` for what is not of its process.
    fn until(self, end: RunDelay) -> Option<u64> {
        let own_ns = end.others_cpu_ns.saturating_sub(self.others_cpu_ns);
        let waited_ns = end.waited_ns.saturating_sub(self.waited_ns).saturating_sub(own_ns);
        (self.thread == end.thread).then_some(waited_ns)
    }
}

impl Snapshot {
    /// What was used from `self` to `end`, while messages came at `messages_per_s`.
    pub fn until(&self, end: &Snapshot, messages_per_s: f64) -> Usage {
        let interval_ns = end.at_ns.saturating_sub(self.at_ns);
        let cpu_ns = end.cpu_ns.saturating_sub(self.cpu_ns);
        let cpu_share = if interval_ns == 0 { 0.0 } else { cpu_ns as f64 / interval_ns as f64 };
        let cpu_user_ns = (cpu_ns as f64 * self.user_share(end)) as u64;
        Usage {
            interval_ns,
            cpu_user_ns,
            cpu_system_ns: cpu_ns - cpu_user_ns,
            cpu_share,
            cpu_ns_per_message: if messages_per_s > 0.0 { cpu_share * 1e9 / messages_per_s } else { 0.0 },
            rss_bytes: end.rss_bytes,
            rss_peak_bytes: end.rss_peak_bytes,
            // The counters of a thread that ended in between are gone with it.
            voluntary_switches: end.voluntary_switches.saturating_sub(self.voluntary_switches),
            involuntary_switches: end.involuntary_switches.saturating_sub(self.involuntary_switches),
            threads: end.threads,
            run_delay_ns: self.run_delay.zip(end.run_delay).and_then(|(start, end)| start.until(end)),
        }
    }

    /// The share of user space in the CPU time of the interval; where no tick fell into it, of the process's life.
    fn user_share(&self, end: &Snapshot) -> f64 {
        let share =
            |user: u64, system: u64| (user + system > 0).then(|| user as f64 / (user + system) as f64);
        share(
            end.user_ticks.saturating_sub(self.user_ticks),
            end.system_ticks.saturating_sub(self.system_ticks),
        )
        .or_else(|| share(end.user_ticks, end.system_ticks))
        .unwrap_or(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Snapshot = Snapshot {
        at_ns: 1_000,
        cpu_ns: 500,
        user_ticks: 1,
        system_ticks: 1,
        rss_bytes: 4096,
        rss_peak_bytes: 8192,
        voluntary_switches: 7,
        involuntary_switches: 1,
        threads: 1,
        run_delay: None,
    };

    #[test]
    fn the_sum_is_exact_and_the_ticks_divide_it() {
        let end = Snapshot { at_ns: 2_000, cpu_ns: 1_000, user_ticks: 4, system_ticks: 2, ..START };
        let usage = START.until(&end, 1e9);
        assert_eq!((usage.interval_ns, usage.cpu_user_ns, usage.cpu_system_ns), (1_000, 375, 125));
        assert_eq!((usage.cpu_share, usage.cpu_ns_per_message), (0.5, 0.5));
    }

    #[test]
    fn without_a_tick_the_life_of_the_process_divides_it() {
        let end = Snapshot { at_ns: 2_000, cpu_ns: 1_000, ..START };
        assert_eq!(START.until(&end, 0.0).cpu_user_ns, 250);
    }

    #[test]
    fn a_wait_for_the_processs_own_threads_is_none() {
        let at = |thread, waited_ns, others_cpu_ns| Snapshot {
            run_delay: Some(RunDelay { thread, waited_ns, others_cpu_ns }),
            ..START
        };
        let waited = |start: Snapshot, end: Snapshot| start.until(&end, 0.0).run_delay_ns;
        assert_eq!(waited(at(7, 100, 50), at(7, 900, 50)), Some(800));
        assert_eq!(waited(at(7, 100, 50), at(7, 900, 350)), Some(500), "300 of them its own threads ran");
        assert_eq!(waited(at(7, 100, 50), at(7, 300, 350)), Some(0));
        assert_eq!(waited(at(7, 100, 50), at(8, 900, 50)), None, "another thread is the busiest now");
        assert_eq!(waited(START, at(7, 900, 50)), None);
    }

    #[test]
    fn nothing_is_divided_by_nothing() {
        let usage = START.until(&START, 0.0);
        assert_eq!((usage.cpu_share, usage.cpu_ns_per_message), (0.0, 0.0));
    }
}
