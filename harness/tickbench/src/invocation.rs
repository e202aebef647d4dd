//! This process as others see it: its command, and its name in the locks that it holds.

use std::time::SystemTime;

use tickbench_record::Holder;

use crate::clock::rfc3339;
use crate::program::quoted;

/// The command that makes this run, as it can be typed again in the project's folder.
pub(crate) fn command_line() -> String {
    let words = std::env::args_os().skip(1).map(|word| quoted(&word));
    ["tickbench".to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

/// This process, as the holder of a lock.
pub(crate) fn this_process() -> Holder {
    Holder {
        pid: std::process::id(),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        since: rfc3339(SystemTime::now()),
        command: command_line(),
    }
}
