//! Where there is no timerfd: tokio's timer, in steps of a millisecond. It says so once.

use std::io;
use std::sync::Once;
use std::time::Duration;

use crate::now_ns;

/// Waits by tokio's timer.
#[derive(Debug, Clone)]
pub struct Timer {}

impl Timer {
    /// The timer of the current runtime. The first one says on standard error how coarse it is.
    pub fn of_this_runtime() -> io::Result<Timer> {
        static SAID: Once = Once::new();
        SAID.call_once(|| eprintln!("this system has no timerfd: ticks are paced in steps of 1 ms"));
        Ok(Timer {})
    }

    /// Waits until CLOCK_MONOTONIC reads at least `due_ns`.
    pub async fn until(&self, due_ns: u64) {
        loop {
            let now = now_ns();
            if now >= due_ns {
                return;
            }
            tokio::time::sleep(Duration::from_nanos(due_ns - now)).await;
        }
    }
}
