//! Holm's correction: of many comparisons, some differ by chance.

/// The p values corrected so that rejecting those below a level keeps the chance of even one false rejection at that level.
/// Holm: "A simple sequentially rejective multiple test procedure", 1979.
pub(crate) fn corrected(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let (mut corrected, mut largest) = (vec![1.0; p.len()], 0.0f64);
    for (passed, &at) in order.iter().enumerate() {
        largest = largest.max(p[at] * (p.len() - passed) as f64).min(1.0);
        corrected[at] = largest;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fifteen comparisons of a trial of thrombolysis after myocardial infarction, printed in Benjamini and Hochberg:
    /// "Controlling the false discovery rate", 1995; the corrected values are those of `statsmodels`, method "holm".
    #[test]
    fn a_published_example() {
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
            0.6528, 0.7590, 1.0,
        ];
        let expected = [
            0.0015, 0.0056, 0.0247, 0.114, 0.2211, 0.278, 0.278, 0.278, 0.3213, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0,
        ];
        for (corrected, expected) in corrected(&p).iter().zip(expected) {
            assert!((corrected - expected).abs() < 1e-12, "{corrected} for {expected}");
        }
    }

    #[test]
    fn the_order_of_the_comparisons_is_kept() {
        let expected = [0.03, 0.06, 0.06, 0.02];
        for (corrected, expected) in corrected(&[0.01, 0.04, 0.03, 0.005]).iter().zip(expected) {
            assert!((corrected - expected).abs() < 1e-15, "{corrected} for {expected}");
        }
    }

    #[test]
    fn never_above_one_and_nothing_of_nothing() {
        assert_eq!(corrected(&[0.9, 0.8]), [1.0, 1.0]);
        assert_eq!(corrected(&[]), [0.0; 0]);
    }
}
