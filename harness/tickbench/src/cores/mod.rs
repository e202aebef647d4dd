//! Who runs where: the server on one core, the client on another, the harness on neither where there are more.

mod choice;
mod claims;
mod memory;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use tickbench_record::{CoreHiccups, CoreKinds, Cores};

use crate::system;
use choice::{Choice, one_of_each};

pub(crate) use claims::Claims;

/// Where runs on this machine find each other. Another folder than `/tmp` is for containers that share cores and not `/tmp`.
const MACHINE_FOLDER: &str = "TICKBENCH_MACHINE_DIR";

/// Which cores to use.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct CoreArgs {
    /// The cores of server and client; else those of the last run on this machine, or the quieter two of up to eight.
    #[arg(long, value_name = "S,C")]
    pub(crate) cores: Option<CorePair>,
    /// Measure even on cores on which another run measures; neither's figures are then to be trusted.
    #[arg(long)]
    pub(crate) anyway: bool,
}

/// The cores of server and client; two different ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CorePair {
    pub(crate) server: usize,
    pub(crate) client: usize,
}

impl CorePair {
    fn both(self) -> [usize; 2] {
        [self.server, self.client]
    }
}

impl fmt::Display for CorePair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "server {}, client {}", self.server, self.client)
    }
}

impl FromStr for CorePair {
    type Err = String;
    fn from_str(text: &str) -> Result<CorePair, String> {
        let core = |part: &str| {
            part.trim().parse::<usize>().map_err(|_| format!("{part:?} is no core: write two, such as 0,1"))
        };
        let (server, client) =
            text.split_once(',').ok_or("write the server's core and the client's, such as 0,1")?;
        let pair = CorePair { server: core(server)?, client: core(client)? };
        if pair.server == pair.client {
            return Err("server and client on one core would measure each other: name two cores".into());
        }
        Ok(pair)
    }
}

impl Placement {
    /// Keeps the harness on its own cores, where the others are pinned to theirs.
    pub(crate) fn move_harness(&self) -> anyhow::Result<()> {
        match self.cores.server {
            Some(_) => {
                system::pin_self(&self.cores.harness).context("failed to move the harness to its own cores")
            }
            None => Ok(()),
        }
    }
}

/// Cores as the kernel lists them, `0-2,5`. What is no number is passed over.
pub(crate) fn parse_core_list(list: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

/// Where everything runs, and what a reader must know about it.
#[derive(Debug, Default)]
pub(crate) struct Placement {
    pub(crate) cores: Cores,
    /// Why these cores.
    pub(crate) choice: String,
    pub(crate) warnings: Vec<String>,
    /// No other run takes these cores meanwhile.
    pub(crate) _claims: Claims,
}

fn machine_folder() -> PathBuf {
    std::env::var_os(MACHINE_FOLDER).filter(|set| !set.is_empty()).map_or("/tmp".into(), PathBuf::from)
}

/// The cores worth watching before two of them are chosen: the two that are named; else one of each physical core, at
/// most `limit` of them, the last ones, and those of the last run. None where there is nothing to choose from, and none on which
/// another run measures: to watch a core is to spin on it.
pub(crate) fn candidates(args: CoreArgs, limit: usize) -> Vec<usize> {
    let free = free(args);
    match args.cores {
        Some(pair) => pair.both().to_vec(),
        None if free.len() < 2 => Vec::new(),
        None => {
            let apart = one_of_each(&free, system::siblings);
            let mut candidates = apart[apart.len().saturating_sub(limit)..].to_vec();
            let last = memory::last().map_or(Vec::new(), |last| last.both().to_vec());
            candidates.extend(last.into_iter().filter(|core| free.contains(core)));
            candidates.sort_unstable();
            candidates.dedup();
            candidates
        }
    }
}

/// The cores that a run may take.
fn free(args: CoreArgs) -> Vec<usize> {
    let mut free = system::allowed_cores().unwrap_or_default();
    if !args.anyway {
        let taken = claims::taken(&free);
        free.retain(|core| taken.iter().all(|taken| taken.core != *core));
    }
    free
}

/// Refuses cores that this process may not use, and those on which another run measures; to be asked before anything is built.
pub(crate) fn check(args: CoreArgs) -> anyhow::Result<()> {
    let Ok(allowed) = system::allowed_cores() else { return Ok(()) };
    if let Some(pair) = args.cores {
        check_allowed(pair, &allowed)?;
    }
    let wanted = args.cores.map_or(allowed.clone(), |pair| pair.both().to_vec());
    let has_enough = match args.cores {
        Some(_) => claims::taken(&wanted).is_empty(),
        None => allowed.len() < 2 || free(args).len() >= 2,
    };
    if args.anyway || has_enough { Ok(()) } else { claims::refuse(&claims::taken(&wanted)) }
}

/// Chooses cores, tries whether they can be had, and takes them. To name a core that this process may not use, or on which another run
/// measures, is an error; a system that refuses to pin is a warning.
pub(crate) fn place(args: CoreArgs, watched: &[CoreHiccups]) -> anyhow::Result<Placement> {
    let allowed = match system::allowed_cores() {
        Ok(allowed) => allowed,
        Err(cause) => return Ok(unpinned(Vec::new(), format!("nothing is pinned: {cause}"))),
    };
    check(args)?;
    let choice = || Choice { free: &free(args), watched, last: memory::last() }.make(system::siblings);
    let chosen = match args.cores {
        Some(pair) => Some((pair, "those that were asked for".to_owned())),
        None => choice(),
    };
    let Some((pair, why)) = chosen else {
        let warning = "there is one core only: server, client and harness share it, unpinned, and take turns on it, \
                       so the figures say little";
        return Ok(unpinned(allowed, warning.into()));
    };
    if let Err(cause) = try_out(pair, &allowed) {
        let warning =
            format!("pinning was refused ({cause}): server and client ran where the system put them");
        return Ok(unpinned(allowed, warning));
    }
    let (claims, warnings) = Claims::take(&pair.both(), args.anyway)?;
    let mut placement = Placement { _claims: claims, ..pinned(pair, &allowed, system::siblings) };
    placement.choice = format!("{pair}: {why}");
    placement.warnings.extend(warnings);
    placement.cores.kinds = kinds(pair);
    if args.cores.is_none()
        && let Err(cause) = memory::remember(pair)
    {
        placement.choice += &format!("; it could not be remembered for the next run ({cause})");
    }
    Ok(placement)
}

fn kinds(pair: CorePair) -> Option<CoreKinds> {
    Some(CoreKinds {
        server: system::core_kind(pair.server)?,
        client: system::core_kind(pair.client)?,
        siblings: system::siblings(pair.server).contains(&pair.client),
    })
}

fn check_allowed(pair: CorePair, allowed: &[usize]) -> anyhow::Result<()> {
    for core in [pair.server, pair.client] {
        let list = || allowed.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
        ensure!(
            allowed.contains(&core),
            "core {core} is not among those that this process may use: {}",
            list()
        );
    }
    Ok(())
}

fn try_out(pair: CorePair, allowed: &[usize]) -> anyhow::Result<()> {
    let attempt = || {
        for core in [pair.server, pair.client] {
            system::pin_self(&[core])?;
            let found = system::allowed_cores()?;
            if found != [core] {
                bail!("asked for core {core}, read back {found:?}");
            }
        }
        Ok(())
    };
    let outcome = attempt();
    system::pin_self(allowed)?;
    outcome
}

fn pinned(pair: CorePair, allowed: &[usize], siblings: impl Fn(usize) -> Vec<usize>) -> Placement {
    let CorePair { server, client } = pair;
    let busy = [siblings(server), siblings(client), vec![server, client]].concat();
    let without = |taken: &[usize]| -> Vec<usize> {
        allowed.iter().copied().filter(|core| !taken.contains(core)).collect()
    };
    let apart = [without(&busy), without(&[server, client])].into_iter().find(|left| !left.is_empty());
    let mut warnings = Vec::new();
    if apart.is_none() {
        warnings.push(
            "there are two cores only: the harness and the rest of the system share them with server and client"
                .into(),
        );
    }
    if siblings(server).contains(&client) {
        warnings.push(format!(
            "cores {server} and {client} are threads of one physical core: server and client slow each other down"
        ));
    }
    let cores = Cores {
        server: Some(server),
        client: Some(client),
        harness: apart.unwrap_or_else(|| allowed.to_vec()),
        read_back: format!(
            "The affinity of each process was read back after its start: every server on core {server} alone, every \
             client on core {client} alone."
        ),
        kinds: None,
    };
    Placement { cores, warnings, ..Placement::default() }
}

fn unpinned(allowed: Vec<usize>, warning: String) -> Placement {
    let read_back = "Nothing was pinned.".into();
    Placement {
        cores: Cores { harness: allowed, read_back, ..Cores::default() },
        choice: "none: nothing is pinned".into(),
        warnings: vec![warning],
        _claims: Claims::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(core: usize) -> Vec<usize> {
        vec![core]
    }

    /// Eight logical cores on four physical ones, numbered as Linux does on most machines.
    fn threaded(core: usize) -> Vec<usize> {
        vec![core % 4, core % 4 + 4]
    }

    #[test]
    fn a_core_list_is_read_as_the_kernel_writes_it() {
        assert_eq!(parse_core_list("0-2,5\n"), [0, 1, 2, 5]);
        assert_eq!(parse_core_list("3\n"), [3]);
        assert_eq!(parse_core_list("\n"), [0_usize; 0]);
    }

    #[test]
    fn two_cores_are_shared_with_the_harness_and_it_is_said() {
        let placement = pinned(CorePair { server: 0, client: 1 }, &[0, 1], alone);
        assert_eq!(placement.cores.harness, [0, 1]);
        assert!(placement.warnings[0].contains("two cores"));
    }

    #[test]
    fn with_more_cores_the_harness_is_on_neither() {
        let allowed = [0, 1, 2, 3, 4, 5, 6, 7];
        let placement = pinned(CorePair { server: 2, client: 3 }, &allowed, threaded);
        assert_eq!(placement.cores.harness, [0, 1, 4, 5]);
        assert!(placement.warnings.is_empty());
    }

    #[test]
    fn threads_of_one_physical_core_are_a_warning() {
        let placement = pinned(CorePair { server: 0, client: 4 }, &[0, 4], threaded);
        assert!(placement.warnings.iter().any(|w| w.contains("one physical core")));
    }

    #[test]
    fn a_core_outside_the_allowed_ones_is_refused() {
        let error = check_allowed(CorePair { server: 0, client: 9 }, &[0, 1]).unwrap_err();
        assert_eq!(error.to_string(), "core 9 is not among those that this process may use: 0, 1");
    }
}
