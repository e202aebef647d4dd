//! How large a difference is, by two measures that a few wild iterations cannot move.

use crate::resample::median_of;

/// The shift by which paired differences lie away from zero: the median of the means of every two of them, each with itself
/// too. Hodges and Lehmann: "Estimates of location based on rank tests", 1963. `None` of no differences.
pub(crate) fn hodges_lehmann(differences: &[f64]) -> Option<f64> {
    let means = (0..differences.len())
        .flat_map(|at| differences[at..].iter().map(move |other| (differences[at] + other) / 2.0));
    median_of(means.collect())
}

/// The chance that a value of `one` is above a value of `other`, less the chance that it is below: −1 to 1, and 0 where neither
/// tends to be larger. Cliff: "Dominance statistics", 1993. `None` where either is empty.
pub(crate) fn cliffs_delta(one: &[f64], other: &[f64]) -> Option<f64> {
    let mut sorted = other.to_vec();
    sorted.sort_by(f64::total_cmp);
    let dominance = |value: &f64| {
        let below = sorted.partition_point(|other| other < value);
        let above = sorted.len() - sorted.partition_point(|other| other <= value);
        below as i64 - above as i64
    };
    let pairs = (one.len() * other.len()) as f64;
    (pairs > 0.0).then(|| one.iter().map(dominance).sum::<i64>() as f64 / pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wild_difference_does_not_move_the_shift() {
        assert_eq!(hodges_lehmann(&[1.0, 2.0, 3.0]), Some(2.0));
        assert!(hodges_lehmann(&[1.0, 2.0, 3.0, 4.0, 1e9]).unwrap() < 5.0);
        assert_eq!(hodges_lehmann(&[]), None);
    }

    #[test]
    fn dominance_runs_from_minus_one_to_one() {
        assert_eq!(cliffs_delta(&[1.0, 2.0], &[3.0, 4.0]), Some(-1.0));
        assert_eq!(cliffs_delta(&[3.0, 4.0], &[1.0, 2.0]), Some(1.0));
        assert_eq!(cliffs_delta(&[1.0, 2.0, 3.0], &[2.0]), Some(0.0));
        assert_eq!(cliffs_delta(&[], &[1.0]), None);
    }
}
