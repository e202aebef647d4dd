//! SIGINT and SIGTERM: the first ends a run after its current iteration, the second at once.

use std::io::Read as _;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};

/// The signals that came so far. Readable, in the sense of `poll`, when another one came.
#[derive(Debug)]
pub(crate) struct Interrupt {
    pipe: UnixStream,
    seen: usize,
}

impl Interrupt {
    /// Takes both signals over for the rest of the process's life.
    pub(crate) fn install() -> anyhow::Result<Interrupt> {
        let make = || {
            let (pipe, writer) = UnixStream::pair()?;
            pipe.set_nonblocking(true)?;
            for signal in [SIGINT, SIGTERM] {
                signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
            }
            Ok::<_, std::io::Error>(Interrupt { pipe, seen: 0 })
        };
        make().context("failed to install the handler of SIGINT and SIGTERM")
    }

    /// Counts the signals that came since the last call.
    pub(crate) fn look(&mut self) {
        let mut bytes = [0; 16];
        while let Ok(count @ 1..) = self.pipe.read(&mut bytes) {
            if self.seen == 0 {
                eprintln!("interrupted: ends after this iteration; once more to end at once");
            }
            self.seen += count;
        }
    }

    /// Whether to end when the iteration is done.
    pub(crate) fn wants_end(&self) -> bool {
        self.seen > 0
    }

    /// Whether to end without waiting for anything.
    pub(crate) fn wants_end_at_once(&self) -> bool {
        self.seen > 1
    }
}

impl AsFd for Interrupt {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}
