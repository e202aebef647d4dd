//! The comparison as Markdown: what changed first, then everything.

use std::fmt::Write as _;

use tickbench_record::{Cell, Measurement};
use tickbench_stats::{Change, Changes, Estimate, FAMILY_ERROR, Ruling, Verdict};

use super::comparable::{self, OtherProgram, Role};
use super::gate::{Outcome, is_powerless};
use super::{Gate, Records};
use crate::figures::{self, Unit};

/// All that the page is made of.
pub(crate) struct Page<'a> {
    pub(crate) before: &'a Records,
    pub(crate) after: &'a Records,
    pub(crate) changes: &'a Changes,
    pub(crate) gates: &'a [Gate],
    /// Why these runs should not be compared; empty where they may be.
    pub(crate) differences: &'a [String],
    /// What else differs between them.
    pub(crate) notes: &'a [String],
}

const HEAD: &str = "| server | question | figure | before | after | as it is | against the baseline | p |\n\
                    | --- | --- | --- | ---: | ---: | ---: | ---: | ---: |\n";

impl Page<'_> {
    pub(crate) fn render(&self) -> String {
        let sections = [
            self.head(),
            self.changed(),
            self.gated(),
            self.unsound(),
            self.programs(),
            self.drift(),
            self.all(),
            self.reading(),
        ];
        sections.into_iter().filter(|section| !section.is_empty()).collect::<Vec<_>>().join("\n")
    }

    fn head(&self) -> String {
        let mut text = String::from("# What changed\n\n");
        for (name, run) in [("Before", self.before), ("After", self.after)] {
            let commit = run.environment.commit.as_deref().unwrap_or("unknown");
            let Records { path, study, environment, .. } = run;
            let at = &environment.started_at;
            let iterations = match run.whole_iterations() {
                whole if whole < study.iterations => format!("{whole} of {}", study.iterations),
                _ => study.iterations.to_string(),
            };
            let _ = writeln!(
                text,
                "- {name}: `{path}`, {at}, study {}, {iterations} iterations, commit `{commit}`",
                study.name
            );
        }
        if !self.differences.is_empty() {
            text += "\n> **These runs are not comparable**, and were compared because `--anyway` was given. What differs \
                     below may come from what differs here:\n";
            self.differences.iter().for_each(|difference| {
                let _ = writeln!(text, "> - {difference}");
            });
        }
        self.notes.iter().for_each(|note| {
            let _ = writeln!(text, "\n> {note}");
        });
        text
    }

    fn changed(&self) -> String {
        let of = self.changes.figures.len();
        let changed: Vec<&Change> = self.changed_figures().collect();
        let mut text = match changed.len() {
            0 => format!("**Nothing changed beyond the noise**, of {}.\n", counted(of, "figure")),
            some => format!("**{some} of {} changed beyond the noise.**\n\n", counted(of, "figure")),
        };
        changed.iter().for_each(|change| {
            let _ = writeln!(text, "- {}", sentence(change));
        });
        text + &self.powerless()
    }

    /// Says so where no difference, however large, could have been called a change.
    fn powerless(&self) -> String {
        let figures = &self.changes.figures;
        let iterations = figures.iter().map(|change| change.primary().ratio.iterations).max().unwrap_or(0);
        if !figures.iter().all(|change| is_powerless(change, figures.len())) || figures.is_empty() {
            return String::new();
        }
        format!(
            "\nThese runs are too short to tell: with {} in the shorter one and {} to correct for, not even figures without any overlap \
             reach a p below {FAMILY_ERROR}. Measure more iterations.\n",
            counted(iterations, "iteration"),
            counted(figures.len(), "figure")
        )
    }

    fn gated(&self) -> String {
        if self.gates.is_empty() {
            return String::new();
        }
        let mut text = String::from("## Gates\n\n| fail if | outcome |\n| --- | --- |\n");
        for gate in self.gates {
            let outcome = match gate.judge(self.changes) {
                Outcome::Passed(figures) => format!("passed by {}", counted(figures, "figure")),
                Outcome::Failed(cells) => format!("**failed** by {}", cells.join("; ")),
                Outcome::Undecided(why) => format!("**undecided**: {why}"),
            };
            let _ = writeln!(text, "| `{gate}` | {} |", outcome.replace('|', "\\|"));
        }
        text
    }

    fn unsound(&self) -> String {
        if self.changes.unsound.is_empty() {
            return String::new();
        }
        let mut text = String::from(
            "## Rows that are not compared\n\nIn one of the runs their figures are no verdict on the server: the run's report says why.\n\n\
             | server | question | before | after |\n| --- | --- | --- | --- |\n",
        );
        let ruled = |ruling: Option<Ruling>| match ruling {
            None | Some(Ruling::Held | Ruling::Noted | Ruling::Noisy) => "sound",
            Some(Ruling::ClientBound) => "client-bound",
            Some(Ruling::Undecided) => "undecided",
            Some(Ruling::Failed) => "**failed an audit**",
        };
        for row in &self.changes.unsound {
            let question = row.cell.question().replace('|', "\\|");
            let (before, after) = (ruled(row.before), ruled(row.after));
            let _ = writeln!(text, "| {} | {question} | {before} | {after} |", row.cell.server);
        }
        text
    }

    fn programs(&self) -> String {
        let programs = comparable::programs(&self.before.environment, &self.after.environment);
        let mut text = String::from("## Programs that differ\n\n");
        if programs.is_empty() {
            return text + "None: every server and client is the same program in both runs, to the byte.\n";
        }
        text += "| program | before | after |\n| --- | --- | --- |\n";
        for OtherProgram { name, before, after, role } in &programs {
            let role = match role {
                Role::Server => "",
                Role::Client => " (client)",
                Role::Tool => " (tool)",
            };
            let _ = writeln!(text, "| {name}{role} | {before} | {after} |");
        }
        if programs.iter().any(|program| program.role == Role::Client) {
            text += "\nA client differs: the instrument itself may have moved figures. Build both runs' clients from one \
                     source to rule that out.\n";
        }
        text
    }

    fn drift(&self) -> String {
        let mut text = String::from("## Drift of the machine\n\n");
        let Some(first) = self.changes.drift.first() else {
            return text
                + "Unknown: the runs have no baseline in common, so that a change of the programs and a drift of the machine \
                   between the runs cannot be told apart.\n";
        };
        let name = &first.cell.server;
        let _ = writeln!(
            text,
            "{name}, the baseline, of which the ratio after / before is how far the machine moved by itself:\n"
        );
        if comparable::programs(&self.before.environment, &self.after.environment)
            .iter()
            .any(|program| program.role == Role::Server && program.name == *name)
        {
            let _ = writeln!(
                text,
                "**{name} is another program in the two runs**, so that its ratio holds its own change too, and so do the \
                 figures against it.\n"
            );
        }
        text += "| question | figure | before | after | ratio |\n| --- | --- | ---: | ---: | ---: |\n";
        for change in &self.changes.drift {
            let (before, after) = values(change);
            let figure = figures::name(change.metric);
            let ratio = interval(&change.plain.ratio);
            let _ = writeln!(text, "| {} | {figure} | {before} | {after} | {ratio} |", question(change));
        }
        text
    }

    fn all(&self) -> String {
        if self.changes.figures.is_empty() {
            return String::new();
        }
        let mut text = format!("## All figures\n\n{HEAD}");
        for change in &self.changes.figures {
            let (before, after) = values(change);
            let normalised = change.normalised.map_or("–".into(), |between| interval(&between.ratio));
            let idle = if change.server_idle { " †" } else { "" };
            let _ = writeln!(
                text,
                "| {} | {} | {}{idle} | {before} | {after} | {} | {normalised} | {} |",
                change.cell.server,
                question(change),
                figures::name(change.metric),
                interval(&change.plain.ratio),
                p(change.p)
            );
        }
        text + &self.notes()
    }

    fn notes(&self) -> String {
        let mut text = String::new();
        if self.changes.figures.iter().any(|change| change.server_idle) {
            text += "\n† The server did not use all of its core in one of the runs: something else limits this rate.\n";
        }
        for (run, other) in [(self.before, self.after), (self.after, self.before)] {
            let only: Vec<String> =
                cells(run).into_iter().filter(|cell| !cells(other).contains(cell)).collect();
            if !only.is_empty() {
                let _ = writeln!(text, "\nOnly in `{}`: {}.", run.path, only.join("; "));
            }
        }
        text
    }

    fn reading(&self) -> String {
        let decides = if self.changes.figures.iter().any(|change| change.normalised.is_some()) {
            "*As it is* is the ratio after / before of the figures as measured: it holds what the programs changed and what \
             the machine drifted. *Against the baseline* is the same ratio after each iteration's figure was divided by the \
             baseline's in that iteration: less what drifted for all. Where there is one, it decides"
        } else {
            "*As it is* is the ratio after / before of the figures as measured: it holds what the programs changed and what \
             the machine drifted between the runs"
        };
        format!(
            "{decides}. In brackets the 95 % interval, bootstrapped over iterations of each run by itself. A figure \
             changed where Mann and Whitney's p, corrected by Holm over all figures here, is below {FAMILY_ERROR} and the \
             interval excludes 1. A gate fails where a figure changed and its whole interval lies beyond the threshold; it is undecided \
             where one could not have failed it, for there are too few iterations.\n"
        )
    }

    fn changed_figures(&self) -> impl Iterator<Item = &Change> {
        self.changes.figures.iter().filter(|change| change.verdict != Verdict::NoDifference)
    }
}

/// Which figures of what are compared, for whom looks for one.
pub(crate) fn subjects(changes: &Changes) -> String {
    let list = |of: &dyn Fn(&Change) -> String| {
        let mut words: Vec<String> = changes.figures.iter().map(of).collect();
        words.sort();
        words.dedup();
        words.join(", ")
    };
    format!(
        "{} of the servers {} in the scenarios {}",
        list(&|change| figures::name(change.metric)),
        list(&|change| change.cell.server.clone()),
        list(&|change| change.cell.scenario.clone())
    )
}

fn sentence(change: &Change) -> String {
    let ratio = change.primary().ratio;
    let (percent, way) = match ratio.estimate {
        up if up >= 1.0 => ((up - 1.0) * 100.0, "higher"),
        down => ((1.0 - down) * 100.0, "lower"),
    };
    let is_up = ratio.estimate >= 1.0;
    let judged = if is_up == change.metric.higher_is_better() { "better" } else { "worse" };
    let (before, after) = values(change);
    let base = match change.normalised {
        Some(_) => format!("against the baseline; as it is {}", interval(&change.plain.ratio)),
        None => "as it is".into(),
    };
    format!(
        "**{}**, {}: {} is {percent:.1} % {way}, {judged} ({before} → {after}; ratio {} {base}; p {})",
        change.cell.server,
        question(change),
        figures::name(change.metric),
        interval(&ratio),
        p(change.p)
    )
}

fn cells(run: &Records) -> Vec<String> {
    let mut distinct: Vec<&Cell> = Vec::new();
    for Measurement { cell, .. } in &run.measurements {
        if !distinct.contains(&cell) && !cell.is_control() {
            distinct.push(cell);
        }
    }
    let mut cells: Vec<String> = distinct.into_iter().map(Cell::to_string).collect();
    cells.sort();
    cells.dedup();
    cells
}

fn question(change: &Change) -> String {
    change.cell.question().replace('|', "\\|")
}

fn values(change: &Change) -> (String, String) {
    let unit = Unit::of(change.metric);
    (unit.show(change.before), unit.show(change.after))
}

fn interval(ratio: &Estimate) -> String {
    format!("{:.3} [{:.3}, {:.3}]", ratio.estimate, ratio.low, ratio.high)
}

fn p(p: f64) -> String {
    if p < 0.001 { "< 0.001".into() } else { format!("{p:.3}") }
}

pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
