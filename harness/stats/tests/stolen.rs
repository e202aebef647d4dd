//! What a hypervisor kept from the cores.

mod support;

use support::*;
use tickbench_record::{Measurement, Stolen};
use tickbench_stats::StolenShares;

fn lost(server_core_ns: u64, client_core_ns: u64) -> Measurement {
    let study = study(&["axum"], &scenario("latency", "latency", "rate_per_s = 1000"));
    let stolen = Some(Stolen { server_core_ns, client_core_ns });
    Measurement { wall_ns: 200, stolen, ..failed(&cells(&study)[0], 0, "frozen") }
}

#[test]
fn shares_are_of_the_time_of_all_executions_for_which_they_are_known() {
    let unknown = Measurement { stolen: None, ..lost(0, 0) };
    let shares = StolenShares::of(&[lost(0, 0), lost(10, 0), unknown, lost(0, 50), lost(20, 10)]).unwrap();
    assert_eq!((shares.executions, shares.disturbed), (4, 2), "10 of 200 is no more than a twentieth");
    assert_eq!((shares.server_core, shares.client_core), (30.0 / 800.0, 60.0 / 800.0));
    let warning = shares.warning().unwrap();
    assert!(warning.contains("took 3.8 % of the server's core and 7.5 % of the client's"), "{warning}");
    assert!(warning.contains("2 of 4 executions lost more than 5 %"), "{warning}");
}

#[test]
fn little_is_not_worth_a_warning_and_nothing_known_is_nothing_said() {
    assert_eq!(StolenShares::of(&[lost(2, 2)]).unwrap().warning(), None);
    assert_eq!(StolenShares::of(&[Measurement { stolen: None, ..lost(0, 0) }]), None);
    assert_eq!(StolenShares::of(&[]), None);
}
