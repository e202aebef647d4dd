//! What each execution must keep by itself, judged from what its client counted and what the study asked.

use tickbench_record::{Accounts, Arrival, Cell, Observation, ScenarioKind};

use crate::audit::Check;
use crate::schedule::{Achieved, one_instant};

/// The share of its messages that a client may publish too late.
const PUBLISHED_LATE_AT_MOST: f64 = 0.05;

/// The share of pings whose pong may be one to a later ping, as RFC 6455, section 5.5.3, allows: the farthest quantile of a round
/// trip that is shown is p99.
const SUPERSEDED_PINGS_AT_MOST: f64 = 0.01;

/// Standard deviations by which the count of a random arrival may miss its mean: one execution in two million does by chance.
const RANDOM_WITHIN: f64 = 5.0;

/// What one execution showed of one thing that it must keep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Judged {
    pub(crate) check: Check,
    /// See the check.
    pub(crate) figure: f64,
    /// What is wrong; `None` where it was kept.
    pub(crate) fault: Option<Fault>,
}

/// Something that an execution did not keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Who had to keep it.
    pub(crate) keeper: Keeper,
    /// How long the keeper's core must have been away for that to be the reason; `None` where no such time explains it.
    pub(crate) behind_ns: Option<u64>,
    /// How late the typical message was.
    pub(crate) typical_ns: u64,
}

/// Whose job it is that something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeper {
    Server,
    Client,
}

/// Everything that this execution can be judged by. A client that keeps no accounts, as those of older runs did not, leaves most of
/// it unknown.
pub(crate) fn judge(cell: &Cell, seen: &Observation) -> Vec<Judged> {
    let judged = [owed(cell, seen), counts(cell, seen), schedule(cell, seen), publisher(cell, seen)];
    judged.into_iter().flatten().collect()
}

/// Whether the client's account of what its window owed is what the study asks: two sources, of which the second knows nothing of
/// what came. Each connection must be owed what its schedule puts into a window, give or take what is due at one instant.
fn owed(cell: &Cell, seen: &Observation) -> Option<Judged> {
    let accounts = seen.accounts?;
    let asked = Asked::of(cell, seen)?;
    let is_right = (seen.sent as f64 - asked.of_all).abs() <= asked.all_within
        && accounts.least_owed as f64 + asked.each_within >= asked.of_each.floor();
    let fault = Fault { keeper: Keeper::Client, behind_ns: None, typical_ns: 0 };
    let figure = seen.sent as f64 / asked.of_all;
    Some(Judged { check: Check::Owed, figure, fault: (!is_right).then_some(fault) })
}

/// How many messages the study puts into a window, and by how many a window may miss that: of each connection and of all together.
struct Asked {
    of_each: f64,
    each_within: f64,
    of_all: f64,
    all_within: f64,
}

impl Asked {
    /// `None` where the pace is a capture's, the server's or backpressure's.
    fn of(cell: &Cell, seen: &Observation) -> Option<Asked> {
        let rate_per_s = match &seen.capacity {
            Some(capacity) => capacity.rate_per_s,
            None => cell.rate_per_s,
        };
        let (mean, connections) = (rate_per_s * seen.elapsed_ns as f64 / 1e9, f64::from(cell.connections));
        if mean <= 0.0 {
            return None;
        }
        let chance =
            |mean: f64| if cell.arrival == Arrival::Poisson { RANDOM_WITHIN * mean.sqrt() } else { 0.0 };
        let ends = one_instant(cell.arrival) as f64;
        let of_each = mean / connections;
        match cell.kind {
            // A schedule for each.
            ScenarioKind::Latency | ScenarioKind::Scaling | ScenarioKind::Load | ScenarioKind::Capacity => {
                let all_within = ends * connections + chance(mean);
                Some(Asked { of_each, each_within: ends + chance(of_each), of_all: mean, all_within })
            }
            // One whose messages all get.
            ScenarioKind::Relay => {
                let each_within = ends + chance(mean);
                let all_within = each_within * connections;
                Some(Asked { of_each: mean, each_within, of_all: mean * connections, all_within })
            }
            // One that goes round them.
            ScenarioKind::Ping => Some(Asked { of_each, each_within: 1.0, of_all: mean, all_within: 1.0 }),
            ScenarioKind::Echo | ScenarioKind::Connect | ScenarioKind::Throughput => None,
        }
    }
}

/// Whether all that was owed came. A window is defined by what was due or sent in it, so that its ends cut nothing of what it owes,
/// and no loss is explained by them.
fn counts(cell: &Cell, seen: &Observation) -> Option<Judged> {
    // A flood owes nothing; its client follows the sequence, and fails the execution where that has a gap.
    let accounts = match seen.accounts {
        None if cell.kind == ScenarioKind::Throughput => Accounts::default(),
        accounts => accounts?,
    };
    let lost = seen.sent.saturating_sub(seen.received);
    let fault = |keeper, behind_ns| Fault { keeper, behind_ns, typical_ns: 0 };
    let allowed = match cell.kind {
        // Overload is a result: what was not sent in the window may still be under way when the waiting ends.
        ScenarioKind::Load | ScenarioKind::Capacity => seen.sent.saturating_sub(accounts.sent_in_window),
        ScenarioKind::Ping => (SUPERSEDED_PINGS_AT_MOST * seen.sent as f64) as u64,
        _ => 0,
    };
    let fault = if seen.received.checked_add(seen.lost) != Some(seen.sent) {
        Some(fault(Keeper::Client, None))
    } else if lost > allowed {
        let behind_ns = match cell.kind {
            ScenarioKind::Ping => Some((lost as f64 / seen.sent as f64 * seen.elapsed_ns as f64) as u64),
            _ => accounts.lost_age_ns,
        };
        Some(fault(Keeper::Server, behind_ns))
    } else {
        None
    };
    Some(Judged { check: Check::Counts, figure: lost as f64, fault })
}

/// Whether the server sent what was due. Overload is a result where it is asked for.
fn schedule(cell: &Cell, seen: &Observation) -> Option<Judged> {
    if !matches!(cell.kind, ScenarioKind::Latency | ScenarioKind::Scaling) {
        return None;
    }
    let achieved = Achieved::of(cell.arrival, seen)?;
    let fault = Fault {
        keeper: Keeper::Server,
        behind_ns: Some(achieved.behind_ns()),
        typical_ns: seen.lag_ns.as_ref().map_or(0, |lag| lag.p50),
    };
    let fault = (!achieved.is_kept()).then_some(fault);
    Some(Judged { check: Check::Schedule, figure: achieved.share(), fault })
}

/// Whether the client kept its own schedule, where the pace is the client's: of a relay, and of pings.
fn publisher(cell: &Cell, seen: &Observation) -> Option<Judged> {
    let (late, is_kept) = match cell.kind {
        ScenarioKind::Relay => {
            let relayed = seen.relayed.as_ref()?;
            let late = relayed.behind as f64 / relayed.published.max(1) as f64;
            (late, late <= PUBLISHED_LATE_AT_MOST)
        }
        ScenarioKind::Ping => {
            let achieved = Achieved::of(Arrival::Constant, seen)?;
            (1.0 - achieved.share(), achieved.is_kept())
        }
        _ => return None,
    };
    let behind_ns = Some((late * seen.elapsed_ns as f64) as u64);
    let fault = Fault { keeper: Keeper::Client, behind_ns, typical_ns: 0 };
    Some(Judged { check: Check::Publisher, figure: late, fault: (!is_kept).then_some(fault) })
}
