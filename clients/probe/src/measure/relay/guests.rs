//! Connections that come and go beside the measured ones, each a small state machine.
//!
//! They come at an absolute schedule, whatever the measured stream does at that moment: a disturbance that waited for a quiet one would
//! disturb nobody. One step is one connection's next move, a few system calls.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use tickbench_client_kit::monotonic_ns;
use tickbench_frame::{Decoder, Mask, write_close};
use tickbench_record::{Disturbance, Disturbed};

use super::SUBSCRIBE;
use super::following::{End, Following};
use crate::link::poller::{Interest, Poller};
use crate::link::socket::{self, Patience, receive, send_at_once};
use crate::link::{Answer, MAX_MESSAGE_BYTES, Sources, Upgrade, random_bytes};

/// How often the sockets are looked at.
const LOOK_NS: u64 = 500_000;

/// One read.
const READ_BYTES: usize = 16 << 10;

/// Moves of all that is ready, when the window is over.
const LAST_MOVES: usize = 10_000;

pub(super) struct Guests {
    kind: Disturbance,
    server: SocketAddr,
    sources: Sources,
    poller: Poller,
    guests: Vec<Option<Guest>>,
    /// Sockets that were reported and not moved yet.
    ready: Vec<usize>,
    space: Vec<u8>,
    /// When the next is to come; `None` before the window.
    begins_ns: Option<u64>,
    looks_ns: u64,
    seen: Disturbed,
}

/// One of them.
struct Guest {
    socket: OwnedFd,
    upgrade: Upgrade,
    stage: Stage,
    /// Whether, where it vanishes, it resets the connection; else it ends it. Every other does.
    resets: bool,
    following: Following,
    decoder: Decoder,
    answer: Vec<u8>,
}

/// What it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    /// The rest of the handshake is never sent: only the end can come.
    Holding,
    Answer,
    Messages,
    /// It has sent its close frame.
    Goodbye,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Left,
    Closed(Option<u16>),
    Ended,
    Reset,
    Refused,
}

impl Guests {
    pub(super) fn new(kind: Disturbance, server: SocketAddr) -> io::Result<Guests> {
        Ok(Guests {
            kind,
            server,
            sources: Sources::apart(server)?,
            poller: Poller::new()?,
            guests: (0..kind.most_at_once()).map(|_| None).collect(),
            ready: Vec::new(),
            space: vec![0; READ_BYTES],
            begins_ns: None,
            looks_ns: 0,
            seen: Disturbed::default(),
        })
    }

    /// They come from now on.
    pub(super) fn open_window(&mut self, now_ns: u64) {
        self.begins_ns = Some(now_ns);
        self.looks_ns = now_ns;
    }

    /// When there is something to do again.
    pub(super) fn next_ns(&self) -> u64 {
        match self.begins_ns {
            None => u64::MAX,
            Some(_) if !self.ready.is_empty() => 0,
            Some(begins_ns) => begins_ns.min(self.looks_ns),
        }
    }

    /// Makes one move, where one is due: another comes, or one that is here goes on.
    pub(super) fn step(&mut self, now_ns: u64) -> io::Result<()> {
        let Some(begins_ns) = self.begins_ns else { return Ok(()) };
        if now_ns >= begins_ns {
            let per_s = u64::from(self.kind.begun_per_s().unwrap_or(1));
            self.begins_ns = Some(begins_ns + 1_000_000_000 / per_s);
            self.begin()?;
        } else if let Some(index) = self.ready.pop() {
            self.advance(index);
        } else if now_ns >= self.looks_ns {
            self.looks_ns = now_ns + LOOK_NS;
            self.look()?;
        } else {
            return Ok(());
        }
        self.seen.client_ns += monotonic_ns() - now_ns;
        Ok(())
    }

    fn look(&mut self) -> io::Result<()> {
        let ready = self.poller.wait(0)?;
        self.ready.extend((0..ready).map(|nth| self.poller.index(nth)));
        Ok(())
    }

    /// Another comes, where there is a place.
    fn begin(&mut self) -> io::Result<()> {
        let Some(index) = self.guests.iter().position(Option::is_none) else { return Ok(()) };
        let source = self.sources.address(self.seen.attempted as usize);
        self.seen.attempted += 1;
        let socket = match socket::begin_connect(self.server, source) {
            Ok(socket) => socket,
            Err(_) => {
                self.seen.refused += 1;
                return Ok(());
            }
        };
        self.poller.add(&socket, index, Interest::Write)?;
        self.guests[index] = Some(Guest {
            socket,
            upgrade: Upgrade::new(self.server, SUBSCRIBE)?,
            stage: Stage::Connecting,
            resets: self.seen.attempted % 2 == 1,
            following: Following::default(),
            decoder: Decoder::new(MAX_MESSAGE_BYTES),
            answer: Vec::new(),
        });
        Ok(())
    }

    /// One that was reported makes its next move.
    fn advance(&mut self, index: usize) {
        let Some(mut guest) = self.guests[index].take() else { return };
        let waited_to_write = guest.stage == Stage::Connecting;
        let fate = match guest.advance(self.kind, &mut self.space, &mut self.seen) {
            Ok(fate) => fate,
            Err(cause) => Some(guest.fate_of(&cause)),
        };
        if fate.is_none() {
            let waits_to_read = waited_to_write && guest.stage != Stage::Connecting;
            let poller = &mut self.poller;
            if !waits_to_read || poller.change(&guest.socket, index, Interest::Read).is_ok() {
                self.guests[index] = Some(guest);
                return;
            }
        }
        // One that cannot be watched is taken for refused: none is, unless the system has no room.
        self.bury(&guest, index, fate.unwrap_or(Fate::Refused));
    }

    fn bury(&mut self, guest: &Guest, index: usize, fate: Fate) {
        // Closing takes it out of the set as well, on Linux; elsewhere this does.
        self.poller.remove(&guest.socket, index).ok();
        match fate {
            Fate::Left => self.seen.left += 1,
            Fate::Closed(code) => self.seen.count_closed(code),
            Fate::Ended => self.seen.ended += 1,
            Fate::Reset => self.seen.reset += 1,
            Fate::Refused => self.seen.refused += 1,
        }
        self.count(&guest.following);
    }

    fn count(&mut self, following: &Following) {
        self.seen.received += following.received;
        self.seen.bytes += following.bytes;
        self.seen.lost = self.seen.lost.saturating_add(following.missing);
    }

    /// Lets those that are ready make their moves, and tells what became of all; `published` is how many messages were, all in all.
    pub(super) fn finish(mut self, published: u64) -> io::Result<Disturbed> {
        for _ in 0..LAST_MOVES {
            if self.ready.is_empty() {
                self.look()?;
            }
            let Some(index) = self.ready.pop() else { break };
            self.advance(index);
        }
        for guest in std::mem::take(&mut self.guests).into_iter().flatten() {
            self.seen.open += 1;
            self.count(&guest.following);
        }
        // Whatever numbers the server made up: nobody has missed more than was published.
        self.seen.lost = self.seen.lost.min(self.seen.opened.saturating_mul(published));
        Ok(self.seen)
    }
}

impl Guest {
    /// Its next move; how it ended, where it has.
    fn advance(
        &mut self,
        kind: Disturbance,
        space: &mut [u8],
        seen: &mut Disturbed,
    ) -> io::Result<Option<Fate>> {
        if self.stage == Stage::Connecting {
            return self.connected(kind, seen);
        }
        let Some(count) = receive(&self.socket, space, Patience::None)? else { return Ok(None) };
        if count == 0 {
            return Ok(Some(match self.stage {
                Stage::Goodbye => Fate::Left,
                Stage::Holding if !self.answer.is_empty() => Fate::Refused,
                _ => Fate::Ended,
            }));
        }
        let bytes = &space[..count];
        match self.stage {
            Stage::Connecting | Stage::Holding => {
                self.answer.extend_from_slice(bytes);
                Ok(None)
            }
            Stage::Answer => {
                self.answer.extend_from_slice(bytes);
                match self.upgrade.read_answer(&self.answer, false) {
                    Answer::Incomplete => Ok(None),
                    Answer::Refused(_) => Ok(Some(Fate::Refused)),
                    Answer::Upgraded(head_bytes) => {
                        seen.opened += 1;
                        self.stage = Stage::Messages;
                        let behind = self.answer.split_off(head_bytes);
                        self.take(kind, &behind)
                    }
                }
            }
            Stage::Messages | Stage::Goodbye => self.take(kind, bytes),
        }
    }

    fn connected(&mut self, kind: Disturbance, seen: &mut Disturbed) -> io::Result<Option<Fate>> {
        socket::connect_error(&self.socket)?;
        let request = &self.upgrade.request;
        match kind {
            Disturbance::ConnectFlood => {
                seen.opened += 1;
                return Ok(Some(Fate::Left));
            }
            Disturbance::HalfOpen => {
                send_at_once(&self.socket, &request[..request.len() / 2])?;
                seen.opened += 1;
                self.stage = Stage::Holding;
            }
            _ => {
                send_at_once(&self.socket, request)?;
                self.stage = Stage::Answer;
            }
        }
        Ok(None)
    }

    fn take(&mut self, kind: Disturbance, bytes: &[u8]) -> io::Result<Option<Fate>> {
        match self.following.take(&mut self.decoder, bytes) {
            Some(End::Closed(_)) if self.stage == Stage::Goodbye => return Ok(Some(Fate::Left)),
            Some(End::Closed(code)) => return Ok(Some(Fate::Closed(code))),
            Some(End::Unreadable) => return Ok(Some(Fate::Ended)),
            None => {}
        }
        match kind {
            Disturbance::Vanishing if self.following.is_subscribed => {
                if self.resets {
                    // What is closed with no time to linger is reset.
                    set_socket_linger(&self.socket, Some(Duration::ZERO))?;
                }
                Ok(Some(Fate::Left))
            }
            Disturbance::Churn if self.following.received > 0 && self.stage == Stage::Messages => {
                let mut frame = Vec::new();
                write_close(&mut frame, Mask::Key(random_bytes()?), 1000);
                send_at_once(&self.socket, &frame)?;
                self.stage = Stage::Goodbye;
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    fn fate_of(&self, cause: &io::Error) -> Fate {
        match (self.stage, cause.kind()) {
            (Stage::Goodbye, _) => Fate::Left,
            (Stage::Connecting, _) => Fate::Refused,
            (_, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => Fate::Reset,
            _ => Fate::Ended,
        }
    }
}
