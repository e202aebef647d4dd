//! What a hypervisor kept from the cores of a run.

use serde::Serialize;
use tickbench_record::{Measurement, Stolen};

/// A core that lost more of its time than this was not the one that a reader thinks of.
const MUCH: f64 = 0.01;

/// An execution that lost more than this of either core was disturbed: by more than a tick of the kernel's count, where it took 200 ms.
pub const DISTURBED: f64 = 0.05;

/// Stolen time over the time of all executions for which it is known, completed or not.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StolenShares {
    /// Of the server's core, 0 to 1.
    pub server_core: f64,
    /// Of the client's core, 0 to 1.
    pub client_core: f64,
    /// How many executions that are.
    pub executions: usize,
    /// How many of them lost more than a twentieth of either core.
    pub disturbed: usize,
}

impl StolenShares {
    /// Over these executions; `None` where it is known of none.
    pub fn of(measurements: &[Measurement]) -> Option<StolenShares> {
        let known = || measurements.iter().filter_map(|one| Some((one.stolen?, one.wall_ns as f64)));
        let wall_ns: f64 = known().map(|(_, wall_ns)| wall_ns).sum();
        let share =
            |of: fn(&Stolen) -> u64| known().map(|(stolen, _)| of(&stolen)).sum::<u64>() as f64 / wall_ns;
        let is_disturbed = |(stolen, wall_ns): &(Stolen, f64)| {
            stolen.server_core_ns.max(stolen.client_core_ns) as f64 > DISTURBED * wall_ns
        };
        (wall_ns > 0.0).then(|| StolenShares {
            server_core: share(|stolen| stolen.server_core_ns),
            client_core: share(|stolen| stolen.client_core_ns),
            executions: known().count(),
            disturbed: known().filter(is_disturbed).count(),
        })
    }

    /// What a reader must know of it, where it is more than a hundredth of either core.
    pub fn warning(&self) -> Option<String> {
        let StolenShares { server_core, client_core, executions, disturbed } = self;
        (server_core.max(*client_core) > MUCH).then(|| {
            format!(
                "The machine's host took {:.1} % of the server's core and {:.1} % of the client's while the plan ran; {disturbed} of \
                 {executions} executions lost more than {:.0} % of either. That is noise, and no server's doing: choose a \
                 calmer hour.",
                100.0 * server_core,
                100.0 * client_core,
                100.0 * DISTURBED
            )
        })
    }
}
