//! Where the time of a run goes.

use std::time::{Duration, Instant};

use tickbench_record::{Environment, Measurement, Observation, Spent};

/// What the interrupted parts of a run took, as far as it was kept, and this part so far.
pub(crate) fn with_earlier(environment: &Environment, done: &[Measurement], now: Spent) -> Spent {
    let before = environment.spent.unwrap_or_default();
    Spent {
        building_ns: before.building_ns + now.building_ns,
        verifying_ns: before.verifying_ns + now.verifying_ns,
        executing_ns: before.executing_ns.max(done.iter().map(|measurement| measurement.wall_ns).sum()),
        measuring_ns: measuring_ns(done),
        waiting_ns: before.waiting_ns,
    }
}

/// After a plan was carried out for so long, a part of which was waiting.
pub(crate) fn with_executing(
    before: Spent,
    took: Duration,
    waiting: Duration,
    done: &[Measurement],
) -> Spent {
    let waiting_ns = waiting.as_nanos() as u64;
    Spent {
        waiting_ns: before.waiting_ns + waiting_ns,
        executing_ns: before.executing_ns + took.as_nanos() as u64 - waiting_ns,
        measuring_ns: measuring_ns(done),
        ..before
    }
}

pub(crate) fn since(began: Instant) -> u64 {
    began.elapsed().as_nanos() as u64
}

fn measuring_ns(done: &[Measurement]) -> u64 {
    done.iter().filter_map(|measurement| measurement.observation.as_ref()).map(windows_ns).sum()
}

/// The window of a measurement, or all those of a search.
fn windows_ns(seen: &Observation) -> u64 {
    match &seen.capacity {
        None => seen.elapsed_ns,
        Some(capacity) => {
            capacity.steps.iter().filter_map(|step| step.seen).map(|step| step.elapsed_ns).sum()
        }
    }
}

/// A sentence for who waited for it.
pub(crate) fn in_words(spent: &Spent) -> String {
    let seconds = |ns: u64| ns as f64 / 1e9;
    let wall = seconds(spent.verifying_ns + spent.executing_ns);
    let waiting = match spent.waiting_ns {
        0 => String::new(),
        ns => format!(", waiting for quiet {:.1} s", seconds(ns)),
    };
    format!(
        "Building took {:.1} s{waiting}, the rest {wall:.1} s, of which {:.0} % lay in measured windows.",
        seconds(spent.building_ns),
        100.0 * seconds(spent.measuring_ns) / wall.max(1e-9)
    )
}
