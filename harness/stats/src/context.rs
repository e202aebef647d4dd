//! What a summary needs to know besides the study and its measurements.

use tickbench_record::{CONTROL, Cell, ClientCeiling, ClockCheck, Environment};

/// The part of a run's environment on which verdicts depend.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Context {
    /// The servers that gather messages into one write by themselves.
    pub coalescing: Vec<String>,
    /// What each client can take in at most.
    pub ceilings: Vec<ClientCeiling>,
    /// Whether the cores of server and client read one clock, where that was tried.
    pub clocks: Option<ClockCheck>,
    /// The server that distances are measured from.
    pub baseline: Option<String>,
    /// How many executions are planned in each iteration, where that was recorded.
    pub per_iteration: Option<usize>,
    /// Whether the run goes on while its records are summed up.
    pub in_progress: bool,
}

impl Context {
    /// What a run's environment says.
    pub fn of(environment: &Environment) -> Context {
        Context {
            coalescing: environment.coalescing(),
            ceilings: environment.ceilings.clone(),
            clocks: environment.clocks,
            baseline: environment.baseline.clone(),
            per_iteration: environment.executions_per_iteration,
            in_progress: false,
        }
    }

    /// Whether the server of a cell gathers messages by itself; its second run does as it does.
    pub(crate) fn coalesces(&self, cell: &Cell) -> bool {
        let server = cell.server.trim_end_matches(CONTROL);
        self.coalescing.iter().any(|name| name == server)
    }

    /// The rate of a cell over what its client can take in of this encoding, waiting in this way: the larger of the shares in
    /// messages and in bytes, because large messages use up a client long before it has many of them. `None` where no such
    /// ceiling was measured.
    pub(crate) fn ceiling_share(&self, cell: &Cell, messages_per_s: f64, bytes_per_s: f64) -> Option<f64> {
        let matches = |known: &&ClientCeiling| {
            (known.client, known.ceiling.encoding, known.ceiling.wait)
                == (cell.client, cell.encoding, cell.wait)
        };
        let ceiling = self.ceilings.iter().find(matches)?.ceiling;
        let share = (messages_per_s / ceiling.messages_per_s).max(bytes_per_s / ceiling.bytes_per_s);
        share.is_finite().then_some(share)
    }
}
