//! One timerfd a runtime, whoever waits: ten thousand paced connections then need no descriptors but their sockets, and
//! instants that fall together cost one wake-up. One for each connection was measured too: 1.3 KiB and a descriptor more for
//! each, at the same processor time a tick and the same lag.
//!
//! A task owns the descriptor and wakes those whose instant has come; waiting is an entry in an ordered map.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::{Handle, Id};

use crate::now_ns;

/// Waits for instants of CLOCK_MONOTONIC. Clones share one descriptor.
#[derive(Debug, Clone)]
pub struct Timer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    fd: AsyncFd<OwnedFd>,
    waiting: Mutex<Waiting>,
}

/// Who waits, by instant and then by the order of asking.
#[derive(Debug, Default)]
struct Waiting {
    wakers: BTreeMap<Ticket, Waker>,
    tickets: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ticket {
    due_ns: u64,
    number: u64,
}

impl Timer {
    /// The timer of the runtime that the caller runs in; made when first asked for.
    ///
    /// # Errors
    /// Where the process may not open another file.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn of_this_runtime() -> io::Result<Timer> {
        thread_local! {
            static LAST: RefCell<Option<(Id, Timer)>> = const { RefCell::new(None) };
        }
        let runtime = Handle::current().id();
        LAST.with_borrow_mut(|last| match last {
            Some((id, timer)) if *id == runtime => Ok(timer.clone()),
            _ => {
                let timer = Timer::new()?;
                *last = Some((runtime, timer.clone()));
                Ok(timer)
            }
        })
    }

    fn new() -> io::Result<Timer> {
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        // SAFETY: an `OwnedFd` names the same open file until it is dropped, which `AsyncFd` does after deregistering.
        let fd = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?;
        let timer = Timer { shared: Arc::new(Shared { fd, waiting: Mutex::default() }) };
        tokio::spawn(wake_the_due(Arc::clone(&timer.shared)));
        Ok(timer)
    }

    /// Waits until CLOCK_MONOTONIC reads at least `due_ns`; returns at once where it does.
    pub fn until(&self, due_ns: u64) -> impl Future<Output = ()> + Send + use<> {
        Wait { shared: Arc::clone(&self.shared), due_ns, ticket: None }
    }
}

/// Ends with its runtime, which is when a wait for the descriptor fails.
async fn wake_the_due(shared: Arc<Shared>) {
    let mut due = Vec::new();
    while let Ok(mut ready) = shared.fd.readable().await {
        // Nothing to read means that it was armed anew meanwhile: then nobody is due, and nobody is found.
        if let Ok(read) = ready.try_io(|fd| Ok(rustix::io::read(fd, &mut [0; 8])?)) {
            read.expect("a timerfd on CLOCK_MONOTONIC reads");
        }
        shared.waiting().take_due(now_ns(), &mut due);
        due.drain(..).for_each(Waker::wake);
        shared.arm(&shared.waiting());
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the descriptor to the first instant that is waited for, if there is one.
    fn arm(&self, waiting: &Waiting) {
        let Some((first, _)) = waiting.wakers.first_key_value() else { return };
        let at = Timespec {
            tv_sec: (first.due_ns / 1_000_000_000) as i64,
            tv_nsec: (first.due_ns % 1_000_000_000) as _,
        };
        let once = Itimerspec { it_interval: Timespec::default(), it_value: at };
        timerfd_settime(&self.fd, TimerfdTimerFlags::ABSTIME, &once)
            .expect("an instant in whole seconds and nanoseconds can be set");
    }
}

impl Waiting {
    fn ticket(&mut self, due_ns: u64) -> Ticket {
        self.tickets += 1;
        Ticket { due_ns, number: self.tickets }
    }

    fn take_due(&mut self, now_ns: u64, due: &mut Vec<Waker>) {
        while let Some(first) = self.wakers.first_entry() {
            if first.key().due_ns > now_ns {
                return;
            }
            due.push(first.remove());
        }
    }
}

struct Wait {
    shared: Arc<Shared>,
    due_ns: u64,
    ticket: Option<Ticket>,
}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<()> {
        if now_ns() >= self.due_ns {
            return Poll::Ready(());
        }
        let this = &mut *self;
        let mut waiting = this.shared.waiting();
        let ticket = *this.ticket.get_or_insert_with(|| waiting.ticket(this.due_ns));
        let waker = waiting.wakers.entry(ticket).or_insert_with(|| context.waker().clone());
        waker.clone_from(context.waker());
        if waiting.wakers.first_key_value().is_some_and(|(&first, _)| first == ticket) {
            this.shared.arm(&waiting);
        }
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.shared.waiting().wakers.remove(&ticket);
        }
    }
}
