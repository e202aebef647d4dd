//! `tickbench control`: one server against itself. What differs is the machine's noise, and a verdict is a false one.

use tickbench_record::{CONTROL, Study};
use tickbench_stats::{Absence, CellSummary, Metric, NoiseFloor, Paired, Verdict};

use crate::cli::{ControlArgs, RunArgs};
use crate::exit::ExitStatus;
use crate::manifest::{Manifest, plain};
use crate::root::Root;
use crate::state::RunOutcome;
use crate::{derive, out, run};

/// Runs a study with one server and its control, and prints what this machine can tell apart.
pub(crate) fn command(root: &Root, args: &ControlArgs) -> anyhow::Result<ExitStatus> {
    let RunOutcome { folder, status } = run::run_study(root, &args.of_run())?;
    let Some(folder) = folder else { return Ok(status) };
    let summary = derive::summary(&folder)?;
    let noise_floors = &summary.noise_floors;
    out::text(format_args!("\n{}", shown(noise_floors)));
    let alarms = noise_floors.iter().filter(|one| one.verdict != Verdict::NoDifference).count();
    let needed = Paired::fewest(noise_floors.len());
    let can_tell = noise_floors.iter().any(|one| one.ratio.iterations >= needed);
    let (verdict, said) = match (noise_floors.len(), alarms) {
        (0, _) => {
            (ExitStatus::Undecided, format!("nothing could be compared: {}", why_nothing(&summary.cells)))
        }
        (all, 1..) => (
            ExitStatus::CheckFailed,
            format!(
                "{alarms} of {all} comparisons call the server different from itself: do not trust verdicts of this machine as it \
                 is now; `tickbench preflight` says what to do about it"
            ),
        ),
        (_, 0) if !can_tell => (
            ExitStatus::Undecided,
            format!(
                "too few iterations to call anything different: it takes at least {needed} that completed"
            ),
        ),
        (all, 0) => (
            ExitStatus::Success,
            format!("no difference in {all} comparisons of the server with itself, as it should be"),
        ),
    };
    out::line(said);
    Ok(status.and(verdict))
}

/// Why no row could be compared with its control: what stands against the first one that does not.
fn why_nothing(cells: &[CellSummary]) -> String {
    let why = |cell: &CellSummary| {
        let what = match Metric::primary(&[cell]).into_iter().find_map(|metric| cell.absence(metric)) {
            Some(Absence::NothingCompleted) => match cell.failures.first() {
                Some(failure) => format!("completed no iteration ({})", failure.reason),
                None => "completed no iteration".into(),
            },
            Some(Absence::FailedAudit) => "failed an audit (see Audits in the report)".into(),
            Some(Absence::NothingReceived) => "received no message in any window".into(),
            Some(Absence::TooFewSamples { needed }) => {
                format!("has fewer samples than the {needed} that are needed")
            }
            Some(Absence::NotRecorded) => "has no such figure".into(),
            None if cell.is_comparable() => return None,
            None => "is no verdict (see Audits in the report)".into(),
        };
        Some(format!("{} {what}", cell.cell))
    };
    cells
        .iter()
        .find_map(why)
        .unwrap_or_else(|| "the server and its control have no iteration in common".into())
}

impl ControlArgs {
    fn of_run(&self) -> RunArgs {
        RunArgs {
            study: self.study.clone(),
            iterations: self.iterations,
            out: self.out.clone(),
            cores: self.cores,
            seed: self.seed,
            wait_for_quiet: self.wait_for_quiet,
            control_alone: Some(self.server.clone()),
            ..RunArgs::default()
        }
    }
}

/// Reduces a study to one server and its control, which are both asked every question: the study's control where `server` is not
/// named, else the first server that is not the baseline.
pub(crate) fn reduce(study: &mut Study, server: Option<&str>, manifest: &Manifest) -> anyhow::Result<()> {
    let named = server.or(study.control.as_deref()).map(str::to_owned);
    let server = match named {
        Some(name) => name,
        None => of_servers(&manifest.names(), manifest).unwrap_or_default(),
    };
    let server = plain(&manifest.server(&server)?.name).to_owned();
    study.servers = vec![server.clone(), format!("{server}{CONTROL}")];
    study.control = Some(server);
    for scenario in &mut study.scenarios {
        // Both are asked everything already.
        scenario.control = false;
        scenario.servers.clear();
    }
    Ok(())
}

/// The server to run twice among these: the first that is not the baseline, which no comparison is about.
pub(crate) fn of_servers(names: &[String], manifest: &Manifest) -> Option<String> {
    let baseline = manifest.baseline().map(|entry| entry.name.as_str());
    let plain_ones = || names.iter().filter(|name| plain(name) == name.as_str());
    plain_ones().find(|name| Some(name.as_str()) != baseline).or_else(|| plain_ones().next()).cloned()
}

/// The ratio of each metric of each question with its interval, and the smallest difference that follows from it.
fn shown(noise_floors: &[NoiseFloor]) -> String {
    let rows: Vec<[String; 3]> = noise_floors.iter().map(row).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (first, second) = (width(0), width(1));
    rows.iter()
        .map(|[question, metric, rest]| format!("{question:first$}  {metric:second$}  {rest}\n"))
        .collect()
}

fn row(floor: &NoiseFloor) -> [String; 3] {
    let NoiseFloor { ratio, .. } = floor;
    let metric = serde_json::to_string(&floor.metric).expect("a metric is a word");
    let verdict = match floor.verdict {
        Verdict::NoDifference => "",
        Verdict::Lower | Verdict::Higher => "  DIFFERENT",
    };
    let (percent, interval) = (100.0 * floor.floor, format!("[{:.4}, {:.4}]", ratio.low, ratio.high));
    [
        floor.question.clone(),
        metric.trim_matches('"').into(),
        format!("{:.4} {interval}  tells {percent:.2} % apart{verdict}", ratio.estimate),
    ]
}
