//! Wilcoxon's signed-rank test: do paired differences lie around zero?

/// Up to so many differences the null distribution is counted out; above, it is taken as normal.
const COUNTED_OUT: usize = 50;

/// Half the width of the middle 95 % of a normal distribution, in standard deviations.
const NORMAL_95: f64 = 1.959_963_984_540_054;

/// The two-sided p of the hypothesis that the differences are symmetric around zero. Differences of zero are left out, and
/// equal ones share their mean rank; the exact distribution is that of the ranks at hand. 1 where nothing is left.
///
/// Wilcoxon: "Individual comparisons by ranking methods", 1945; the variance with ties as in Lehmann: "Nonparametrics",
/// without a correction for continuity.
pub(crate) fn p_two_sided(differences: &[f64]) -> f64 {
    let mut ordered: Vec<f64> = differences.iter().copied().filter(|&difference| difference != 0.0).collect();
    ordered.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    if ordered.is_empty() {
        return 1.0;
    }
    let ranks = doubled_ranks(&ordered);
    let positive: u64 = ranks.iter().zip(&ordered).filter(|(_, d)| **d > 0.0).map(|(rank, _)| rank).sum();
    let total: u64 = ranks.iter().sum();
    let smaller = positive.min(total - positive);
    if ordered.len() <= COUNTED_OUT {
        return (2.0 * share_at_most(smaller, &ranks)).min(1.0);
    }
    let mean = total as f64 / 2.0;
    let variance = ranks.iter().map(|&rank| (rank * rank) as f64).sum::<f64>() / 4.0;
    // Twice the tail of the normal distribution, which erfc is.
    libm::erfc((mean - smaller as f64) / variance.sqrt() / std::f64::consts::SQRT_2)
}

/// How small the sum of the positive ranks of so many differences may be and yet be no difference at the level of 5 %, both sides
/// taken together; 0 where any sum may be, of fewer than six. Without ties.
pub(crate) fn least_not_rejected(count: usize) -> usize {
    if count > COUNTED_OUT {
        let count = count as f64;
        let variance = count * (count + 1.0) * (2.0 * count + 1.0) / 24.0;
        return (count * (count + 1.0) / 4.0 - NORMAL_95 * variance.sqrt()).ceil() as usize;
    }
    let ranks: Vec<u64> = (1..=count as u64).collect();
    let at_most = shares(ranks.iter().sum(), &ranks).into_iter().scan(0.0, |at_most, share| {
        *at_most += share;
        Some(*at_most)
    });
    at_most.take_while(|at_most| 2.0 * at_most < 0.05).count()
}

/// Twice the rank of each, so that mean ranks of ties are whole numbers.
fn doubled_ranks(ordered: &[f64]) -> Vec<u64> {
    let mut ranks = Vec::with_capacity(ordered.len());
    for tied in ordered.chunk_by(|a, b| a.abs() == b.abs()) {
        let (first, last) = (ranks.len() + 1, ranks.len() + tied.len());
        ranks.extend(std::iter::repeat_n((first + last) as u64, tied.len()));
    }
    ranks
}

/// The share of all choices of signs for which the positive ranks add up to at most `sum`.
fn share_at_most(sum: u64, ranks: &[u64]) -> f64 {
    shares(sum, ranks).iter().sum()
}

/// The shares of all choices of signs for which the positive ranks add up to 0, 1 and so on, up to `sum`.
fn shares(sum: u64, ranks: &[u64]) -> Vec<f64> {
    let sum = sum as usize;
    let mut shares = vec![0.0; sum + 1];
    shares[0] = 1.0;
    for &rank in ranks {
        for reached in (0..=sum).rev() {
            let with = reached.checked_sub(rank as usize).map_or(0.0, |before| shares[before]);
            shares[reached] = (shares[reached] + with) / 2.0;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values: `scipy.stats.wilcoxon(differences, correction=False)`, exact and approximate.
    #[test]
    fn equals_scipy() {
        let heights =
            [6.0, 8.0, 14.0, 16.0, 23.0, 24.0, 28.0, 29.0, 41.0, -48.0, 49.0, 56.0, 60.0, -67.0, 75.0];
        assert!((p_two_sided(&heights) - 0.041_259_765_625).abs() < 1e-12);
        let many: Vec<f64> =
            (1..=80).map(|n: i32| f64::from(n) * if n % 3 == 0 { -1.0 } else { 1.0 }).collect();
        assert!((p_two_sided(&many) - SCIPY_MANY).abs() < 1e-12, "{}", p_two_sided(&many));
        let tied: Vec<f64> = (0..60).map(|n: i32| f64::from(n % 7 - 2)).collect();
        assert!((p_two_sided(&tied) - SCIPY_TIED).abs() < 1e-12, "{}", p_two_sided(&tied));
    }

    const SCIPY_MANY: f64 = 0.006_538_171_549_765_151_5;
    const SCIPY_TIED: f64 = 0.001_526_479_910_448_221_7;

    #[test]
    fn five_differences_of_one_sign_come_about_once_in_sixteen() {
        assert_eq!(p_two_sided(&[1.0, 2.0, 3.0, 4.0, 5.0]), 0.0625);
        assert_eq!(p_two_sided(&[-1.0, -1.0, -1.0, -1.0, -1.0]), 0.0625);
    }

    #[test]
    fn equal_pairs_tell_nothing() {
        assert_eq!(p_two_sided(&[0.0; 9]), 1.0);
        assert_eq!(p_two_sided(&[]), 1.0);
        assert_eq!(p_two_sided(&[1.0, -1.0]), 1.0);
    }
}
