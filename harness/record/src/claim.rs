//! The folder of a run that is about to begin: made, locked and tried out before anything is built, and gone again where the run does not
//! begin.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::{Holder, Lock, LockError, RunError, RunFolder};

/// Room that a run has to find where it is to write: some hundred executions, with their report.
const ROOM_BYTES: usize = 1 << 20;

const LOCK: &str = "run.lock";
const PROBE: &str = "room.probe";

/// A vacant folder that this process holds for a new run. Dropping it takes away all that was made for it.
#[derive(Debug)]
pub struct Claim {
    folder: RunFolder,
    lock: Option<Lock>,
    /// The folders that did not exist before, from the outermost on.
    made: Vec<PathBuf>,
}

impl Claim {
    /// Makes the folder at `path` where it does not exist, locks it for `holder`, and makes sure that it is vacant and can be written to.
    pub fn take(path: &Path, holder: &Holder) -> Result<Claim, RunError> {
        // From here on what was made is taken away again unless the claim is kept.
        let mut claim = Claim { folder: RunFolder::at(path), lock: None, made: Vec::new() };
        claim.make(path)?;
        claim.lock = Some(claim.folder.lock(holder)?);
        if claim.folder.names()?.iter().any(|name| name != LOCK && name != PROBE) {
            return Err(RunError::Occupied(path.into()));
        }
        claim.folder.check_room()?;
        Ok(claim)
    }

    /// The folder, still empty.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Begins the run: its folder stays, and is locked as long as the lock lives.
    pub fn keep(mut self) -> Result<(RunFolder, Lock), RunError> {
        let graphs = self.folder.graphs();
        std::fs::create_dir_all(&graphs).map_err(|cause| self.folder.io("create", &graphs, cause))?;
        self.made.clear();
        let lock = self.lock.take().expect("a claim that was taken has its lock");
        Ok((self.folder.clone(), lock))
    }

    fn make(&mut self, path: &Path) -> Result<(), RunError> {
        let missing: Vec<&Path> = path
            .ancestors()
            .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
            .collect();
        for folder in missing.into_iter().rev() {
            match std::fs::create_dir(folder) {
                Ok(()) => self.made.push(folder.into()),
                // Another run may have made it meanwhile.
                Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {}
                Err(cause) => return Err(self.folder.io("create", folder, cause)),
            }
        }
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.lock = None;
        // What is not empty is somebody's.
        self.made.iter().rev().for_each(|folder| drop(std::fs::remove_dir(folder)));
    }
}

impl RunFolder {
    /// Locks a run that exists, so that no other process writes to it.
    pub fn lock(&self, holder: &Holder) -> Result<Lock, RunError> {
        Lock::take(&self.path().join(LOCK), holder).map_err(|error| match error {
            LockError::Held { held, .. } => RunError::InUse { path: self.path().into(), held },
            LockError::Io { verb, path, cause } => RunError::Io { verb, path, cause },
        })
    }

    /// Who writes to this run now; `None` where nobody does.
    pub fn in_use(&self) -> Option<crate::Held> {
        Lock::held(&self.path().join(LOCK))
    }

    /// Makes sure that there is room to write.
    pub fn check_room(&self) -> Result<(), RunError> {
        let probe = self.path().join(PROBE);
        let write = || -> io::Result<()> {
            let mut file = std::fs::File::create(&probe)?;
            io::Write::write_all(&mut file, &vec![0; ROOM_BYTES])?;
            // Some file systems find out as late as here.
            file.sync_all()
        };
        let written = write();
        let removed = std::fs::remove_file(&probe);
        written.map_err(|cause| self.io("write", &probe, cause))?;
        removed.map_err(|cause| self.io("remove", &probe, cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(pid: u32) -> Holder {
        Holder { pid, host: "here".into(), since: "now".into(), command: "tickbench".into() }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = folder
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_claim_that_is_not_kept_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/run");
        let claim = Claim::take(&path, &holder(1)).unwrap();
        assert_eq!(names(&path), ["run.lock"]);
        drop(claim);
        assert_eq!(names(folder.path()), [""; 0]);
        std::fs::create_dir_all(&path).unwrap();
        drop(Claim::take(&path, &holder(1)).unwrap());
        assert_eq!(names(&path), [""; 0], "a folder that was there stays");
    }

    #[test]
    fn a_claim_that_is_kept_is_a_run_and_locked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let (run, lock) = Claim::take(&path, &holder(1)).unwrap().keep().unwrap();
        assert!(run.graphs().is_dir() && run.in_use().is_some());
        let refusal = Claim::take(&path, &holder(2)).unwrap_err().to_string();
        assert!(refusal.contains("process 1 on here"), "{refusal}");
        drop(lock);
        assert_eq!((run.in_use(), names(&path)), (None, vec!["graphs".to_owned()]));
        assert!(matches!(Claim::take(&path, &holder(2)), Err(RunError::Occupied(_))));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let error = Claim::take(&folder.path().join("file/run"), &holder(1)).unwrap_err().to_string();
        assert!(error.contains("file/run") && error.contains("failed to create"), "{error}");
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[test]
    fn what_another_run_holds_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let first = Claim::take(&path, &holder(1)).unwrap();
        assert!(matches!(Claim::take(&path, &holder(2)), Err(RunError::InUse { .. })));
        assert_eq!(names(&path), ["run.lock"]);
        drop(first);
    }
}
