//! `--fail-if`: a figure, and how far it may move.
//!
//! ```text
//! FIGURE < | > THRESHOLD [KEY=VALUE]...        delivery.p99 > +5% scenario=latency
//! ```

use std::fmt;
use std::str::FromStr;

use tickbench_record::Cell;
use tickbench_stats::{Change, Changes, FAMILY_ERROR, Metric, Unsound, Verdict};

use super::page::counted;
use crate::figures;

/// What a user calls a failure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gate {
    text: String,
    pub(crate) metric: Metric,
    side: Side,
    /// The ratio of after to before at the threshold: 1.05 for `+5%`.
    limit: f64,
    filters: Vec<(Key, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Above,
    Below,
}

/// What a gate can be confined to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Server,
    Scenario,
    Encoding,
    Flush,
    Lane,
    Connections,
}

const KEYS: [(&str, Key); 6] = [
    ("server", Key::Server),
    ("scenario", Key::Scenario),
    ("encoding", Key::Encoding),
    ("flush", Key::Flush),
    ("lane", Key::Lane),
    ("connections", Key::Connections),
];

const EXAMPLE: &str = "for instance 'delivery.p99 > +5%' or 'messages_per_s < -3% scenario=throughput'";

/// What becomes of a gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// So many figures could have failed it, and none did.
    Passed(usize),
    /// These cells are beyond it by more than the noise.
    Failed(Vec<String>),
    /// Nothing failed it, and nothing could have, for this reason.
    Undecided(String),
}

impl Gate {
    /// What becomes of it where two runs differ by this.
    pub(crate) fn judge(&self, changes: &Changes) -> Outcome {
        let about: Vec<&Change> = changes.figures.iter().filter(|change| self.is_about(change)).collect();
        let changed = about.iter().filter(|change| self.is_violated_by(change)).map(|change| &change.cell);
        let failed = changes.unsound.iter().filter(|row| self.is_violated_by_failure(row));
        let violating: Vec<String> =
            changed.chain(failed.map(|row| &row.cell)).map(Cell::to_string).collect();
        if !violating.is_empty() {
            return Outcome::Failed(violating);
        }
        if about.is_empty() {
            return Outcome::Undecided(
                "one of the runs has no such figure: nothing completed, or too little".into(),
            );
        }
        match about.iter().filter(|change| is_powerless(change, changes.figures.len())).count() {
            0 => Outcome::Passed(about.len()),
            powerless => Outcome::Undecided(format!(
                "{powerless} of {} could not have failed it, however much they had changed: measure more iterations",
                counted(about.len(), "figure")
            )),
        }
    }

    /// Whether it says anything about a change.
    pub(crate) fn is_about(&self, change: &Change) -> bool {
        change.metric == self.metric && self.reaches(&change.cell)
    }

    /// Whether its filters let a cell through.
    pub(crate) fn reaches(&self, cell: &Cell) -> bool {
        self.filters.iter().all(|(key, value)| key.of(cell) == *value)
    }

    /// Whether the change goes beyond the threshold by more than the noise: it is a change at all (its corrected p is below
    /// 5 %), and its whole interval lies beyond.
    fn is_violated_by(&self, change: &Change) -> bool {
        let ratio = change.primary().ratio;
        let beyond = match self.side {
            Side::Above => ratio.low > self.limit,
            Side::Below => ratio.high < self.limit,
        };
        beyond && change.verdict != Verdict::NoDifference
    }

    /// Whether a row that it reaches fails an audit in the later run and did not before: that is worse than any threshold.
    fn is_violated_by_failure(&self, row: &Unsound) -> bool {
        row.is_new_failure() && self.reaches(&row.cell)
    }
}

/// Whether a figure has too few iterations to be called changed, corrected for so many, whatever its values are.
pub(super) fn is_powerless(change: &Change, figures: usize) -> bool {
    change.primary().smallest_p * figures as f64 >= FAMILY_ERROR
}

impl Key {
    fn of(self, cell: &Cell) -> String {
        match self {
            Key::Server => cell.server.clone(),
            Key::Scenario => cell.scenario.clone(),
            Key::Encoding => cell.encoding.to_string(),
            Key::Flush => cell.flush.to_string(),
            Key::Lane => cell.lane.to_string(),
            Key::Connections => cell.connections.to_string(),
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Gate {
    type Err = String;

    fn from_str(text: &str) -> Result<Gate, String> {
        let Some(at) = text.find(['<', '>']) else {
            return Err(format!(
                "it has no < or >: write FIGURE > THRESHOLD or FIGURE < THRESHOLD, {EXAMPLE}"
            ));
        };
        let side = if text[at..].starts_with('<') { Side::Below } else { Side::Above };
        let (figure, rest) = (text[..at].trim(), &text[at + 1..]);
        if rest.starts_with('=') {
            return Err(format!(
                "there is no {}=: a threshold is passed or not, write < or >",
                &text[at..=at]
            ));
        }
        let metric = figures::by_name(figure).ok_or_else(|| unknown_figure(figure))?;
        let mut words = rest.split_whitespace();
        let threshold = words.next().unwrap_or_default();
        let limit = limit(threshold).ok_or_else(|| {
            format!(
                "{threshold:?} is no threshold: write how far the figure may move, with its sign and in percent, such as \
                 +5% or -5%; {EXAMPLE}"
            )
        })?;
        let filters = words.map(filter).collect::<Result<_, _>>()?;
        Ok(Gate { text: text.trim().into(), metric, side, limit, filters })
    }
}

/// The ratio that a signed percentage stands for; it must leave something of the figure.
fn limit(threshold: &str) -> Option<f64> {
    let number = threshold.strip_suffix('%').filter(|number| number.starts_with(['+', '-']))?;
    let percent: f64 = number.parse().ok()?;
    (percent.is_finite() && percent > -100.0).then_some(1.0 + percent / 100.0)
}

fn filter(word: &str) -> Result<(Key, String), String> {
    let known = || KEYS.map(|(name, _)| name).join(", ");
    let (name, value) = word
        .split_once('=')
        .ok_or_else(|| format!("{word:?} is no filter: write KEY=VALUE, where KEY is one of {}", known()))?;
    let key = KEYS.iter().find(|(known, _)| *known == name).map(|(_, key)| *key);
    let key = key.ok_or_else(|| format!("{name:?} is no filter: there are {}", known()))?;
    Ok((key, value.into()))
}

fn unknown_figure(figure: &str) -> String {
    let names: Vec<String> = Metric::ALL.iter().map(|&metric| figures::name(metric)).collect();
    let latencies: Vec<&str> = distinct(names.iter().filter_map(|name| Some(name.split_once('.')?.0)));
    if latencies.contains(&figure) {
        return format!(
            "{figure:?} is many figures: say which quantile, {figure}.p50, .p90, .p99, .p999 or .p9999"
        );
    }
    let others: Vec<&str> = names.iter().map(String::as_str).filter(|name| !name.contains('.')).collect();
    format!(
        "{figure:?} is no figure: there are {} (each with .p50, .p90, .p99, .p999 or .p9999 behind it), {}; {EXAMPLE}",
        latencies.join(", "),
        others.join(", ")
    )
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_read_with_its_sign() {
        let gate: Gate = "delivery.p99>+5%".parse().unwrap();
        assert_eq!((gate.metric, gate.side), (Metric::DeliveryP99, Side::Above));
        assert!((gate.limit - 1.05).abs() < 1e-12 && gate.filters.is_empty());
        let gate: Gate = "messages_per_s < -2.5% scenario=throughput server=one".parse().unwrap();
        assert!((gate.limit - 0.975).abs() < 1e-12 && gate.side == Side::Below);
        assert_eq!(gate.filters, [(Key::Scenario, "throughput".into()), (Key::Server, "one".into())]);
    }

    #[test]
    fn what_is_wrong_is_explained() {
        for (text, words) in [
            ("delivery.p99 +5%", "no < or >"),
            ("delivery.p99 >= +5%", "there is no >="),
            ("delivery > +5%", "delivery.p50"),
            ("deliver.p99 > +5%", "is no figure: there are lag, lag_cleaned, delivery"),
            ("delivery.p98 > +5%", "is no figure"),
            ("delivery.p99 > 5%", "with its sign"),
            ("delivery.p99 > +5", "in percent"),
            ("delivery.p99 >", "is no threshold"),
            ("delivery.p99 < -100%", "is no threshold"),
            ("delivery.p99 > +5% axum", "KEY=VALUE"),
            ("delivery.p99 > +5% sever=axum", "there are server, scenario"),
        ] {
            let refusal = text.parse::<Gate>().unwrap_err();
            assert!(refusal.contains(words), "{text}: {refusal}");
        }
    }
}
