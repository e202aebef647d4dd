//! A connection that comes back several times a second, so that its user can look at the time and at signals.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Instant;

use super::LOOK_EVERY;

/// How much of what came is kept for a reason.
const KEPT_BYTES: usize = 1024;

/// What the user of a connection and the connection itself both know of it.
#[derive(Debug, Clone)]
pub(super) struct Watch(Rc<RefCell<State>>);

#[derive(Debug)]
struct State {
    look_at: Instant,
    bytes: u64,
    start: Vec<u8>,
}

impl Watch {
    pub(super) fn new() -> Watch {
        let look_at = Instant::now() + LOOK_EVERY;
        Watch(Rc::new(RefCell::new(State { look_at, bytes: 0, start: Vec::new() })))
    }

    /// Its user has looked: the connection may go on for a while.
    pub(super) fn looked(&self) {
        self.0.borrow_mut().look_at = Instant::now() + LOOK_EVERY;
    }

    /// How many bytes came so far, and how they begin.
    pub(super) fn came(&self) -> (u64, Vec<u8>) {
        let state = self.0.borrow();
        (state.bytes, state.start.clone())
    }

    fn is_look_due(&self) -> bool {
        Instant::now() >= self.0.borrow().look_at
    }

    fn received(&self, bytes: &[u8]) {
        let mut state = self.0.borrow_mut();
        state.bytes += bytes.len() as u64;
        let room = KEPT_BYTES - state.start.len();
        state.start.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// A TCP connection that would block, whatever there is to read, until its user has looked. Who reads in a loop until a message is whole, as
/// the libraries of WebSocket and TLS do, would else be kept in it by a server that sends a byte from time to time.
pub(super) struct Watched {
    stream: TcpStream,
    watch: Watch,
}

impl Watched {
    pub(super) fn new(stream: TcpStream, watch: Watch) -> io::Result<Watched> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LOOK_EVERY))?;
        stream.set_write_timeout(Some(LOOK_EVERY))?;
        Ok(Watched { stream, watch })
    }
}

impl Read for Watched {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        if self.watch.is_look_due() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = self.stream.read(space).map_err(would_block)?;
        self.watch.received(&space[..count]);
        Ok(count)
    }
}

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes).map_err(would_block)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// A signal and a timeout are both reasons to look, and no errors.
fn would_block(cause: io::Error) -> io::Error {
    if is_quiet(&cause) { io::ErrorKind::WouldBlock.into() } else { cause }
}

pub(super) fn is_quiet(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}
