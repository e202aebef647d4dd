//! Mann and Whitney's test: are the values of one sample larger than those of another, independent one?

/// The two-sided p of the hypothesis that both samples are drawn from one distribution. 1 where either is empty, or where all
/// values are equal.
///
/// Mann and Whitney: "On a test of whether one of two random variables is stochastically larger than the other", 1947; the
/// normal approximation with the variance for ties as in Lehmann: "Nonparametrics", and a correction for continuity.
pub(crate) fn p_two_sided(one: &[f64], other: &[f64]) -> f64 {
    let mut both: Vec<(f64, bool)> = one.iter().map(|&value| (value, true)).collect();
    both.extend(other.iter().map(|&value| (value, false)));
    both.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let (mut rank_sum, mut ties, mut passed) = (0.0, 0.0, 0usize);
    for tied in both.chunk_by(|(a, _), (b, _)| a == b) {
        let size = tied.len() as f64;
        let mean_rank = passed as f64 + (size + 1.0) / 2.0;
        rank_sum += mean_rank * tied.iter().filter(|(_, is_one)| *is_one).count() as f64;
        ties += size * size * size - size;
        passed += tied.len();
    }
    let (n, m, total) = (one.len() as f64, other.len() as f64, both.len() as f64);
    let u = rank_sum - n * (n + 1.0) / 2.0;
    let variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    if n == 0.0 || m == 0.0 || variance <= 0.0 {
        return 1.0;
    }
    let beyond = ((u - n * m / 2.0).abs() - 0.5).max(0.0);
    libm::erfc(beyond / variance.sqrt() / std::f64::consts::SQRT_2)
}

/// The smallest p that two samples of these sizes can give: that of no overlap at all.
pub(crate) fn smallest_p(one: usize, other: usize) -> f64 {
    let values =
        |from: usize, count: usize| (from..from + count).map(|value| value as f64).collect::<Vec<_>>();
    p_two_sided(&values(0, one), &values(one, other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_told_from_nothing() {
        assert_eq!(p_two_sided(&[], &[1.0]), 1.0);
        assert_eq!(p_two_sided(&[2.0; 5], &[2.0; 7]), 1.0);
        assert_eq!(p_two_sided(&[1.0], &[2.0]), 1.0, "one value on each side tells nothing");
    }

    #[test]
    fn which_sample_comes_first_does_not_matter() {
        let (one, other) = ([1.0, 2.0, 2.0, 5.0], [2.0, 3.0, 6.0, 7.0, 8.0]);
        assert_eq!(p_two_sided(&one, &other), p_two_sided(&other, &one));
    }

    #[test]
    fn more_values_can_tell_more() {
        assert!(smallest_p(3, 3) > 0.05 && smallest_p(5, 5) < 0.05 && smallest_p(100, 100) < 1e-30);
    }
}
