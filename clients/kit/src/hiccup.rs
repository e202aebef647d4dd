//! Hiccups: times at which the machine took the core from a client that spins.
//!
//! An interrupt or a hypervisor takes a core away some hundred times a second and does not tell the client. The client that polls without
//! pause sees it: two readings of the clock are further apart than what lies between them can take. What was read late because
//! of that says nothing about the server, and is set apart.
//!
//! Three things must hold, or this would be a way to make servers look better than they are.
//!
//! **A gap is never the client's own work.** Between the two readings lies one system call that does not sleep, and nothing else:
//! after any other work (decoding, recording, answering, sampling usage, a change of phase) the first reading is taken anew. The
//! call's own work for what it brought is allowed for, generously, on top of the threshold ([`Brought`]).
//!
//! **A gap is never the server's work.** What can a server do to prolong a call that does not sleep? Send: where a read brings data,
//! the kernel copies them, acknowledges them, carries that to the server's socket and perhaps wakes the server or sends what the
//! socket held back, all on the client's core. That took 2 to 7 µs in a steady stream of small messages, and 30 µs where the server
//! had been silent for some milliseconds: it depends on the server, so a read is allowed 50 µs and a nanosecond a byte
//! ([`Brought`]). A client of one connection therefore looks before it reads, with a `poll` that does none of that work, whatever the
//! answer, and is allowed nothing more. Hold the socket's lock: the kernel does so on the server's core while it queues a packet and
//! acknowledges it, for some hundred nanoseconds, and for 4 to 14 µs where caches have gone cold; whoever asks how many *bytes* are
//! there (`FIONREAD`) waits for it, and so does a read. A `poll` takes no lock. What remains is running on the client's core: where
//! the server's affinity does not exclude that, a gap in which this thread was switched out counts as none.
//!
//! **What is set apart does not depend on how slow the server was.** Setting apart what *overlaps* a gap from sending to receiving would
//! set the slow samples apart before all others: with 700 gaps a second, 97 % of those that a server delays by 5 ms. But a gap
//! that ended before a message came did not delay it. So a sample is set apart only where it was read by the poll that the gap was
//! in, or by those that follow it until as much time has passed as the gap took: its bytes may have lain there while the core was
//! away, or in the server's socket, which holds back what is small while nobody acknowledges, and sends it some polls later. No stamp
//! of the server enters into this, and so a delayed sample is set apart no more often than any other: what is left is an honest
//! sample of what the server did.
//!
//! What is not seen stays in the tail: the core taken in the middle of the client's own work, and a gap that ended with data and
//! was no longer than what the data may have taken.

use tickbench_record::Hiccups;

use crate::Poll;
use crate::preemption::Preemption;

/// No calibrated threshold is lower: several times what a server can prolong a look by, which misses the cache for what has changed.
pub const LEAST_THRESHOLD_NS: u64 = 4_000;

/// What a system call of a poll brought, and so what work it may have had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brought {
    /// A look at one socket, which takes no lock, and brings nothing but its answer.
    Answer,
    /// A read, so many bytes.
    Bytes(usize),
    /// A look at many sockets, so many that have something.
    Sockets(usize),
}

impl Brought {
    /// More than the kernel needs for it: half as much again as the slowest read of a small message that a server was seen to
    /// cause, a fifth of the speed of any copy, and some five times the cost of a report.
    #[inline]
    fn allowance_ns(self) -> u64 {
        match self {
            Brought::Answer => 0,
            Brought::Bytes(bytes) => 50_000 + bytes as u64,
            Brought::Sockets(sockets) => 1_000 * sockets as u64,
        }
    }
}

/// Which messages may have waited through the last gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// None: there was time to catch up with it.
    Over,
    /// Those of the poll that it is in.
    InThisPoll,
    /// Those that the polls after it find, until the time that is told has come.
    CatchingUp { until_ns: u64 },
}

/// Watches the core of a thread that spins. It is told each reading of the clock, and reads none itself.
#[derive(Debug)]
pub struct Watch {
    /// The end of the last own work, or of the last call, whichever is later.
    since_ns: u64,
    doubt: Doubt,
    last_gap_ns: u64,
    preemption: Preemption,
    seen: Hiccups,
}

impl Watch {
    /// Watches from `now_ns` on for gaps of more than `threshold_ns`.
    pub fn new(threshold_ns: u64, preemption: Preemption, now_ns: u64) -> Watch {
        let seen = Hiccups { threshold_ns, ..Hiccups::default() };
        Watch { since_ns: now_ns, doubt: Doubt::Over, last_gap_ns: 0, preemption, seen }
    }

    /// Own work ended at `now_ns`.
    #[inline]
    pub(crate) fn restart(&mut self, now_ns: u64) {
        self.since_ns = now_ns;
    }

    /// A call that does not sleep ended at `now_ns`. Tells whether the core was away since the last reading: what is recorded
    /// from now on is then in doubt, until [`poll_ended`](Watch::poll_ended) says otherwise.
    #[inline]
    pub fn call_ended(&mut self, now_ns: u64, brought: Brought) -> bool {
        let gap_ns = now_ns.saturating_sub(self.since_ns);
        self.since_ns = now_ns;
        gap_ns > self.seen.threshold_ns + brought.allowance_ns() && self.note(gap_ns)
    }

    #[cold]
    fn note(&mut self, gap_ns: u64) -> bool {
        if self.preemption.happened() {
            return false;
        }
        self.seen.count += 1;
        self.seen.lost_ns += gap_ns;
        self.seen.longest_ns = self.seen.longest_ns.max(gap_ns);
        self.doubt = Doubt::InThisPoll;
        self.last_gap_ns = gap_ns;
        true
    }

    /// A poll ended. Tells whether a doubt ended with it.
    #[inline]
    pub(crate) fn poll_ended(&mut self, poll: Poll) -> bool {
        self.doubt = match (self.doubt, poll) {
            (Doubt::Over, _) => return false,
            (Doubt::InThisPoll, _) => Doubt::CatchingUp { until_ns: self.since_ns + self.last_gap_ns },
            (doubt, Poll::Something) => doubt,
            (Doubt::CatchingUp { until_ns }, _) if self.since_ns >= until_ns => Doubt::Over,
            (doubt, _) => doubt,
        };
        self.doubt == Doubt::Over
    }

    /// Whether a doubt is not over.
    #[inline]
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.doubt != Doubt::Over
    }

    /// Forgets the gaps so far: the window begins.
    pub(crate) fn open(&mut self) {
        self.seen = Hiccups { threshold_ns: self.seen.threshold_ns, ..Hiccups::default() };
    }

    /// The gaps since the window began; how many samples were set apart is not known here.
    pub fn seen(&self) -> Hiccups {
        self.seen
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const THRESHOLD_NS: u64 = 6_000;

    fn watch() -> Watch {
        Watch::new(THRESHOLD_NS, Preemption::NotByTheServer, 1_000)
    }

    #[test]
    fn a_long_call_that_brought_nothing_is_a_gap() {
        let mut watch = watch();
        assert!(!watch.call_ended(1_000 + THRESHOLD_NS, Brought::Answer));
        assert!(watch.call_ended(8_000 + THRESHOLD_NS, Brought::Answer));
        assert!(!watch.call_ended(8_300 + THRESHOLD_NS, Brought::Answer));
        let due =
            Hiccups { threshold_ns: THRESHOLD_NS, count: 1, lost_ns: 7_000, longest_ns: 7_000, set_aside: 0 };
        assert_eq!(watch.seen(), due);
        watch.open();
        assert_eq!(watch.seen(), Hiccups { threshold_ns: THRESHOLD_NS, ..Hiccups::default() });
    }

    #[test]
    fn own_work_is_no_gap() {
        let mut watch = watch();
        watch.restart(500_000);
        assert!(!watch.call_ended(500_300, Brought::Answer));
        assert_eq!(watch.seen().count, 0);
    }

    #[test]
    fn what_a_call_brought_is_allowed_its_time() {
        for (brought, allowed_ns) in [
            (Brought::Bytes(50), 50_050),
            (Brought::Bytes(65_536), 115_536),
            (Brought::Sockets(100), 100_000),
        ] {
            let mut watch = watch();
            assert!(!watch.call_ended(1_000 + THRESHOLD_NS + allowed_ns, brought), "{brought:?}");
            watch.restart(0);
            assert!(watch.call_ended(1 + THRESHOLD_NS + allowed_ns, brought), "{brought:?}");
        }
    }

    /// A watch with a gap of 49 µs behind it, in a poll that is over: doubt ends at 99 µs at the latest.
    fn watch_in_doubt() -> Watch {
        let mut watch = watch();
        assert!(!watch.poll_ended(Poll::Nothing) && !watch.is_in_doubt());
        assert!(watch.call_ended(50_000, Brought::Answer));
        assert!(!watch.poll_ended(Poll::Nothing), "data may have come behind the look");
        assert!(watch.is_in_doubt());
        watch
    }

    #[test]
    fn a_doubt_ends_when_there_was_time_to_catch_up() {
        let mut watch = watch_in_doubt();
        watch.restart(98_900);
        assert!(!watch.poll_ended(Poll::Everything), "this may have made room for what was held back");
        assert!(!watch.poll_ended(Poll::Nothing), "which is on its way");
        watch.restart(99_000);
        assert!(!watch.poll_ended(Poll::Something), "there is more that lay there");
        assert!(watch.poll_ended(Poll::Everything) && !watch.is_in_doubt());
    }

    #[test]
    fn where_the_server_may_run_on_this_core_a_switch_is_no_gap() {
        // A count that is not this thread's: it has risen.
        let mut watch = Watch::new(THRESHOLD_NS, Preemption::Perhaps(u64::MAX), 1_000);
        assert!(!watch.call_ended(50_000, Brought::Answer));
        assert!(!watch.is_in_doubt());
    }

    /// One message of a timeline: when it reached the client's socket, when it was read, and whether it was set apart.
    #[derive(Debug, Clone, Copy, PartialEq)]
    struct Read {
        arrived_ns: u64,
        read_ns: u64,
        set_apart: bool,
    }

    const POLL_NS: u64 = 300;
    const OWN_WORK_NS: u64 = 20_000;

    /// A client that polls each 300 ns and looks at the socket in the middle of a poll. At each of `aways` its core is away for so
    /// long. Messages reach its socket at `arrivals`. Own work, as long as a hiccup, follows each read that brought something.
    fn client(aways: &[(u64, u64)], arrivals: &[u64]) -> (Watch, Vec<Read>) {
        let (mut watch, mut reads, mut now_ns) = (watch(), Vec::new(), 1_000_000);
        let (mut aways, mut arrivals) = (aways.iter().peekable(), arrivals.iter().peekable());
        let mut pass = |now_ns: u64, ns: u64| {
            let away = |&&(at_ns, _): &&(u64, u64)| at_ns <= now_ns + ns;
            now_ns + ns + std::iter::from_fn(|| aways.next_if(away)).map(|(_, away_ns)| away_ns).sum::<u64>()
        };
        let mut in_doubt = false;
        watch.restart(now_ns);
        while arrivals.peek().is_some() {
            let looked_ns = pass(now_ns, POLL_NS / 2);
            let there: Vec<u64> =
                std::iter::from_fn(|| arrivals.next_if(|&&at_ns| at_ns <= looked_ns)).copied().collect();
            now_ns = pass(looked_ns, POLL_NS / 2);
            in_doubt |= watch.call_ended(now_ns, Brought::Answer);
            reads.extend(there.iter().map(|&arrived_ns| Read {
                arrived_ns,
                read_ns: now_ns,
                set_apart: in_doubt,
            }));
            let doubt_ended =
                watch.poll_ended(if there.is_empty() { Poll::Nothing } else { Poll::Everything });
            in_doubt &= !doubt_ended;
            if !there.is_empty() {
                now_ns = pass(now_ns, OWN_WORK_NS);
                watch.restart(now_ns);
            }
        }
        (watch, reads)
    }

    prop_compose! {
        /// Times in rising order, from 1 ms on.
        fn rising(most: usize)(gaps in proptest::collection::vec(100u64..200_000, 1..most)) -> Vec<u64> {
            gaps.iter().scan(1_000_000, |now_ns, gap_ns| { *now_ns += gap_ns; Some(*now_ns) }).collect()
        }
    }

    proptest! {
        #[test]
        fn all_that_a_hiccup_delayed_is_set_apart_and_little_else(
            away_at in rising(60), away_for in proptest::collection::vec(0u64..100_000, 60), arrivals in rising(60),
        ) {
            let aways: Vec<_> = away_at.into_iter().zip(away_for).collect();
            for read in client(&aways, &arrivals).1 {
                let hidden_ns: u64 = aways
                    .iter()
                    .filter(|(at_ns, _)| (read.arrived_ns.saturating_sub(1_000_000)..=read.read_ns).contains(at_ns))
                    .map(|(_, away_ns)| away_ns)
                    .sum();
                let waited_ns = read.read_ns - read.arrived_ns;
                if read.set_apart {
                    prop_assert!(hidden_ns > THRESHOLD_NS - POLL_NS, "no hiccup was near {:?}", read);
                } else if hidden_ns == 0 {
                    prop_assert!(waited_ns <= OWN_WORK_NS + 2 * POLL_NS, "{:?}", read);
                }
            }
        }

        #[test]
        fn without_own_work_between_nothing_that_is_kept_waited_longer_than_the_rule_says(
            away_at in 1_000_000u64..1_100_000, away_ns in 0u64..5_000_000, arrives_at in 1_000_000u64..1_100_000,
        ) {
            let (_, reads) = client(&[(away_at, away_ns)], &[arrives_at]);
            let waited_ns = reads[0].read_ns - reads[0].arrived_ns;
            let most_ns = THRESHOLD_NS + 2 * POLL_NS;
            prop_assert!(reads[0].set_apart || waited_ns <= most_ns, "{:?}", reads);
        }

        #[test]
        fn with_the_core_at_hand_nothing_is_set_apart(arrivals in rising(100)) {
            let (watch, reads) = client(&[], &arrivals);
            prop_assert_eq!(watch.seen().count, 0);
            prop_assert!(reads.iter().all(|read| !read.set_apart));
        }
    }

    #[test]
    fn a_gap_that_ended_before_a_message_came_sets_nothing_apart() {
        // However early it was sent: 5 ms, in which the core was away ten times.
        let aways: Vec<_> = (0..10).map(|nth| (1_000_000 + nth * 500_000, 50_000)).collect();
        let (watch, reads) = client(&aways, &[6_000_000]);
        assert_eq!(watch.seen().count, 10);
        assert!(!reads[0].set_apart);
    }
}
