//! Whether a cell's figures are a verdict on its server: what a flood, or another rate at the limit, really measured, and what its audits
//! leave of it.

use tickbench_record::{Flush, ScenarioKind, Wait};

use crate::{CLIENT_BUSY, CLIENT_HEADROOM, Caveat, CellSummary, Metric, Ruling, SERVER_BUSY};

impl CellSummary {
    /// Whether the server used its core to the full, so that a rate is its own.
    pub fn server_was_busy(&self) -> bool {
        self.estimates.get(&Metric::ServerCpuShare).is_some_and(|share| share.estimate >= SERVER_BUSY)
    }

    /// Why this cell's figures are no verdict on its server; `None` where they are, and for all that does not go to the limit.
    pub fn caveat(&self) -> Option<Caveat> {
        if self.completed == 0 {
            return None;
        }
        match self.cell.kind {
            ScenarioKind::Throughput => self.caveat_of_flood(),
            ScenarioKind::Load => self.caveat_of_load(),
            ScenarioKind::Capacity if self.coalesces && self.cell.flush == Flush::Each => {
                Some(Caveat::Coalesced)
            }
            ScenarioKind::Capacity => self.searches.and_then(|searches| searches.lower_bound),
            _ => None,
        }
    }

    /// Whether its figures are a verdict on its server, so that they may be compared with others'.
    pub fn is_comparable(&self) -> bool {
        let is_told = |ruling: &Ruling| self.ruled(*ruling).is_some();
        self.is_sound()
            && self.caveat().is_none()
            && ![Ruling::ClientBound, Ruling::Undecided].iter().any(is_told)
    }

    /// A client that polls is always busy: there its ceiling alone tells.
    fn caveat_of_load(&self) -> Option<Caveat> {
        let is_over =
            |metric, limit| self.estimates.get(&metric).is_some_and(|share| share.estimate >= limit);
        let near_ceiling = self.ceiling_share.is_some_and(|share| share > CLIENT_HEADROOM);
        let busy_alone = self.cell.wait == Wait::Block
            && is_over(Metric::ClientCpuShare, CLIENT_BUSY)
            && !is_over(Metric::ServerCpuShare, SERVER_BUSY);
        (near_ceiling || busy_alone).then_some(Caveat::ClientBound)
    }

    fn caveat_of_flood(&self) -> Option<Caveat> {
        let share = |metric| self.estimates.get(&metric).map(|share| share.estimate);
        if self.coalesces && self.cell.flush == Flush::Each {
            return Some(Caveat::Coalesced);
        }
        if self.ceiling_share.is_some_and(|share| share > CLIENT_HEADROOM) {
            return Some(Caveat::ClientBound);
        }
        match (share(Metric::ServerCpuShare), share(Metric::ClientCpuShare)) {
            (None, _) => Some(Caveat::Unknown),
            (Some(server), _) if server >= SERVER_BUSY => None,
            (Some(_), Some(client)) if client >= CLIENT_BUSY => Some(Caveat::ClientBound),
            (Some(_), _) => Some(Caveat::Idle),
        }
    }
}
