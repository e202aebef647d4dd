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
    fn nothing_is_divided_by_nothing() {
        let usage = START.until(&START, 0.0);
        assert_eq!((usage.cpu_share, usage.cpu_ns_per_message), (0.0, 0.0));
    }
}
