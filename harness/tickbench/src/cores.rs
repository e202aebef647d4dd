//! Who runs where: the server on one core, the client on another, the harness on neither where there are more.

use std::str::FromStr;

use anyhow::{Context as _, bail, ensure};
use tickbench_record::{CoreHiccups, Cores};

use crate::system;

/// The cores of server and client; two different ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CorePair {
    pub(crate) server: usize,
    pub(crate) client: usize,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) cores: Cores,
    pub(crate) warnings: Vec<String>,
}

/// The cores worth watching before two of them are chosen: the two that are wished for; else one of each physical core, at
/// most `limit` of them, the last ones. None where there is nothing to choose from.
pub(crate) fn candidates(wish: Option<CorePair>, limit: usize) -> Vec<usize> {
    let allowed = system::allowed_cores().unwrap_or_default();
    match wish {
        Some(pair) => vec![pair.server, pair.client],
        None if allowed.len() < 2 => Vec::new(),
        None => {
            let apart = one_of_each(&allowed, system::siblings);
            apart[apart.len().saturating_sub(limit)..].to_vec()
        }
    }
}

/// A wish for a core that this process may not use is an error.
pub(crate) fn check_wish(wish: Option<CorePair>) -> anyhow::Result<()> {
    match (wish, system::allowed_cores()) {
        (Some(pair), Ok(allowed)) => check(pair, &allowed),
        _ => Ok(()),
    }
}

/// Chooses cores, the quietest of those that were watched, and tries whether they can be had. A wish for a core that this
/// process may not use is an error; a system that refuses to pin is a warning.
pub(crate) fn place(wish: Option<CorePair>, watched: &[CoreHiccups]) -> anyhow::Result<Placement> {
    let allowed = match system::allowed_cores() {
        Ok(allowed) => allowed,
        Err(cause) => return Ok(unpinned(Vec::new(), format!("nothing is pinned: {cause}"))),
    };
    if let Some(pair) = wish {
        check(pair, &allowed)?;
    }
    let chosen = || quietest(watched, system::siblings).or_else(|| choose(&allowed, system::siblings));
    let Some(pair) = wish.or_else(chosen) else {
        let warning = "there is one core only: server, client and harness share it, unpinned, and take turns on it, \
                       so the figures say little";
        return Ok(unpinned(allowed, warning.into()));
    };
    if let Err(cause) = try_out(pair, &allowed) {
        let warning =
            format!("pinning was refused ({cause}): server and client ran where the system put them");
        return Ok(unpinned(allowed, warning));
    }
    Ok(pinned(pair, &allowed, system::siblings))
}

fn check(pair: CorePair, allowed: &[usize]) -> anyhow::Result<()> {
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

/// The two cores that lost the least of their time, of different physical cores where there are such. The quieter one is the
/// client's: it spins, and so everything that its core loses is in the figures.
fn quietest(watched: &[CoreHiccups], siblings: impl Fn(usize) -> Vec<usize>) -> Option<CorePair> {
    let mut by_loss: Vec<&CoreHiccups> = watched.iter().collect();
    by_loss.sort_by(|a, b| a.lost_share.total_cmp(&b.lost_share));
    let client = by_loss.first()?.core;
    let others = || by_loss[1..].iter().map(|hiccups| hiccups.core);
    let apart = others().find(|&core| !siblings(client).contains(&core));
    Some(CorePair { server: apart.or_else(|| others().next())?, client })
}

/// Two cores of different physical cores where there are such, the last ones: interrupts favour the first.
fn choose(allowed: &[usize], siblings: impl Fn(usize) -> Vec<usize>) -> Option<CorePair> {
    if let &[server, client] = allowed {
        return Some(CorePair { server, client });
    }
    match one_of_each(allowed, siblings)[..] {
        [.., server, client] => Some(CorePair { server, client }),
        _ => None,
    }
}

/// One logical core of each physical one; all of them where there is only one physical core.
fn one_of_each(allowed: &[usize], siblings: impl Fn(usize) -> Vec<usize>) -> Vec<usize> {
    let mut physical: Vec<usize> = Vec::new();
    for &core in allowed {
        if !physical.iter().any(|&known| siblings(known).contains(&core)) {
            physical.push(core);
        }
    }
    if physical.len() >= 2 { physical } else { allowed.to_vec() }
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
    };
    Placement { cores, warnings }
}

fn unpinned(allowed: Vec<usize>, warning: String) -> Placement {
    let read_back = "Nothing was pinned.".into();
    Placement {
        cores: Cores { server: None, client: None, harness: allowed, read_back },
        warnings: vec![warning],
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

    fn lost(core: usize, lost_share: f64) -> CoreHiccups {
        CoreHiccups { core, watched_ns: 1, threshold_ns: 1, per_s: 1.0, lost_share, longest_ns: 1 }
    }

    #[test]
    fn a_core_list_is_read_as_the_kernel_writes_it() {
        assert_eq!(parse_core_list("0-2,5\n"), [0, 1, 2, 5]);
        assert_eq!(parse_core_list("3\n"), [3]);
        assert_eq!(parse_core_list("\n"), [0_usize; 0]);
    }

    #[test]
    fn the_quietest_cores_are_taken_and_the_client_has_the_quieter_one() {
        let two = quietest(&[lost(0, 0.01), lost(1, 0.02)], alone);
        assert_eq!(two, Some(CorePair { server: 1, client: 0 }));
        let many = [lost(0, 0.03), lost(1, 0.01), lost(2, 0.02), lost(3, 0.04)];
        assert_eq!(quietest(&many, alone), Some(CorePair { server: 2, client: 1 }));
        // 1 and 5 are threads of one physical core.
        let threads = [lost(1, 0.01), lost(5, 0.02), lost(2, 0.03)];
        assert_eq!(quietest(&threads, threaded), Some(CorePair { server: 2, client: 1 }));
        assert_eq!(quietest(&threads[..2], threaded), Some(CorePair { server: 5, client: 1 }));
        assert_eq!(quietest(&threads[..1], threaded), None);
    }

    #[test]
    fn two_cores_are_shared_with_the_harness_and_it_is_said() {
        let pair = choose(&[0, 1], alone).unwrap();
        assert_eq!(pair, CorePair { server: 0, client: 1 });
        let placement = pinned(pair, &[0, 1], alone);
        assert_eq!(placement.cores.harness, [0, 1]);
        assert!(placement.warnings[0].contains("two cores"));
    }

    #[test]
    fn with_more_cores_the_harness_is_on_neither() {
        let allowed = [0, 1, 2, 3, 4, 5, 6, 7];
        let pair = choose(&allowed, threaded).unwrap();
        assert_eq!(pair, CorePair { server: 2, client: 3 });
        let placement = pinned(pair, &allowed, threaded);
        assert_eq!(placement.cores.harness, [0, 1, 4, 5]);
        assert!(placement.warnings.is_empty());
    }

    #[test]
    fn threads_of_one_physical_core_are_a_warning() {
        let placement = pinned(CorePair { server: 0, client: 4 }, &[0, 4], threaded);
        assert!(placement.warnings.iter().any(|w| w.contains("one physical core")));
    }

    #[test]
    fn one_core_leaves_no_choice() {
        assert_eq!(choose(&[3], alone), None);
    }

    #[test]
    fn a_core_outside_the_allowed_ones_is_refused() {
        let error = check(CorePair { server: 0, client: 9 }, &[0, 1]).unwrap_err();
        assert_eq!(error.to_string(), "core 9 is not among those that this process may use: 0, 1");
    }
}
