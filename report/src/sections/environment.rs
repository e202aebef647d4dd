//! Where and with what the run was made.

use tickbench_record::{BuiltServer, Cores, Deviation, Environment, Spent};
use tickbench_stats::{DISTURBED, StolenShares};

use crate::run::Run;
use crate::table::{Table, escaped};
use crate::units::{count, duration, number};

/// Machine and settings, a row each.
pub(crate) fn machine(run: &Run) -> String {
    let environment = run.environment;
    let machine = &environment.machine;
    let yes = |is: bool| String::from(if is { "on" } else { "off" });
    let memory =
        machine.memory_bytes.map(|bytes| format!("{} GiB", number(bytes as f64 / f64::from(1 << 30))));
    let system = [&machine.os, &machine.kernel].map(|part| part.as_deref().unwrap_or_default());
    let rows = [
        ("processor", machine.cpu_model.clone().map(|model| format!("{model} ({})", machine.architecture))),
        ("logical cores", Some(machine.logical_cores.to_string())),
        ("memory", memory),
        ("system", Some(system.join(" ").trim().to_string()).filter(|system| !system.is_empty())),
        ("hypervisor", machine.hypervisor.clone()),
        ("frequency governor", machine.governor.clone()),
        ("turbo", machine.turbo.map(yes)),
        ("SMT", machine.smt.map(yes)),
        ("clock source", machine.clock_source.clone()),
        ("load before the run", machine.load_1m.map(|load| format!("{load:.2}"))),
        ("open files a process may have", machine.open_files_limit.map(count)),
        ("compiler", machine.rustc.clone()),
        ("cores", Some(cores(&environment.cores))),
        ("began", Some(environment.started_at.clone())),
        ("time", environment.spent.as_ref().map(time)),
        ("taken by the host, as far as it tells", run.summary.stolen.as_ref().map(taken)),
    ];
    let mut table = Table::new(["what", "on this machine"]).texts(2);
    for (what, value) in rows {
        table.push(vec![what.into(), value.map_or("not known".into(), |value| escaped(&value))]);
    }
    table.markdown()
}

fn time(spent: &Spent) -> String {
    let mut text = format!(
        "building {}, verifying {}, executing {} ({} % of it in warm-ups and windows)",
        duration(spent.building_ns),
        duration(spent.verifying_ns),
        duration(spent.executing_ns),
        number(100.0 * spent.measuring_ns as f64 / spent.executing_ns.max(1) as f64)
    );
    if spent.waiting_ns > 0 {
        text += &format!(", waiting for quiet {}", duration(spent.waiting_ns));
    }
    text
}

fn taken(stolen: &StolenShares) -> String {
    let percent = |share: f64| number(100.0 * share);
    format!(
        "{} % of the server's core, {} % of the client's; more than {:.0} % of either in {} of {} executions",
        percent(stolen.server_core),
        percent(stolen.client_core),
        100.0 * DISTURBED,
        count(stolen.disturbed as u64),
        count(stolen.executions as u64)
    )
}

fn cores(cores: &Cores) -> String {
    let core = |core: Option<usize>| core.map_or("not pinned".into(), |core| format!("core {core}"));
    let harness: Vec<String> = cores.harness.iter().map(usize::to_string).collect();
    let mut text = format!("server {}, client {}", core(cores.server), core(cores.client));
    if !harness.is_empty() {
        text += &format!(", harness on {}", harness.join(", "));
    }
    if !cores.read_back.is_empty() {
        text += &format!("; {}", cores.read_back.trim_end_matches('.'));
    }
    text
}

/// Servers and clients with what tells their builds apart.
pub(crate) fn programs(environment: &Environment) -> String {
    let mut table =
        Table::new(["program", "version", "language", "SHA-256 of what runs, its beginning"]).texts(4);
    let clients = environment.clients.iter().map(|client| (client, " (client)"));
    for (program, role) in environment.servers.iter().map(|server| (server, "")).chain(clients) {
        let BuiltServer { name, version, language, sha256, .. } = program;
        let hash = sha256
            .as_deref()
            .map_or("not known".into(), |hash| format!("`{}`", hash.get(..16).unwrap_or(hash)));
        table.push(vec![format!("{}{role}", escaped(name)), escaped(version), escaped(language), hash]);
    }
    let deviations: String = environment.servers.iter().map(deviations).collect();
    if deviations.is_empty() { table.markdown() } else { format!("{}\n{deviations}", table.markdown()) }
}

/// Where a server deviates from the contract, a line.
fn deviations(server: &BuiltServer) -> String {
    if server.deviations.is_empty() {
        return String::new();
    }
    let each = server.deviations.iter().map(|Deviation { check, why, seen }| {
        let seen = seen.as_ref().map_or("this was not seen".into(), |seen| format!("seen: {seen}"));
        format!("`{check}`: {why} ({seen})", why = escaped(why), seen = escaped(&seen))
    });
    let each: Vec<String> = each.collect();
    format!("- {} deviates from the contract in {}\n", escaped(&server.name), each.join("; "))
}
