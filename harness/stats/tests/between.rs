//! Two independent runs: the test against SciPy, the interval against the truth, and how often noise is called a change.

use serde::Deserialize;
use tickbench_stats::Between;

#[derive(Deserialize)]
struct Case {
    name: String,
    before: Vec<f64>,
    after: Vec<f64>,
    p: f64,
}

/// The expected values are SciPy's: `mann_whitney/fixture.py` says how they were had.
#[test]
fn the_test_equals_scipy() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("mann_whitney/fixture.json")).unwrap();
    assert!(cases.len() >= 6);
    for Case { name, before, after, p } in cases {
        let found = Between::of(&before, &after, 1).unwrap().p;
        assert!((found - p).abs() <= 1e-9 * p.max(1e-3), "{name}: {found} for {p}");
    }
}

/// A plain stream of uniform numbers: the tests' own, so that they hold whatever the library draws.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Skewed values, as latencies are: `scale` times 1 plus an exponential tenth.
    fn run(&mut self, iterations: usize, scale: f64) -> Vec<f64> {
        (0..iterations).map(|_| scale * (1.0 - 0.1 * (1.0 - self.uniform()).ln())).collect()
    }
}

#[test]
fn the_interval_holds_the_true_ratio_as_often_as_it_says() {
    let mut random = Random(3);
    let covered = (0..400)
        .filter(|&seed| {
            let between = Between::of(&random.run(60, 5.0), &random.run(60, 5.5), seed).unwrap();
            (between.ratio.low..=between.ratio.high).contains(&1.1)
        })
        .count();
    // 95 % of 400, give or take three standard deviations, and a little more for the percentile interval of a median.
    assert!((364..=396).contains(&covered), "{covered} of 400");
}

#[test]
fn noise_is_called_a_change_no_more_often_than_one_time_in_twenty() {
    let mut random = Random(8);
    let alarms = (0..400)
        .filter(|&seed| {
            let between = Between::of(&random.run(50, 5.0), &random.run(50, 5.0), seed).unwrap();
            between.p < 0.05 && !(between.ratio.low..=between.ratio.high).contains(&1.0)
        })
        .count();
    assert!(alarms <= 33, "{alarms} of 400");
}

#[test]
fn the_ratio_is_that_of_the_medians_whatever_the_lengths() {
    let between = Between::of(&[1.0, 2.0, 3.0], &[3.0, 4.0, 5.0, 6.0], 0).unwrap();
    assert_eq!((between.ratio.estimate, between.ratio.iterations), (2.25, 3));
    assert!(between.ratio.low <= 2.25 && 2.25 <= between.ratio.high);
}

#[test]
fn nothing_is_compared_with_nothing_nor_with_zero() {
    assert_eq!(Between::of(&[], &[1.0], 0), None);
    assert_eq!(Between::of(&[0.0, 0.0], &[1.0, 2.0], 0), None);
}

#[test]
fn equal_seeds_give_equal_intervals() {
    let (before, after) = ([1.0, 4.0, 2.0, 8.0], [2.0, 3.0, 9.0]);
    assert_eq!(Between::of(&before, &after, 5), Between::of(&before, &after, 5));
}
