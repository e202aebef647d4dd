//! Relays: what is felt of a disturbance, what became of the disturbers, and whether the client kept its own schedule.

mod support;

use support::{cells, completed, deliveries, scenario, study};
use tickbench_record::{Cell, Disturbance, Disturbed, Measurement, Observation, Relayed};
use tickbench_stats::{Check, Context, Metric, Ruling, Summary, Verdict};

const RELAY: &str = "rate_per_s = 100\nbeside = [\"nothing\", \"churn\", \"half-open\"]";

/// Twenty iterations: churn delays each delivery by 30 %, half-open connections delay none.
fn measurements(of: &[Cell], seen: impl Fn(&Cell, Observation) -> Observation) -> Vec<Measurement> {
    let of_cell = |cell: &Cell| {
        (0..20)
            .map(|at| {
                let calm = 10_000 + 10 * u64::from(at);
                let from = if cell.beside == Disturbance::Churn { calm * 13 / 10 } else { calm };
                completed(cell, at, seen(cell, deliveries(from, 1_000)))
            })
            .collect::<Vec<_>>()
    };
    of.iter().flat_map(of_cell).collect()
}

fn summary(seen: impl Fn(&Cell, Observation) -> Observation) -> Summary {
    let study = study(&["a"], &scenario("relay", "relay", RELAY));
    Summary::of(&study, &measurements(&cells(&study), seen), &Context::default()).unwrap()
}

#[test]
fn a_disturbance_is_felt_where_the_same_server_is_slower_beside_it() {
    let summary = summary(|_, seen| seen);
    assert!(summary.comparisons.is_empty(), "one server has nobody to be compared with");
    let interference = |beside, metric| {
        summary.interference.iter().find(|one| one.cell.beside == beside && one.metric == metric).unwrap()
    };
    for metric in [Metric::DeliveryP50, Metric::DeliveryP99] {
        let churn = interference(Disturbance::Churn, metric);
        assert!((churn.ratio.estimate - 1.3).abs() < 0.05 && churn.verdict == Verdict::Higher, "{churn:?}");
        let half_open = interference(Disturbance::HalfOpen, metric);
        assert_eq!((half_open.ratio.estimate, half_open.verdict), (1.0, Verdict::NoDifference));
    }
    assert_eq!(summary.interference.len(), 4, "the undisturbed cell is compared with nothing");
    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!(
        json["felt"].as_array().map(Vec::len),
        Some(4),
        "who reads summary.json finds it by this name"
    );
}

#[test]
fn what_became_of_the_disturbers_is_added_up_over_iterations() {
    let summary = summary(|cell, seen| {
        let mut disturbed = Disturbed { attempted: 2, left: 1, ..Disturbed::default() };
        disturbed.count_closed(Some(1008));
        let is_churn = cell.beside == Disturbance::Churn;
        Observation { disturbed: is_churn.then_some(disturbed), ..seen }
    });
    let of = |at: usize| summary.cells[at].disturbed.as_ref();
    assert_eq!((of(0), of(2)), (None, None));
    let churn = of(1).unwrap();
    assert_eq!((churn.attempted, churn.left, churn.all_closed()), (40, 20, 20));
}

#[test]
fn where_the_client_fell_behind_its_own_schedule_the_row_is_no_verdict_and_nothing_is_felt_of_it() {
    let summary = summary(|cell, seen| {
        let behind = if cell.beside == Disturbance::Churn { 6 } else { 5 };
        let relayed = Relayed { published: 100, behind, server_rss_start_bytes: Some(1) };
        Observation { relayed: Some(relayed), ..seen }
    });
    let comparable: Vec<bool> = summary.cells.iter().map(|cell| cell.is_comparable()).collect();
    assert_eq!(comparable, [true, false, true]);
    assert!(summary.cells.iter().all(|cell| cell.is_sound()), "it is no server's fault");
    let late = summary.cells[1].ruled(Ruling::ClientBound).unwrap();
    assert_eq!((late.check, late.figure), (Check::Publisher, 0.06));
    assert!(summary.interference.iter().all(|one| one.cell.beside == Disturbance::HalfOpen));
    // Resident memory is 1 byte at both ends.
    assert_eq!(summary.cells[0].estimates[&Metric::ServerRssGrowthBytes].estimate, 0.0);
}
