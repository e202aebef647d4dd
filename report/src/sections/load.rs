//! Response against offered load, from idle to saturation.

use tickbench_record::{Cell, ScenarioKind};
use tickbench_stats::{CellSummary, KNEE_FACTOR, Knee, Metric};

use super::flags::flags;
use super::{Part, name, plain, remark_on_merging};
use crate::reason::{absent, no_place};
use crate::run::{Question, Run, workload};
use crate::table::Table;
use crate::units::{Unit, count, number};

const RESPONSE: [Metric; 3] = [Metric::ResponseP50, Metric::ResponseP99, Metric::ResponseP999];

/// A row in which less of what was due than this was sent before the window's end is marked as saturated.
const SATURATED_BELOW: f64 = 0.99;

/// Questions that differ in nothing but their rate make one part.
pub(crate) fn section(run: &Run) -> Vec<Part> {
    let mut curves: Vec<Vec<Question>> = Vec::new();
    for question in run.questions(ScenarioKind::Load) {
        let same = |asked: &&mut Vec<Question>| is_one_curve(&asked[0][0].cell, &question[0].cell);
        match curves.iter_mut().find(same) {
            Some(asked) => asked.push(question),
            None => curves.push(vec![question]),
        }
    }
    for curve in &mut curves {
        curve.sort_by(|one, other| one[0].cell.rate_per_s.total_cmp(&other[0].cell.rate_per_s));
    }
    curves.iter().map(|asked| part(run, asked)).collect()
}

/// Whether two cells differ in nothing but rate and server.
fn is_one_curve(one: &Cell, other: &Cell) -> bool {
    Cell { rate_per_s: one.rate_per_s, server: one.server.clone(), ..other.clone() } == *one
}

fn part(run: &Run, asked: &[Question]) -> Part {
    let (first, last) = (&asked[0][0].cell, &asked[asked.len() - 1][0].cell);
    let label = match run.label(first).strip_suffix(&format!(", {}", offered(first.rate_per_s))) {
        Some(label) => label.to_string(),
        None => run.label(first),
    };
    let whole = |rate: f64| count(rate.round() as u64);
    let rates = format!("{} to {} ticks/s", whole(first.rate_per_s), whole(last.rate_per_s));
    let servers = servers(asked);
    let remarks = asked.iter().flat_map(|question| remark_on_merging(question, &RESPONSE));
    let mut remarks: Vec<String> = remarks.collect();
    remarks.sort();
    remarks.dedup();
    Part {
        label,
        workload: workload(first).replace(&format!("{} ticks/s", whole(first.rate_per_s)), &rates),
        table: knees(run, asked, &servers).markdown(),
        more: servers
            .iter()
            .map(|server| {
                (format!("{server}: response by offered rate"), curve(run, asked, server).markdown())
            })
            .collect(),
        remarks,
    }
}

/// A rate as a label shows it.
pub(crate) fn offered(rate_per_s: f64) -> String {
    format!("{} offered/s", count(rate_per_s.round() as u64))
}

fn servers<'a>(asked: &[Question<'a>]) -> Vec<&'a str> {
    let mut servers: Vec<&str> = Vec::new();
    for cell in asked.iter().flatten() {
        if !servers.contains(&cell.cell.server.as_str()) {
            servers.push(&cell.cell.server);
        }
    }
    servers
}

fn cells_of<'a>(asked: &[Question<'a>], server: &str) -> Vec<&'a CellSummary> {
    asked.iter().flatten().copied().filter(|cell| cell.cell.server == server).collect()
}

fn knees(run: &Run, asked: &[Question], servers: &[&str]) -> Table {
    let mut table = Table::new([
        "server",
        "knee after, thousand/s",
        "and before, thousand/s",
        "95 % interval, thousand/s",
        "÷ baseline",
        "least p99 µs",
        "most that arrived, thousand/s",
    ]);
    let thousands = |rate: f64| number(rate / 1e3);
    let find = |server: &str| {
        let same = |knee: &&Knee| knee.cell.server == server && is_one_curve(&knee.cell, &asked[0][0].cell);
        run.summary.knees.iter().find(same)
    };
    for server in servers {
        let mut row = vec![name(run, server)];
        match find(server) {
            Some(knee) => {
                let beyond = |rate: Option<f64>| rate.map_or("beyond the highest".into(), thousands);
                row.push(thousands(knee.before_per_s));
                row.push(beyond(knee.beyond_per_s));
                row.push(format!("{} to {}", thousands(knee.low_per_s), beyond(knee.high_per_s)));
                row.push(match run.baseline.and_then(find) {
                    Some(base) if base.beyond_per_s.is_some() && knee.beyond_per_s.is_some() => {
                        number(knee.before_per_s / base.before_per_s)
                    }
                    Some(_) => {
                        table.missing("no ratio: one of the two knees is beyond the highest rate offered")
                    }
                    None => table.missing("the baseline has no knee here"),
                });
                row.push(Unit::Micros.single(knee.least_p99_ns));
            }
            None => {
                let reason = no_knee(&cells_of(asked, server));
                row.extend((0..5).map(|_| table.missing(reason.as_str())));
            }
        }
        let most = cells_of(asked, server).into_iter().filter_map(|cell| cell.figure(Metric::MessagesPerS));
        row.push(match most.max_by(|one, other| one.estimate.total_cmp(&other.estimate)) {
            Some(rate) => Unit::Thousands.with_interval(rate),
            None => match cells_of(asked, server).first() {
                Some(lowest) => absent(&mut table, lowest, Metric::MessagesPerS),
                None => table.missing("was not asked, or never ran"),
            },
        });
        table.push(row);
    }
    table
}

/// Why a curve has no knee: what stands against its lowest rate stands against all that lies above.
fn no_knee(cells: &[&CellSummary]) -> String {
    let of_rate = |cell: &&CellSummary| {
        Some(format!("at {}: {}", offered(cell.cell.rate_per_s), no_place(cell, Metric::ResponseP99)?))
    };
    cells.iter().find_map(of_rate).unwrap_or_else(|| {
        "its records hold no account of what was due in a window, so that nobody knows whether all was sent in time".into()
    })
}

/// One server: a row an offered rate.
fn curve(run: &Run, asked: &[Question], server: &str) -> Table {
    let to_baseline = run.baseline.filter(|baseline| *baseline != server);
    let ratio = to_baseline.map(|baseline| format!("p99 ÷ {baseline}"));
    let headings =
        ["offered/s", "sent in time %", "server busy %", "client busy %", "p50 µs", "p99 µs", "p99.9 µs"];
    let mut table = Table::new(headings.map(String::from).into_iter().chain(ratio));
    let cells = cells_of(asked, server);
    let knee = run.summary.knees.iter().find(|knee| {
        knee.cell.server == server
            && cells
                .iter()
                .any(|cell| Cell { rate_per_s: knee.cell.rate_per_s, ..cell.cell.clone() } == knee.cell)
    });
    for cell in cells {
        let rate = cell.cell.rate_per_s;
        let mut head = count(rate.round() as u64) + &flags(&mut table, cell);
        if knee.is_some_and(|knee| knee.before_per_s == rate) {
            let factor = number(KNEE_FACTOR);
            head += &format!(
                " **knee** {}",
                table.mark(format!(
                    "knee: the highest rate, walking up from that with the least p99, at which p99 is at most {factor} times that \
                     least and 99 % of what is due is sent before the window's end"
                ))
            );
        }
        if cell.caveat().is_some() {
            let note = "client-bound: the client was near its ceiling, or busy while the server was not; compared with nothing";
            head += &format!(" **client-bound** {}", table.mark(note));
        }
        let in_time = match cell.figure(Metric::AchievedShare).map(|share| share.estimate) {
            Some(share) if share < SATURATED_BELOW => {
                let note = "saturated: ticks stay due on their schedule, so the response grows with the window and says how long \
                            that was, not how long a message takes";
                format!("{} {}", number(share * 100.0), table.mark(note))
            }
            Some(share) => number(share * 100.0),
            None => absent(&mut table, cell, Metric::AchievedShare),
        };
        let mut row = vec![head, in_time];
        row.push(plain(&mut table, cell, Metric::ServerCpuShare, Unit::Percent));
        row.push(plain(&mut table, cell, Metric::ClientCpuShare, Unit::Percent));
        row.extend(RESPONSE.map(|metric| run.figure(&mut table, cell, metric, Unit::Micros)));
        row.extend(to_baseline.map(|to| run.ratio(&mut table, cell, Metric::ResponseP99, Some(to))));
        table.push(row);
    }
    table
}
