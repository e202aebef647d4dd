//! The probes: what is done, and what tells whether it was caught.

use anyhow::Context as _;
use tickbench_record::Distribution;

use super::meddling::Place;
use super::stream::{Failed, Subject};
use super::{faults, lies, meddling};

/// A harm, and how to see whether it is caught.
pub(super) struct Probe {
    pub(super) name: &'static str,
    /// What is done, in words.
    pub(super) done: &'static str,
    pub(super) run: fn(&mut Subject<'_>) -> anyhow::Result<Finding>,
}

/// What came of one try of a probe.
#[derive(Debug)]
pub(super) struct Finding {
    /// What arithmetic says.
    pub(super) expected: String,
    pub(super) seen: String,
    pub(super) caught: bool,
}

/// All of them, in the order in which they run.
pub(super) const PROBES: &[Probe] = &[
    Probe {
        name: "freeze",
        done: "the server was stopped for half a second in the middle of the window, and went on",
        run: |subject| meddling::freeze(subject, Place::Middle),
    },
    Probe {
        name: "freeze-start",
        done: "the same from soon after the window's start",
        run: |subject| meddling::freeze(subject, Place::Start),
    },
    Probe {
        name: "freeze-end",
        done: "the same across the window's end",
        run: |subject| meddling::freeze(subject, Place::End),
    },
    Probe { name: "frozen", done: "the server was stopped for good", run: meddling::freeze_for_good },
    Probe { name: "death", done: "the server was killed", run: meddling::kill },
    Probe {
        name: "starve",
        done: "another thread kept the client's core busy",
        run: meddling::starve_client,
    },
    Probe { name: "delay", done: "20 µs were spent before each send", run: faults::delay },
    Probe {
        name: "stall-20us",
        done: "20 µs were spent before each 10th send",
        run: |subject| faults::stall(subject, &faults::Stalls { ns: 20_000, every: 10, rate_per_s: 10_000 }),
    },
    Probe {
        name: "stall-100us",
        done: "100 µs were spent before each 10th send",
        run: |subject| faults::stall(subject, &faults::Stalls { ns: 100_000, every: 10, rate_per_s: 10_000 }),
    },
    Probe {
        name: "stall-5ms",
        done: "5 ms were spent before each 20th send",
        run: |subject| {
            faults::stall(subject, &faults::Stalls { ns: 5_000_000, every: 20, rate_per_s: 2_000 })
        },
    },
    Probe { name: "drop", done: "each 50th tick was left out", run: faults::drop },
    Probe { name: "duplicate", done: "each 50th tick was sent twice", run: faults::duplicate },
    Probe { name: "reorder", done: "each 50th tick was sent after the next", run: faults::reorder },
    Probe {
        name: "skew-back",
        done: "each 50th sent stamp was put a second back",
        run: |subject| faults::skew(subject, "-1s", faults::Liar::Harmed),
    },
    Probe {
        name: "skew-ahead",
        done: "each 50th sent stamp was put a second ahead",
        run: |subject| faults::skew(subject, "1s", faults::Liar::Next),
    },
    Probe { name: "corrupt", done: "a byte of each 50th payload was changed", run: faults::corrupt },
    Probe { name: "silence", done: "one connection of four got no tick", run: lies::silence },
    Probe { name: "tail", done: "from the middle of the window on no tick was sent", run: lies::tail },
    Probe {
        name: "due-zero",
        done: "each 50th tick was said to be due at 0",
        run: |subject| lies::due(subject, "zero"),
    },
    Probe {
        name: "due-sent",
        done: "each 50th tick was said to be due when it was sent",
        run: |subject| lies::due(subject, "sent"),
    },
    Probe {
        name: "due-early",
        done: "each 50th tick was said to be due a nanosecond earlier",
        run: |subject| lies::due(subject, "-1ns"),
    },
    Probe {
        name: "clock-behind",
        done: "every sent stamp was put a second back",
        run: |subject| lies::clock(subject, "-1s"),
    },
    Probe {
        name: "clock-ahead",
        done: "every sent stamp was put a second ahead",
        run: |subject| lies::clock(subject, "1s"),
    },
    Probe { name: "close", done: "the stream was closed in the middle of the window", run: lies::close },
];

impl Finding {
    /// The execution failed where it should have been measured.
    pub(super) fn failed(expected: String, failed: &Failed) -> Finding {
        Finding { expected, seen: failed.to_string(), caught: false }
    }

    /// The execution was measured where it should have failed.
    pub(super) fn believed(expected: String) -> Finding {
        Finding { expected, seen: "figures, and no complaint".into(), caught: false }
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "failed at {}: {}", self.stage, self.reason)
    }
}

/// A figure that a paced stream cannot lack.
pub(super) fn present(figure: Option<&Distribution>) -> anyhow::Result<&Distribution> {
    figure.context("the client measured a paced stream and left a figure of it out")
}

/// How many samples are at least so long.
pub(super) fn at_least(figure: &Distribution, ns: u64) -> anyhow::Result<u64> {
    let buckets = figure.buckets().context("failed to read a histogram of the client")?;
    Ok(buckets.iter().filter(|bucket| bucket.value >= ns).map(|bucket| bucket.count).sum())
}

/// Nanoseconds as a person reads them.
pub(super) fn shown(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{:.1} µs", ns as f64 / 1e3),
        _ => format!("{:.1} ms", ns as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use tickbench_record::new_histogram;

    use super::*;

    #[test]
    fn samples_are_counted_from_a_bound_on() {
        let mut histogram = new_histogram();
        [5_000, 19_990, 20_000, 20_300, 7_000_000].iter().for_each(|&ns| histogram += ns);
        let figure = Distribution::of(&histogram).unwrap();
        assert_eq!(at_least(&figure, 20_000).unwrap(), 3);
        assert_eq!(at_least(&figure, 60_000_000_001).unwrap(), 0);
    }

    #[test]
    fn times_are_shown_in_the_unit_that_fits() {
        assert_eq!([900, 20_000, 5_000_000].map(shown), ["900 ns", "20.0 µs", "5.0 ms"]);
    }
}
