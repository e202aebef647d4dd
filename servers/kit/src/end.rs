//! When a server ends.

use std::io::{self, Read};
use std::thread;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Resolves once standard input is closed, or on SIGTERM or SIGINT: the server is then to exit with code 0 at once.
///
/// A closed standard input is how a server learns that the harness is gone, however that ended.
pub async fn ended() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        result = stdin_closed() => result,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

/// A thread of its own, asleep in `read`: standard input may be a file or a terminal, which epoll does not take, and the
/// runtime's blocking pool would wait for the read at exit.
async fn stdin_closed() -> io::Result<()> {
    let (closed, waiting) = oneshot::channel();
    thread::Builder::new().name("stdin".into()).spawn(move || {
        let mut ignored = [0; 256];
        let result = loop {
            match io::stdin().read(&mut ignored) {
                Ok(0) => break Ok(()),
                Ok(_) => {}
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => break Err(cause),
            }
        };
        // Nobody waits any more where a signal came first.
        let _ = closed.send(result);
    })?;
    waiting.await.unwrap_or(Ok(()))
}
