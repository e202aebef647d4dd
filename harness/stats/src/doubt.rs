//! What a flood, or another rate at the limit, really measured: the server in its class, or something else.

use serde::Serialize;
use tickbench_record::{Flush, ScenarioKind, Wait};

use crate::{CellSummary, Metric};

/// A server that uses at least this share of its core is what limits a flood.
pub const SERVER_BUSY: f64 = 0.95;

/// A client that uses at least this share of its core may be what limits a flood.
pub const CLIENT_BUSY: f64 = 0.80;

/// A client that takes in more than this share of its ceiling has no headroom: the rate may be its own.
pub const CLIENT_HEADROOM: f64 = 0.80;

/// Why a rate at the limit is no verdict on its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// Each message was to be sent alone, and the server gathers them by itself: another product than those beside it.
    Coalesced,
    /// The client was near its ceiling, or busy where the server was not: the rate may be the client's.
    ClientBound,
    /// Neither was busy: something else held them back.
    Idle,
    /// The server's CPU time could not be read, so nobody knows.
    Unknown,
    /// A search ended at the highest rate of all, which held: the capacity is at least that.
    Unbounded,
}

impl CellSummary {
    /// Whether the server used its core to the full, so that a rate is its own.
    pub fn server_was_busy(&self) -> bool {
        self.estimates.get(&Metric::ServerCpuShare).is_some_and(|share| share.estimate >= SERVER_BUSY)
    }

    /// Why this cell's figures are no verdict on its server; `None` where they are, and for all that does not go to the limit.
    pub fn doubt(&self) -> Option<Doubt> {
        if self.completed == 0 {
            return None;
        }
        match self.cell.kind {
            ScenarioKind::Throughput => self.doubt_of_flood(),
            ScenarioKind::Load => self.doubt_of_load(),
            ScenarioKind::Capacity if self.coalesces && self.cell.flush == Flush::Each => {
                Some(Doubt::Coalesced)
            }
            ScenarioKind::Capacity => self.searches.and_then(|searches| searches.lower_bound),
            _ => None,
        }
    }

    /// A client that polls is always busy: there its ceiling alone tells.
    fn doubt_of_load(&self) -> Option<Doubt> {
        let is_over =
            |metric, limit| self.estimates.get(&metric).is_some_and(|share| share.estimate >= limit);
        let near_ceiling = self.ceiling_share.is_some_and(|share| share > CLIENT_HEADROOM);
        let busy_alone = self.cell.wait == Wait::Block
            && is_over(Metric::ClientCpuShare, CLIENT_BUSY)
            && !is_over(Metric::ServerCpuShare, SERVER_BUSY);
        (near_ceiling || busy_alone).then_some(Doubt::ClientBound)
    }

    fn doubt_of_flood(&self) -> Option<Doubt> {
        let share = |metric| self.estimates.get(&metric).map(|share| share.estimate);
        if self.coalesces && self.cell.flush == Flush::Each {
            return Some(Doubt::Coalesced);
        }
        if self.ceiling_share.is_some_and(|share| share > CLIENT_HEADROOM) {
            return Some(Doubt::ClientBound);
        }
        match (share(Metric::ServerCpuShare), share(Metric::ClientCpuShare)) {
            (None, _) => Some(Doubt::Unknown),
            (Some(server), _) if server >= SERVER_BUSY => None,
            (Some(_), Some(client)) if client >= CLIENT_BUSY => Some(Doubt::ClientBound),
            (Some(_), _) => Some(Doubt::Idle),
        }
    }
}
