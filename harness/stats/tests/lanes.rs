//! What tuning closes of the distance to the baseline, over whole runs.

mod support;

use support::{LATENCY, cells, completed, deliveries, noise, scenario, study};
use tickbench_record::{Lane, Measurement};
use tickbench_stats::{Context, Metric, Summary};

/// A framework at 140 µs beside a floor of 100; tuned, it is at 120 and the floor where it was. Both drift together.
fn summary(baseline: Option<&str>) -> Summary {
    let tuned = scenario("latency-tuned", "latency", &format!("lanes = [\"tuned\"]\n{LATENCY}"));
    let study = study(&["swift", "wire"], &(scenario("latency", "latency", LATENCY) + &tuned));
    let lines: Vec<Measurement> = (0..30)
        .flat_map(|at| {
            let drift = (noise(at) * 300.0) as u64;
            cells(&study).into_iter().map(move |cell| {
                let ns = match (cell.server.as_str(), cell.lane) {
                    ("wire", _) => 100_000,
                    (_, Lane::Default) => 140_000,
                    (_, Lane::Tuned) => 120_000,
                };
                let at = u32::try_from(at).unwrap();
                completed(&cell, at, deliveries(ns * (1_000 + drift) / 1_000, 1_100))
            })
        })
        .collect();
    let context = Context { baseline: baseline.map(str::to_owned), ..Context::default() };
    Summary::of(&study, &lines, &context).unwrap()
}

#[test]
fn half_of_the_distance_is_closed() {
    let lanes = summary(Some("wire")).lanes;
    let step = lanes
        .iter()
        .find(|step| step.server == "swift" && step.metric == Metric::DeliveryP50)
        .expect("it was asked the same in both lanes");
    assert_eq!(step.question, "latency binary each ×1");
    assert_eq!(step.tuned_question, "latency-tuned binary each ×1 tuned");
    assert!((0.8..0.92).contains(&step.ratio.estimate) && step.ratio.high < 1.0, "{step:?}");
    let distance = step.distance.as_ref().unwrap();
    let closed = distance.closed.unwrap();
    assert!((0.45..0.55).contains(&closed.estimate), "{closed:?}");
    assert!(closed.low <= closed.estimate && closed.estimate <= closed.high && closed.iterations == 30);
    let floor = lanes.iter().find(|step| step.server == "wire").unwrap();
    assert!(floor.distance.is_none(), "there is no distance from itself");
}

#[test]
fn without_a_baseline_there_is_a_ratio_and_no_distance() {
    let lanes = summary(None).lanes;
    assert!(!lanes.is_empty() && lanes.iter().all(|step| step.distance.is_none()));
}
