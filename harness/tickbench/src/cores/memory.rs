//! The cores that were chosen last on this machine. A run takes them again, so that runs of one machine can be compared.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use super::{CorePair, machine_folder};

/// One file a user: in a folder of all users, nobody can write what another has made.
fn path() -> PathBuf {
    machine_folder().join(format!("tickbench-cores-{}", rustix::process::getuid().as_raw()))
}

/// What was chosen last. A file that cannot be read is as good as none: the next choice writes it anew.
pub(super) fn last() -> Option<CorePair> {
    let mut text = String::new();
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path())
        .ok()?
        .take(64)
        .read_to_string(&mut text)
        .ok()?;
    text.trim().parse().ok()
}

/// Remembers a choice.
pub(super) fn remember(pair: CorePair) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o644).custom_flags(libc::O_NOFOLLOW);
    options.open(path())?.write_all(format!("{},{}\n", pair.server, pair.client).as_bytes())
}
