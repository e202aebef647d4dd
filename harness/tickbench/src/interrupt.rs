//! SIGINT, SIGTERM and SIGHUP: the first ends a run after its current iteration, the second at once.

use std::fmt::Display;
use std::io::Read as _;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::exit::{Interrupted, Signal};
use crate::{out, system};

/// The signals that came so far. Readable, in the sense of `poll`, when another one came.
#[derive(Debug)]
pub(crate) struct Interrupt {
    pipe: UnixStream,
    /// The number of the last signal.
    last: Arc<AtomicUsize>,
    first: Option<Signal>,
    seen: usize,
}

impl Interrupt {
    /// Takes the signals over for the rest of the process's life. One that this process was started to ignore stays ignored: that is how
    /// `nohup` keeps a run alive when its terminal closes.
    pub(crate) fn install() -> anyhow::Result<Interrupt> {
        let make = || {
            let (pipe, writer) = UnixStream::pair()?;
            pipe.set_nonblocking(true)?;
            let last = Arc::new(AtomicUsize::new(0));
            for signal in [SIGINT, SIGTERM, SIGHUP] {
                if system::is_ignored(signal)? {
                    continue;
                }
                // In this order: who is woken by the pipe finds the number there.
                signal_hook::flag::register_usize(signal, Arc::clone(&last), signal as usize)?;
                signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
            }
            Ok::<_, std::io::Error>(Interrupt { pipe, last, first: None, seen: 0 })
        };
        make().context("failed to install the handlers of SIGINT, SIGTERM and SIGHUP")
    }

    /// Counts the signals that came since the last call.
    pub(crate) fn look(&mut self) {
        let mut bytes = [0; 16];
        while let Ok(count @ 1..) = self.pipe.read(&mut bytes) {
            if self.seen == 0 {
                self.first = Some(Signal::of_number(self.last.load(Ordering::SeqCst) as i32));
                out::note("interrupted: ends after this iteration; once more to end at once");
            }
            self.seen += count;
        }
    }

    /// Whether to end when the iteration is done.
    pub(crate) fn wants_end(&self) -> bool {
        self.seen > 0
    }

    /// An error where the user does not want to wait for anything.
    pub(crate) fn check_at_once(&self) -> Result<(), Interrupted> {
        if self.seen > 1 { self.check(": what was under way is not kept") } else { Ok(()) }
    }

    /// The first signal that came.
    pub(crate) fn signal(&self) -> Option<Signal> {
        self.first
    }

    /// An error where a signal came. `what` goes on from the word *interrupted*.
    pub(crate) fn check(&self, what: impl Display) -> Result<(), Interrupted> {
        match self.first {
            Some(signal) => Err(Interrupted { signal, what: what.to_string() }),
            None => Ok(()),
        }
    }
}

impl AsFd for Interrupt {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}
