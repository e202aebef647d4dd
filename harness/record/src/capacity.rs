//! What a search for the highest rate at a target came to.

use serde::{Deserialize, Serialize};

/// The highest rate at which a target held, and how that was found out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Capacity {
    /// Messages a second that were offered in the highest step that held.
    pub rate_per_s: f64,
    /// Every step, in the order in which they were tried. A rate that did not hold at first stands there twice.
    pub steps: Vec<Step>,
}

/// One rate offered to the server for a while.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Messages a second that were offered, over all connections.
    pub rate_per_s: f64,
    /// Whether the target held.
    pub held: bool,
    /// What was seen, where the step was measured to its end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seen: Option<StepSeen>,
    /// Why it was not, one sentence.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
}

/// What a client saw in the window of one step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StepSeen {
    /// The length of the window.
    pub elapsed_ns: u64,
    /// Messages received, a second.
    pub achieved_per_s: f64,
    /// Of what was due in the window, the share that was sent before its end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub achieved_share: Option<f64>,
    /// Messages that were lost.
    pub lost: u64,
    /// The median of the response.
    pub p50_ns: u64,
    /// Its 0.99 quantile.
    pub p99_ns: u64,
    /// Its 0.999 quantile.
    pub p999_ns: u64,
    /// The 0.99 quantile of lag: what of the response is the server's.
    pub lag_p99_ns: u64,
    /// The 0.99 quantile of delivery: what of it came after the send.
    pub delivery_p99_ns: u64,
    /// The client's share of its core.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_cpu_share: Option<f64>,
    /// The server's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub server_cpu_share: Option<f64>,
}

impl Capacity {
    /// The step that ended the search: the last try of the lowest rate above the capacity that did not hold. `None` where the
    /// search ended at its highest rate, which held.
    pub fn ended_by(&self) -> Option<&Step> {
        let above = self.steps.iter().filter(|step| !step.held && step.rate_per_s > self.rate_per_s);
        // Of equal ones, the last is taken.
        above.rev().min_by(|one, other| one.rate_per_s.total_cmp(&other.rate_per_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(rate_per_s: f64, held: bool, failure: Option<&str>) -> Step {
        Step { rate_per_s, held, seen: None, failure: failure.map(Into::into) }
    }

    #[test]
    fn the_last_try_of_the_lowest_rate_that_failed_ended_the_search() {
        let steps = vec![
            step(10.0, true, None),
            step(20.0, false, Some("far too much")),
            step(20.0, false, Some("far too much again")),
            step(15.0, false, Some("once")),
            step(15.0, false, Some("twice")),
            step(12.0, false, Some("a hiccup")),
            step(12.0, true, None),
        ];
        let capacity = Capacity { rate_per_s: 12.0, steps };
        assert_eq!(capacity.ended_by().unwrap().failure.as_deref(), Some("twice"));
        let unended = Capacity { rate_per_s: 10.0, steps: vec![step(10.0, true, None)] };
        assert_eq!(unended.ended_by(), None);
    }
}
