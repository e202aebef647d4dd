//! A timer that is exact below a millisecond.

#[cfg(target_os = "linux")]
mod system {
    use std::io;
    use std::os::fd::OwnedFd;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };

    /// A timerfd: the kernel wakes the thread at an absolute time.
    pub(crate) struct Pacer(OwnedFd);

    impl Pacer {
        pub(crate) fn new() -> io::Result<Pacer> {
            Ok(Pacer(timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?))
        }

        /// Sleeps until `due_ns` of CLOCK_MONOTONIC; not at all where that has passed.
        pub(crate) fn wait_until(&self, due_ns: u64) -> io::Result<()> {
            let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
            let due =
                Timespec { tv_sec: (due_ns / 1_000_000_000) as _, tv_nsec: (due_ns % 1_000_000_000) as _ };
            let once = Itimerspec { it_interval: zero, it_value: due };
            timerfd_settime(&self.0, TimerfdTimerFlags::ABSTIME, &once)?;
            rustix::io::retry_on_intr(|| rustix::io::read(&self.0, &mut [0; 8]))?;
            Ok(())
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;

    /// There is no such timer here.
    pub(crate) enum Pacer {}

    impl Pacer {
        pub(crate) fn new() -> io::Result<Pacer> {
            Err(io::Error::new(io::ErrorKind::Unsupported, "exact timers are used on Linux alone"))
        }

        pub(crate) fn wait_until(&self, _: u64) -> io::Result<()> {
            match *self {}
        }
    }
}

pub(crate) use system::Pacer;
