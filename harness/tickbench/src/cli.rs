//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::capacity::CapacityArgs;
use crate::compare::Gate;
use crate::cores::CoreArgs;
use crate::exit::ExitStatus;
use crate::export::Format;
use crate::out;
use crate::parity::ParityArgs;
use crate::resolution::ResolutionArgs;
use crate::selftest::SelftestArgs;

/// Which WebSocket framework should carry your market data? Runs each as a pinned process, measures it over interleaved
/// iterations, and writes a report with graphs.
#[derive(Debug, Parser)]
#[command(name = "tickbench", version)]
pub(crate) struct Cli {
    /// The project's folder; else it is looked for from the working directory upwards.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// What to do; `run` where nothing is said.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build the servers, run a study, write its report.
    Run(Box<RunArgs>),
    /// Show servers, clients and studies.
    List,
    /// Find the highest rate that each server sustains while a target for the response holds.
    Capacity(CapacityArgs),
    /// Check whether servers keep the contract.
    Verify(VerifyArgs),
    /// Run one server against itself: exit code 1 where this machine calls the two different.
    Control(ControlArgs),
    /// Show what each server really set and does, read from its running process: exit code 1 where a tuned lane is not what
    /// servers/TUNING.md promises.
    Parity(ParityArgs),
    /// Show what makes this machine unquiet, and what to do about it.
    Preflight(PreflightArgs),
    /// Derive summary, graphs and report of a run again.
    Report {
        /// The run's folder.
        #[arg(value_name = "DIR")]
        run: PathBuf,
    },
    /// Say what changed between two runs beyond the noise, and whether that is too much.
    Compare(CompareArgs),
    /// Draw the figures of all runs below a folder over time.
    History {
        /// The folder with runs below it.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Where the page and its charts go; else the same folder.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Write a run's figures for other tools: CSV, JSON, Parquet, HdrHistogram logs, OpenMetrics.
    Export(ExportArgs),
    /// Explain a study before it is run: its cells, its time, what it needs.
    Study {
        /// The study to read, as `run --study` would.
        #[arg(long, value_name = "FILE")]
        check: PathBuf,
    },
    /// Do known harm to a stream, thing by thing, and see whether each is caught and named.
    Selftest(SelftestArgs),
    /// Measure the smallest difference that this machine can tell apart.
    Resolution(ResolutionArgs),
    /// Record a WebSocket session, to be replayed with `run --feed`.
    Capture(CaptureArgs),
    /// Print a completion script.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
    /// Print the man page.
    Man,
}

impl Default for Command {
    fn default() -> Self {
        Command::Run(Box::default())
    }
}

#[derive(Debug, Default, Args)]
pub(crate) struct RunArgs {
    /// The study to run; else the default one.
    #[arg(long, value_name = "FILE")]
    pub(crate) study: Option<PathBuf>,
    /// Only these servers. `NAME#LABEL` runs a server a second time, to compare it with itself.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) servers: Vec<String>,
    /// How often each cell is executed.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) iterations: Option<u32>,
    /// The quick study: the same questions in a minute, with wide intervals.
    #[arg(long, conflicts_with = "study")]
    pub(crate) quick: bool,
    /// The folder of the run; else `runs/` and the time.
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub(crate) out: Option<PathBuf>,
    /// Complete an interrupted run.
    #[arg(long, value_name = "DIR")]
    pub(crate) resume: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) cores: CoreArgs,
    /// Replay this capture in every scenario of ticks.
    #[arg(long, value_name = "CAPTURE")]
    pub(crate) feed: Option<PathBuf>,
    /// Divide the recorded gaps of the capture by this.
    #[arg(long, value_name = "X", requires = "feed", value_parser = positive)]
    pub(crate) speed: Option<f64>,
    /// Seed of order, feed and intervals; else the study's, else drawn.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub(crate) seed: Option<u64>,
    /// Keep a row for each message of each window of paced ticks too, for `export --samples`: 20 bytes a message.
    #[arg(long)]
    pub(crate) samples: bool,
    /// Before each iteration, wait until the machine takes at most 5 % of either core; after so long in all, such as
    /// `30m`, go on as it is.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) wait_for_quiet: Option<Duration>,
    /// Leave out the look at what each server really set (`tickbench parity`).
    #[arg(long)]
    pub(crate) no_parity: bool,
    /// Where the servers listen; port 0 lets the system choose.
    #[arg(long, value_name = "ADDR:PORT", default_value_t = LOOPBACK)]
    pub(crate) listen: Loopback,
    /// A server against itself and nothing else; the study's control where none is named. No flag: `control` sets it.
    #[arg(skip)]
    pub(crate) control_alone: Option<Option<String>>,
    /// A study that no file holds. No flag: `capacity` makes one.
    #[arg(skip)]
    pub(crate) made: Option<tickbench_record::Study>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Only this server.
    #[arg(long, value_name = "NAME")]
    pub(crate) server: Option<String>,
    /// Connections to hold at once; else 1,000, or as many as the limit of open files allows.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections: Option<u32>,
    /// Seed of all that is left to chance, and of the feeds; else drawn.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// The folder of the earlier run.
    pub(crate) before: PathBuf,
    /// The folder of the later run.
    pub(crate) after: PathBuf,
    /// End with exit code 1 where this holds beyond the noise: `FIGURE > THRESHOLD`, such as `delivery.p99 > +5%` or
    /// `messages_per_s < -3% scenario=throughput`. May be given several times.
    #[arg(long, value_name = "EXPR")]
    pub(crate) fail_if: Vec<Gate>,
    /// Compare runs of different machines or workloads all the same, and say so.
    #[arg(long)]
    pub(crate) anyway: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The run's folder.
    #[arg(value_name = "DIR", required_unless_present = "dictionary")]
    pub(crate) run: Option<PathBuf>,
    /// What to write.
    #[arg(long, value_enum, required_unless_present = "dictionary")]
    pub(crate) format: Option<Format>,
    /// The file, or for `hlog` the folder, to write to; else standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Of a run that kept them with `run --samples`: a row a message, in place of a row a measurement.
    #[arg(long)]
    pub(crate) samples: bool,
    /// Print what each column of CSV, JSON and Parquet means, as Markdown.
    #[arg(long, conflicts_with_all = ["run", "format", "out"])]
    pub(crate) dictionary: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ControlArgs {
    /// The server to run twice; else the study's control, else the first of the manifest that is not the baseline.
    #[arg(long, value_name = "NAME")]
    pub(crate) server: Option<String>,
    /// The study whose questions are asked; else the latency study.
    #[arg(long, value_name = "FILE")]
    pub(crate) study: Option<PathBuf>,
    /// How often each cell is executed.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) iterations: Option<u32>,
    /// The folder of the run; else `runs/` and the time.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) cores: CoreArgs,
    /// Seed of order, feed and intervals; else the study's, else drawn.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub(crate) seed: Option<u64>,
    /// Before each iteration, wait until the machine takes at most 5 % of either core; after so long in all, such as
    /// `30m`, go on as it is.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) wait_for_quiet: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct PreflightArgs {
    #[command(flatten)]
    pub(crate) cores: CoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CaptureArgs {
    /// What to record: `ws://…` or `wss://…`.
    pub(crate) url: String,
    /// The capture's file; compressed where the name ends in `.gz`.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// A text message to send first, such as a subscription. May be given several times.
    #[arg(long, value_name = "TEXT")]
    pub(crate) send: Vec<String>,
    /// End after so many messages.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..))]
    pub(crate) count: Option<u64>,
    /// End after this time, such as `30s` or `5m`.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) duration: Option<Duration>,
    /// Give up where the connection is not open by then: looked up, connected, upgraded and what comes first sent.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "10s")]
    pub(crate) connect_timeout: Duration,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        _ => Err(format!("{text:?} is no number above 0")),
    }
}

/// An address to listen on, loopback and a free port unless told otherwise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loopback(pub(crate) SocketAddr);

const LOOPBACK: Loopback = Loopback(SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0));

impl Default for Loopback {
    fn default() -> Self {
        LOOPBACK
    }
}

impl std::str::FromStr for Loopback {
    type Err = std::net::AddrParseError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Loopback)
    }
}

impl std::fmt::Display for Loopback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

pub(crate) fn completions(shell: clap_complete::Shell) -> anyhow::Result<ExitStatus> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tickbench", &mut script);
    print(&script)
}

pub(crate) fn man() -> anyhow::Result<ExitStatus> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page).context("failed to write the man page")?;
    print(&page)
}

fn print(page: &[u8]) -> anyhow::Result<ExitStatus> {
    out::text(String::from_utf8_lossy(page));
    Ok(ExitStatus::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_subcommand_is_a_run_of_the_default_study() {
        let cli = Cli::try_parse_from(["tickbench"]).unwrap();
        let Command::Run(args) = cli.command.unwrap_or_default() else { panic!("another command") };
        assert!(args.study.is_none() && !args.quick && args.listen.0.ip().is_loopback());
    }

    #[test]
    fn flags_that_exclude_each_other_are_refused() {
        for flags in [
            &["--quick", "--study", "s.toml"][..],
            &["--out", "a", "--resume", "b"],
            &["--speed", "2"],
            &["--feed", "f", "--speed", "0"],
            &["--iterations", "0"],
            &["--cores", "1"],
            &["--cores", "1,1"],
            &["--seed", "18446744073709551615"],
        ] {
            assert!(Cli::try_parse_from([&["tickbench", "run"], flags].concat()).is_err(), "{flags:?}");
        }
    }
}
