//! What a CPU quota stopped while a plan ran.

use serde::Serialize;
use tickbench_record::Measurement;

/// Executions in which a quota of the control group stopped processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ThrottledExecutions {
    /// Executions for which it is known: those under a quota.
    pub executions: usize,
    /// Of them, those in which processes were stopped.
    pub stopped: usize,
    /// In how many periods of the quota, over all of them.
    pub periods: u64,
    /// For how long, over all cores, in nanoseconds.
    pub stopped_ns: u64,
}

impl ThrottledExecutions {
    /// Of these executions, completed or not; `None` where none was under a quota.
    pub fn of(measurements: &[Measurement]) -> Option<ThrottledExecutions> {
        let known: Vec<_> = measurements.iter().filter_map(|one| one.throttled).collect();
        (!known.is_empty()).then(|| ThrottledExecutions {
            executions: known.len(),
            stopped: known.iter().filter(|one| one.periods > 0).count(),
            periods: known.iter().map(|one| one.periods).sum(),
            stopped_ns: known.iter().map(|one| one.stopped_ns).sum(),
        })
    }

    /// What a reader must know of it; `None` where the quota stopped nobody.
    pub fn warning(&self) -> Option<String> {
        let ThrottledExecutions { executions, stopped, periods, stopped_ns } = self;
        (*stopped > 0).then(|| {
            format!(
                "A CPU quota stopped processes in {stopped} of {executions} executions, in {periods} of its periods and for {:.1} ms \
                 in all. That is in the tails, and no server's doing: lift the quota.",
                *stopped_ns as f64 / 1e6
            )
        })
    }
}
