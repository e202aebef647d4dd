//! The job of publishing to all of one's subscribers: one thread paces, publishes and receives.
//!
//! A message belongs to the window in which it was due, however late it is published and received: when the window is over, what is late
//! goes out, and what is on its way is awaited, for at most as long as a stall takes. What is missing then is lost.

mod disturber;
mod flights;
mod following;
mod guests;
mod pinger;
mod publisher;
mod reader;
mod subscribers;

use tickbench_client_kit::{Contents, Failure, Poll, Progress, Session, Streams, monotonic_ns};
use tickbench_record::{Observation, Relayed, Request, Stage};

use super::farewell;
use super::many::Many;
use crate::link::{self, Connection, Spacing};
use disturber::Disturber;
use publisher::Publisher;
use subscribers::{Place, Subscribers};

const SUBSCRIBE: &str = "/relay?role=subscriber";
const PUBLISH: &str = "/relay?role=publisher";

/// How long a client that has nothing to do sleeps at most.
const LONGEST_SLEEP_NS: u64 = 10_000_000;

/// How long it sleeps where the kernel had no room for all of a message.
const NO_ROOM_SLEEP_NS: u64 = 200_000;

/// What is less late than this has not fallen behind, however short the gaps are.
const LEAST_BEHIND_NS: u64 = 1_000_000;

/// Room for more messages than the window should have.
const MOST_EXPECTED: f64 = 1e7;

/// How long it sleeps while subscribers are still waited for.
const SETTING_UP_SLEEP_NS: u32 = 1_000_000;

/// Measures what `request` says.
pub(super) fn measured(request: &Request) -> Result<Observation, Failure> {
    let held = request.connections + 1 + request.beside.most_at_once();
    link::raise_open_files(held).map_err(|reason| Failure::own(Stage::Connect, reason))?;
    let (mut relay, session) = Relay::set_up(request)?;
    let closed = relay.run(session)?;
    relay.finish(closed)
}

struct Relay<'r> {
    request: &'r Request,
    many: Many<Place>,
    subscribers: Subscribers,
    disturber: Disturber,
}

/// The window, measured to its end.
struct Closed {
    session: Session,
    at_ns: u64,
}

impl Relay<'_> {
    /// Opens all connections, and waits until each is told that it subscribes.
    fn set_up(request: &Request) -> Result<(Relay<'_>, Session), Failure> {
        let contents = Contents::of(request, None)?;
        let started_ns = monotonic_ns();
        let open = |target, count| link::open(request.server, target, count, Spacing::None, request.stall_ns);
        let mut connections = open(SUBSCRIBE, request.connections)?;
        let publisher = open(PUBLISH, 1)?;
        let socket = duplicate(&publisher)?;
        connections.extend(publisher);

        let mut subscribers = Subscribers::new(request);
        // Nothing of it is kept: it polls until the measurement can begin.
        let mut opening = Session::begin(request, Streams::none(), None, 0)?;
        let many = Many::new(connections, request.wait, &mut opening, &mut subscribers)?;
        let mut relay = Relay { request, many, subscribers, disturber: Disturber::Nobody };
        relay.await_subscribed(&mut opening)?;
        relay.disturber = Disturber::new(request)?;
        relay.await_subscribed(&mut opening)?;
        let took_ns = monotonic_ns() - started_ns;
        let session = Session::begin(request, Streams::none(), contents, took_ns)?;
        let publisher = Publisher::new(request, socket)
            .map_err(|cause| Failure::own(Stage::Connect, format!("failed to draw a mask: {cause}")))?;
        relay.subscribers.set_publisher(publisher);
        Ok((relay, session))
    }

    /// Reads until everyone who is connected was told that it subscribes.
    fn await_subscribed(&mut self, opening: &mut Session) -> Result<(), Failure> {
        let Relay { request, many, subscribers, disturber } = self;
        let mut progress_ns = monotonic_ns();
        while !(subscribers.are_all_subscribed() && disturber.is_ready()) {
            let (poll, now_ns) = many.poll_within(SETTING_UP_SLEEP_NS, opening, subscribers)?;
            disturber.step(now_ns, 0).map_err(|cause| cannot_disturb(opening, &cause))?;
            if poll != Poll::Nothing {
                progress_ns = now_ns;
            } else if now_ns.saturating_sub(progress_ns) > request.stall_ns {
                let waited_for = subscribers.still_waited_for() + u32::from(!disturber.is_ready());
                return Err(never_subscribed(waited_for, request.stall_ns));
            }
        }
        Ok(())
    }

    /// Publishes and receives until the window is over and all of it has come, or is lost.
    fn run(&mut self, mut session: Session) -> Result<Closed, Failure> {
        let mut is_open = false;
        let mut now_ns = monotonic_ns();
        loop {
            let (poll, read_ns) = self.turn(now_ns, &mut session)?;
            now_ns = read_ns;
            let owes_nothing = self.subscribers.is_nothing_owed();
            if owes_nothing {
                session.nothing_is_owed(now_ns);
            }
            session.expect_more(!owes_nothing || self.is_more_due());
            if session.advance(now_ns, poll)? == Progress::Over {
                return Ok(Closed { session, at_ns: now_ns });
            }
            if let (Some(window), false) = (session.window(), is_open) {
                is_open = true;
                let seconds = self.request.window_ns as f64 / 1e9;
                let expected = (1.5 * self.request.rate_per_s * seconds).min(MOST_EXPECTED) as usize;
                self.subscribers.open_window(window.end, expected);
                self.disturber.open_window(now_ns, self.subscribers.published());
            }
        }
    }

    /// Publishes what is due at `now_ns`, lets the disturber move, and reads what has come; tells what that was and when it was read.
    #[inline(always)]
    fn turn(&mut self, now_ns: u64, session: &mut Session) -> Result<(Poll, u64), Failure> {
        if self.subscribers.publish_due(now_ns, session)? {
            session.own_work_ended();
        }
        if self.disturber.next_ns() <= now_ns {
            let sent_bytes = self.subscribers.sent_bytes();
            self.disturber.step(now_ns, sent_bytes).map_err(|cause| cannot_disturb(session, &cause))?;
            session.own_work_ended();
        }
        self.many.poll_within(self.sleep_ns(now_ns), session, &mut self.subscribers)
    }

    fn is_more_due(&self) -> bool {
        self.subscribers.publisher().is_some_and(|publisher| publisher.due_ns().is_some())
    }

    /// Until when there is nothing to do but to read.
    #[inline]
    fn sleep_ns(&self, now_ns: u64) -> u32 {
        let Some(publisher) = self.subscribers.publisher() else { return 0 };
        let until_due_ns = match publisher.due_ns() {
            _ if publisher.is_under_way() => NO_ROOM_SLEEP_NS,
            Some(due_ns) => due_ns.saturating_sub(now_ns),
            None => LONGEST_SLEEP_NS,
        };
        until_due_ns.min(self.disturber.next_ns().saturating_sub(now_ns)).min(LONGEST_SLEEP_NS) as u32
    }

    fn finish(self, Closed { mut session, at_ns }: Closed) -> Result<Observation, Failure> {
        let gap_ns = ((1e9 / self.request.rate_per_s) as u64).max(LEAST_BEHIND_NS);
        let published = self.subscribers.published();
        let seen = self.subscribers.finish(gap_ns, &mut session)?;
        let mut observation = session.finish(at_ns)?;
        observation.disturbed = self.disturber.finish(published).map_err(|cause| {
            Failure::new(
                Stage::Measure,
                format!("failed to learn what became of {}: {cause}", self.request.beside),
            )
        })?;
        observation.skew_ns = seen.skew;
        observation.relayed = Some(Relayed {
            published: seen.published,
            behind: seen.behind,
            ..observation.relayed.unwrap_or_default()
        });
        farewell::close(&self.many.into_sockets());
        Ok(observation)
    }
}

/// A second descriptor of the one connection, to write to while the first is read.
fn duplicate(connections: &[Connection]) -> Result<std::os::fd::OwnedFd, Failure> {
    let [only] = connections else { return Err(Failure::new(Stage::Connect, "no publisher was opened")) };
    only.socket.try_clone().map_err(|cause| {
        Failure::own(Stage::Connect, format!("failed to duplicate the publisher's descriptor: {cause}"))
    })
}

fn cannot_disturb(session: &Session, cause: &std::io::Error) -> Failure {
    Failure::of_call(session.stage(), format!("failed to go on with what disturbs: {cause}"), cause)
}

fn never_subscribed(waited_for: u32, stall_ns: u64) -> Failure {
    let seconds = stall_ns as f64 / 1e9;
    Failure::new(
        Stage::Connect,
        format!("{waited_for} connections were upgraded and not told that they subscribe for {seconds:.1} s"),
    )
}
