//! Everything that this program prints, on standard output and standard error.
//!
//! What a command found goes to standard output. Where nobody reads it any more (`tickbench list | head -1`) printing ends without a word and
//! the command goes on; where it cannot be written (a full disk) that is an error when the command ends, after it has kept everything.
//! What is said beside the result goes to standard error, and where that is lost there is nobody to tell.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use crate::exit::ExitStatus;

/// The first failure to write to standard output.
static FAILURE: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints text as it is.
pub(crate) fn text(text: impl Display) {
    // A failure is kept, and told by `close`.
    let _ = write!(Stdout, "{text}");
}

/// Prints a line.
pub(crate) fn line(line: impl Display) {
    text(format_args!("{line}\n"));
}

/// Says a line beside the result.
pub(crate) fn note(line: impl Display) {
    // One write a line, so that lines of two processes do not mix.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Standard output, to be written to by others. After the first failure nothing more is written.
pub(crate) struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        kept(|stdout| stdout.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        kept(io::Stdout::flush)
    }
}

/// Whether writing to standard output has failed, so that there is no use in going on.
pub(crate) fn has_failed() -> bool {
    failure().is_some()
}

/// Writes out what is left, and tells of the first failure, unless it was that nobody reads.
pub(crate) fn close() -> io::Result<()> {
    let _ = Stdout.flush();
    match failure().take() {
        Some(cause) if cause.kind() != io::ErrorKind::BrokenPipe => Err(cause),
        _ => Ok(()),
    }
}

/// Prints what the parser of the command line has to say: help, a version, or what is wrong.
pub(crate) fn parsed(said: &clap::Error) -> ExitStatus {
    match said.print() {
        _ if said.use_stderr() => ExitStatus::Error,
        Ok(()) => ExitStatus::Success,
        Err(cause) => {
            failure().get_or_insert(cause);
            ExitStatus::Success
        }
    }
}

fn kept<T>(write: impl FnOnce(&mut io::Stdout) -> io::Result<T>) -> io::Result<T> {
    let mut failure = failure();
    if let Some(cause) = &*failure {
        return Err(cause.kind().into());
    }
    write(&mut io::stdout()).inspect_err(|cause| {
        if cause.kind() != io::ErrorKind::Interrupted {
            // Of the first failure all others follow. The cause itself cannot be copied.
            *failure = Some(cause.raw_os_error().map_or(cause.kind().into(), io::Error::from_raw_os_error));
        }
    })
}

fn failure() -> std::sync::MutexGuard<'static, Option<io::Error>> {
    FAILURE.lock().unwrap_or_else(PoisonError::into_inner)
}
