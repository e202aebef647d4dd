//! What each execution must keep, whose fault it is where it does not, and what follows for the row: liars first.

mod support;

use support::{LATENCY, accounted, cells, completed, deliveries, rate, scenario, study};
use tickbench_record::{
    Account, Accounts, Arrival, Cell, Distribution, Hiccups, Measurement, Observation, Stolen, Throttled,
    new_histogram,
};
use tickbench_stats::{Audit, Blame, CellSummary, Check, Context, Metric, Ruling, Summary};

const MS: u64 = 1_000_000;

/// A second at 1,000 messages a second, of which so many were sent before its end. The lags are those of a server that falls behind
/// steadily, or of one that was late for once.
fn sent(in_window: u64, steadily: bool) -> Observation {
    let behind_ns = (1_000 - in_window) * MS;
    let mut lag = new_histogram();
    for due in 0..1_000 {
        let late = if steadily { behind_ns * due / 1_000 } else { 0 };
        lag += 30_000 + late.max((due * MS + behind_ns).saturating_sub(1_000 * MS));
    }
    let seen = Observation { lag_ns: Distribution::of(&lag), ..deliveries(1_000, 100) };
    accounted(seen, 1_000, in_window, 0)
}

fn stolen(measurement: Measurement, ms: u64) -> Measurement {
    let stolen = Stolen { server_core_ns: ms * MS, client_core_ns: 0 };
    Measurement { stolen: Some(stolen), ..measurement }
}

/// Forty iterations of two servers, the second the baseline.
fn summary(of: impl Fn(&Cell, u32) -> Measurement) -> Summary {
    let study = study(&["own", "base"], &scenario("paced", "latency", LATENCY));
    let lines: Vec<Measurement> =
        cells(&study).iter().flat_map(|cell| (0..40).map(|at| of(cell, at)).collect::<Vec<_>>()).collect();
    let context = Context { baseline: Some("base".into()), ..Context::default() };
    Summary::of(&study, &lines, &context).unwrap()
}

fn is_own(cell: &Cell) -> bool {
    cell.server == "own"
}

fn audit(cell: &CellSummary, check: Check) -> &Audit {
    cell.audits.iter().find(|audit| audit.check == check).unwrap()
}

#[test]
fn a_connection_that_gets_nothing_fails_the_row_whatever_the_others_get() {
    // 600 of 1,000 connections are fed, each owed 3 messages; what never came is lost.
    let study = study(&["own"], &scenario("wide", "scaling", "rate_per_s = 3000\nconnections = [1000]"));
    let accounts = Accounts {
        sent_in_window: 1_800,
        awaited_ns: 2_000 * MS,
        lost_age_ns: Some(3_000 * MS),
        least_owed: 3,
        worst: Account { connection: 600, owed: 3, received: 0 },
        start_after_upgrade_ns: None,
    };
    let seen = Observation {
        sent: 3_000,
        received: 1_800,
        lost: 1_200,
        elapsed_ns: 1_000 * MS,
        accounts: Some(accounts),
        ..deliveries(1_000, 100)
    };
    let lines: Vec<Measurement> = (0..40).map(|at| completed(&cells(&study)[0], at, seen.clone())).collect();
    let summary = Summary::of(&study, &lines, &Context::default()).unwrap();
    let counts = audit(&summary.cells[0], Check::Counts);
    assert_eq!((counts.figure, counts.ruling), (48_000.0, Ruling::Failed));
    assert_eq!(counts.executions.unwrap().server, 40);
    assert!(summary.cells[0].figure(Metric::DeliveryP50).is_none());
}

#[test]
fn a_client_that_counts_as_owed_what_it_received_is_found_by_the_studys_rate() {
    // A stall across the window's end: what was due in it and came later is in neither of the client's counts.
    let summary = summary(|cell, at| {
        let mut seen = accounted(deliveries(1_000, 100), 1_000, 785, 0);
        (seen.sent, seen.received) = (785, 785);
        completed(cell, at, seen)
    });
    let owed = audit(&summary.cells[0], Check::Owed);
    assert_eq!((owed.figure, owed.ruling), (0.785, Ruling::Failed));
    assert_eq!(owed.executions.unwrap().client, 40, "the instrument's fault, and no server's");
    assert_eq!(
        audit(&summary.cells[0], Check::Counts).ruling,
        Ruling::Held,
        "by its own word nothing is lost"
    );
}

#[test]
fn each_connection_must_be_owed_what_its_schedule_says() {
    let of = |more: &str, change: fn(&mut Observation)| {
        let text = format!("rate_per_s = 4000\nconnections = [100]\n{more}");
        let study = study(&["own"], &scenario("wide", "scaling", &text));
        let mut seen = accounted(deliveries(1_000, 100), 4_000, 4_000, 0);
        seen.accounts.as_mut().unwrap().least_owed = 40;
        change(&mut seen);
        let lines = [completed(&cells(&study)[0], 0, seen)];
        audit(&Summary::of(&study, &lines, &Context::default()).unwrap().cells[0], Check::Owed).ruling
    };
    assert_eq!(of("", |_| {}), Ruling::Held);
    assert_eq!(of("", |seen| seen.accounts.as_mut().unwrap().least_owed = 39), Ruling::Held);
    assert_eq!(of("", |seen| seen.accounts.as_mut().unwrap().least_owed = 38), Ruling::Failed);
    assert_eq!(of("", |seen| (seen.sent, seen.received) = (3_890, 3_890)), Ruling::Failed);
    assert_eq!(of("arrival = 'burst'", |seen| seen.accounts.as_mut().unwrap().least_owed = 8), Ruling::Held);
    let poisson = "arrival = 'poisson'";
    assert_eq!(of(poisson, |seen| (seen.sent, seen.received) = (3_590, 3_590)), Ruling::Held);
    assert_eq!(of(poisson, |seen| (seen.sent, seen.received) = (3_500, 3_500)), Ruling::Failed);
}

#[test]
fn pings_go_round_and_what_is_published_goes_to_all() {
    let of = |kind: &str, sent: u64, least_owed: u64| {
        let study = study(&["own"], &scenario("wide", kind, "rate_per_s = 1000\nconnections = [10]"));
        let mut seen = accounted(rate(1_000.0), sent, sent, 0);
        seen.accounts.as_mut().unwrap().least_owed = least_owed;
        let lines = [completed(&cells(&study)[0], 0, seen)];
        audit(&Summary::of(&study, &lines, &Context::default()).unwrap().cells[0], Check::Owed).ruling
    };
    assert_eq!([of("ping", 1_000, 100), of("ping", 999, 99)], [Ruling::Held; 2]);
    assert_eq!([of("ping", 998, 100), of("ping", 1_000, 98)], [Ruling::Failed; 2]);
    assert_eq!([of("relay", 10_000, 1_000), of("relay", 9_990, 999)], [Ruling::Held; 2]);
    assert_eq!([of("relay", 9_989, 999), of("relay", 10_000, 998)], [Ruling::Failed; 2]);
}

#[test]
fn waiting_for_stragglers_turns_no_overload_into_a_schedule_that_was_kept() {
    // All of it comes in the end, by a server that sends 95 % of what is due.
    let summary = summary(|cell, at| {
        completed(cell, at, if is_own(cell) { sent(950, true) } else { sent(1_000, false) })
    });
    let [own, base] = &summary.cells[..] else { panic!("two rows") };
    let schedule = audit(own, Check::Schedule);
    assert_eq!((schedule.figure, schedule.ruling), (0.95, Ruling::Failed));
    assert_eq!(schedule.executions.unwrap().server, 40);
    assert!(base.is_sound() && summary.comparisons.is_empty());
    assert!(own.estimates.contains_key(&Metric::DeliveryP50), "what was seen stays");
}

#[test]
fn one_execution_in_twenty_is_listed_and_fails_no_row() {
    let short = |count: u32| {
        summary(move |cell, at| {
            completed(cell, at, if is_own(cell) && at < count { sent(950, true) } else { sent(1_000, false) })
        })
    };
    let two = short(2);
    let own = &two.cells[0];
    assert!(own.is_comparable() && two.comparisons.len() == 2);
    let listed: Vec<(u32, Blame)> =
        own.failed_executions.iter().map(|one| (one.iteration, one.blame)).collect();
    assert_eq!(listed, [(0, Blame::Server), (1, Blame::Server)]);
    assert_eq!(own.estimates[&Metric::DeliveryP50].iterations, 40, "they are in the figures");
    assert!(!short(3).cells[0].is_sound());
}

#[test]
fn where_the_baseline_fell_short_as_often_it_is_undecided() {
    let summary = summary(|cell, at| {
        let is_short = if is_own(cell) { at % 10 == 0 } else { at % 10 == 5 };
        completed(cell, at, if is_short { sent(950, true) } else { sent(1_000, false) })
    });
    let own = &summary.cells[0];
    assert!(own.is_sound() && own.ruled(Ruling::Undecided).is_some() && !own.is_comparable());
    assert!(own.figure(Metric::DeliveryP50).is_some() && summary.comparisons.is_empty());
}

#[test]
fn what_the_hypervisor_took_makes_a_row_noisy_and_fails_none() {
    let summary = summary(|cell, at| {
        if is_own(cell) && at % 4 == 0 {
            stolen(completed(cell, at, sent(950, false)), 50)
        } else {
            completed(cell, at, sent(1_000, false))
        }
    });
    let own = &summary.cells[0];
    assert_eq!(audit(own, Check::Schedule).ruling, Ruling::Noisy);
    assert_eq!(audit(own, Check::Schedule).executions.unwrap().machine, 10);
    assert!(own.is_comparable() && summary.comparisons.len() == 2);
    let first = own.failed_executions[0];
    assert_eq!((first.behind_ns, first.taken_ns), (Some(50 * MS), 50 * MS));
}

#[test]
fn a_quota_and_the_cores_own_hiccups_explain_a_shortfall_as_steal_does() {
    let blamed = |spoil: fn(&mut Measurement)| {
        let summary = summary(|cell, at| {
            let mut one =
                completed(cell, at, if is_own(cell) { sent(950, false) } else { sent(1_000, false) });
            if is_own(cell) {
                spoil(&mut one);
            }
            one
        });
        summary.cells[0].failed_executions[0].blame
    };
    assert_eq!(blamed(|_| {}), Blame::Server);
    let quota = |one: &mut Measurement| one.throttled = Some(Throttled { periods: 1, stopped_ns: 60 * MS });
    assert_eq!(blamed(quota), Blame::Machine);
    let gaps = |one: &mut Measurement| {
        let seen = one.observation.as_mut().unwrap();
        seen.server_hiccups = Some(Hiccups { lost_ns: 50 * MS, ..Hiccups::default() });
    };
    assert_eq!(blamed(gaps), Blame::Machine);
    let of_client = |one: &mut Measurement| {
        let seen = one.observation.as_mut().unwrap();
        seen.client_hiccups = Some(Hiccups { lost_ns: 500 * MS, ..Hiccups::default() });
    };
    assert_eq!(blamed(of_client), Blame::Server, "the client's core sends no ticks");
}

#[test]
fn a_slow_server_hides_behind_no_steal() {
    let stands = |steadily: bool, own_ms: u64, base_ms: u64| {
        let summary = summary(move |cell, at| {
            let (seen, ms) =
                if is_own(cell) { (sent(970, steadily), own_ms) } else { (sent(1_000, false), base_ms) };
            stolen(completed(cell, at, seen), ms)
        });
        (summary.cells[0].is_sound(), summary.cells[0].is_comparable())
    };
    assert_eq!(stands(true, 20, 0), (false, false), "too little was taken");
    assert_eq!(
        stands(true, 40, 0),
        (false, false),
        "enough was taken, but half of its messages are late: it falls behind steadily"
    );
    assert_eq!(
        stands(false, 40, 40),
        (true, false),
        "as much was taken from the baseline, which kept its schedule: undecided, and compared with nobody"
    );
    assert_eq!(stands(false, 40, 0), (true, true), "its core was away, and no other's");
}

#[test]
fn without_another_server_nobody_can_tell() {
    let study = study(&["own"], &scenario("paced", "latency", LATENCY));
    let lines: Vec<Measurement> =
        (0..40).map(|at| completed(&cells(&study)[0], at, sent(950, true))).collect();
    let summary = Summary::of(&study, &lines, &Context::default()).unwrap();
    assert_eq!(audit(&summary.cells[0], Check::Schedule).ruling, Ruling::Undecided);
}

#[test]
fn a_baseline_that_falls_short_alone_is_failed_like_any_other() {
    let summary = summary(|cell, at| {
        completed(cell, at, if is_own(cell) { sent(1_000, false) } else { sent(950, true) })
    });
    let sound: Vec<bool> = summary.cells.iter().map(CellSummary::is_sound).collect();
    assert_eq!(sound, [true, false]);
}

#[test]
fn overload_that_is_asked_for_loses_only_what_was_not_sent() {
    let of = |sent_in_window: u64, lost: u64| {
        let study = study(&["own"], &scenario("load", "load", "rates_per_s = [1000]"));
        let seen = accounted(deliveries(1_000, 100), 1_000, sent_in_window, lost);
        let lines = [completed(&cells(&study)[0], 0, seen)];
        let cell = Summary::of(&study, &lines, &Context::default()).unwrap().cells.remove(0);
        assert!(cell.audits.iter().all(|audit| audit.check != Check::Schedule), "overload is a result");
        cell.is_sound()
    };
    assert!(of(400, 0) && of(400, 600));
    assert!(!of(400, 601), "a message that was sent in the window must come");
}

#[test]
fn pongs_may_stand_for_a_few_pings_and_the_client_must_send_them_all() {
    let of = |sent_in_window: u64, lost: u64| {
        let study = study(&["own"], &scenario("idle", "ping", LATENCY));
        let seen = accounted(rate(1_000.0), 1_000, sent_in_window, lost);
        let lines = [completed(&cells(&study)[0], 0, seen)];
        let cell = Summary::of(&study, &lines, &Context::default()).unwrap().cells.remove(0);
        [Check::Counts, Check::Publisher].map(|check| audit(&cell, check).ruling)
    };
    assert_eq!(of(1_000, 10), [Ruling::Held, Ruling::Held]);
    assert_eq!(of(1_000, 11), [Ruling::Failed, Ruling::Held]);
    assert_eq!(of(989, 0), [Ruling::Held, Ruling::Held], "1 % and the one due right before the end");
    assert_eq!(of(988, 0), [Ruling::Held, Ruling::ClientBound]);
}

#[test]
fn a_burst_that_is_due_right_before_the_end_is_no_overload() {
    let of = |arrival: Arrival, in_window: u64| {
        let study =
            study(&["own"], &scenario("paced", "latency", &format!("{LATENCY}\narrival = '{arrival}'")));
        let lines = [completed(&cells(&study)[0], 0, sent(in_window, false))];
        let cell = Summary::of(&study, &lines, &Context::default()).unwrap().cells.remove(0);
        audit(&cell, Check::Schedule).ruling
    };
    assert_eq!(of(Arrival::Burst, 958), Ruling::Held);
    assert_eq!(of(Arrival::Constant, 958), Ruling::Undecided);
}

#[test]
fn records_without_accounts_are_judged_by_none_of_it() {
    let summary = summary(|cell, at| completed(cell, at, deliveries(1_000, 100)));
    let checks: Vec<Check> = summary.cells[0].audits.iter().map(|audit| audit.check).collect();
    assert_eq!(checks, [Check::Clock, Check::Stationarity]);
}

#[test]
fn samples_beyond_the_range_are_counted_and_a_quota_is_summed_up() {
    let summary = summary(|cell, at| {
        let mut seen = sent(1_000, false);
        seen.delivery_ns.as_mut().unwrap().beyond = 2;
        let throttled = (at < 3).then_some(Throttled { periods: u64::from(at), stopped_ns: MS });
        Measurement { throttled, ..completed(cell, at, seen) }
    });
    assert_eq!(summary.cells[0].beyond, 80);
    let throttled = summary.throttled.unwrap();
    assert_eq!((throttled.executions, throttled.stopped, throttled.periods), (6, 4, 6));
    assert!(throttled.warning().unwrap().contains("4 of 6 executions, in 6 of its periods and for 6.0 ms"));
}
