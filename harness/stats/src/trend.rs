//! Whether a series drifts: a rank test for a trend, and how steep it is.

use crate::resample::median_of;

/// The two-sided p of the hypothesis that a series has no trend: Mann: "Nonparametric tests against trend", 1945, with the
/// variance for ties of Kendall, without a correction for continuity. 1 where all values are equal or there are fewer than
/// three.
pub(crate) fn p_two_sided(series: &[f64]) -> f64 {
    let n = series.len() as f64;
    if series.len() < 3 {
        return 1.0;
    }
    let sign = |one: f64, later: f64| f64::from(later > one) - f64::from(later < one);
    let rises: f64 = pairs(series.len()).map(|(at, later)| sign(series[at], series[later])).sum();
    let mut sorted = series.to_vec();
    sorted.sort_by(f64::total_cmp);
    let spread = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0);
    let ties: f64 = sorted.chunk_by(|a, b| a == b).map(|tied| spread(tied.len() as f64)).sum();
    let variance = (spread(n) - ties) / 18.0;
    if variance > 0.0 { libm::erfc(rises.abs() / variance.sqrt() / std::f64::consts::SQRT_2) } else { 1.0 }
}

/// The median of the slopes between every two points `(x, y)` that differ in x: Theil: "A rank-invariant method of linear and
/// polynomial regression analysis", 1950. `None` of fewer than two such points.
pub(crate) fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let slopes = pairs(points.len()).map(|(at, later)| {
        let ((x, y), (later_x, later_y)) = (points[at], points[later]);
        (later_y - y) / (later_x - x)
    });
    median_of(slopes.filter(|slope| slope.is_finite()).collect())
}

fn pairs(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).flat_map(move |at| (at + 1..count).map(move |later| (at, later)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rising_series_has_a_trend_and_a_slope() {
        let series: Vec<f64> = (0..20).map(|n| f64::from(n) * 3.0 + f64::from(n % 3)).collect();
        let points: Vec<(f64, f64)> = series.iter().enumerate().map(|(x, &y)| (x as f64, y)).collect();
        assert!(p_two_sided(&series) < 1e-6);
        assert!((slope(&points).unwrap() - 3.0).abs() < 0.1);
    }

    #[test]
    fn what_does_not_change_has_none() {
        assert_eq!(p_two_sided(&[4.0; 9]), 1.0);
        assert_eq!(p_two_sided(&[1.0, 2.0]), 1.0);
        assert_eq!(slope(&[(1.0, 2.0)]), None);
    }
}
