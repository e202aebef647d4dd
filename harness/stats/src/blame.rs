//! Whose fault it is that an execution fell short: the server's, the client's, the machine's, or nobody can tell.

use serde::Serialize;
use tickbench_record::{Hiccups, Measurement, Observation, Usage};

use crate::audit::Check;
use crate::execution_audit::{Fault, Keeper};

/// A typical message that is late by more than this part of what the server was behind in the end was not late for a core that went
/// away: a server that falls behind steadily has half of its messages late by half of that or more, one that lost its core once has
/// most of them on time.
const STEADY: u64 = 4;

/// On whom a shortfall is booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// The machine does not explain it, and in the same iteration another server kept what this one did not.
    Server,
    /// The client did not keep its own schedule or its own accounts.
    Client,
    /// The time that the machine took from the core covers it.
    Machine,
    /// Neither is so, or the evidence contradicts itself.
    Undecided,
}

/// How long the machine kept each core from its process in one execution, in nanoseconds: the most that steal, a quota, the process's
/// run delay and the core's own hiccups tell. They count the same gaps in different ways, so that they are not added. 0 where nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Taken {
    server_core_ns: u64,
    client_core_ns: u64,
}

impl Taken {
    pub(crate) fn of(measurement: &Measurement, seen: &Observation) -> Taken {
        let stolen = measurement.stolen.unwrap_or_default();
        let throttled = measurement.throttled.map_or(0, |throttled| throttled.stopped_ns);
        let of = |stolen_ns: u64, hiccups: Option<Hiccups>, usage: Option<Usage>| {
            let lost_ns = hiccups.map_or(0, |hiccups| hiccups.lost_ns);
            let waited_ns = usage.and_then(|usage| usage.run_delay_ns).unwrap_or(0);
            stolen_ns.max(throttled).max(lost_ns).max(waited_ns)
        };
        Taken {
            server_core_ns: of(stolen.server_core_ns, seen.server_hiccups, seen.server_usage),
            client_core_ns: of(stolen.client_core_ns, seen.client_hiccups, seen.client_usage),
        }
    }

    /// From the core of who had to keep something.
    pub(crate) fn from(self, keeper: Keeper) -> u64 {
        match keeper {
            Keeper::Server => self.server_core_ns,
            Keeper::Client => self.client_core_ns,
        }
    }
}

/// How another server, which shows what was possible, did in the same iteration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reference {
    pub(crate) kept: bool,
    /// What the machine took from its core.
    pub(crate) taken_ns: u64,
}

/// Books a fault. `taken_ns` is what the machine took from the core of who had to keep it.
pub(crate) fn blame(check: Check, fault: &Fault, taken_ns: u64, reference: Option<Reference>) -> Blame {
    let explained = fault
        .behind_ns
        .is_some_and(|behind_ns| taken_ns >= behind_ns.max(1) && fault.typical_ns <= behind_ns / STEADY);
    // As much was taken from the other, and did no harm.
    let as_much = |reference: Reference| reference.kept && reference.taken_ns >= fault.behind_ns.unwrap_or(0);
    match (fault.keeper, explained) {
        (Keeper::Server, true) if reference.is_some_and(as_much) => Blame::Undecided,
        (_, true) => Blame::Machine,
        (Keeper::Client, false) => Blame::Client,
        // TCP loses nothing, and the client has waited: that takes no other server to be seen.
        (Keeper::Server, false) if check == Check::Counts => Blame::Server,
        (Keeper::Server, false) if reference.is_some_and(|reference| reference.kept) => Blame::Server,
        (Keeper::Server, false) => Blame::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn behind(behind_ms: u64) -> Fault {
        Fault { keeper: Keeper::Server, behind_ns: Some(behind_ms * MS), typical_ns: 50_000 }
    }

    fn kept(taken_ms: u64) -> Option<Reference> {
        Some(Reference { kept: true, taken_ns: taken_ms * MS })
    }

    #[test]
    fn waiting_for_other_processes_is_the_machines_and_no_usage_is_no_waiting() {
        use tickbench_record::{Cell, Outcome, Study};
        let text = "name='t'\niterations=1\n[[scenario]]\nname='s'\nkind='latency'\nrate_per_s=1\nwait='spin'\nwarmup_ms=1\nwindow_ms=1\n";
        let cell: Cell = Study::from_toml(text).unwrap().cells(&["a".into()], |_| true).remove(0);
        let measurement = Measurement {
            iteration: 0,
            position: 0,
            started_at_s: 0.0,
            wall_ns: 1,
            stolen: None,
            throttled: None,
            cell,
            outcome: Outcome::Completed,
            observation: None,
        };
        let usage = |run_delay_ns| Usage {
            interval_ns: 1,
            cpu_user_ns: 0,
            cpu_system_ns: 0,
            cpu_share: 0.0,
            cpu_ns_per_message: 0.0,
            rss_bytes: 0,
            rss_peak_bytes: 0,
            voluntary_switches: 0,
            involuntary_switches: 0,
            threads: 1,
            run_delay_ns,
        };
        let taken = |usage| {
            let seen = Observation { server_usage: usage, ..Observation::default() };
            Taken::of(&measurement, &seen).from(Keeper::Server)
        };
        assert_eq!([taken(None), taken(Some(usage(None))), taken(Some(usage(Some(7))))], [0, 0, 7]);
    }

    const FELL_SHORT: Option<Reference> = Some(Reference { kept: false, taken_ns: 0 });

    #[test]
    fn what_the_core_was_away_for_is_the_machines() {
        let of = |taken_ms, reference| blame(Check::Schedule, &behind(8), taken_ms * MS, reference);
        assert_eq!(of(10, kept(0)), Blame::Machine);
        assert_eq!(of(8, None), Blame::Machine, "no other server is needed to see it");
        assert_eq!(of(7, kept(0)), Blame::Server, "7 ms explain no 8");
        assert_eq!(of(7, FELL_SHORT), Blame::Undecided);
        assert_eq!(of(7, None), Blame::Undecided);
    }

    #[test]
    fn a_server_that_falls_behind_steadily_hides_behind_no_steal() {
        // Of a server that does a twentieth less than is due in 200 ms, half of the messages are late by 5 ms or more.
        let steady = Fault { typical_ns: 5 * MS, ..behind(10) };
        assert_eq!(blame(Check::Schedule, &steady, 20 * MS, kept(0)), Blame::Server);
        assert_eq!(blame(Check::Schedule, &steady, 20 * MS, None), Blame::Undecided);
    }

    #[test]
    fn what_was_taken_from_another_without_harm_explains_nothing() {
        assert_eq!(blame(Check::Schedule, &behind(8), 10 * MS, kept(10)), Blame::Undecided);
        assert_eq!(blame(Check::Schedule, &behind(8), 10 * MS, kept(7)), Blame::Machine);
    }

    #[test]
    fn a_loss_needs_no_other_server_to_be_the_servers() {
        assert_eq!(blame(Check::Counts, &behind(2_000), 10 * MS, None), Blame::Server);
        assert_eq!(blame(Check::Counts, &behind(2_000), 2_100 * MS, None), Blame::Machine);
        let unknown = Fault { behind_ns: None, ..behind(0) };
        assert_eq!(blame(Check::Counts, &unknown, 2_100 * MS, FELL_SHORT), Blame::Server);
    }

    #[test]
    fn a_client_that_is_late_by_itself_is_booked_on_no_server() {
        let late = Fault { keeper: Keeper::Client, ..behind(30) };
        assert_eq!(blame(Check::Publisher, &late, 0, kept(0)), Blame::Client);
        assert_eq!(blame(Check::Publisher, &late, 31 * MS, kept(31)), Blame::Machine);
    }

    #[test]
    fn gaps_that_are_told_twice_are_not_added_up() {
        let hiccups = |lost_ns| Some(tickbench_record::Hiccups { lost_ns, ..Default::default() });
        let seen = Observation {
            server_hiccups: hiccups(3 * MS),
            client_hiccups: hiccups(40 * MS),
            ..Observation::default()
        };
        let study = tickbench_record::Study::from_toml(
            "name='t'\niterations=1\n[[scenario]]\nname='s'\nkind='latency'\nrate_per_s=1\nwait='spin'\nwarmup_ms=1\n\
             window_ms=1\n",
        );
        let measurement = Measurement {
            iteration: 0,
            position: 0,
            started_at_s: 0.0,
            wall_ns: 1,
            stolen: Some(tickbench_record::Stolen { server_core_ns: 10 * MS, client_core_ns: 10 * MS }),
            throttled: Some(tickbench_record::Throttled { periods: 1, stopped_ns: 20 * MS }),
            cell: study.unwrap().cells(&["a".into()], |_| true).remove(0),
            outcome: tickbench_record::Outcome::Completed,
            observation: None,
        };
        let taken = Taken::of(&measurement, &seen);
        assert_eq!((taken.from(Keeper::Server), taken.from(Keeper::Client)), (20 * MS, 40 * MS));
    }
}
