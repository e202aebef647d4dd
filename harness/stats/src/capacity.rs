//! What the searches for a capacity tell besides the rate that they found: whether it is the server's, and what ended them.

use serde::Serialize;
use tickbench_record::{Cell, Observation, Step, Wait};

use crate::figure::Completed;
use crate::resample::median_of;
use crate::{CLIENT_BUSY, CLIENT_HEADROOM, Caveat, Context, SERVER_BUSY};

/// The searches of one cell, one an iteration.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Searches {
    /// Rates that a search tried, second tries included; the median.
    pub steps: f64,
    /// Searches in whose last rate that did not hold most of p99 was lag: the server fell behind.
    pub ended_by_lag: usize,
    /// Searches in which most of it was delivery: the message had left the server.
    pub ended_by_delivery: usize,
    /// Searches in which that rate made server or client fail.
    pub ended_by_failure: usize,
    /// Searches whose rate may be the client's.
    pub client_bound: usize,
    /// Searches that ended at the highest rate of all, which held.
    pub ended_at_top: usize,
    /// Why the capacity is a lower bound; `None` where it is not.
    pub lower_bound: Option<Caveat>,
}

impl Searches {
    /// Those of a cell's iterations; `None` where there was no search.
    pub(crate) fn of(cell: &Cell, completed: &Completed, context: &Context) -> Option<Searches> {
        let mut searches = Searches::default();
        let (mut rates, mut unbounded, mut steps) = (Vec::new(), Vec::new(), Vec::new());
        for seen in completed.values() {
            let Some(capacity) = &seen.capacity else { continue };
            let ended_by = capacity.ended_by();
            let is_client_bound = is_client_bound(cell, seen, ended_by, context);
            searches.client_bound += usize::from(is_client_bound);
            match ended_by.map(|step| step.seen) {
                None => searches.ended_at_top += 1,
                Some(None) => searches.ended_by_failure += 1,
                Some(Some(last)) if last.lag_p99_ns > last.delivery_p99_ns => searches.ended_by_lag += 1,
                Some(Some(_)) => searches.ended_by_delivery += 1,
            }
            let is_least = is_client_bound || ended_by.is_none();
            rates.push(capacity.rate_per_s);
            unbounded.push(if is_least { f64::INFINITY } else { capacity.rate_per_s });
            steps.push(capacity.steps.len() as f64);
        }
        searches.steps = median_of(steps)?;
        // What may be larger counts where it would move the median: above it, it may be as large as it likes.
        if median_of(unbounded) > median_of(rates) {
            let at_top = searches.ended_at_top > searches.client_bound;
            searches.lower_bound = Some(if at_top { Caveat::Unbounded } else { Caveat::ClientBound });
        }
        Some(searches)
    }
}

/// Whether the rate may be the client's: it took in more than its share of its ceiling, or, where it sleeps, was busy in the step
/// that ended the search while the server was not. A client that polls is always busy, and its ceiling alone tells.
fn is_client_bound(cell: &Cell, seen: &Observation, ended_by: Option<&Step>, context: &Context) -> bool {
    let of_ceiling = context.ceiling_share(cell, seen.messages_per_s, seen.bytes_per_s);
    let (client, server) = match ended_by.and_then(|step| step.seen) {
        Some(last) => (last.client_cpu_share, last.server_cpu_share),
        None => {
            (seen.client_usage.map(|usage| usage.cpu_share), seen.server_usage.map(|usage| usage.cpu_share))
        }
    };
    let was_busy = cell.wait == Wait::Block
        && client.is_some_and(|client| client >= CLIENT_BUSY)
        && server.is_none_or(|server| server < SERVER_BUSY);
    of_ceiling.is_some_and(|share| share > CLIENT_HEADROOM) || was_busy
}
