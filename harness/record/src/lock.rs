//! Locks between processes: a file that one process holds, and that says who.
//!
//! A lock is advisory (`flock`) and belongs to the process: the kernel frees it however the process ends, so that a lock file which nobody
//! holds means nothing.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Somebody who asks whether a lock is held has it for an instant: it is tried again so often, at this distance.
const TRIES: u32 = 5;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// Who holds a lock: the content of its file, one line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// The name of its machine.
    pub host: String,
    /// Since when, RFC 3339 in UTC.
    pub since: String,
    /// The command that it runs.
    pub command: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Holder { pid, host, since, command } = self;
        write!(f, "process {pid} on {host}, since {since}: `{command}`")
    }
}

/// A lock that another process holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Who; `None` where its name cannot be read, or is not written yet.
    pub holder: Option<Holder>,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.holder {
            Some(holder) => holder.fmt(f),
            None => f.write_str("a process that has not left its name"),
        }
    }
}

/// Why a lock cannot be had.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process has it.
    #[error("`{path}` is held by {held}")]
    Held {
        /// The lock's file.
        path: PathBuf,
        /// Who has it.
        held: Held,
    },
    /// Its file could not be made, locked or written.
    #[error("failed to {verb} `{path}`: {cause}")]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

/// A lock of this process; freed, and its file removed, when it is dropped.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Takes the lock at `path`, and leaves this holder's name in it.
    pub fn take(path: &Path, holder: &Holder) -> Result<Lock, LockError> {
        let io = |verb| move |cause| LockError::Io { verb, path: path.into(), cause };
        let mut tries = 0;
        loop {
            let mut file = open(path).map_err(io("open"))?;
            match file.try_lock() {
                // Whoever held it before may have removed the file since it was opened: then another one is the lock.
                Ok(()) if !is_at(&file, path).map_err(io("read"))? => {}
                Ok(()) => {
                    sign(&mut file, holder).map_err(io("write"))?;
                    return Ok(Lock { path: path.into(), file });
                }
                Err(TryLockError::WouldBlock) if tries < TRIES => {
                    tries += 1;
                    thread::sleep(BETWEEN_TRIES);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(LockError::Held { path: path.into(), held: Held { holder: read(file) } });
                }
                Err(TryLockError::Error(cause)) => return Err(io("lock")(cause)),
            }
        }
    }

    /// Who holds the lock at `path` now; `None` where nobody does.
    pub fn held(path: &Path) -> Option<Held> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(path)
            .ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(Held { holder: read(file) }),
            // It is free, or a system without such locks.
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While the lock is held: whoever opened the file before this finds out that it is gone. A file that cannot be removed, in a
        // folder of others, says no more of whom it was.
        if std::fs::remove_file(&self.path).is_err() {
            let _ = self.file.set_len(0);
        }
    }
}

/// Opens a lock's file, or makes it. A link in its place is refused: what it points at would be written over.
fn open(path: &Path) -> io::Result<File> {
    let options = || {
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o666).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        options
    };
    // Without `create` first: in a folder of all users, such as /tmp, Linux refuses to create what another user has created.
    match options().open(path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => {
            options().create(true).truncate(false).open(path)
        }
        opened => opened,
    }
}

/// Whether `path` still names this file.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let opened = file.metadata()?;
    match path.symlink_metadata() {
        Ok(found) => Ok((found.dev(), found.ino()) == (opened.dev(), opened.ino())),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(cause),
    }
}

fn sign(file: &mut File, holder: &Holder) -> io::Result<()> {
    let line = serde_json::to_string(holder).expect("a holder is plain data") + "\n";
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(line.as_bytes())
}

fn read(mut file: File) -> Option<Holder> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(pid: u32) -> Holder {
        Holder { pid, host: "here".into(), since: "2026-01-01T00:00:00Z".into(), command: "tickbench".into() }
    }

    #[test]
    fn a_lock_is_had_once_and_names_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        assert_eq!(Lock::held(&path), None);
        let lock = Lock::take(&path, &holder(7)).unwrap();
        let held = Held { holder: Some(holder(7)) };
        assert_eq!(Lock::held(&path), Some(held.clone()));
        let refusal = Lock::take(&path, &holder(8)).unwrap_err();
        assert!(matches!(&refusal, LockError::Held { held: found, .. } if *found == held), "{refusal}");
        assert!(refusal.to_string().contains("process 7 on here, since 2026-01-01"), "{refusal}");
        drop(lock);
        assert!(!path.exists());
        Lock::take(&path, &holder(8)).unwrap();
    }

    #[test]
    fn what_a_dead_holder_left_is_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        std::fs::write(
            &path,
            serde_json::to_string(&holder(7)).unwrap() + "\n and more than the next one writes",
        )
        .unwrap();
        assert_eq!(Lock::held(&path), None);
        let _lock = Lock::take(&path, &holder(8)).unwrap();
        assert_eq!(Lock::held(&path), Some(Held { holder: Some(holder(8)) }));
    }

    #[test]
    fn a_lock_whose_file_was_removed_is_not_taken_for_the_one_that_is_there_now() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let file = open(&path).unwrap();
        assert!(is_at(&file, &path).unwrap());
        std::fs::remove_file(&path).unwrap();
        assert!(!is_at(&file, &path).unwrap());
        std::fs::write(&path, "").unwrap();
        assert!(!is_at(&file, &path).unwrap());
    }

    #[test]
    fn a_link_in_its_place_is_refused_and_what_it_points_at_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("lock"), folder.path().join("other"));
        std::fs::write(&other, "mine").unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        assert!(matches!(Lock::take(&path, &holder(7)), Err(LockError::Io { verb: "open", .. })));
        assert_eq!(std::fs::read_to_string(other).unwrap(), "mine");
    }
}
