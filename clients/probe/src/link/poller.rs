//! Waiting for many sockets at once.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::time::Timespec;

/// Sockets that one wait reports.
const REPORTED: usize = 1024;

/// What a socket is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    /// Data, or the end.
    Read,
    /// Data that comes from now on, or the end: reported once, and not again for what is left unread. Spares the kernel a second
    /// look at each socket that was read. A system without such reports repeats them.
    Arrival,
    /// Room to write, or the end of connecting.
    Write,
}

/// A set of sockets, each with an index, and those that were ready at the last wait.
pub(crate) struct Poller {
    set: system::Set,
}

impl Poller {
    /// An empty set.
    pub(crate) fn new() -> io::Result<Poller> {
        Ok(Poller { set: system::Set::new()? })
    }

    /// Adds a socket. It must be removed before it is closed, or the set dropped.
    pub(crate) fn add(&mut self, socket: &OwnedFd, index: usize, interest: Interest) -> io::Result<()> {
        Ok(self.set.add(socket, index, interest)?)
    }

    /// Waits for something else on a socket of the set.
    pub(crate) fn change(&mut self, socket: &OwnedFd, index: usize, interest: Interest) -> io::Result<()> {
        Ok(self.set.change(socket, index, interest)?)
    }

    /// Takes a socket out of the set.
    pub(crate) fn remove(&mut self, socket: &OwnedFd, index: usize) -> io::Result<()> {
        Ok(self.set.remove(socket, index)?)
    }

    /// Waits until a socket is ready, or for `sleep_ns`, which is below a second; returns how many are ready.
    #[inline]
    pub(crate) fn wait(&mut self, sleep_ns: u32) -> io::Result<usize> {
        match self.set.wait(&Timespec { tv_sec: 0, tv_nsec: sleep_ns.into() }) {
            Ok(()) => Ok(self.set.ready()),
            Err(Errno::INTR) => Ok(0),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The index of the `nth` socket that was ready at the last wait.
    #[inline]
    pub(crate) fn index(&self, nth: usize) -> usize {
        self.set.index(nth)
    }

    /// Whether the other end of that socket has sent all that it will.
    #[inline]
    pub(crate) fn is_ending(&self, nth: usize) -> bool {
        self.set.is_ending(nth)
    }

    /// Whether the last wait may have left out sockets that were ready too.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.set.ready() >= REPORTED
    }
}

/// Linux: epoll, whose cost does not grow with the set.
#[cfg(target_os = "linux")]
mod system {
    use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

    use super::{Errno, Interest, OwnedFd, REPORTED, Timespec};

    pub(super) struct Set {
        epoll: OwnedFd,
        events: Vec<Event>,
    }

    impl Set {
        pub(super) fn new() -> Result<Set, Errno> {
            Ok(Set { epoll: epoll::create(CreateFlags::CLOEXEC)?, events: Vec::with_capacity(REPORTED) })
        }

        pub(super) fn add(
            &mut self,
            socket: &OwnedFd,
            index: usize,
            interest: Interest,
        ) -> Result<(), Errno> {
            epoll::add(&self.epoll, socket, EventData::new_u64(index as u64), flags(interest))
        }

        pub(super) fn change(
            &mut self,
            socket: &OwnedFd,
            index: usize,
            interest: Interest,
        ) -> Result<(), Errno> {
            epoll::modify(&self.epoll, socket, EventData::new_u64(index as u64), flags(interest))
        }

        pub(super) fn remove(&mut self, socket: &OwnedFd, _: usize) -> Result<(), Errno> {
            epoll::delete(&self.epoll, socket)
        }

        #[inline]
        pub(super) fn wait(&mut self, sleep: &Timespec) -> Result<(), Errno> {
            self.events.clear();
            epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), Some(sleep))
                .map(|_| ())
        }

        #[inline]
        pub(super) fn ready(&self) -> usize {
            self.events.len()
        }

        #[inline]
        pub(super) fn index(&self, nth: usize) -> usize {
            self.events[nth].data.u64() as usize
        }

        #[inline]
        pub(super) fn is_ending(&self, nth: usize) -> bool {
            let ending = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
            // The events stand in a packed struct.
            let flags = self.events[nth].flags;
            flags.intersects(ending)
        }
    }

    fn flags(interest: Interest) -> EventFlags {
        match interest {
            Interest::Read => EventFlags::IN,
            Interest::Arrival => EventFlags::IN | EventFlags::RDHUP | EventFlags::ET,
            Interest::Write => EventFlags::OUT,
        }
    }
}

/// Other systems: poll, which looks at every socket each time. Fit for some hundred connections.
#[cfg(not(target_os = "linux"))]
mod system {
    use std::os::fd::{AsRawFd as _, BorrowedFd, RawFd};

    use rustix::event::{PollFd, PollFlags, poll};

    use super::{Errno, Interest, OwnedFd, REPORTED, Timespec};

    pub(super) struct Set {
        sockets: Vec<(RawFd, usize, PollFlags)>,
        ready: Vec<usize>,
    }

    impl Set {
        pub(super) fn new() -> Result<Set, Errno> {
            Ok(Set { sockets: Vec::new(), ready: Vec::with_capacity(REPORTED) })
        }

        pub(super) fn add(
            &mut self,
            socket: &OwnedFd,
            index: usize,
            interest: Interest,
        ) -> Result<(), Errno> {
            self.sockets.push((socket.as_raw_fd(), index, flags(interest)));
            Ok(())
        }

        pub(super) fn change(
            &mut self,
            socket: &OwnedFd,
            index: usize,
            interest: Interest,
        ) -> Result<(), Errno> {
            self.remove(socket, index)?;
            self.add(socket, index, interest)
        }

        pub(super) fn remove(&mut self, socket: &OwnedFd, _: usize) -> Result<(), Errno> {
            let gone = socket.as_raw_fd();
            self.sockets.retain(|&(socket, ..)| socket != gone);
            Ok(())
        }

        pub(super) fn wait(&mut self, sleep: &Timespec) -> Result<(), Errno> {
            self.ready.clear();
            let watched = |&(socket, _, flags): &(RawFd, usize, PollFlags)| {
                // SAFETY: whoever adds a socket takes it out again before closing it, so the descriptor is open.
                PollFd::from_borrowed_fd(unsafe { BorrowedFd::borrow_raw(socket) }, flags)
            };
            let mut polled: Vec<PollFd> = self.sockets.iter().map(watched).collect();
            poll(&mut polled, Some(sleep))?;
            let ready = polled.iter().zip(&self.sockets).filter(|(poll, _)| !poll.revents().is_empty());
            self.ready.extend(ready.map(|(_, &(_, index, _))| index).take(REPORTED));
            Ok(())
        }

        pub(super) fn ready(&self) -> usize {
            self.ready.len()
        }

        pub(super) fn index(&self, nth: usize) -> usize {
            self.ready[nth]
        }

        /// It will be reported again, and the read then tells.
        pub(super) fn is_ending(&self, _: usize) -> bool {
            false
        }
    }

    fn flags(interest: Interest) -> PollFlags {
        match interest {
            Interest::Read | Interest::Arrival => PollFlags::IN,
            Interest::Write => PollFlags::OUT,
        }
    }
}
