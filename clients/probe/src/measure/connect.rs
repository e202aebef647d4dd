//! The job of connecting: connections that are opened, used for one tick, closed in good order and opened anew, as many at a time as
//! there are connections. A closed loop: a slow server is asked less.
//!
//! A turn is over when the server has answered the close frame; the client then ends the connection at once. RFC 6455, section 7.1.1,
//! leaves that to the server as a rule, and allows it to the client: some frameworks wait a second for it, which would hide what
//! they can do.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use tickbench_client_kit::{Failure, Poll, Session, monotonic_ns, ticks_target};
use tickbench_frame::{Decoder, Event, Kind, Mask, write_close};
use tickbench_protocol::Stamps;
use tickbench_record::{Arrival, Encoding, Observation, Request, Stage, Wait};

use super::{farewell, poll};
use crate::link::poller::{Interest, Poller};
use crate::link::socket::{Patience, connect_error, receive, send_all, send_at_once};
use crate::link::{Answer, MAX_MESSAGE_BYTES, Source, Upgrade, raise_open_files, random_bytes};

/// Bytes of one read: an answer and a tick of any usual size.
const READ_BYTES: usize = 64 << 10;

/// How long a blocked poll sleeps before it lets the session look at the time.
const SLEEP_NS: u32 = 10_000_000;

/// How often it is looked for a connection that makes no progress.
const WATCH_NS: u64 = 50_000_000;

/// All connections of a measurement, and those that follow them.
pub(crate) struct Connects {
    server: SocketAddr,
    target: String,
    source: Source,
    expected: Kind,
    close: Vec<u8>,
    poller: Poller,
    sleep_ns: u32,
    stall_ns: u64,
    /// One for each connection; `None` where the window is over and no other is begun.
    turns: Vec<Option<Turn>>,
    connections: usize,
    space: Vec<u8>,
    next_watch_ns: u64,
}

/// One connection on its way.
struct Turn {
    socket: OwnedFd,
    upgrade: Upgrade,
    /// When it called to connect.
    called_ns: u64,
    step: Step,
    decoder: Decoder,
    /// Received and not yet decoded.
    unread: Vec<u8>,
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// That it is connected.
    Connecting,
    /// The answer to its upgrade.
    Upgrading,
    /// Its first tick.
    Used,
    /// The answer to its close frame.
    Closing,
}

impl Connects {
    pub(crate) fn new(request: &Request) -> Result<Connects, Failure> {
        let failed = |reason: String| Failure::own(Stage::Connect, reason);
        raise_open_files(request.connections).map_err(failed)?;
        let key = random_bytes().map_err(|cause| failed(format!("failed to draw a mask: {cause}")))?;
        let mut close = Vec::new();
        write_close(&mut close, Mask::Key(key), 1000);
        Ok(Connects {
            server: request.server,
            target: first_tick_target(request),
            source: Source::new(request.server),
            expected: if request.encoding == Encoding::Json { Kind::Text } else { Kind::Binary },
            close,
            poller: Poller::new().map_err(|cause| failed(format!("failed to create a poll: {cause}")))?,
            sleep_ns: if request.wait == Wait::Spin { 0 } else { SLEEP_NS },
            stall_ns: request.stall_ns,
            turns: Vec::new(),
            connections: request.connections as usize,
            space: vec![0; READ_BYTES],
            next_watch_ns: 0,
        })
    }

    /// Begins the first turn of each connection.
    fn begin_all(&mut self, session: &mut Session) -> Result<(), Failure> {
        for index in 0..self.connections {
            session.recorder.begin(index, monotonic_ns());
            let turn = self.begin(index).map_err(|cause| self.cannot_connect(&cause, session))?;
            self.turns.push(Some(turn));
        }
        Ok(())
    }

    /// Connects anew. Over loopback the connection is often there at once, and so is room for the request.
    fn begin(&mut self, index: usize) -> io::Result<Turn> {
        let upgrade = Upgrade::new(self.server, &self.target)?;
        let called_ns = monotonic_ns();
        let socket = self.source.connect()?;
        let (step, interest) = match send_at_once(&socket, &upgrade.request) {
            Ok(sent) if sent == upgrade.request.len() => (Step::Upgrading, Interest::Read),
            Ok(_) => return Err(io::Error::other("there is no room for a request")),
            Err(cause) if matches!(cause.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected) => {
                (Step::Connecting, Interest::Write)
            }
            Err(cause) => return Err(cause),
        };
        self.poller.add(&socket, index, interest)?;
        let decoder = Decoder::new(MAX_MESSAGE_BYTES);
        Ok(Turn { socket, upgrade, called_ns, step, decoder, unread: Vec::new() })
    }

    /// Takes every connection that is ready one step further.
    fn poll(&mut self, session: &mut Session) -> Result<(Poll, u64), Failure> {
        let ready = self.poller.wait(self.sleep_ns);
        let ready =
            ready.map_err(|cause| Failure::own(session.stage(), format!("failed to poll: {cause}")))?;
        for nth in 0..ready {
            self.advance(self.poller.index(nth), session)?;
        }
        let now_ns = monotonic_ns();
        if now_ns >= self.next_watch_ns {
            self.watch(now_ns, session)?;
            self.next_watch_ns = now_ns + WATCH_NS;
        }
        Ok((if ready == 0 { Poll::Nothing } else { Poll::Everything }, now_ns))
    }

    fn advance(&mut self, index: usize, session: &mut Session) -> Result<(), Failure> {
        let Some(turn) = &mut self.turns[index] else { return Ok(()) };
        if turn.step == Step::Connecting {
            let connected = connect_error(&turn.socket).and_then(|()| {
                send_all(&turn.socket, &turn.upgrade.request)?;
                self.poller.change(&turn.socket, index, Interest::Read)
            });
            turn.step = Step::Upgrading;
            return connected.map_err(|cause| self.cannot_connect(&cause, session));
        }
        let received = receive(&turn.socket, &mut self.space, Patience::None);
        let now_ns = monotonic_ns();
        let ended = match received {
            Ok(None) => return Ok(()),
            Ok(Some(count)) => {
                turn.unread.extend_from_slice(&self.space[..count]);
                session.recorder.read(now_ns);
                count == 0
            }
            Err(cause) => return Err(self.broke(index, &cause.to_string(), session)),
        };
        if self.take(index, ended, now_ns, session)? {
            return self.turn_over(index, now_ns, session);
        }
        if ended {
            return Err(self.broke(index, "the server ended it without a close frame", session));
        }
        Ok(())
    }

    /// Takes what was received as far as it goes; true where the server has answered the close frame.
    fn take(
        &mut self,
        index: usize,
        ended: bool,
        now_ns: u64,
        session: &mut Session,
    ) -> Result<bool, Failure> {
        let Connects { turns, target, expected, close, .. } = self;
        let Some(turn) = &mut turns[index] else { return Ok(false) };
        if turn.step == Step::Upgrading {
            match turn.upgrade.read_answer(&turn.unread, ended) {
                Answer::Incomplete => return Ok(false),
                Answer::Refused(reason) => {
                    return Err(session.failure(format!("failed to upgrade to `{target}`: {reason}")));
                }
                Answer::Upgraded(head_bytes) => {
                    turn.unread.drain(..head_bytes);
                    turn.step = Step::Used;
                    session.recorder.handshake(index, now_ns - turn.called_ns);
                }
            }
        }
        let unread = std::mem::take(&mut turn.unread);
        let mut rest = unread.as_slice();
        loop {
            match turn.decoder.next(&mut rest) {
                Ok(None) => break,
                Ok(Some(Event::Message { kind, payload })) if turn.step == Step::Used => {
                    let stamps =
                        first_stamps(kind, *expected, &payload).map_err(|what| session.failure(what))?;
                    session.recorder.first_tick(index, &stamps, &payload, turn.called_ns, now_ns);
                    send_all(&turn.socket, close)
                        .map_err(|cause| session.failure(format!("failed to close a connection: {cause}")))?;
                    turn.step = Step::Closing;
                }
                Ok(Some(Event::Close(_))) if turn.step == Step::Closing => return Ok(true),
                Ok(Some(Event::Close(_))) => {
                    return Err(session.failure("the server closed a connection before its first tick"));
                }
                // Ticks and pings that were on their way when the client had said its farewell.
                Ok(Some(_)) => {}
                Err(violation) => return Err(session.failure(format!("protocol violation: {violation}"))),
            }
        }
        turn.unread = rest.to_vec();
        Ok(false)
    }

    /// The connection has ended in good order: the next one begins, unless the window is over.
    fn turn_over(&mut self, index: usize, now_ns: u64, session: &mut Session) -> Result<(), Failure> {
        let Some(ended) = self.turns[index].take() else { return Ok(()) };
        session.recorder.connection(index, now_ns)?;
        let removed = self.poller.remove(&ended.socket, index);
        removed.map_err(|cause| session.failure(format!("failed to leave a connection: {cause}")))?;
        if session.recorder.is_before_end(now_ns) {
            session.recorder.begin(index, now_ns);
            let next = self.begin(index).map_err(|cause| self.cannot_connect(&cause, session))?;
            self.turns[index] = Some(next);
        }
        Ok(())
    }

    /// Looks for a connection that has waited too long. When the window is over, such a one is lost.
    fn watch(&self, now_ns: u64, session: &Session) -> Result<(), Failure> {
        let waits = |turn: &&Turn| now_ns.saturating_sub(turn.called_ns) > self.stall_ns;
        match self.turns.iter().flatten().find(waits).filter(|_| !session.is_awaiting()) {
            None => Ok(()),
            Some(turn) => Err(session.failure(format!(
                "a connection has waited for {} for {:.1} s",
                turn.step.awaited(),
                (now_ns - turn.called_ns) as f64 / 1e9
            ))),
        }
    }

    #[cold]
    fn cannot_connect(&self, cause: &io::Error, session: &Session) -> Failure {
        Failure::of_call(session.stage(), format!("failed to connect to `{}`: {cause}", self.server), cause)
    }

    #[cold]
    fn broke(&self, index: usize, what: &str, session: &Session) -> Failure {
        let awaited = self.turns[index].as_ref().map_or("nothing", |turn| turn.step.awaited());
        session.failure(format!("a connection broke while it waited for {awaited}: {what}"))
    }
}

impl Step {
    fn awaited(self) -> &'static str {
        match self {
            Step::Connecting => "the connection",
            Step::Upgrading => "the answer to its upgrade",
            Step::Used => "its first tick",
            Step::Closing => "the answer to its close frame",
        }
    }
}

/// The stamps of a connection's first message, which must be tick 0.
fn first_stamps(kind: Kind, expected: Kind, payload: &[u8]) -> Result<Stamps, String> {
    if kind != expected {
        return Err("the first message of a connection is not of the encoding that was asked for".into());
    }
    let stamps = match kind {
        Kind::Text => Stamps::read_json(payload),
        Kind::Binary => Stamps::read_binary(payload),
    };
    let stamps = stamps.map_err(|cause| format!("the first tick of a connection has no stamps: {cause}"))?;
    match stamps.seq {
        0 => Ok(stamps),
        seq => Err(format!("the first tick of a connection has seq {seq} where 0 was due")),
    }
}

/// A tick at once, and the next a second later, when the connection is long closed.
fn first_tick_target(request: &Request) -> String {
    let rate_per_s = f64::from(request.connections);
    ticks_target(&Request { rate_per_s, arrival: Arrival::Constant, ..request.clone() })
}

/// Opens and closes connections until the window is over, and those that were begun in it have ended or are lost.
pub(crate) fn run(mut session: Session, connects: &mut Connects) -> Result<Observation, Failure> {
    connects.begin_all(&mut session)?;
    let (session, closed_ns) = poll(session, |session| connects.poll(session))?;
    let observation = session.finish(closed_ns)?;
    let turns = connects.turns.drain(..).flatten();
    let sockets = turns.filter(|turn| matches!(turn.step, Step::Used | Step::Closing));
    farewell::close(&sockets.map(|turn| turn.socket).collect::<Vec<_>>());
    Ok(observation)
}
