//! Which cores runs measure on: a lock for each core of the machine, so that two runs do not spoil each other's figures.

use std::fmt;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use anyhow::bail;
use tickbench_record::{Held, Lock, LockError};

use super::machine_folder;
use crate::invocation::this_process;

/// The cores that this process measures on, as long as it lives.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    _locks: Vec<Lock>,
}

/// A core on which another run measures.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) core: usize,
    held: Held,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "another run measures on core {}: {}", self.core, self.held)
    }
}

fn path(core: usize) -> PathBuf {
    machine_folder().join(format!("tickbench-core-{core}.lock"))
}

/// Those of the cores on which another run measures now.
pub(super) fn taken(cores: &[usize]) -> Vec<Taken> {
    cores.iter().filter_map(|&core| Some(Taken { core, held: Lock::held(&path(core))? })).collect()
}

/// An error where there are any.
pub(super) fn refuse(taken: &[Taken]) -> anyhow::Result<()> {
    if taken.is_empty() {
        return Ok(());
    }
    let each: Vec<String> = taken.iter().map(Taken::to_string).collect();
    bail!(
        "{}\ntwo runs on one core spoil each other's figures: wait until it ends, name other cores with --cores, or measure all the same \
         with --anyway",
        each.join("\n")
    )
}

impl Claims {
    /// Takes these cores, and returns what a reader must know of it: with `anyway` another run's may be among them.
    pub(crate) fn take(cores: &[usize], anyway: bool) -> anyhow::Result<(Claims, Vec<String>)> {
        let (mut locks, mut warnings) = (Vec::new(), Vec::new());
        for &core in cores {
            let path = path(core);
            match Lock::take(&path, &this_process()) {
                Ok(lock) => {
                    // So that another user can take it, should this process be killed. Where it was another's, it is so already.
                    let _ = std::fs::set_permissions(&path, Permissions::from_mode(0o666));
                    locks.push(lock);
                }
                Err(LockError::Held { held, .. }) => {
                    let taken = Taken { core, held };
                    if !anyway {
                        refuse(&[taken])?;
                    } else {
                        warnings.push(format!("{taken}. Neither's figures are to be trusted"));
                    }
                }
                Err(error @ LockError::Io { .. }) => warnings.push(format!(
                    "other runs on core {core} would not be noticed, nor notice this one: {error}"
                )),
            }
        }
        Ok((Claims { _locks: locks }, warnings))
    }
}
