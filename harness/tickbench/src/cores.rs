//! Who runs where: the server on one core, the client on another, the harness on neither where there are more.

use std::str::FromStr;

use anyhow::{bail, ensure};
use tickbench_record::Cores;

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

/// Where everything runs, and what a reader must know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) cores: Cores,
    pub(crate) warnings: Vec<String>,
}

/// Chooses cores and tries whether they can be had. A wish for a core that this process may not use is an error; a
/// system that refuses to pin is a warning.
pub(crate) fn place(wish: Option<CorePair>) -> anyhow::Result<Placement> {
    let allowed = match system::allowed_cores() {
        Ok(allowed) => allowed,
        Err(cause) => return Ok(unpinned(Vec::new(), format!("nothing is pinned: {cause}"))),
    };
    if let Some(pair) = wish {
        check(pair, &allowed)?;
    }
    let Some(pair) = wish.or_else(|| choose(&allowed, system::siblings)) else {
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

/// Two cores of different physical cores where there are such, the last ones: interrupts favour the first.
fn choose(allowed: &[usize], siblings: impl Fn(usize) -> Vec<usize>) -> Option<CorePair> {
    if let &[server, client] = allowed {
        return Some(CorePair { server, client });
    }
    let mut physical: Vec<usize> = Vec::new();
    for &core in allowed {
        if !physical.iter().any(|&known| siblings(known).contains(&core)) {
            physical.push(core);
        }
    }
    let from = if physical.len() >= 2 { &physical[..] } else { allowed };
    match from {
        [.., server, client] => Some(CorePair { server: *server, client: *client }),
        _ => None,
    }
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
