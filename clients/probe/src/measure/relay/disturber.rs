//! What goes on beside the measured stream, driven from the thread that measures.
//!
//! A thread of its own would share the client's core, where that is all there is: the scheduler would then take the core from one that
//! spins for milliseconds at a time, at moments of its choosing. So the loop that reads makes one short move at a time in between, each on
//! its own schedule, none of which waits; how long they took is told. No sample is set apart for them: what a server does because of a
//! disturbance comes right behind the move that caused it.

use std::io;

use tickbench_client_kit::Failure;
use tickbench_record::{Disturbance, Disturbed, Request, Stage};

use super::SUBSCRIBE;
use super::guests::Guests;
use super::pinger::Pinger;
use super::reader::{Appetite, Reader};

/// What disturbs.
pub(super) enum Disturber {
    Nobody,
    Reader(Box<Reader>),
    Pinger(Box<Pinger>),
    Guests(Box<Guests>),
}

impl Disturber {
    /// What `request` wants beside it. One that reads or pings is connected when this returns; others come when the window opens.
    pub(super) fn new(request: &Request) -> Result<Disturber, Failure> {
        let reader = |appetite| Ok(Disturber::Reader(Box::new(Reader::new(request, SUBSCRIBE, appetite)?)));
        match request.beside {
            Disturbance::Nothing => Ok(Disturber::Nobody),
            Disturbance::StoppedReader => reader(Appetite::None),
            Disturbance::SlowReader => reader(Appetite::Tenth),
            Disturbance::PingFlood => Ok(Disturber::Pinger(Box::new(Pinger::new(request)?))),
            kind => Guests::new(kind, request.server)
                .map(|guests| Disturber::Guests(Box::new(guests)))
                .map_err(|cause| {
                    Failure::of_call(Stage::Connect, format!("failed to set up {kind}: {cause}"), &cause)
                }),
        }
    }

    /// Whether all is there that is to be there before anything is published.
    pub(super) fn is_ready(&self) -> bool {
        match self {
            Disturber::Reader(reader) => reader.is_subscribed(),
            Disturber::Nobody | Disturber::Pinger(_) | Disturber::Guests(_) => true,
        }
    }

    /// The window opens at `now_ns`, when `published` messages were.
    pub(super) fn open_window(&mut self, now_ns: u64, published: u64) {
        match self {
            Disturber::Nobody => {}
            Disturber::Reader(reader) => reader.open_window(published),
            Disturber::Pinger(pinger) => pinger.open_window(now_ns, published),
            Disturber::Guests(guests) => guests.open_window(now_ns),
        }
    }

    /// When it has something to do again.
    #[inline]
    pub(super) fn next_ns(&self) -> u64 {
        match self {
            Disturber::Nobody => u64::MAX,
            Disturber::Reader(reader) => reader.next_ns(),
            Disturber::Pinger(pinger) => pinger.next_ns(),
            Disturber::Guests(guests) => guests.next_ns(),
        }
    }

    /// One move, where one is due; `sent_bytes` went to each subscriber in the window so far.
    pub(super) fn step(&mut self, now_ns: u64, sent_bytes: u64) -> io::Result<()> {
        match self {
            Disturber::Nobody => Ok(()),
            Disturber::Reader(reader) => {
                reader.step(now_ns, sent_bytes);
                Ok(())
            }
            Disturber::Pinger(pinger) => {
                pinger.step(now_ns);
                Ok(())
            }
            Disturber::Guests(guests) => guests.step(now_ns),
        }
    }

    /// What became of it, when the window is over and `published` messages were; `None` where there was nobody.
    pub(super) fn finish(self, published: u64) -> io::Result<Option<Disturbed>> {
        match self {
            Disturber::Nobody => Ok(None),
            Disturber::Reader(reader) => Ok(Some(reader.finish(published))),
            Disturber::Pinger(pinger) => Ok(Some(pinger.finish(published))),
            Disturber::Guests(guests) => guests.finish(published).map(Some),
        }
    }
}
