//! When each tick is sent.

use std::sync::Arc;

use tickbench_protocol::{Arrival, Arrivals, TicksQuery};

use crate::{Feed, Timer, now_ns};

/// Ticks after which a stream that never waits lets the runtime serve others.
pub const YIELD_TICKS: u32 = 128;

/// When the ticks of one connection are due: in a flood at once, else on an absolute schedule, so that a stream that fell
/// behind catches up without pause.
#[derive(Debug)]
pub struct Pacer {
    timer: Timer,
    schedule: Option<Schedule>,
    without_wait: u32,
}

#[derive(Debug)]
struct Schedule {
    start_ns: u64,
    next_due_ns: u64,
    arrivals: Arrivals,
}

impl Pacer {
    pub(crate) fn start(query: &TicksQuery, feed: &Feed, timer: Timer) -> Pacer {
        let schedule = arrivals(query, feed).map(|mut arrivals| {
            let start_ns = now_ns();
            Schedule { start_ns, next_due_ns: start_ns + next_offset_ns(&mut arrivals), arrivals }
        });
        Pacer { timer, schedule, without_wait: 0 }
    }

    /// Waits until the next tick is due and returns that instant, or `None` in a flood. Now and then it lets others run even
    /// where there is nothing to wait for.
    #[inline]
    pub async fn due(&mut self) -> Option<u64> {
        let due_ns = self.next_due_ns();
        if let Some(due_ns) = due_ns
            && now_ns() < due_ns
        {
            self.without_wait = 0;
            self.timer.until(due_ns).await;
        } else if self.without_wait == YIELD_TICKS {
            self.without_wait = 0;
            tokio::task::yield_now().await;
        }
        due_ns
    }

    /// When the next tick is due; `None` in a flood.
    #[inline]
    pub fn next_due_ns(&self) -> Option<u64> {
        self.schedule.as_ref().map(|schedule| schedule.next_due_ns)
    }

    /// Whether the next tick is due already.
    #[inline]
    pub fn is_due(&self) -> bool {
        self.next_due_ns().is_none_or(|due_ns| now_ns() >= due_ns)
    }

    /// Goes on to the tick after the one that was due.
    #[inline]
    pub fn advance(&mut self) {
        self.without_wait += 1;
        if let Some(schedule) = &mut self.schedule {
            schedule.next_due_ns = schedule.start_ns + next_offset_ns(&mut schedule.arrivals);
        }
    }
}

/// The due times that `query` asks for; `None` for a flood.
fn arrivals(query: &TicksQuery, feed: &Feed) -> Option<Arrivals> {
    match (query.arrival, query.rate_per_s, feed) {
        (Arrival::Recorded, _, Feed::Captured(capture)) => {
            Some(Arrivals::recorded(Arc::clone(capture), query.speed))
        }
        (_, None | Some(0.0), _) => None,
        (Arrival::Poisson, Some(rate), _) => Some(Arrivals::poisson(rate, query.seed)),
        (Arrival::Burst, Some(rate), _) => Some(Arrivals::burst(rate)),
        (Arrival::Constant | Arrival::Recorded, Some(rate), _) => Some(Arrivals::constant(rate)),
    }
}

fn next_offset_ns(arrivals: &mut Arrivals) -> u64 {
    arrivals.next().expect("arrivals never end")
}
