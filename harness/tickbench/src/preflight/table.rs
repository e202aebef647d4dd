//! The preflight as text: what was looked at, what was found, and what to do about it.

use tickbench_record::{ClockCheck, CoreHiccups};

use super::{MUCH_LOST, Preflight};

/// Everything that was found, in columns, and the cores that a run would take.
pub(super) fn of(found: &Preflight) -> String {
    let mut rows: Vec<[String; 2]> = Vec::new();
    let mut advice = Vec::new();
    for finding in &found.findings {
        rows.push([finding.subject.clone(), finding.found.clone()]);
        advice.extend(finding.advice.as_ref().map(|advice| [finding.subject.clone(), advice.clone()]));
    }
    for hiccups in &found.hiccups {
        let subject = format!("hiccups of core {}", hiccups.core);
        advice.extend((hiccups.lost_share > MUCH_LOST).then(|| [subject.clone(), WAIT.to_owned()]));
        rows.push([subject, lost(hiccups)]);
    }
    rows.extend(found.clocks.as_ref().map(|clocks| ["clock across both cores".to_owned(), seen(clocks)]));
    let mut text = aligned(&rows);
    if !advice.is_empty() {
        text += "\nWhat to do\n";
        text += &aligned(&advice);
    }
    text.push('\n');
    for warning in found.placement.warnings.iter().chain(&found.warnings) {
        text += &format!("note: {warning}\n");
    }
    text + &chosen(found) + "\n"
}

const WAIT: &str = "wait for a calmer hour, or name other cores with --cores";

fn lost(hiccups: &CoreHiccups) -> String {
    format!(
        "away {:.2} % of the time, {:.0} times a second for over {:.1} µs, at longest {:.0} µs",
        100.0 * hiccups.lost_share,
        hiccups.per_s,
        hiccups.threshold_ns as f64 / 1e3,
        hiccups.longest_ns as f64 / 1e3
    )
}

fn seen(clocks: &ClockCheck) -> String {
    match clocks.backwards {
        0 => format!("never backwards in {} readings", clocks.readings),
        count => format!(
            "backwards in {count} of {} readings, by up to {} ns: stamps of two cores cannot be compared",
            clocks.readings, clocks.worst_ns
        ),
    }
}

fn chosen(found: &Preflight) -> String {
    match (found.placement.cores.server, found.placement.cores.client) {
        (Some(server), Some(client)) => {
            format!("A run would put the server on core {server} and the client on core {client}.")
        }
        _ => "A run would pin nothing.".into(),
    }
}

/// Two columns, the first as wide as its widest entry.
fn aligned(rows: &[[String; 2]]) -> String {
    let width = rows.iter().map(|[subject, _]| subject.chars().count()).max().unwrap_or(0);
    rows.iter().map(|[subject, rest]| format!("  {subject:width$}  {rest}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cores::Placement;
    use tickbench_record::{Cores, Finding};

    #[test]
    fn what_was_found_stands_in_columns_and_what_to_do_below() {
        let finding = |subject: &str, found: &str, advice: Option<&str>| Finding {
            subject: subject.into(),
            found: found.into(),
            advice: advice.map(Into::into),
        };
        let cores = Cores { server: Some(2), client: Some(3), ..Cores::default() };
        let noisy = CoreHiccups {
            core: 2,
            watched_ns: 1_000_000_000,
            threshold_ns: 6_500,
            per_s: 350.4,
            lost_share: 0.125,
            longest_ns: 1_500_000,
        };
        let text = of(&Preflight {
            placement: Placement { cores, warnings: vec!["two cores only".into()], ..Placement::default() },
            hiccups: vec![noisy, CoreHiccups { core: 3, lost_share: 0.01, ..noisy }],
            clocks: Some(ClockCheck { readings: 1000, backwards: 0, worst_ns: 0 }),
            findings: vec![finding("load", "3.20", Some("end it")), finding("turbo", "off", None)],
            ceilings: Vec::new(),
            warnings: vec!["no luck".into()],
            waker: Err("nothing to do it with".into()),
        });
        let expected = "  \
  load                     3.20
  turbo                    off
  hiccups of core 2        away 12.50 % of the time, 350 times a second for over 6.5 µs, at longest 1500 µs
  hiccups of core 3        away 1.00 % of the time, 350 times a second for over 6.5 µs, at longest 1500 µs
  clock across both cores  never backwards in 1000 readings

What to do
  load               end it
  hiccups of core 2  wait for a calmer hour, or name other cores with --cores

note: two cores only
note: no luck
A run would put the server on core 2 and the client on core 3.
";
        assert_eq!(text, expected);
    }
}
