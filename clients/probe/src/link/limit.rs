//! The limit on open files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Open files besides the connections: standard streams, polls, counters.
const OTHERS: u64 = 32;

/// Raises the limit of this process to the hard limit, and says what to do where that is too low for `connections`.
pub(crate) fn raise_open_files(connections: u32) -> Result<(), String> {
    let needed = u64::from(connections) + OTHERS;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if let Some(hard) = limit.maximum.filter(|&hard| hard < needed) {
        return Err(format!(
            "{connections} connections need {needed} open files, and the hard limit is {hard}: raise it with \
             `ulimit -Hn {needed}` as root or a `nofile` line in /etc/security/limits.conf, or ask for fewer connections"
        ));
    }
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .map_err(|cause| format!("failed to raise the limit of open files to {needed}: {cause}"))
}
