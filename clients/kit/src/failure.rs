//! A measurement that failed: data, not a crash.

use std::io;

use rustix::io::Errno;
use thiserror::Error;
use tickbench_record::{Reply, Stage};

/// When a measurement failed, why, and by whose doing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct Failure {
    /// When.
    pub stage: Stage,
    /// Why, one sentence.
    pub reason: String,
    /// Whether the client could not do its own part, so that nothing is said of the server.
    pub is_own: bool,
}

impl Failure {
    /// A failure of the server at `stage`, with its reason in a sentence.
    pub fn new(stage: Stage, reason: impl Into<String>) -> Failure {
        Failure { stage, reason: reason.into(), is_own: false }
    }

    /// A failure of this client itself, or of the machine that it runs on.
    pub fn own(stage: Stage, reason: impl Into<String>) -> Failure {
        Failure { is_own: true, ..Failure::new(stage, reason) }
    }

    /// A failure of a system call for a connection: this client's where the machine has no more ports, open files or memory for it, and
    /// otherwise the server's.
    pub fn of_call(stage: Stage, reason: impl Into<String>, cause: &io::Error) -> Failure {
        Failure { is_own: is_own(cause), ..Failure::new(stage, reason) }
    }
}

/// Whether a call failed for what this process has used up, whatever the server does.
pub fn is_own(cause: &io::Error) -> bool {
    let used_up = [Errno::ADDRNOTAVAIL, Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS];
    Errno::from_io_error(cause).is_some_and(|code| used_up.contains(&code))
}

impl From<Failure> for Reply {
    fn from(Failure { stage, reason, is_own }: Failure) -> Reply {
        if is_own { Reply::Broken { stage, reason } } else { Reply::Failed { stage, reason } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_lacks_is_not_booked_on_the_server() {
        for code in [Errno::MFILE, Errno::NFILE, Errno::ADDRNOTAVAIL, Errno::NOBUFS] {
            let failure = Failure::of_call(Stage::Connect, "no", &code.into());
            assert!(matches!(failure.into(), Reply::Broken { .. }), "{code}");
        }
        for code in [Errno::CONNREFUSED, Errno::CONNRESET, Errno::PIPE, Errno::TIMEDOUT] {
            let failure = Failure::of_call(Stage::Connect, "no", &code.into());
            assert!(matches!(failure.into(), Reply::Failed { .. }), "{code}");
        }
    }
}
