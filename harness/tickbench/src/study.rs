//! Which study to run: a file or an embedded one, with the wishes of the command line applied.

use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use tickbench_protocol::Capture;
use tickbench_record::{Arrival, CONTROL, Idle, Scenario, ScenarioKind, Study};

use crate::cli::RunArgs;
use crate::control;
use crate::feed;
use crate::manifest::Manifest;
use crate::owed;

const DEFAULT: &str = include_str!("../../../studies/default.toml");
const QUICK: &str = include_str!("../../../studies/quick.toml");
const LATENCY: &str = include_str!("../../../studies/latency.toml");

/// The study that the flags ask for, its seed and its servers spelled out.
pub(crate) fn wished(args: &RunArgs, manifest: &Manifest) -> anyhow::Result<Study> {
    let mut study = base(args)?;
    apply(&mut study, args)?;
    if study.servers.is_empty() {
        study.servers = manifest.names();
    }
    match &args.control_alone {
        Some(server) => control::reduce(&mut study, server.as_deref(), manifest)?,
        None => choose_control(&mut study, manifest),
    }
    study.seed.get_or_insert_with(draw_seed);
    check_servers(&study, manifest)?;
    owed::check(&study)?;
    Ok(study)
}

/// The recorded study of a run that is resumed, after making sure that no flag contradicts it.
pub(crate) fn resumed(args: &RunArgs, recorded: Study) -> anyhow::Result<Study> {
    let names_study = args.study.is_some() || args.quick;
    let mut wished = if names_study { base(args)? } else { recorded.clone() };
    if names_study {
        wished.iterations = recorded.iterations;
        wished.servers.clone_from(&recorded.servers);
        wished.seed = recorded.seed;
        if let Some(path) = &recorded.feed {
            wished.feed.clone_from(&recorded.feed);
            replay(&mut wished, &feed::read(Path::new(path))?, recorded.speed);
        }
    }
    apply(&mut wished, args)?;
    let differing = [
        ("--iterations", wished.iterations != recorded.iterations),
        ("--servers", wished.servers != recorded.servers),
        ("--seed", wished.seed != recorded.seed),
        ("--feed", wished.feed != recorded.feed),
        ("--speed", wished.speed != recorded.speed),
        (if args.quick { "--quick" } else { "--study" }, names_study && wished != recorded),
    ];
    match differing.iter().find(|(_, differs)| *differs) {
        Some((flag, _)) => bail!(
            "{flag} contradicts the recorded study of this run: leave it out to complete the run as it began, or start \
             a new one with --out"
        ),
        None => Ok(recorded),
    }
}

/// The default study, as it is embedded.
pub(crate) fn embedded() -> anyhow::Result<Study> {
    Study::from_toml(DEFAULT).context("failed to read the embedded study")
}

fn base(args: &RunArgs) -> anyhow::Result<Study> {
    if let Some(study) = &args.made {
        return Ok(study.clone());
    }
    let Some(path) = &args.study else {
        let text = match (args.quick, &args.control_alone) {
            (true, _) => QUICK,
            (false, Some(_)) => LATENCY,
            (false, None) => DEFAULT,
        };
        return Study::from_toml(text).context("failed to read the embedded study");
    };
    let text = std::fs::read_to_string(path).with_context(|| {
        format!("failed to read the study `{}`: `tickbench list` shows those of the project", path.display())
    })?;
    Study::from_toml(&text).with_context(|| format!("`{}` is no study", path.display()))
}

fn apply(study: &mut Study, args: &RunArgs) -> anyhow::Result<()> {
    if let Some(iterations) = args.iterations {
        study.iterations = iterations;
    }
    if !args.servers.is_empty() {
        study.servers.clone_from(&args.servers);
    }
    if let Some(seed) = args.seed {
        study.seed = Some(seed);
    }
    let named = study.feed.as_ref().map(PathBuf::from);
    let Some(path) = args.feed.as_ref().or(named.as_ref()) else { return Ok(()) };
    let capture = feed::read(path)?;
    study.feed = Some(absolute(path)?);
    if args.feed.is_some() {
        replay(study, &capture, args.speed.unwrap_or(1.0));
    }
    let replays = study.scenarios.iter().any(|scenario| scenario.arrival == Arrival::Recorded);
    if replays { feed::check_gaps(&capture, path, study.speed, study.stall_ms) } else { Ok(()) }
}

/// A file as servers and clients are told it, which run in folders of their own.
fn absolute(path: &Path) -> anyhow::Result<String> {
    let path = path.canonicalize().with_context(|| format!("failed to open `{}`", path.display()))?;
    let path = path.to_str().with_context(|| format!("`{}` is no UTF-8: rename it", path.display()))?;
    Ok(path.to_owned())
}

/// Puts a capture in the place of the generated feed. Where the study has scenarios that replay one, it is theirs; else all paced ticks
/// come at the recorded gaps. Either way, at least once through the capture.
fn replay(study: &mut Study, capture: &Capture, speed: f64) {
    study.speed = speed;
    let span_ms = (capture.span_ns() as f64 / speed / 1e6).ceil() as u64;
    let replays = study.scenarios.iter().any(|scenario| scenario.arrival == Arrival::Recorded);
    let is_fed = |scenario: &&mut Scenario| match scenario.kind {
        ScenarioKind::Throughput => true,
        _ if replays => scenario.arrival == Arrival::Recorded,
        kind => kind.has_feed(),
    };
    for scenario in study.scenarios.iter_mut().filter(is_fed) {
        scenario.size_bytes = vec![0];
        if matches!(scenario.kind, ScenarioKind::Latency | ScenarioKind::Scaling) {
            scenario.arrival = Arrival::Recorded;
            scenario.rate_per_s = 0.0;
            scenario.window_ms = scenario.window_ms.max(span_ms);
        }
    }
}

/// Leaves out the scenarios that replay a capture where there is none. Returns what to say of it.
pub(crate) fn leave_out_replays(study: &mut Study) -> anyhow::Result<Option<String>> {
    let replays = |scenario: &Scenario| scenario.arrival == Arrival::Recorded;
    if study.feed.is_some() || !study.scenarios.iter().any(replays) {
        return Ok(None);
    }
    let names: Vec<&str> = study
        .scenarios
        .iter()
        .filter(|scenario| replays(scenario))
        .map(|scenario| scenario.name.as_str())
        .collect();
    let what = format!("{} replays a capture, and there is none", names.join(" and "));
    ensure!(
        names.len() < study.scenarios.len(),
        "{what}: name one with --feed, or record one with `tickbench capture`"
    );
    study.scenarios.retain(|scenario| !replays(scenario));
    Ok(Some(format!(
        "{what}: it was left out; name a capture with --feed, or record one with `tickbench capture`."
    )))
}

/// A control that is not among the servers gives its place to another: what counts is that some server runs twice.
fn choose_control(study: &mut Study, manifest: &Manifest) {
    if study.control.as_ref().is_some_and(|name| !study.servers.contains(name)) {
        study.control = control::of_servers(&study.servers, manifest);
    }
}

/// Lets the server's core sleep in every scenario, where nothing can keep it awake. Returns whether any wanted it awake.
pub(crate) fn let_sleep(study: &mut Study) -> bool {
    let mut changed = false;
    for scenario in study.scenarios.iter_mut().filter(|scenario| scenario.idle.contains(&Idle::Spin)) {
        scenario.idle = vec![Idle::Sleep];
        changed = true;
    }
    changed
}

fn check_servers(study: &Study, manifest: &Manifest) -> anyhow::Result<()> {
    for (index, name) in study.servers.iter().enumerate() {
        manifest.server(name)?;
        if study.servers[..index].contains(name) {
            bail!(
                "server {name:?} is named twice: to compare it with itself, write {name}#again for the second"
            );
        }
    }
    if let Some(control) = &study.control {
        manifest.server(control).context("the study's control")?;
        if control.contains('#') {
            bail!("the study's control is {control:?}: name the server without a label");
        }
        let taken = format!("{control}{CONTROL}");
        let twice = study.servers.contains(&taken) && study.scenarios.iter().any(|scenario| scenario.control);
        if twice {
            bail!("{taken:?} is the name of the study's own control: leave it out, or take another label");
        }
    }
    for scenario in &study.scenarios {
        for name in &scenario.servers {
            manifest.server(name).with_context(|| format!("scenario {:?}", scenario.name))?;
        }
    }
    Ok(())
}

/// A seed that nobody chose: short enough to be typed again.
pub(crate) fn draw_seed() -> u64 {
    RandomState::new().hash_one(std::process::id()) & 0xffff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_studies_can_be_used_and_read_back() {
        for text in [DEFAULT, QUICK, LATENCY] {
            let study = Study::from_toml(text).unwrap();
            assert_eq!(Study::from_toml(&study.to_toml()).unwrap(), study);
        }
    }

    #[test]
    fn the_quick_study_asks_nothing_that_the_default_one_does_not() {
        let (default, quick) = (Study::from_toml(DEFAULT).unwrap(), Study::from_toml(QUICK).unwrap());
        let names: Vec<_> = default.scenarios.iter().map(|s| (&s.name, s.kind)).collect();
        assert!(quick.scenarios.iter().all(|s| names.contains(&(&s.name, s.kind))));
        assert_eq!((default.iterations, quick.iterations), (100, 5));
    }

    #[test]
    fn a_resumed_run_refuses_flags_that_contradict_it() {
        let mut recorded = Study::from_toml(QUICK).unwrap();
        recorded.seed = Some(7);
        let refused = |args: RunArgs| resumed(&args, recorded.clone()).unwrap_err().to_string();
        assert!(refused(RunArgs { iterations: Some(9), ..Default::default() }).contains("--iterations"));
        assert!(refused(RunArgs { seed: Some(8), ..Default::default() }).contains("--seed"));
        assert!(refused(RunArgs { servers: vec!["x".into()], ..Default::default() }).contains("--servers"));
        let same = RunArgs { quick: true, seed: Some(7), ..Default::default() };
        assert_eq!(resumed(&same, recorded.clone()).unwrap(), recorded);
    }

    #[test]
    fn every_study_of_the_project_can_be_read_and_owes_each_connection_enough() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../studies");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let studies: Vec<_> =
            files.filter(|file| file.extension().is_some_and(|end| end == "toml")).collect();
        assert!(studies.len() > 4);
        for file in studies {
            let study = Study::from_toml(&std::fs::read_to_string(&file).unwrap()).unwrap();
            assert_eq!(study.name, file.file_stem().unwrap().to_str().unwrap());
            owed::check(&study).unwrap();
        }
    }

    #[test]
    fn a_replay_paces_the_streams_and_leaves_echo_alone() {
        let lines = b"{\"ts_ns\":0,\"payload\":\"a\"}\n{\"ts_ns\":60000000000,\"payload\":\"b\"}\n";
        let capture = Capture::read(&lines[..]).unwrap();
        let mut study = Study::from_toml(DEFAULT).unwrap();
        let echo = study.scenarios.iter().find(|s| s.kind == ScenarioKind::Echo).cloned();
        replay(&mut study, &capture, 10.0);
        for scenario in &study.scenarios {
            match scenario.kind {
                ScenarioKind::Echo => assert!(study.scenarios.contains(echo.as_ref().unwrap())),
                ScenarioKind::Throughput => assert_eq!(scenario.arrival, Arrival::Constant),
                _ => assert_eq!((scenario.arrival, scenario.window_ms), (Arrival::Recorded, 6000)),
            }
        }
        assert_eq!(Study::from_toml(&study.to_toml()).unwrap(), study);
    }
}
