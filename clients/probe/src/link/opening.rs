//! Opens many connections at once: connects and upgrades are under way side by side.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use tickbench_client_kit::{Failure, is_own, monotonic_ns};
use tickbench_frame::Decoder;
use tickbench_record::Stage;

use super::handshake::{Answer, Upgrade, came_so_far};
use super::poller::{Interest, Poller};
use super::socket::{self, Patience};
use super::source::Sources;
use super::{Connection, MAX_MESSAGE_BYTES, limit};

/// Connections that are being opened at once: fewer than any server's backlog holds.
const AT_ONCE: usize = 100;

/// The longest sleep before the deadlines are looked at again.
const WATCH_NS: u64 = 50_000_000;

/// A read with patience returns after so long without data, so that its caller can look at the time.
const READ_TIMEOUT: Duration = Duration::from_millis(10);

/// When connections are begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spacing {
    /// As fast as the server takes them.
    None,
    /// One each so many nanoseconds, so that paced streams do not tick in one clump.
    Every(u64),
}

impl Spacing {
    /// The spacing that spreads the ticks of `connections` streams evenly over their common period.
    ///
    /// Opening takes a whole number of periods, so that each stream has a phase of its own, and some 100 µs a connection, so
    /// that the server keeps up; no longer than 2 s.
    pub(crate) fn over_period(period_ns: u64, connections: u32) -> Spacing {
        const LEAST_NS: u64 = 100_000;
        const MOST_NS: u64 = 2_000_000_000;
        let connections = u64::from(connections);
        let turns = (LEAST_NS * connections).div_ceil(period_ns.max(1));
        Spacing::Every((turns * period_ns).min(MOST_NS) / connections)
    }
}

/// A connection on its way.
struct Opening {
    socket: OwnedFd,
    upgrade: Upgrade,
    /// When it began to connect: by the stall limit after this the whole answer is there.
    begun_ns: u64,
    /// When the request was sent, where it has been.
    asked_ns: Option<u64>,
    answer: Vec<u8>,
}

/// Opens `count` connections to `target` on `server`. Fails where one of them takes longer than `stall_ns`, from its connecting to the whole
/// answer to its upgrade.
pub(crate) fn open(
    server: SocketAddr,
    target: &str,
    count: u32,
    spacing: Spacing,
    stall_ns: u64,
) -> Result<Vec<Connection>, Failure> {
    limit::raise_open_files(count).map_err(own)?;
    let mut openings = Openings::new(server, target, count as usize, stall_ns)
        .map_err(|cause| own(format!("failed to create a poll: {cause}")))?;
    openings.run(spacing)?;
    Ok(openings.opened.into_iter().flatten().collect())
}

/// What no server can help.
fn own(reason: String) -> Failure {
    Failure::own(Stage::Connect, reason)
}

struct Openings<'t> {
    server: SocketAddr,
    target: &'t str,
    stall_ns: u64,
    poller: Poller,
    sources: Sources,
    pending: Vec<Option<Opening>>,
    opened: Vec<Option<Connection>>,
    begun: usize,
    done: usize,
    next_watch_ns: u64,
}

impl Openings<'_> {
    fn new(server: SocketAddr, target: &str, count: usize, stall_ns: u64) -> io::Result<Openings<'_>> {
        Ok(Openings {
            server,
            target,
            stall_ns,
            poller: Poller::new()?,
            sources: Sources::of(server, count)?,
            pending: (0..count).map(|_| None).collect(),
            opened: (0..count).map(|_| None).collect(),
            begun: 0,
            done: 0,
            next_watch_ns: 0,
        })
    }

    fn run(&mut self, spacing: Spacing) -> Result<(), Failure> {
        let count = self.pending.len();
        let started_ns = monotonic_ns();
        while self.done < count {
            let now_ns = monotonic_ns();
            let due_ns = |index: usize| match spacing {
                Spacing::None => started_ns,
                Spacing::Every(gap_ns) => started_ns + index as u64 * gap_ns,
            };
            while self.has_room() && due_ns(self.begun) <= now_ns {
                self.begin().map_err(|cause| self.cannot_connect(&cause))?;
            }
            let next_ns = if self.has_room() { due_ns(self.begun).saturating_sub(now_ns) } else { WATCH_NS };
            let ready = self.poller.wait(next_ns.min(WATCH_NS) as u32);
            let ready = ready.map_err(|cause| own(format!("failed to poll: {cause}")))?;
            for nth in 0..ready {
                self.advance(self.poller.index(nth))?;
            }
            self.watch(monotonic_ns())?;
        }
        Ok(())
    }

    /// Looks now and then for a connection that takes too long, however busy it is.
    fn watch(&mut self, now_ns: u64) -> Result<(), Failure> {
        if now_ns < self.next_watch_ns {
            return Ok(());
        }
        self.next_watch_ns = now_ns + WATCH_NS;
        let overdue = |opening: &Opening| now_ns.saturating_sub(opening.begun_ns) > self.stall_ns;
        let all = self.pending.iter().enumerate();
        let late =
            all.filter_map(|(index, opening)| Some((index, opening.as_ref()?))).find(|(_, one)| overdue(one));
        late.map_or(Ok(()), |(index, opening)| Err(self.overdue(index, opening)))
    }

    fn has_room(&self) -> bool {
        self.begun < self.pending.len() && self.begun - self.done < AT_ONCE
    }

    fn begin(&mut self) -> io::Result<()> {
        let socket = socket::begin_connect(self.server, self.sources.address(self.begun))?;
        self.poller.add(&socket, self.begun, Interest::Write)?;
        let upgrade = Upgrade::new(self.server, self.target)?;
        let opening =
            Opening { socket, upgrade, begun_ns: monotonic_ns(), asked_ns: None, answer: Vec::new() };
        self.pending[self.begun] = Some(opening);
        self.begun += 1;
        Ok(())
    }

    /// The socket `index` is ready for its next step.
    fn advance(&mut self, index: usize) -> Result<(), Failure> {
        let Some(mut opening) = self.pending[index].take() else { return Ok(()) };
        let Some(asked_ns) = opening.asked_ns else {
            socket::connect_error(&opening.socket).map_err(|cause| self.cannot_connect(&cause))?;
            let poller = &mut self.poller;
            opening.asked_ns = Some(monotonic_ns());
            let sent = socket::send_all(&opening.socket, &opening.upgrade.request)
                .and_then(|()| poller.change(&opening.socket, index, Interest::Read));
            sent.map_err(|cause| self.refused(index, &format!("failed to send the request: {cause}")))?;
            self.pending[index] = Some(opening);
            return Ok(());
        };
        let ended = opening.read().map_err(|cause| self.refused(index, &cause.to_string()))?;
        match opening.upgrade.read_answer(&opening.answer, ended) {
            Answer::Incomplete => self.pending[index] = Some(opening),
            Answer::Refused(reason) => return Err(self.refused(index, &reason)),
            Answer::Upgraded(head_bytes) => {
                let connection = self.upgraded(index, opening, head_bytes, asked_ns);
                self.opened[index] =
                    Some(connection.map_err(|cause| self.refused(index, &cause.to_string()))?);
                self.done += 1;
            }
        }
        Ok(())
    }

    fn upgraded(
        &mut self,
        index: usize,
        opening: Opening,
        head_bytes: usize,
        asked_ns: u64,
    ) -> io::Result<Connection> {
        let Opening { socket, answer, .. } = opening;
        self.poller.remove(&socket, index)?;
        socket::set_blocking(&socket, READ_TIMEOUT, Duration::from_nanos(self.stall_ns))?;
        let leftover = answer[head_bytes..].to_vec();
        Ok(Connection { socket, decoder: Decoder::new(MAX_MESSAGE_BYTES), leftover, head_bytes, asked_ns })
    }

    fn cannot_connect(&self, cause: &io::Error) -> Failure {
        let next = if is_own(cause) {
            "this machine has nothing left for one more connection"
        } else {
            "is the server still running?"
        };
        let reason = format!("failed to connect to `{}`: {cause}: {next}", self.server);
        Failure::of_call(Stage::Connect, reason, cause)
    }

    fn refused(&self, index: usize, reason: &str) -> Failure {
        let reason = format!("failed to upgrade connection {index} to `{}`: {reason}", self.target);
        Failure::new(Stage::Connect, reason)
    }

    fn overdue(&self, index: usize, opening: &Opening) -> Failure {
        let (waiting, count, seconds) =
            (self.begun - self.done, self.pending.len(), self.stall_ns as f64 / 1e9);
        let was_asked = opening.asked_ns.is_some();
        let state = if was_asked { came_so_far(&opening.answer) } else { "it is not connected".into() };
        let reason = format!(
            "failed to open {count} connections to `{}`: {} are open, {waiting} wait for an answer, and connection {index} has had no \
             whole one for {seconds:.1} s: {state}",
            self.server, self.done
        );
        Failure::new(Stage::Connect, reason)
    }
}

impl Opening {
    /// Reads more of the answer; true where there will be no more.
    fn read(&mut self) -> io::Result<bool> {
        let mut space = [0; 4096];
        let count = socket::receive(&self.socket, &mut space, Patience::None)?;
        self.answer.extend_from_slice(&space[..count.unwrap_or(0)]);
        Ok(count == Some(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_spread_over_whole_periods() {
        // 1,000 streams of 10 a second: 100 ms hold them all, one each 100 µs.
        assert_eq!(Spacing::over_period(100_000_000, 1000), Spacing::Every(100_000));
        // 9,000 of them need nine periods.
        assert_eq!(Spacing::over_period(100_000_000, 9000), Spacing::Every(100_000));
        assert_eq!(Spacing::over_period(1_000_000, 10), Spacing::Every(100_000));
        // Ten streams of a tick a second: a tenth of a second apart.
        assert_eq!(Spacing::over_period(1_000_000_000, 10), Spacing::Every(100_000_000));
        // Rare ticks do not hold up the measurement.
        assert_eq!(Spacing::over_period(60_000_000_000, 10), Spacing::Every(200_000_000));
    }
}
