//! The history as Markdown.

use std::fmt::Write as _;

use tickbench_graphs::Chart;

use super::{CHARTS, LeftOut, Past, past};
use crate::figures::{self, Unit};

/// The page: which runs, the charts, and a table for each question.
pub(super) fn render(runs: &[Past], left_out: &[LeftOut], charts: &[Chart]) -> String {
    let mut page = format!(
        "# History\n\nThe figures of {} runs, as each run's `summary.json` has them. Those of different hours are not compared \
         here: the machine drifts. Whether a step is more than that, `tickbench compare` tells.\n\n",
        runs.len()
    );
    page += &list(runs);
    if !left_out.is_empty() {
        page += "\nLeft out:\n\n";
    }
    for LeftOut { folder, why } in left_out {
        let _ = writeln!(page, "- `{folder}`: {why}");
    }
    for chart in charts {
        let Chart { name, title, .. } = chart;
        let _ = writeln!(page, "\n## {title}\n\n![{}]({CHARTS}/{name}.svg)", chart.caption);
    }
    page + "\n## Figures\n" + &tables(runs)
}

fn list(runs: &[Past]) -> String {
    let mut table = String::from(
        "| run | started | study | tickbench | commit | machine |\n| ---: | --- | --- | --- | --- | --- |\n",
    );
    for (at, run) in runs.iter().enumerate() {
        let Past { folder, environment, summary } = run;
        let machine = match at {
            0 => environment.machine.cpu_model.clone().unwrap_or("unknown".into()),
            _ if past::is_same_machine(&runs[at - 1].environment, environment) => "the same".into(),
            _ => format!("**another**: {}", environment.machine.cpu_model.as_deref().unwrap_or("unknown")),
        };
        let commit: String = environment.commit.as_deref().unwrap_or("unknown").chars().take(12).collect();
        let _ = writeln!(
            table,
            "| {}: `{folder}` | {} | {} | {} | {commit} | {machine} |",
            at + 1,
            environment.started_at,
            summary.study,
            environment.tickbench_version
        );
    }
    table
}

fn tables(runs: &[Past]) -> String {
    let (servers, mut text) = (past::servers(runs), String::new());
    for question in past::questions(runs) {
        for &metric in past::primary(runs, question) {
            let figure = |run: &Past, server: &String| past::estimate(run, question, server, metric);
            let having: Vec<&String> = servers
                .iter()
                .filter(|server| runs.iter().any(|run| figure(run, server).is_some()))
                .collect();
            if having.is_empty() {
                continue;
            }
            let (title, unit) =
                (format!("{}: {}", question.question(), figures::name(metric)), Unit::of(metric));
            let _ = writeln!(
                text,
                "\n<details><summary>{title}</summary>\n\n| run |{} |",
                joined(having.iter().map(|s| format!(" {s}")))
            );
            let _ = writeln!(text, "| ---: |{} |", joined(having.iter().map(|_| " ---: ".into())));
            for (at, run) in runs.iter().enumerate() {
                let cells = having.iter().map(|server| match figure(run, server) {
                    Some(e) => {
                        format!(" {} [{}, {}] ", unit.show(e.estimate), unit.show(e.low), unit.show(e.high))
                    }
                    None => " – ".into(),
                });
                let _ = writeln!(text, "| {} |{} |", at + 1, joined(cells));
            }
            text += "\n</details>\n";
        }
    }
    text
}

fn joined(cells: impl Iterator<Item = String>) -> String {
    cells.collect::<Vec<_>>().join("|").trim_end().to_owned()
}
