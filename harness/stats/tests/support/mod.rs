//! Small runs, made by hand.

#![allow(dead_code, reason = "each test uses a part of it")]

use tickbench_record::{
    Account, Accounts, Cell, Distribution, Measurement, Observation, Outcome, Stage, Study, Usage,
    new_histogram,
};

pub(crate) fn study(servers: &[&str], scenarios: &str) -> Study {
    let servers = servers.iter().map(|server| format!("{server:?}")).collect::<Vec<_>>().join(", ");
    let head = format!("name = \"small\"\niterations = 40\nseed = 3\nservers = [{servers}]\n");
    Study::from_toml(&(head + scenarios)).unwrap()
}

pub(crate) fn scenario(name: &str, kind: &str, more: &str) -> String {
    format!(
        "[[scenario]]\nname = {name:?}\nkind = {kind:?}\nwait = \"spin\"\nwarmup_ms = 1\nwindow_ms = 1\n{more}\n"
    )
}

pub(crate) fn cells(study: &Study) -> Vec<Cell> {
    study.cells(&study.servers, |_| true)
}

/// An observation with a rate and nothing else.
pub(crate) fn rate(messages_per_s: f64) -> Observation {
    Observation {
        sent: 10,
        received: 10,
        lost: 0,
        reordered: 0,
        negative: 0,
        checked: 0,
        elapsed_ns: 1_000_000,
        messages_per_s,
        bytes_per_s: 48.0 * messages_per_s,
        reads: 5,
        connect_ns: 1_000,
        server_usage: Some(usage(0.99)),
        client_usage: Some(usage(0.5)),
        ..Observation::default()
    }
}

pub(crate) fn usage(cpu_share: f64) -> Usage {
    Usage {
        interval_ns: 1_000_000,
        cpu_user_ns: 1,
        cpu_system_ns: 1,
        cpu_share,
        cpu_ns_per_message: 7.0,
        rss_bytes: 1,
        rss_peak_bytes: 1,
        voluntary_switches: 3,
        involuntary_switches: 0,
        threads: 1,
        run_delay_ns: None,
    }
}

/// An observation whose deliveries are `count` values from `from` up, 1 ns apart.
pub(crate) fn deliveries(from: u64, count: u64) -> Observation {
    let mut histogram = new_histogram();
    (from..from + count).for_each(|ns| histogram += ns);
    Observation { delivery_ns: Distribution::of(&histogram), ..rate(1.0) }
}

pub(crate) fn completed(cell: &Cell, iteration: u32, observation: Observation) -> Measurement {
    Measurement {
        iteration,
        position: 0,
        started_at_s: 0.0,
        wall_ns: 0,
        stolen: None,
        throttled: None,
        cell: cell.clone(),
        outcome: Outcome::Completed,
        observation: Some(observation),
    }
}

pub(crate) fn failed(cell: &Cell, iteration: u32, reason: &str) -> Measurement {
    let outcome = Outcome::Failed { stage: Stage::Connect, reason: reason.into() };
    Measurement { outcome, observation: None, ..completed(cell, iteration, rate(1.0)) }
}

/// The same observation with accounts of a window of one second, in which `owed` messages were due to one connection: so many were
/// sent before its end, and so many never came.
pub(crate) fn accounted(seen: Observation, owed: u64, sent_in_window: u64, lost: u64) -> Observation {
    let accounts = Accounts {
        sent_in_window,
        awaited_ns: if lost > 0 { 2_000_000_000 } else { 0 },
        lost_age_ns: (lost > 0).then_some(2_500_000_000),
        least_owed: owed,
        worst: Account { connection: 0, owed, received: owed - lost },
        start_after_upgrade_ns: None,
    };
    let (sent, received) = (owed, owed - lost);
    Observation { sent, received, lost, elapsed_ns: 1_000_000_000, accounts: Some(accounts), ..seen }
}

/// Numbers from 0 to 1 that look random: the fractions of multiples of the golden ratio, scrambled.
pub(crate) fn noise(at: u64) -> f64 {
    let mixed = (at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed ^ (mixed >> 32)) >> 11) as f64 / (1u64 << 53) as f64
}

pub(crate) const LATENCY: &str = "rate_per_s = 1000";
