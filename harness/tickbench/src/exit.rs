//! How a command ends: every exit code of the program, here and in the README's table.

use std::fmt;
use std::process::ExitCode;

use signal_hook::consts::SIGINT;

use crate::out;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// The command did what it was asked, and every check of it holds.
    Success,
    /// A check failed: a server breaks its contract or its lane's promise, a gate or a control is violated, a fault was missed.
    CheckFailed,
    /// Wrong use, or something went wrong. It was said on standard error.
    Error,
    /// There was nothing to judge, or too little to judge it.
    Undecided,
    /// A signal ended it early.
    Interrupted(Signal),
}

/// A signal that ends a command early. SIGHUP ends it as SIGTERM does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Interrupt,
    Terminate,
}

impl Signal {
    pub(crate) fn of_number(number: i32) -> Signal {
        if number == SIGINT { Signal::Interrupt } else { Signal::Terminate }
    }
}

impl ExitStatus {
    /// What a shell sees; 128 and the signal's number for what a signal ended, as shells have it.
    pub(crate) fn code(self) -> u8 {
        match self {
            ExitStatus::Success => 0,
            ExitStatus::CheckFailed => 1,
            ExitStatus::Error => 2,
            ExitStatus::Undecided => 3,
            ExitStatus::Interrupted(Signal::Interrupt) => 130,
            ExitStatus::Interrupted(Signal::Terminate) => 143,
        }
    }

    /// This status, unless it is a success: then that of what came after.
    pub(crate) fn and(self, after: ExitStatus) -> ExitStatus {
        if self == ExitStatus::Success { after } else { self }
    }
}

/// The error of a command that a signal ended before it had anything to keep.
#[derive(Debug)]
pub(crate) struct Interrupted {
    pub(crate) signal: Signal,
    /// What it was doing and what became of it.
    pub(crate) what: String,
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "interrupted{}", self.what)
    }
}

impl std::error::Error for Interrupted {}

/// Says what went wrong, if anything did, and turns a command's outcome into the code of this process. Output that was lost is an error
/// too, unless nobody wanted it.
pub(crate) fn conclude(outcome: anyhow::Result<ExitStatus>) -> ExitCode {
    let status = outcome.unwrap_or_else(|error| match error.downcast_ref::<Interrupted>() {
        Some(Interrupted { signal, .. }) => {
            out::note(format_args!("{error:#}"));
            ExitStatus::Interrupted(*signal)
        }
        None => {
            out::note(format_args!("error: {error:#}"));
            ExitStatus::Error
        }
    });
    match out::close() {
        Ok(()) => status.code().into(),
        Err(cause) => {
            out::note(format_args!(
                "error: failed to write to standard output: {cause}; what was printed is not whole, what was to be kept is kept"
            ));
            ExitStatus::Error.code().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use signal_hook::consts::{SIGHUP, SIGTERM};

    use super::*;

    #[test]
    fn the_codes_are_those_of_the_readme() {
        let readme =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md")).unwrap();
        for status in [
            ExitStatus::Success,
            ExitStatus::CheckFailed,
            ExitStatus::Error,
            ExitStatus::Undecided,
            ExitStatus::Interrupted(Signal::of_number(SIGINT)),
            ExitStatus::Interrupted(Signal::of_number(SIGTERM)),
        ] {
            assert!(readme.contains(&format!("\n| {} | ", status.code())), "{status:?}");
        }
        assert_eq!(Signal::of_number(SIGHUP), Signal::of_number(SIGTERM));
    }

    #[test]
    fn the_first_thing_that_is_amiss_decides() {
        let interrupted = ExitStatus::Interrupted(Signal::Interrupt);
        assert_eq!(interrupted.and(ExitStatus::CheckFailed), interrupted);
        assert_eq!(ExitStatus::Success.and(ExitStatus::CheckFailed), ExitStatus::CheckFailed);
    }
}
