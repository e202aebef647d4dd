//! Figures as people read them.

/// From here on a figure is written with its power of ten: no room was kept for more digits.
const BEYOND_DIGITS: f64 = 1e7;

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Nanoseconds, shown as ns, µs, ms or s.
    Time,
    /// Messages a second.
    Rate,
    /// Bytes, shown as KiB, MiB or GiB.
    Bytes,
    /// A share of one core, shown in percent.
    Share,
    /// How many times as much.
    Ratio,
    /// A bare number.
    Count,
}

impl Unit {
    /// A figure with three significant digits.
    pub(crate) fn value(self, figure: f64) -> String {
        let (scaled, name) = self.scaled(figure);
        if scaled.abs() >= BEYOND_DIGITS {
            return format!("{scaled:.2e}{name}");
        }
        let decimals = match scaled.abs() {
            size if size >= 99.95 => 0,
            size if size >= 9.995 => 1,
            _ => 2,
        };
        format!("{scaled:.decimals$}{name}")
    }

    /// A figure without the zeros that say nothing, as an axis shows it.
    pub(crate) fn tick(self, figure: f64) -> String {
        let (scaled, name) = self.scaled(figure);
        match self {
            _ if scaled.abs() >= BEYOND_DIGITS => return format!("{scaled:.0e}{name}"),
            Unit::Count => return grouped(scaled),
            Unit::Ratio if (0.095..9.995).contains(&scaled) => return format!("×{scaled:.2}"),
            // Powers of ten, on an axis that spans many of them: as short as they can be told.
            Unit::Ratio => return format!("×{}", (scaled * 1e6).round() / 1e6),
            Unit::Time | Unit::Rate | Unit::Bytes | Unit::Share => {}
        }
        let digits = format!("{scaled:.2}");
        format!("{}{name}", digits.trim_end_matches('0').trim_end_matches('.'))
    }

    /// The step in which ticks are round numbers: a tick at 10 MiB is rounder than one at 10,000,000 bytes.
    pub(crate) fn base(self, largest: f64) -> f64 {
        match self {
            Unit::Bytes => binary_step(largest).0,
            Unit::Share => 0.01,
            Unit::Time | Unit::Rate | Unit::Ratio | Unit::Count => 1.0,
        }
    }

    fn scaled(self, figure: f64) -> (f64, &'static str) {
        let size = figure.abs();
        // Half a digit below the limit already rounds up to it.
        match self {
            _ if size == 0.0 => (0.0, ""),
            Unit::Time if size < 999.5 => (figure, " ns"),
            Unit::Time if size < 999.5e3 => (figure / 1e3, " µs"),
            Unit::Time if size < 999.5e6 => (figure / 1e6, " ms"),
            Unit::Time => (figure / 1e9, " s"),
            Unit::Rate if size < 999.5 => (figure, " /s"),
            Unit::Rate if size < 999.5e3 => (figure / 1e3, " k/s"),
            Unit::Rate => (figure / 1e6, " M/s"),
            Unit::Bytes => {
                let (step, name) = binary_step(size);
                (figure / step, name)
            }
            Unit::Share => (figure * 100.0, " %"),
            Unit::Ratio | Unit::Count => (figure, ""),
        }
    }
}

fn binary_step(bytes: f64) -> (f64, &'static str) {
    const KIB: f64 = 1024.0;
    match bytes {
        few if few < KIB => (1.0, " B"),
        some if some < KIB * KIB => (KIB, " KiB"),
        many if many < KIB * KIB * KIB => (KIB * KIB, " MiB"),
        _ => (KIB * KIB * KIB, " GiB"),
    }
}

/// A whole number with its thousands set apart: `10,000`.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with its noun, which takes an `s` unless there is one: `1 connection`, `10,000 connections`.
pub(crate) fn counted(number: f64, noun: &str) -> String {
    let plural = if number == 1.0 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_significant_digits() {
        assert_eq!(Unit::Time.value(5_154.0), "5.15 µs");
        assert_eq!(Unit::Time.value(999.7), "1.00 µs");
        assert_eq!(Unit::Time.value(13_700_000.0), "13.7 ms");
        assert_eq!(Unit::Rate.value(8_900_000.0), "8.90 M/s");
        assert_eq!(Unit::Rate.value(222_400.0), "222 k/s");
        assert_eq!(Unit::Bytes.value(6.5 * 1024.0 * 1024.0), "6.50 MiB");
        assert_eq!(Unit::Share.value(0.284), "28.4 %");
    }

    #[test]
    fn ticks_are_short() {
        assert_eq!(Unit::Time.tick(5_200.0), "5.2 µs");
        assert_eq!(Unit::Time.tick(1e6), "1 ms");
        assert_eq!(Unit::Rate.tick(0.0), "0");
        assert_eq!(Unit::Bytes.tick(100.0 * 1024.0 * 1024.0), "100 MiB");
        assert_eq!(Unit::Count.tick(10_000.0), "10,000");
        assert_eq!(Unit::Share.tick(1.0), "100 %");
        assert_eq!([1.0, 1.05, 0.1].map(|ratio| Unit::Ratio.tick(ratio)), ["×1.00", "×1.05", "×0.10"]);
        assert_eq!([0.001, 10.0, 1_000.0].map(|ratio| Unit::Ratio.tick(ratio)), ["×0.001", "×10", "×1000"]);
    }

    #[test]
    fn a_noun_agrees_with_its_number() {
        assert_eq!(counted(1.0, "connection"), "1 connection");
        assert_eq!(counted(9_000.0, "connection"), "9,000 connections");
    }
}
