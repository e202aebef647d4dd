//! The statistics against independent implementations, on fixed data: `tests/oracle/make.py` says which and how.

use serde_json::Value;

use crate::{Paired, holm, memory, trend};

const REFERENCE: &str = include_str!("../tests/oracle/reference.json");
const WITHIN: f64 = 1e-9;

fn reference(part: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(REFERENCE).unwrap();
    all[part].as_array().unwrap().clone()
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn assert_equal(what: &str, of: &Value, ours: f64) {
    let theirs = of[what].as_f64().unwrap();
    assert!(
        (ours - theirs).abs() <= WITHIN * theirs.abs().max(1.0),
        "{what} of {}: {ours} for {theirs}",
        of["name"]
    );
}

#[test]
fn pairs_equal_scipy() {
    let pairs = reference("pairs");
    assert!(pairs.len() >= 8);
    for pair in &pairs {
        let paired = Paired::of(&numbers(&pair["one"]), &numbers(&pair["other"]), 1).unwrap();
        assert_equal("p", pair, paired.p);
        assert_equal("ratio_of_medians", pair, paired.ratio_of_medians.estimate);
        assert_equal("shift", pair, paired.ratio.estimate);
        // Only what has no ties: with them, the reference counts out another distribution.
        if !pair["shift_low"].is_null() {
            assert_equal("shift_low", pair, paired.ratio.low);
            assert_equal("shift_high", pair, paired.ratio.high);
        }
        assert_equal("cliffs_delta", pair, paired.cliffs_delta);
    }
}

#[test]
fn holm_equals_statsmodels() {
    for family in reference("holm") {
        let ours = holm::corrected(&numbers(&family["p"]));
        for (ours, theirs) in ours.into_iter().zip(numbers(&family["corrected"])) {
            assert!((ours - theirs).abs() <= WITHIN, "{ours} for {theirs}");
        }
    }
}

#[test]
fn trends_equal_scipy() {
    for series in reference("series") {
        let values = numbers(&series["values"]);
        let points: Vec<(f64, f64)> = values.iter().enumerate().map(|(x, &y)| (x as f64, y)).collect();
        assert_equal("p", &series, trend::p_two_sided(&values));
        assert_equal("slope", &series, trend::slope(&points).unwrap());
    }
}

#[test]
fn lines_equal_scipy() {
    let lines = reference("lines");
    assert!(lines.len() >= 4);
    for line in lines {
        let points: Vec<(f64, f64)> = numbers(&line["x"]).into_iter().zip(numbers(&line["y"])).collect();
        assert_equal("slope", &line, memory::least_squares(&points).unwrap());
    }
    assert_eq!(memory::least_squares(&[(7.0, 1.0), (7.0, 2.0)]), None);
    assert_eq!(memory::least_squares(&[]), None);
}
