//! Axes with few, round ticks.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

use crate::style::{TEXT_SIZE, UNITS_PER_PIXEL, text_width};
use crate::units::Unit;

/// A line of the grid with its label.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    pub(crate) value: f64,
    pub(crate) label: String,
}

/// What lies between two ends.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
    pub(crate) ticks: Vec<Tick>,
}

/// Above this ratio of the largest to the smallest value, a linear axis would squeeze most values together.
const LOGARITHMIC_FROM: f64 = 6.0;

/// Share of the axis that is left free beyond the smallest and the largest value.
const ROOM: f64 = 0.05;

impl Axis {
    /// From zero up to at least `largest`, for lengths that are compared.
    pub(crate) fn from_zero(largest: f64, unit: Unit, about: usize) -> Axis {
        let largest = if largest > 0.0 { largest } else { unit.base(1.0) };
        let step = round_step(largest / about as f64, unit.base(largest));
        let high = (largest / step - 1e-9).ceil() * step;
        Axis { low: 0.0, high, logarithmic: false, ticks: linear_ticks(0.0, high, step, unit) }
    }

    /// From zero to `share` of the axis at `largest`: what is left holds labels. No tick stands beyond `largest`.
    pub(crate) fn bars(largest: f64, share: f64, unit: Unit, about: usize) -> Axis {
        let largest = if largest > 0.0 { largest } else { unit.base(1.0) };
        let step = round_step(largest / about as f64, unit.base(largest));
        let ticks = linear_ticks(0.0, largest, step, unit);
        Axis { low: 0.0, high: largest / share, logarithmic: false, ticks }
    }

    /// Around `values`, logarithmic where they are far apart. Values that are no positive numbers cannot stand on a logarithm
    /// and are drawn at its lower end.
    pub(crate) fn around(values: impl Iterator<Item = f64> + Clone, unit: Unit, about: usize) -> Axis {
        let smallest_above = |limit: f64| {
            values.clone().filter(|value| *value > limit && value.is_finite()).fold(f64::INFINITY, f64::min)
        };
        let largest = values.clone().filter(|value| value.is_finite()).fold(f64::NEG_INFINITY, f64::max);
        let (smallest, positive) = (smallest_above(f64::NEG_INFINITY), smallest_above(0.0));
        if positive.is_finite() && largest / positive >= LOGARITHMIC_FROM {
            Axis::logarithmic(positive, largest, unit, about)
        } else if smallest <= largest {
            Axis::linear(smallest, largest, unit, about)
        } else {
            Axis::from_zero(0.0, unit, about)
        }
    }

    fn linear(smallest: f64, largest: f64, unit: Unit, about: usize) -> Axis {
        let middle = f64::midpoint(smallest, largest);
        let span = (largest - smallest).max(middle.abs() * 0.02).max(f64::MIN_POSITIVE);
        let step = round_step(span / about as f64, unit.base(largest));
        let (low, high) = (middle - span * (0.5 + ROOM), middle + span * (0.5 + ROOM));
        let first = (low / step).ceil() * step;
        Axis { low, high, logarithmic: false, ticks: linear_ticks(first, high, step, unit) }
    }

    fn logarithmic(smallest: f64, largest: f64, unit: Unit, about: usize) -> Axis {
        let base = unit.base(largest);
        let decades = (largest / smallest).log10();
        let leads: &[f64] = match decades * 3.0 {
            few if few <= about as f64 => &[1.0, 2.0, 5.0],
            some if some <= about as f64 * 1.7 => &[1.0, 3.0],
            _ => &[1.0],
        };
        let room = (largest / smallest).powf(ROOM);
        let (low, high) = ((smallest / room).max(f64::MIN_POSITIVE), (largest * room).min(f64::MAX));
        let decades = (low / base).log10().floor() as i32..=(high / base).log10().ceil() as i32;
        let ticks = decades
            .flat_map(|decade| leads.iter().map(move |lead| lead * 10f64.powi(decade) * base))
            .filter(|value| (low..=high).contains(value))
            .map(|value| Tick { value, label: unit.tick(value) })
            .collect();
        Axis { low, high, logarithmic: true, ticks }
    }

    /// HdrHistogram's axis of quantiles: the logarithm of 1/(1−q), so that each further nine takes the same room. Values are
    /// [`Axis::quantile`]s.
    pub(crate) fn quantiles(furthest: f64) -> Axis {
        const LABELLED: [(f64, &str); 6] = [
            (0.5, "50 %"),
            (0.9, "90 %"),
            (0.99, "99 %"),
            (0.999, "99.9 %"),
            (0.9999, "99.99 %"),
            (0.99999, "99.999 %"),
        ];
        let high = Axis::quantile(furthest).max(Axis::quantile(0.9));
        let ticks = LABELLED
            .iter()
            .map(|(quantile, label)| Tick { value: Axis::quantile(*quantile), label: (*label).into() })
            .filter(|tick| tick.value <= high * 1.001)
            .collect();
        Axis { low: 1.0, high, logarithmic: true, ticks }
    }

    /// Where a quantile below 1 stands on [`Axis::quantiles`].
    pub(crate) fn quantile(quantile: f64) -> f64 {
        1.0 / (1.0 - quantile)
    }

    /// Logarithmic, with ticks at the values themselves: a study asks for a handful of connection counts.
    pub(crate) fn at_values(values: &[f64], unit: Unit) -> Axis {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if low < high { (low, high) } else { (low / 2.0, low * 2.0) };
        let apart = (high / low).powf(0.11);
        let mut ticks: Vec<Tick> = Vec::new();
        for &value in values {
            if ticks.last().is_none_or(|last| value / last.value > apart) {
                ticks.push(Tick { value, label: unit.tick(value) });
            }
        }
        // Room beside the first and the last value, for their marks.
        let room = (high / low).powf(0.03);
        Axis { low: low / room, high: high * room, logarithmic: true, ticks }
    }

    /// Places 1, 2, 3… at equal distances, each with its label; of many, as many labels as stand apart, the last of them always.
    pub(crate) fn places(labels: &[&str]) -> Axis {
        const LABELLED: usize = 5;
        let count = labels.len().max(1);
        let every = count.div_ceil(LABELLED);
        let tick = |at: usize| Tick { value: at as f64 + 1.0, label: labels[at].to_owned() };
        let ticks =
            (0..labels.len()).filter(|at| (labels.len() - 1 - at).is_multiple_of(every)).map(tick).collect();
        Axis { low: 0.5, high: count as f64 + 0.5, logarithmic: false, ticks }
    }

    /// The one with the most ticks, of those that `make` makes with about so many, whose labels fit beside each other on
    /// `width` pixels.
    pub(crate) fn fitting(width: f64, make: impl Fn(usize) -> Axis) -> Axis {
        const MOST: usize = 6;
        (2..=MOST).rev().map(&make).find(|axis| axis.labels_fit(width)).unwrap_or_else(|| make(1))
    }

    fn labels_fit(&self, width: f64) -> bool {
        let unit = |pixels: f64| (pixels * UNITS_PER_PIXEL).round() as i32;
        let place = |tick: &Tick| f64::from(self.map(&tick.value, (0, unit(width)))) / UNITS_PER_PIXEL;
        let half = |tick: &Tick| text_width(&tick.label, TEXT_SIZE) / 2.0;
        self.ticks
            .windows(2)
            .all(|pair| place(&pair[1]) - half(&pair[1]) - place(&pair[0]) - half(&pair[0]) >= 10.0)
    }

    /// Whether equal ratios take equal room.
    pub(crate) fn is_logarithmic(&self) -> bool {
        self.logarithmic
    }

    fn place(&self, value: f64) -> f64 {
        if self.logarithmic { value.max(self.low).ln() } else { value }
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let (low, high) = (self.place(self.low), self.place(self.high));
        let share = ((self.place(*value) - low) / (high - low)).clamp(0.0, 1.0);
        from + (share * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|tick| tick.value).collect()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

/// The next of 1, 2, 2.5, 5 and 10 times a power of ten, counted in `base`.
fn round_step(at_least: f64, base: f64) -> f64 {
    let rough = at_least / base;
    let power = 10f64.powf(rough.log10().floor());
    let lead = [1.0, 2.0, 2.5, 5.0].into_iter().find(|lead| lead * power >= rough * 0.999).unwrap_or(10.0);
    lead * power * base
}

fn linear_ticks(low: f64, high: f64, step: f64, unit: Unit) -> Vec<Tick> {
    // Values of absurd size must not make absurdly many ticks.
    const MOST: usize = 100;
    let count = (((high - low) / step + 1e-6).floor() as usize).min(MOST);
    (0..=count)
        .map(|index| {
            let value = low + step * index as f64;
            Tick { value, label: unit.tick(value) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn close_values_stand_on_a_linear_axis() {
        let axis = Axis::around([5_070.0, 5_640.0].into_iter(), Unit::Time, 4);
        assert_eq!(labels(&axis), ["5.2 µs", "5.4 µs", "5.6 µs"]);
    }

    #[test]
    fn distant_values_stand_on_a_logarithmic_axis() {
        let axis = Axis::around([4_900.0, 900_000.0].into_iter(), Unit::Time, 5);
        assert!(axis.is_logarithmic());
        assert_eq!(labels(&axis), ["10 µs", "30 µs", "100 µs", "300 µs", "1 ms"]);
    }

    #[test]
    fn memory_has_round_ticks_in_mib() {
        let axis = Axis::from_zero(11.2 * 1024.0 * 1024.0, Unit::Bytes, 4);
        assert_eq!(labels(&axis), ["0", "5 MiB", "10 MiB", "15 MiB"]);
    }

    #[test]
    fn each_nine_takes_the_same_room() {
        let axis = Axis::quantiles(0.9999);
        let place = |quantile: f64| axis.map(&Axis::quantile(quantile), (0, 4_000));
        assert_eq!([0.0, 0.9, 0.99, 0.999, 0.9999].map(place), [0, 1_000, 2_000, 3_000, 4_000]);
        assert_eq!(labels(&axis), ["50 %", "90 %", "99 %", "99.9 %", "99.99 %"]);
    }

    #[test]
    fn odd_values_still_make_an_axis() {
        let odd: [&[f64]; 7] =
            [&[], &[0.0], &[f64::NAN], &[-5.0, 5.0], &[0.0, 1e9], &[f64::INFINITY, 1e-300], &[1e-300, 1e300]];
        for values in odd {
            let axis = Axis::around(values.iter().copied(), Unit::Time, 5);
            assert!(axis.low < axis.high, "{values:?} made {axis:?}");
            assert!((0..=100).contains(&axis.map(&3.0, (0, 100))), "{values:?}");
        }
    }
}
