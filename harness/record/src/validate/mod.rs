//! What must hold of a measurement by itself, whoever wrote it: its figures agree with each other, and each is one that a machine could
//! have had. A report of figures that contradict each other would show one of them and hide that it is wrong.

mod distribution;

use crate::{
    Accounts, Cell, Distribution, Disturbed, Measurement, Observation, Outcome, ScenarioKind, Step, StepSeen,
    Usage, UsageSamples,
};

/// No figure is larger: 10¹⁵ ns are eleven days, 10¹⁵ bytes a petabyte. What is larger is damage, and sums of it would overflow.
const MOST: u64 = 1_000_000_000_000_000;

/// What is wrong with a record, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The key, with dots between the keys of what holds it.
    pub(crate) key: String,
    /// What is wrong with its value.
    pub(crate) cause: String,
}

type Checked = Result<(), Fault>;

fn fault(key: impl Into<String>, cause: impl Into<String>) -> Checked {
    Err(Fault { key: key.into(), cause: cause.into() })
}

/// Checks all that one record says.
pub(crate) fn check(measurement: &Measurement) -> Checked {
    let Measurement { started_at_s, wall_ns, stolen, throttled, cell, outcome, observation, .. } =
        measurement;
    number("started_at_s", *started_at_s)?;
    let (stolen, throttled) = (stolen.unwrap_or_default(), throttled.unwrap_or_default());
    whole(&[
        ("wall_ns", *wall_ns),
        ("stolen.server_core_ns", stolen.server_core_ns),
        ("stolen.client_core_ns", stolen.client_core_ns),
        ("throttled.periods", throttled.periods),
        ("throttled.stopped_ns", throttled.stopped_ns),
    ])?;
    match (outcome, observation) {
        (Outcome::Completed, None) => fault("outcome", "it completed, and there are no figures"),
        (Outcome::Completed, Some(seen)) => {
            check_figures(cell, seen)?;
            check_presence(cell, seen)
        }
        (Outcome::Failed { .. }, Some(seen)) => check_figures(cell, seen),
        (Outcome::Failed { .. }, None) => Ok(()),
    }
}

fn check_figures(cell: &Cell, seen: &Observation) -> Checked {
    check_counts(seen)?;
    check_latencies(seen)?;
    for (key, usage) in [("server_usage", &seen.server_usage), ("client_usage", &seen.client_usage)] {
        usage.as_ref().map_or(Ok(()), |usage| check_usage(key, usage))?;
    }
    seen.usage_samples.as_ref().map_or(Ok(()), check_columns)?;
    seen.accounts.as_ref().map_or(Ok(()), |accounts| check_accounts(accounts, cell, seen))?;
    seen.disturbed.as_ref().map_or(Ok(()), check_disturbed)?;
    if let Some(relayed) = &seen.relayed
        && relayed.published.checked_mul(cell.connections.into()) != Some(seen.sent)
    {
        let due = format!(
            "{} × {} connections are not the {} sent",
            relayed.published, cell.connections, seen.sent
        );
        return fault("relayed.published", due);
    }
    check_capacity(seen)
}

fn check_counts(seen: &Observation) -> Checked {
    let Observation {
        sent, received, lost, reordered, negative, checked, elapsed_ns, reads, connect_ns, ..
    } = seen;
    whole(&[
        ("sent", *sent),
        ("received", *received),
        ("lost", *lost),
        ("reordered", *reordered),
        ("negative", *negative),
        ("checked", *checked),
        ("elapsed_ns", *elapsed_ns),
        ("reads", *reads),
        ("connect_ns", *connect_ns),
    ])?;
    if *elapsed_ns == 0 {
        return fault("elapsed_ns", "a window of no length has no figures");
    }
    if received + lost != *sent {
        return fault("sent", format!("{sent} is not the {received} received and the {lost} lost"));
    }
    number("messages_per_s", seen.messages_per_s)?;
    number("bytes_per_s", seen.bytes_per_s)
}

/// Every distribution, and each cleaned one beside all that it was cleaned of.
fn check_latencies(seen: &Observation) -> Checked {
    let all = [
        ("lag_ns", &seen.lag_ns),
        ("delivery_ns", &seen.delivery_ns),
        ("response_ns", &seen.response_ns),
        ("round_trip_ns", &seen.round_trip_ns),
        ("handshake_ns", &seen.handshake_ns),
        ("first_tick_ns", &seen.first_tick_ns),
        ("connection_ns", &seen.connection_ns),
        ("publish_lag_ns", &seen.publish_lag_ns),
        ("skew_ns", &seen.skew_ns),
        ("lag_cleaned_ns", &seen.lag_cleaned_ns),
        ("delivery_cleaned_ns", &seen.delivery_cleaned_ns),
        ("round_trip_cleaned_ns", &seen.round_trip_cleaned_ns),
    ];
    for (key, distribution) in all {
        distribution.as_ref().map_or(Ok(()), |distribution| distribution::check(key, distribution))?;
    }
    let cleaned = [
        ("lag_cleaned_ns", &seen.lag_cleaned_ns, &seen.lag_ns),
        ("delivery_cleaned_ns", &seen.delivery_cleaned_ns, &seen.delivery_ns),
        ("round_trip_cleaned_ns", &seen.round_trip_cleaned_ns, &seen.round_trip_ns),
    ];
    for (key, cleaned, raw) in cleaned {
        let count = |one: &Option<Distribution>| one.as_ref().map_or(0, |one| one.count);
        if count(cleaned) > count(raw) {
            let more = format!("{} are more than the {} that it was cleaned of", count(cleaned), count(raw));
            return fault(format!("{key}.count"), more);
        }
    }
    Ok(())
}

fn check_usage(of: &str, usage: &Usage) -> Checked {
    if usage.interval_ns == 0 {
        return fault(format!("{of}.interval_ns"), "usage over no time is none");
    }
    for (key, value) in [("cpu_share", usage.cpu_share), ("cpu_ns_per_message", usage.cpu_ns_per_message)] {
        number(&format!("{of}.{key}"), value)?;
    }
    Ok(())
}

fn check_columns(samples: &UsageSamples) -> Checked {
    let UsageSamples { at_ns, server_cpu_ns, server_rss_bytes, client_cpu_ns, client_rss_bytes } = samples;
    let columns = [
        ("server_cpu_ns", server_cpu_ns),
        ("server_rss_bytes", server_rss_bytes),
        ("client_cpu_ns", client_cpu_ns),
        ("client_rss_bytes", client_rss_bytes),
    ];
    match columns.iter().find(|(_, column)| column.len() != at_ns.len()) {
        None => Ok(()),
        Some((key, column)) => {
            let lengths = format!("it has {} entries, and at_ns has {}", column.len(), at_ns.len());
            fault(format!("usage_samples.{key}"), lengths)
        }
    }
}

/// The accounts of the connections, against each other and against the counts over all of them.
fn check_accounts(accounts: &Accounts, cell: &Cell, seen: &Observation) -> Checked {
    let Accounts { sent_in_window, awaited_ns, lost_age_ns, least_owed, worst, .. } = accounts;
    let start_after_upgrade_ns = accounts.start_after_upgrade_ns.unwrap_or_default();
    whole(&[
        ("accounts.awaited_ns", *awaited_ns),
        ("accounts.lost_age_ns", lost_age_ns.unwrap_or_default()),
        ("accounts.start_after_upgrade_ns", start_after_upgrade_ns),
    ])?;
    let (sent, lost, connections) = (seen.sent, seen.lost, cell.connections);
    let of = |key: &str, cause: String| fault(format!("accounts.{key}"), cause);
    if cell.kind == ScenarioKind::Throughput {
        return fault("accounts", "a flood owes nothing, and so has no accounts");
    }
    if *sent_in_window > sent {
        return of(
            "sent_in_window",
            format!("{sent_in_window} are more than the {sent} that belong to the window"),
        );
    }
    if lost == 0 && lost_age_ns.is_some() {
        return of("lost_age_ns", "nothing was lost that could have an age".into());
    }
    if worst.connection >= connections {
        return of("worst.connection", format!("there are {connections} connections, counted from 0"));
    }
    if worst.owed > sent {
        return of("worst.owed", format!("{} are more than the {sent} that all were owed", worst.owed));
    }
    if *least_owed > worst.owed {
        return of(
            "least_owed",
            format!("{least_owed} are more than the {} of connection {}", worst.owed, worst.connection),
        );
    }
    let missing = worst.owed.checked_sub(worst.received);
    match missing {
        None => of("worst.received", format!("{} are more than the {} owed", worst.received, worst.owed)),
        Some(missing) if missing > lost => {
            of("worst.received", format!("{missing} are missing there, and {lost} over all connections"))
        }
        Some(0) if lost > 0 => {
            of("worst.received", format!("{lost} were lost, and none where the most were"))
        }
        Some(_) => Ok(()),
    }
}

fn check_disturbed(disturbed: &Disturbed) -> Checked {
    let Disturbed { attempted, left, open, closed, ended, reset, refused, .. } = disturbed;
    let fates =
        [left, open, ended, reset, refused].into_iter().chain(closed.iter().map(|closed| &closed.count));
    let sum = fates.map(|count| u128::from(*count)).sum::<u128>();
    if sum != u128::from(*attempted) {
        return fault("disturbed.attempted", format!("{attempted} were begun, and {sum} came to an end"));
    }
    whole(&[("disturbed.attempted", *attempted), ("disturbed.client_ns", disturbed.client_ns)])
}

/// A search, and the step that it says is the highest which held.
fn check_capacity(seen: &Observation) -> Checked {
    let Some(capacity) = &seen.capacity else { return Ok(()) };
    number("capacity.rate_per_s", capacity.rate_per_s)?;
    for (at, step) in capacity.steps.iter().enumerate() {
        check_step(&format!("capacity.steps[{at}]"), step)?;
    }
    let held = |step: &&Step| step.held && step.rate_per_s == capacity.rate_per_s;
    if capacity.steps.iter().find(held).is_none() {
        return fault("capacity.rate_per_s", format!("no step of {}/s held", capacity.rate_per_s));
    }
    Ok(())
}

fn check_step(of: &str, step: &Step) -> Checked {
    number(&format!("{of}.rate_per_s"), step.rate_per_s)?;
    let Some(seen) = &step.seen else {
        return if step.held { fault(format!("{of}.seen"), "it held, and nothing was seen") } else { Ok(()) };
    };
    let StepSeen { achieved_per_s, achieved_share, p50_ns, p99_ns, p999_ns, .. } = seen;
    let reals = [
        ("achieved_per_s", *achieved_per_s),
        ("achieved_share", achieved_share.unwrap_or_default()),
        ("client_cpu_share", seen.client_cpu_share.unwrap_or_default()),
        ("server_cpu_share", seen.server_cpu_share.unwrap_or_default()),
    ];
    for (key, value) in reals {
        number(&format!("{of}.seen.{key}"), value)?;
    }
    ascending(&format!("{of}.seen"), &[("p50_ns", *p50_ns), ("p99_ns", *p99_ns), ("p999_ns", *p999_ns)])?;
    whole(&[("capacity.steps.seen.elapsed_ns", seen.elapsed_ns), ("capacity.steps.seen.lost", seen.lost)])
}

/// The figure that its kind asks for, where anything came that it can be of.
fn check_presence(cell: &Cell, seen: &Observation) -> Checked {
    let keys: &[(&str, bool)] = match cell.kind {
        ScenarioKind::Latency | ScenarioKind::Scaling | ScenarioKind::Load => &[
            ("lag_ns", seen.lag_ns.is_none()),
            ("delivery_ns", seen.delivery_ns.is_none()),
            ("response_ns", seen.response_ns.is_none()),
        ],
        ScenarioKind::Throughput | ScenarioKind::Relay => &[("delivery_ns", seen.delivery_ns.is_none())],
        ScenarioKind::Echo | ScenarioKind::Ping => &[("round_trip_ns", seen.round_trip_ns.is_none())],
        ScenarioKind::Connect => &[
            ("handshake_ns", seen.handshake_ns.is_none()),
            ("first_tick_ns", seen.first_tick_ns.is_none()),
            ("connection_ns", seen.connection_ns.is_none()),
        ],
        ScenarioKind::Capacity => &[("capacity", seen.capacity.is_none())],
    };
    // Samples below zero are in no distribution, and so one may be empty that is of nothing else.
    let may_be_empty = seen.received == 0 || seen.negative > 0;
    match keys.iter().find(|(_, is_missing)| *is_missing) {
        Some((key, _)) if !may_be_empty => fault(
            *key,
            format!("{} messages of a {} scenario came, and it is missing", seen.received, cell.kind),
        ),
        _ => Ok(()),
    }
}

/// A figure that is a number at all, not below zero and not beyond reason.
fn number(key: &str, value: f64) -> Checked {
    if value.is_finite() && (0.0..=MOST as f64).contains(&value) {
        return Ok(());
    }
    fault(key, format!("{value} is no number from 0 to 10^15"))
}

fn whole(values: &[(&str, u64)]) -> Checked {
    match values.iter().find(|(_, value)| *value > MOST) {
        Some((key, value)) => fault(*key, format!("{value} is beyond 10^15")),
        None => Ok(()),
    }
}

/// Values of which none is below the one before it.
fn ascending(of: &str, values: &[(&str, u64)]) -> Checked {
    match values.windows(2).find(|pair| pair[1].1 < pair[0].1) {
        Some(&[(lower, least), (key, value)]) => {
            fault(format!("{of}.{key}"), format!("{value} is below {lower}, which is {least}"))
        }
        _ => Ok(()),
    }
}
