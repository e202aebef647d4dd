//! Numbers as a reader wants them: three significant digits, units that fit, thousands apart.

use tickbench_record::HIGHEST_NS;
use tickbench_stats::Estimate;

/// A whole number with its thousands apart.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Digits behind the point with which a number of this size has three significant ones.
fn decimals(number: f64) -> usize {
    match number.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 || size == 0.0 => 2,
        _ => 3,
    }
}

fn fixed(number: f64, decimals: usize) -> String {
    if decimals == 0 && number >= 0.0 { count(number.round() as u64) } else { format!("{number:.decimals$}") }
}

/// A number with three significant digits.
pub(crate) fn number(number: f64) -> String {
    fixed(number, decimals(number))
}

/// What a figure is divided by for display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Nanoseconds as microseconds.
    Micros,
    /// Nanoseconds as milliseconds.
    Millis,
    /// As they are.
    One,
    /// Messages a second as millions.
    Millions,
    /// Messages a second as thousands.
    Thousands,
    /// A share of one as percent.
    Percent,
    /// Bytes as KiB.
    Kib,
    /// Bytes as MiB.
    Mib,
}

impl Unit {
    fn size(self) -> f64 {
        match self {
            Unit::Micros | Unit::Thousands => 1e3,
            Unit::One => 1.0,
            Unit::Millions | Unit::Millis => 1e6,
            Unit::Percent => 0.01,
            Unit::Kib => 1024.0,
            Unit::Mib => 1024.0 * 1024.0,
        }
    }

    /// A value in this unit. A time that reaches the end of the histograms' range is a lower bound: what is beyond is counted as that.
    fn value(self, value: f64, decimals: usize) -> String {
        match self {
            Unit::Micros | Unit::Millis if value >= HIGHEST_NS as f64 => format!("≥ {}", range()),
            _ => fixed(value / self.size(), decimals),
        }
    }

    /// The estimate alone.
    pub(crate) fn plain(self, estimate: &Estimate) -> String {
        self.single(estimate.estimate)
    }

    /// A value by itself.
    pub(crate) fn single(self, value: f64) -> String {
        self.value(value, decimals(value / self.size()))
    }

    /// The estimate and its interval, all rounded alike: `5.15 [5.11, 5.20]`. Of a single iteration there is no interval.
    pub(crate) fn with_interval(self, estimate: &Estimate) -> String {
        let decimals = decimals(estimate.estimate / self.size());
        let [value, low, high] =
            [estimate.estimate, estimate.low, estimate.high].map(|value| self.value(value, decimals));
        if estimate.iterations < 2 { value } else { format!("{value} [{low}, {high}]") }
    }

    /// The same with three digits behind the point of numbers near 1: for ratios, of which the third digit counts.
    pub(crate) fn fine_with_interval(self, estimate: &Estimate) -> String {
        if !(0.1..2.0).contains(&(estimate.estimate / self.size())) {
            return self.with_interval(estimate);
        }
        let [value, low, high] =
            [estimate.estimate, estimate.low, estimate.high].map(|number| fixed(number / self.size(), 3));
        if estimate.iterations < 2 { value } else { format!("{value} [{low}, {high}]") }
    }

    /// The word behind a number in a sentence.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Unit::Micros => " µs",
            Unit::Millis => " ms",
            Unit::One => "",
            Unit::Millions => " M/s",
            Unit::Thousands => " k/s",
            Unit::Percent => " %",
            Unit::Kib => " KiB",
            Unit::Mib => " MiB",
        }
    }
}

/// A ratio of at least about 1 as how far ahead: `9.1 % [8.4, 9.9]`, or from two up `a factor of 6.9 [6.8, 7.1]`.
pub(crate) fn ahead(ratio: &Estimate) -> String {
    if ratio.estimate >= 2.0 {
        return format!("a factor of {}", Unit::One.with_interval(ratio));
    }
    let percent = [ratio.estimate, ratio.low, ratio.high].map(|ratio| (ratio - 1.0) * 100.0);
    let decimals = if percent[0].abs() < 10.0 { 1 } else { 0 };
    let [value, low, high] = percent.map(|percent| format!("{percent:.decimals$}"));
    format!("{value} % [{low}, {high}]")
}

/// Seconds as a reader says them.
pub(crate) fn duration(ns: u64) -> String {
    let seconds = ns as f64 / 1e9;
    if seconds < 120.0 { format!("{} s", number(seconds)) } else { format!("{:.1} min", seconds / 60.0) }
}

/// The end of the histograms' range, as a reader says it.
pub(crate) fn range() -> String {
    const HOUR_NS: u64 = 3_600_000_000_000;
    match HIGHEST_NS {
        ns if ns.is_multiple_of(HOUR_NS) => format!("{} h", ns / HOUR_NS),
        ns => format!("{} s", ns / 1_000_000_000),
    }
}

/// Names as a sentence lists them: `a, b and c`.
pub(crate) fn list(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).into(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// The usual name of a quantile: `p99.9`.
pub(crate) fn percentile(q: f64) -> String {
    let digits = format!("{:.6}", q * 100.0);
    format!("p{}", digits.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(estimate: f64, low: f64, high: f64) -> Estimate {
        Estimate { estimate, low, high, iterations: 9 }
    }

    #[test]
    fn three_significant_digits() {
        let shown = [0.0, 0.0123, 0.52, 1.0, 5.149, 9.996, 46.21, 99.96, 583.6, 13_700.4].map(number);
        assert_eq!(shown, ["0.00", "0.012", "0.520", "1.00", "5.15", "10.0", "46.2", "100", "584", "13,700"]);
    }

    #[test]
    fn intervals_are_rounded_like_their_estimate() {
        assert_eq!(Unit::Micros.with_interval(&estimate(5_149.0, 5_110.0, 5_204.0)), "5.15 [5.11, 5.20]");
        assert_eq!(Unit::Percent.with_interval(&estimate(0.994, 0.9, 1.0)), "99.4 [90.0, 100.0]");
        let single = Estimate { iterations: 1, ..estimate(5_149.0, 5_149.0, 5_149.0) };
        assert_eq!(Unit::Micros.with_interval(&single), "5.15");
    }

    #[test]
    fn what_reaches_the_end_of_the_range_is_a_lower_bound() {
        let end = HIGHEST_NS as f64;
        let beyond = estimate(1.0005 * end, 5_149.0, 1.0005 * end);
        let bound = format!("≥ {}", range());
        assert_eq!(Unit::Micros.with_interval(&beyond), format!("{bound} [5, {bound}]"));
        assert_eq!(Unit::Millis.plain(&beyond), bound);
        assert_eq!(Unit::Millis.plain(&estimate(0.5 * end, 0.0, 0.0)), number(0.5e-6 * end));
        assert_eq!(Unit::Kib.plain(&beyond), number(1.0005 * end / 1024.0), "bytes have no such range");
    }

    #[test]
    fn leads_in_percent_and_in_factors() {
        assert_eq!(ahead(&estimate(1.087, 1.046, 1.178)), "8.7 % [4.6, 17.8]");
        assert_eq!(ahead(&estimate(6.9, 6.8, 7.1)), "a factor of 6.90 [6.80, 7.10]");
    }

    #[test]
    fn words() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!([0.5, 0.99, 0.999, 0.9999].map(percentile), ["p50", "p99", "p99.9", "p99.99"]);
        assert_eq!(duration(1_420_000_000_000), "23.7 min");
    }
}
