//! What a study owes each connection: one that gets nothing can be told from one that is fed only where it is owed something.

use anyhow::bail;
use tickbench_record::{Arrival, Scenario, ScenarioKind, Study};

use crate::capacity::{LOWEST_PER_S, Target};

/// Refuses a study that owes a connection too little in a window to tell whether it is served, or that cannot have served all of them
/// by the end of the warm-up. A run that has begun keeps its study.
pub(crate) fn check(study: &Study) -> anyhow::Result<()> {
    for scenario in &study.scenarios {
        for &connections in &scenario.connections {
            for rate_per_s in rates(scenario) {
                check_window(scenario, connections, rate_per_s)?;
                check_warmup(scenario, connections, rate_per_s)?;
            }
        }
    }
    Ok(())
}

/// The fewest messages that a connection is owed in a window of the scenario; `None` where that depends on the server or on a capture.
pub(crate) fn least(scenario: &Scenario) -> Option<f64> {
    let connections = scenario.connections.iter().copied().max()?;
    rates(scenario).filter_map(|rate| in_window(scenario, connections, rate)).min_by(f64::total_cmp)
}

/// The rates of the scenario; of a search the lowest that it tries.
fn rates(scenario: &Scenario) -> impl Iterator<Item = f64> {
    match scenario.kind {
        ScenarioKind::Load => scenario.rates_per_s.clone(),
        ScenarioKind::Capacity => vec![LOWEST_PER_S],
        _ => vec![scenario.rate_per_s],
    }
    .into_iter()
}

/// The mean number of messages that a connection is owed in a window. In closed loops and floods that depends on the server, and a
/// replay goes through its whole capture.
fn in_window(scenario: &Scenario, connections: u32, rate_per_s: f64) -> Option<f64> {
    let window_ns = scenario.window_ms * 1_000_000;
    let of_all = |window_ns: u64| rate_per_s * window_ns as f64 / 1e9;
    match scenario.kind {
        _ if scenario.arrival == Arrival::Recorded => None,
        ScenarioKind::Relay => Some(of_all(window_ns)),
        ScenarioKind::Latency | ScenarioKind::Scaling | ScenarioKind::Load | ScenarioKind::Ping => {
            Some(of_all(window_ns) / f64::from(connections))
        }
        ScenarioKind::Capacity => {
            let window_ns = Target::of(scenario)?.window_ns(rate_per_s, window_ns);
            Some(of_all(window_ns) / f64::from(connections))
        }
        ScenarioKind::Throughput | ScenarioKind::Echo | ScenarioKind::Connect => None,
    }
}

/// How many messages a connection must be owed in the mean, so that any window holds at least three of them: a burst is whole or not
/// there, and a random arrival three standard deviations below its mean, 15 − 3 √15, still holds three.
fn needed(scenario: &Scenario) -> f64 {
    let is_servers = scenario.kind != ScenarioKind::Ping;
    match scenario.arrival {
        Arrival::Burst if is_servers => 32.0,
        Arrival::Poisson if is_servers => 15.0,
        _ => 3.0,
    }
}

fn check_window(scenario: &Scenario, connections: u32, rate_per_s: f64) -> anyhow::Result<()> {
    let Some(owed) = in_window(scenario, connections, rate_per_s) else { return Ok(()) };
    let (needed, name) = (needed(scenario), &scenario.name);
    if owed >= needed {
        return Ok(());
    }
    let more = needed / owed;
    let window_ms = (scenario.window_ms as f64 * more).ceil();
    let raise = match scenario.kind {
        ScenarioKind::Capacity => format!("connections or raise window_ms to {window_ms}"),
        ScenarioKind::Load => {
            format!(
                "connections, raise this one of rates_per_s to {:.0}, or window_ms to {window_ms}",
                (rate_per_s * more).ceil()
            )
        }
        _ => format!(
            "connections, raise rate_per_s to {:.0}, or window_ms to {window_ms}",
            (rate_per_s * more).ceil()
        ),
    };
    bail!(
        "scenario {name:?}: at {rate_per_s} messages a second each of {connections} connections is owed {owed:.2} messages in a window, and \
         one that gets nothing could not be told from one that is served: it takes {needed:.0}. List fewer {raise}"
    )
}

/// Each connection must have had its first message by the end of the warm-up. A stream's first tick is due when it begins; pings go
/// round all connections, and what is published goes to all at once.
fn check_warmup(scenario: &Scenario, connections: u32, rate_per_s: f64) -> anyhow::Result<()> {
    let needed = match scenario.kind {
        ScenarioKind::Ping => f64::from(connections),
        ScenarioKind::Relay => 1.0,
        _ => return Ok(()),
    };
    let (sent, name) = (rate_per_s * scenario.warmup_ms as f64 / 1e3, &scenario.name);
    if sent >= needed {
        return Ok(());
    }
    let what = if scenario.kind == ScenarioKind::Ping {
        format!("pings reach {sent:.0} of {connections} connections")
    } else {
        format!("{sent:.2} messages are published")
    };
    bail!(
        "scenario {name:?}: {what} in the warm-up, and each connection must have had its first message by its end: raise rate_per_s to \
         {:.0}, or warmup_ms to {:.0}",
        (needed * 1e3 / scenario.warmup_ms.max(1) as f64).ceil(),
        (needed * 1e3 / rate_per_s).ceil()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(kind: &str, more: &str) -> Option<String> {
        let text = format!(
            "name='t'\niterations=1\n[[scenario]]\nname='s'\nkind='{kind}'\nwait='spin'\nwarmup_ms=100\nwindow_ms=110\n{more}"
        );
        check(&Study::from_toml(&text).unwrap()).err().map(|refusal| refusal.to_string())
    }

    fn refused(kind: &str, more: &str, words: &[&str]) {
        let refusal = refusal(kind, more).unwrap_or_else(|| panic!("{kind} {more} is not refused"));
        for word in words.iter().chain(&["scenario \"s\""]) {
            assert!(refusal.contains(word), "{word:?} is missing from {refusal}");
        }
    }

    #[test]
    fn a_cell_that_owes_a_connection_too_little_is_refused_with_the_keys_to_raise() {
        refused(
            "scaling",
            "connections=[1,10,1000]\nrate_per_s=10000",
            &["1000 connections is owed 1.10", "rate_per_s to 27273", "window_ms to 300"],
        );
        assert_eq!(refusal("scaling", "connections=[1,10,1000]\nrate_per_s=27300"), None);
        refused(
            "load",
            "connections=[100]\nrates_per_s=[100000,1000]",
            &["at 1000 messages", "rates_per_s to 2728"],
        );
        refused("relay", "connections=[10]\nrate_per_s=20", &["owed 2.20"]);
        refused(
            "capacity",
            "connections=[1000]\np99_us=500",
            &["at 1000 messages", "owed 1.02", "fewer connections"],
        );
        assert_eq!(refusal("capacity", "p99_us=500"), None);
    }

    #[test]
    fn bursts_and_random_arrivals_owe_what_any_window_holds() {
        let rate =
            |rate: u32, arrival: &str| refusal("latency", &format!("rate_per_s={rate}\narrival='{arrival}'"));
        assert!(rate(290, "burst").is_some() && rate(291, "burst").is_none());
        assert!(rate(136, "poisson").is_some() && rate(137, "poisson").is_none());
        assert!(rate(27, "constant").is_some() && rate(28, "constant").is_none());
    }

    #[test]
    fn every_connection_must_have_had_its_turn_by_the_end_of_the_warm_up() {
        // Enough in the window, and too few in the warm-up.
        let late = |kind: &str, more: &str, warmup_ms: u32| {
            let text = format!(
                "name='t'\niterations=1\n[[scenario]]\nname='s'\nkind='{kind}'\nwait='spin'\nwarmup_ms={warmup_ms}\nwindow_ms=2000\n{more}"
            );
            check(&Study::from_toml(&text).unwrap()).err().map(|refusal| refusal.to_string())
        };
        let pings = "connections=[10000]\nrate_per_s=20000";
        let refusal = late("ping", pings, 499).unwrap();
        assert!(refusal.contains("pings reach 9980 of 10000 connections"), "{refusal}");
        assert!(refusal.contains("rate_per_s to 20041") && refusal.contains("warmup_ms to 500"), "{refusal}");
        assert_eq!(late("ping", pings, 500), None);
        let refusal = late("relay", "rate_per_s=10", 99).unwrap();
        assert!(refusal.contains("0.99 messages are published in the warm-up"), "{refusal}");
        assert_eq!(late("relay", "rate_per_s=10", 100), None);
        assert_eq!(
            late("scaling", "connections=[1000]\nrate_per_s=2000", 0),
            None,
            "tick 0 is due at the start"
        );
    }

    #[test]
    fn what_depends_on_the_server_or_a_capture_is_not_refused() {
        for (kind, more) in [
            ("echo", "connections=[100000]"),
            ("throughput", "connections=[100000]"),
            ("connect", "connections=[100000]"),
            ("latency", "arrival='recorded'"),
        ] {
            assert_eq!(refusal(kind, more), None, "{kind}");
        }
    }
}
