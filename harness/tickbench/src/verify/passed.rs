//! What passed before with the same bytes: one file each, in the build folder.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tickbench_record::{Check, Lane};

use super::Verifier;
use crate::build::Contestant;
use crate::fingerprint;

/// The folder of what passed.
pub(crate) struct PassedBefore(PathBuf);

impl PassedBefore {
    pub(crate) fn new(target: &Path) -> PassedBefore {
        PassedBefore(target.join("tickbench-verified"))
    }

    /// The file of a server in a lane: named by all that a check depends on. That is what runs as the server, the checks of the client
    /// and what they were asked for (encodings, flush modes, connections), and the harness, which makes checks of its own. The seed is
    /// not among it: any will do.
    pub(super) fn file(
        &self,
        server: &Contestant,
        lane: Lane,
        verifier: &Verifier,
    ) -> anyhow::Result<PathBuf> {
        let asked = verifier.program_for(server).line();
        let all = [&server.built.fingerprint, lane.name(), &verifier.fingerprint, &verifier.harness, &asked];
        Ok(self.0.join(fingerprint::hash(&all.join("\n"))))
    }
}

/// The checks that were remembered; `None` where there are none, or what is there cannot be read.
pub(super) fn read(file: &Path) -> Option<Vec<Check>> {
    let text = std::fs::read_to_string(file).ok()?;
    let checks: Result<Vec<Check>, _> = text.lines().map(serde_json::from_str).collect();
    checks.ok().filter(|checks| !checks.is_empty())
}

/// Remembers checks, whole or not at all.
pub(super) fn write(file: &Path, checks: &[Check]) -> anyhow::Result<()> {
    let lines = checks.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
    let failed = || format!("failed to write `{}`", file.display());
    let folder = file.parent().with_context(failed)?;
    std::fs::create_dir_all(folder).with_context(failed)?;
    let new = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
    std::fs::write(new.path(), lines.join("\n")).with_context(failed)?;
    new.persist(file).with_context(failed)?;
    Ok(())
}
