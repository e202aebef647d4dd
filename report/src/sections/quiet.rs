//! How quiet the machine was, and what the instrument can do on it.

use serde::Serialize;
use tickbench_record::{Environment, Wait};

use crate::table::{Table, escaped};
use crate::units::{count, duration, number};

/// The section on the machine's quiet and on the instrument.
#[derive(Debug, Serialize)]
pub(crate) struct Quiet {
    /// What was found before the run.
    findings: String,
    /// How many of the findings come with advice.
    advised: usize,
    /// What the machine takes from each core.
    hiccups: String,
    /// Whether both cores read one clock.
    clocks: String,
    /// What each client can take in.
    ceilings: String,
    /// How the last self-test ended.
    self_test: String,
}

pub(crate) fn section(environment: &Environment) -> Quiet {
    Quiet {
        findings: findings(environment).markdown(),
        advised: environment.findings.iter().filter(|finding| finding.advice.is_some()).count(),
        hiccups: hiccups(environment).markdown(),
        clocks: clocks(environment),
        ceilings: ceilings(environment).markdown(),
        self_test: self_test(environment),
    }
}

fn findings(environment: &Environment) -> Table {
    let mut table = Table::new(["looked at", "found", "what to do"]).texts(3);
    // What asks for something comes first.
    let mut findings: Vec<_> = environment.findings.iter().collect();
    findings.sort_by_key(|finding| finding.advice.is_none());
    for finding in findings {
        let advice = finding.advice.as_deref().map_or("—".into(), escaped);
        table.push(vec![escaped(&finding.subject), escaped(&finding.found), advice]);
    }
    table
}

fn hiccups(environment: &Environment) -> Table {
    let mut table =
        Table::new(["core", "watched", "a gap counts from", "gaps/s", "time lost %", "longest gap"]);
    let role = |core: usize| match (environment.cores.server, environment.cores.client) {
        (Some(server), _) if server == core => " (server)",
        (_, Some(client)) if client == core => " (client)",
        _ => "",
    };
    for core in &environment.hiccups {
        table.push(vec![
            format!("{}{}", core.core, role(core.core)),
            duration(core.watched_ns),
            micros(core.threshold_ns),
            number(core.per_s),
            number(core.lost_share * 100.0),
            micros(core.longest_ns),
        ]);
    }
    table
}

fn micros(ns: u64) -> String {
    format!("{} µs", number(ns as f64 / 1e3))
}

fn clocks(environment: &Environment) -> String {
    match environment.clocks {
        None => "Whether the cores read one clock was not tried.".into(),
        Some(clocks) if clocks.backwards == 0 => format!(
            "Both cores read one clock: of {} readings handed from core to core none was earlier than the one it followed.",
            count(clocks.readings)
        ),
        Some(clocks) => format!(
            "**The cores do not read one clock:** of {} readings handed from core to core {} were earlier than the one they \
             followed, by {} at most. No delivery or lag of this run can be believed.",
            count(clocks.readings),
            count(clocks.backwards),
            micros(clocks.worst_ns)
        ),
    }
}

fn ceilings(environment: &Environment) -> Table {
    let headings =
        ["client", "encoding", "waits by", "M messages/s", "MiB/s", "CPU ns a message", "messages a read"];
    let mut table = Table::new(headings).texts(3);
    for known in &environment.ceilings {
        let ceiling = &known.ceiling;
        table.push(vec![
            known.client.to_string(),
            ceiling.encoding.to_string(),
            if ceiling.wait == Wait::Spin { "polling" } else { "sleeping" }.into(),
            number(ceiling.messages_per_s / 1e6),
            number(ceiling.bytes_per_s / f64::from(1 << 20)),
            number(ceiling.cpu_ns_per_message),
            number(ceiling.messages_per_read),
        ]);
    }
    table
}

fn self_test(environment: &Environment) -> String {
    let Some(test) = &environment.self_test else {
        return "No self-test was run on this machine: `tickbench selftest` injects faults and shows whether the instrument \
                catches them."
            .into();
    };
    let text = format!(
        "The self-test on this machine caught {} of {} injected faults on {} (tickbench {})",
        test.caught,
        test.done,
        test.at.split('T').next().unwrap_or(&test.at),
        escaped(&test.tickbench_version)
    );
    if test.caught < test.done {
        format!("**{text}: the instrument missed some.**")
    } else {
        format!("{text}.")
    }
}
