//! How large a difference is, by two measures that a few wild iterations cannot move.

use crate::signed_rank;

/// A shift with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shift {
    pub(crate) estimate: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// The shift by which paired differences lie away from zero: the median of the means of every two of them, each with itself
/// too. Hodges and Lehmann: "Estimates of location based on rank tests", 1963. Its interval holds the shifts that the signed-rank
/// test does not reject (Hollander, Wolfe and Chicken: "Nonparametric Statistical Methods", section 3.3), so that it leaves out zero
/// where that test finds a difference, ties aside. Of fewer than six differences it is the whole range, and holds less than 95 %. `None`
/// of no differences.
pub(crate) fn hodges_lehmann(differences: &[f64]) -> Option<Shift> {
    let mut means: Vec<f64> = (0..differences.len())
        .flat_map(|at| differences[at..].iter().map(move |other| (differences[at] + other) / 2.0))
        .collect();
    means.sort_unstable_by(f64::total_cmp);
    let last = means.len().checked_sub(1)?;
    let estimate = (means[last / 2] + means[last.div_ceil(2)]) / 2.0;
    let outside = signed_rank::least_not_rejected(differences.len()).saturating_sub(1);
    Some(Shift { estimate, low: means[outside], high: means[last - outside] })
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
    use crate::random::SplitMix64;

    #[test]
    fn one_wild_difference_does_not_move_the_shift() {
        assert_eq!(hodges_lehmann(&[1.0, 2.0, 3.0]), Some(Shift { estimate: 2.0, low: 1.0, high: 3.0 }));
        assert!(hodges_lehmann(&[1.0, 2.0, 3.0, 4.0, 1e9]).unwrap().estimate < 5.0);
        assert_eq!(hodges_lehmann(&[]), None);
    }

    /// Shifted by what lies just inside an end of the interval, the differences are not told from zero; just outside, they are.
    #[test]
    fn the_interval_holds_what_the_test_does_not_reject() {
        let mut random = SplitMix64::new(7);
        for count in [6, 7, 12, 25, 50, 51, 100] {
            let drawn: Vec<f64> = (0..count).map(|_| random.below(1 << 40) as f64 / 1e12 - 0.4).collect();
            let Shift { estimate, low, high } = hodges_lehmann(&drawn).unwrap();
            assert!(low <= estimate && estimate <= high);
            let p = |shift: f64| {
                let shifted: Vec<f64> = drawn.iter().map(|difference| difference - shift).collect();
                signed_rank::p_two_sided(&shifted)
            };
            for (end, outwards) in [(low, -1e-9), (high, 1e-9)] {
                let (inside, outside) = (p(end - outwards), p(end + outwards));
                assert!(inside >= 0.05 && outside < 0.05, "{count}: {inside} and {outside}");
            }
        }
    }

    #[test]
    fn dominance_runs_from_minus_one_to_one() {
        assert_eq!(cliffs_delta(&[1.0, 2.0], &[3.0, 4.0]), Some(-1.0));
        assert_eq!(cliffs_delta(&[3.0, 4.0], &[1.0, 2.0]), Some(1.0));
        assert_eq!(cliffs_delta(&[1.0, 2.0, 3.0], &[2.0]), Some(0.0));
        assert_eq!(cliffs_delta(&[], &[1.0]), None);
    }
}
