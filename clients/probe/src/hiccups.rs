//! What the machine takes from one core, and from how long on a gap is its doing.
//!
//! The threshold is calibrated on looks at an empty socket, which the probe spins on too: twelve times what 99 of 100 such polls
//! take at most, and no less than [`LEAST_THRESHOLD_NS`]. A core that is taken a thousand times a second disturbs one poll of some
//! thousand, so that this quantile is one of undisturbed polls even in a bad minute. A server can prolong such a poll a little, and
//! never twelvefold: see the kit's `hiccup` module.

use std::net::{TcpListener, TcpStream};

use tickbench_client_kit::{Brought, LEAST_THRESHOLD_NS, Preemption, Watch, monotonic_ns};
use tickbench_record::{CoreHiccups, new_histogram};

use crate::affinity;
use crate::link::socket::is_readable;

/// How long polls are timed for the threshold.
const CALIBRATION_NS: u64 = 100_000_000;

/// The threshold, in times of a poll's 0.99 quantile.
const TIMES: u64 = 12;

/// The threshold is told in steps of so much: more digits would mean nothing.
const STEP_NS: u64 = 100;

/// Watches `core` for `watch_ns`, and prints one line of JSON.
pub(crate) fn run(core: usize, watch_ns: u64) -> anyhow::Result<()> {
    affinity::pin(core)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let _silent = TcpStream::connect(listener.local_addr()?)?;
    let (socket, _) = listener.accept()?;
    let threshold_ns = threshold_ns(&socket)?;
    println!("{}", serde_json::to_string(&watch(&socket, core, threshold_ns, watch_ns)?)?);
    Ok(())
}

fn threshold_ns(socket: &TcpStream) -> anyhow::Result<u64> {
    let mut polls = new_histogram();
    let started_ns = monotonic_ns();
    let mut before_ns = started_ns;
    while before_ns - started_ns < CALIBRATION_NS {
        is_readable(socket)?;
        let now_ns = monotonic_ns();
        polls.saturating_record(now_ns - before_ns);
        before_ns = monotonic_ns();
    }
    let usual_ns = polls.value_at_quantile(0.99);
    Ok((TIMES * usual_ns).next_multiple_of(STEP_NS).max(LEAST_THRESHOLD_NS))
}

fn watch(socket: &TcpStream, core: usize, threshold_ns: u64, watch_ns: u64) -> anyhow::Result<CoreHiccups> {
    let started_ns = monotonic_ns();
    let mut watch = Watch::new(threshold_ns, Preemption::NotByTheServer, started_ns);
    let mut now_ns = started_ns;
    while now_ns - started_ns < watch_ns {
        is_readable(socket)?;
        now_ns = monotonic_ns();
        watch.call_ended(now_ns, Brought::Answer);
    }
    let (watched_ns, seen) = (now_ns - started_ns, watch.seen());
    Ok(CoreHiccups {
        core,
        watched_ns,
        threshold_ns,
        per_s: seen.count as f64 * 1e9 / watched_ns as f64,
        lost_share: seen.lost_ns as f64 / watched_ns as f64,
        longest_ns: seen.longest_ns,
    })
}
