//! What a box shows of the iterations of a cell.

/// Tukey's box: quartiles, whiskers to the furthest value within one and a half boxes, and what lies beyond.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spread {
    pub(crate) lowest: f64,
    pub(crate) lower_whisker: f64,
    pub(crate) lower_quartile: f64,
    pub(crate) median: f64,
    pub(crate) upper_quartile: f64,
    pub(crate) upper_whisker: f64,
    pub(crate) highest: f64,
    pub(crate) outliers: Vec<f64>,
}

impl Spread {
    /// Of values in any order. `None` without a finite one.
    pub(crate) fn of(values: &[f64]) -> Option<Spread> {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (&lowest, &highest) = (sorted.first()?, sorted.last()?);
        let [lower_quartile, median, upper_quartile] =
            [0.25, 0.5, 0.75].map(|share| quantile(&sorted, share));
        let reach = 1.5 * (upper_quartile - lower_quartile);
        let within = |value: &&f64| (lower_quartile - reach..=upper_quartile + reach).contains(*value);
        // With interpolated quartiles, the furthest value within reach can lie inside the box: a whisker never does.
        let lower_whisker = sorted.iter().find(within).map_or(lower_quartile, |end| end.min(lower_quartile));
        let upper_whisker = sorted.iter().rfind(within).map_or(upper_quartile, |end| end.max(upper_quartile));
        let outliers = sorted.iter().copied().filter(|value| !within(&value)).collect();
        Some(Spread {
            lowest,
            lower_whisker,
            lower_quartile,
            median,
            upper_quartile,
            upper_whisker,
            highest,
            outliers,
        })
    }
}

/// Interpolated between the two nearest of `sorted`, which is not empty (Hyndman and Fan's type 7).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_far_value_is_an_outlier_and_ends_no_whisker() {
        let spread = Spread::of(&[5.0, 1.0, 2.0, 3.0, 4.0, 100.0]).unwrap();
        assert_eq!((spread.lower_quartile, spread.median, spread.upper_quartile), (2.25, 3.5, 4.75));
        assert_eq!((spread.lower_whisker, spread.upper_whisker), (1.0, 5.0));
        assert_eq!(spread.outliers, [100.0]);
    }

    #[test]
    fn one_value_is_its_own_box() {
        let spread = Spread::of(&[7.0]).unwrap();
        assert_eq!((spread.lower_whisker, spread.median, spread.upper_whisker), (7.0, 7.0, 7.0));
        assert!(spread.outliers.is_empty());
    }

    #[test]
    fn nothing_finite_makes_no_box() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[f64::NAN, f64::INFINITY]), None);
    }
}
