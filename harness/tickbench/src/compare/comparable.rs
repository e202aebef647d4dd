//! Whether two runs may be compared: the same machine, asked the same.

use std::fmt::Debug;
use std::path::Path;

use tickbench_record::{BuiltServer, Environment, Scenario, Study};

/// What makes figures of two runs incomparable, a phrase each; none where they are comparable.
pub(crate) fn differences(before: (&Study, &Environment), after: (&Study, &Environment)) -> Vec<String> {
    let mut found = machines(before.1, after.1);
    found.extend(workloads(before.0, after.0));
    found
}

/// What differs and keeps nobody from comparing.
pub(crate) fn notes(before: &Environment, after: &Environment) -> Vec<String> {
    let moved = cores(before) != cores(after) && are_alike(before, after);
    let shown = |environment: &Environment| {
        let (server, client) = cores(environment);
        format!("server {}, client {}", shown(server), shown(client))
    };
    let note = || {
        format!(
            "The runs had other cores ({} before, {} after), of one package and kind: what differs between such cores is in the \
             changes. `--cores` keeps them the same.",
            shown(before),
            shown(after)
        )
    };
    moved.then(note).into_iter().collect()
}

fn cores(environment: &Environment) -> (&Option<usize>, &Option<usize>) {
    (&environment.cores.server, &environment.cores.client)
}

/// Whether the cores of both runs are as good as each other, which is more than having a name in common.
fn are_alike(before: &Environment, after: &Environment) -> bool {
    before.cores.kinds.is_some() && before.cores.kinds == after.cores.kinds
}

fn machines(before: &Environment, after: &Environment) -> Vec<String> {
    let mut found = Differences::default();
    let (one, other) = (&before.machine, &after.machine);
    found.unless_equal("the processor", &one.cpu_model, &other.cpu_model);
    found.unless_equal("its architecture", &one.architecture, &other.architecture);
    found.unless_equal("the number of logical cores", &one.logical_cores, &other.logical_cores);
    found.unless_equal("the hypervisor", &one.hypervisor, &other.hypervisor);
    found.unless_equal("the kernel", &one.kernel, &other.kernel);
    found.unless_equal("the frequency governor", &one.governor, &other.governor);
    found.unless_equal("turbo", &one.turbo, &other.turbo);
    found.unless_equal("simultaneous multithreading", &one.smt, &other.smt);
    if !are_alike(before, after) {
        found.unless_equal("the server's core", &before.cores.server, &after.cores.server);
        found.unless_equal("the client's core", &before.cores.client, &after.cores.client);
    }
    found.0
}

/// What the studies ask differently. Names of servers, iterations and the seed may differ, and so may what only one of them asks.
fn workloads(before: &Study, after: &Study) -> Vec<String> {
    let mut found = Differences::default();
    // A capture lies in another place in each checkout: its name stands for it.
    let capture = |study: &Study| {
        study.feed.as_deref().and_then(|path| Path::new(path).file_name()).map(ToOwned::to_owned)
    };
    found.unless_equal("the feed", &capture(before), &capture(after));
    found.unless_equal("its speed", &before.speed, &after.speed);
    for then in &before.scenarios {
        if let Some(now) = after.scenarios.iter().find(|now| now.name == then.name) {
            scenario(then, now, &mut found);
        }
    }
    found.0
}

fn scenario(then: &Scenario, now: &Scenario, found: &mut Differences) {
    let of = |what: &str| format!("scenario {:?}: {what}", then.name);
    found.unless_equal(&of("kind"), &then.kind, &now.kind);
    found.unless_equal(&of("arrival"), &then.arrival, &now.arrival);
    found.unless_equal(&of("rate_per_s"), &then.rate_per_s, &now.rate_per_s);
    found.unless_equal(&of("size_bytes"), &then.size_bytes, &now.size_bytes);
    found.unless_equal(&of("wait"), &then.wait, &now.wait);
    // A read with its timestamp takes longer.
    found.unless_equal(&of("stages"), &then.stages, &now.stages);
    found.unless_equal(&of("warmup_ms"), &then.warmup_ms, &now.warmup_ms);
    found.unless_equal(&of("window_ms"), &then.window_ms, &now.window_ms);
}

#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn unless_equal<T: PartialEq + Debug>(&mut self, what: &str, before: &T, after: &T) {
        if before != after {
            self.0.push(format!("{what} ({} before, {} after)", shown(before), shown(after)));
        }
    }
}

/// A value as people read it: without the words that Rust puts around what may be missing.
fn shown(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    match text.strip_prefix("Some(").and_then(|rest| rest.strip_suffix(')')) {
        Some(inner) => inner.to_owned(),
        None if text == "None" => "unknown".to_owned(),
        None => text,
    }
}

/// A program that is not the same in both runs.
pub(crate) struct OtherProgram {
    /// Its name, and what it is.
    pub(crate) name: String,
    pub(crate) before: String,
    pub(crate) after: String,
    pub(crate) role: Role,
}

/// What a program that changed does in a run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    /// It measures: a figure may have moved with it.
    Client,
    /// It compiles or conducts.
    Tool,
}

/// The programs that differ: what one compares runs for, and what one had rather not find.
pub(crate) fn programs(before: &Environment, after: &Environment) -> Vec<OtherProgram> {
    let mut found = Vec::new();
    for (role, then, now) in
        [(Role::Server, &before.servers, &after.servers), (Role::Client, &before.clients, &after.clients)]
    {
        for program in then {
            let Some(built) = now.iter().find(|built| built.name == program.name) else { continue };
            if (&built.version, &built.sha256) != (&program.version, &program.sha256) {
                let (before, after) = (identity(program), identity(built));
                found.push(OtherProgram { name: built.name.clone(), before, after, role });
            }
        }
    }
    let version = |environment: &Environment| environment.tickbench_version.clone();
    let rustc = |environment: &Environment| environment.machine.rustc.clone().unwrap_or("unknown".into());
    for (name, then, now) in
        [("tickbench", version(before), version(after)), ("compiler", rustc(before), rustc(after))]
    {
        if then != now {
            found.push(OtherProgram { name: name.into(), before: then, after: now, role: Role::Tool });
        }
    }
    found
}

fn identity(program: &BuiltServer) -> String {
    let hash = program.sha256.as_deref().map_or("unknown hash".into(), |hash| {
        format!("SHA-256 {}…", hash.chars().take(12).collect::<String>())
    });
    format!("{}, {hash}", program.version)
}

#[cfg(test)]
mod tests {
    use tickbench_record::{CoreKind, CoreKinds};

    use super::*;

    fn study(more: &str) -> Study {
        Study::from_toml(&format!(
            "name = 't'\niterations = 2\n[[scenario]]\nname = 's'\nkind = 'latency'\nwait = 'spin'\nwarmup_ms = 1\n\
             window_ms = 1\n{more}"
        ))
        .unwrap()
    }

    fn between(before: (&Study, &Environment), after: (&Study, &Environment)) -> String {
        differences(before, after).join("; ")
    }

    #[test]
    fn the_same_machine_and_workload_are_comparable() {
        let (one, machine) = (study("rate_per_s = 5\n"), Environment::default());
        let other = Study { iterations: 9, seed: Some(3), servers: vec!["x".into()], ..one.clone() };
        assert_eq!(between((&one, &machine), (&other, &machine)), "");
    }

    #[test]
    fn what_differs_is_named_with_both_values() {
        let (one, other) = (study("rate_per_s = 5\n"), study("rate_per_s = 6\n"));
        let (here, mut there) = (Environment::default(), Environment::default());
        there.machine.kernel = Some("6.1".into());
        there.cores.client = Some(3);
        let staged = study("rate_per_s = 5\nstages = true\n");
        let stages = between((&one, &here), (&staged, &here));
        assert_eq!(stages, "scenario \"s\": stages (false before, true after)");
        let all = between((&one, &here), (&other, &there));
        for words in [
            "the kernel (unknown before, \"6.1\" after)",
            "the client's core (unknown before, 3 after)",
            "scenario \"s\": rate_per_s (5.0 before, 6.0 after)",
        ] {
            assert!(all.contains(words), "{words} is missing from {all}");
        }
    }

    #[test]
    fn equal_cores_of_one_package_are_comparable_with_a_note() {
        let kind = |package, most_khz| CoreKind { package, most_khz, ..CoreKind::default() };
        let on = |server, client, kinds: Option<(CoreKind, CoreKind)>| {
            let mut environment = Environment::default();
            environment.cores.server = Some(server);
            environment.cores.client = Some(client);
            environment.cores.kinds =
                kinds.map(|(server, client)| CoreKinds { server, client, siblings: false });
            environment
        };
        let fast = || Some((kind(0, Some(5)), kind(0, Some(5))));
        let study = study("rate_per_s = 5\n");
        let compared = |one: &Environment, other: &Environment| {
            (differences((&study, one), (&study, other)).len(), notes(one, other).len())
        };
        assert_eq!(compared(&on(0, 1, fast()), &on(1, 0, fast())), (0, 1));
        assert_eq!(compared(&on(0, 1, fast()), &on(0, 1, fast())), (0, 0));
        for other in [
            // Not known, another package, a slower kind in one of the roles.
            None,
            Some((kind(1, Some(5)), kind(1, Some(5)))),
            Some((kind(0, Some(5)), kind(0, Some(3)))),
        ] {
            assert_eq!(compared(&on(0, 1, fast()), &on(1, 0, other.clone())), (2, 0), "{other:?}");
        }
        assert_eq!(compared(&on(0, 1, None), &on(1, 0, None)), (2, 0), "what is not known is not equal");
        let note = notes(&on(0, 1, fast()), &on(1, 0, fast())).remove(0);
        assert!(note.contains("(server 0, client 1 before, server 1, client 0 after)"), "{note}");
    }

    #[test]
    fn a_capture_is_known_by_its_name_wherever_it_lies() {
        let machine = Environment::default();
        let fed = |path: &str| Study { feed: Some(path.into()), ..study("rate_per_s = 5\n") };
        assert_eq!(between((&fed("/a/tape.gz"), &machine), (&fed("/b/tape.gz"), &machine)), "");
        assert!(
            between((&fed("/a/tape.gz"), &machine), (&fed("/a/other.gz"), &machine)).contains("the feed")
        );
    }
}
