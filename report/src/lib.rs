//! A summary and its figures as Markdown that renders on GitHub as it is.
//!
//! `report.md.j2` holds the prose and the order of the sections, `sections` the tables. Equal input gives equal bytes.
//!
//! **Invariant:** this crate knows no server by name, reads no clock and no file, and does not see `graphs`: figures come in
//! as paths with captions.

mod answer;
mod reason;
mod run;
mod sections;
mod table;
mod units;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment as Templates, UndefinedBehavior, context};
use serde::Serialize;
use thiserror::Error;
use tickbench_record::{Environment, Ledger, Study};
use tickbench_stats::{KNEE_FACTOR, StolenShares, Summary, ThrottledExecutions};

use run::Run;
use sections::Part;
use sections::audits::Audits;
use sections::failures::Failures;
use sections::parity::Parity;
use sections::quiet::Quiet;
use sections::stages::Stages;

const TEMPLATE: &str = include_str!("report.md.j2");

const PARITY: &str = "parity.md";

/// A graph that the report shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// Where it is, relative to the report: `graphs/latency-json.svg`.
    pub path: String,
    /// What it shows, in a few words: the text in place of the image.
    pub title: String,
    /// What to see in it, a sentence.
    pub caption: String,
    /// Where it belongs.
    #[serde(skip)]
    pub section: Section,
}

/// The sections that hold figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Latency of paced ticks.
    Latency,
    /// Where the time of a message goes.
    Stages,
    /// Floods.
    Throughput,
    /// More and more connections.
    Scaling,
    /// Response against offered load.
    Load,
    /// The highest rate that keeps a target.
    Capacity,
    /// Round trips.
    Echo,
    /// Connections opened and closed in turn.
    Connecting,
    /// Connections that carry pings alone.
    Idle,
    /// What a connection takes of memory.
    Memory,
    /// One publishes, many receive.
    Relay,
    /// What those who receive feel of others.
    Disturbed,
    /// What a usual client adds.
    Clients,
    /// What tuning changes.
    Lanes,
    /// CPU time, memory, context switches.
    Resources,
}

/// Why there is no report.
#[derive(Debug, Error)]
#[error("failed to render the report: {0}")]
pub struct ReportError(#[from] minijinja::Error);

/// The report of a run, in Markdown. The server that `environment.baseline` names is shown as the measure of the others and
/// has no rank.
pub fn render(
    study: &Study,
    environment: &Environment,
    summary: &Summary,
    figures: &[Figure],
) -> Result<String, ReportError> {
    render_with(study, environment, summary, figures, None)
}

/// The same with the parity ledger, where the run has one.
pub fn render_with(
    study: &Study,
    environment: &Environment,
    summary: &Summary,
    figures: &[Figure],
    ledger: Option<&Ledger>,
) -> Result<String, ReportError> {
    let measured = |name: &&str| summary.cells.iter().any(|cell| cell.cell.server == *name);
    let baseline = environment.baseline.as_deref().filter(measured);
    let run = Run { study, environment, summary, baseline };
    let of = |section: Section| figures.iter().filter(|figure| figure.section == section).collect();
    let (comparisons, told_apart) = answer::tally(&run);
    let view = View {
        parity: ledger.map(sections::parity::section),
        study,
        environment,
        baseline,
        pinned: environment.cores.server.is_some() && environment.cores.client.is_some(),
        repository: env!("CARGO_PKG_REPOSITORY"),
        headline: answer::headline(&run),
        unfinished: sections::unfinished::sentence(summary),
        alarm: sections::noise::alarm(&run),
        noise: sections::noise::section(&run),
        below_floor: sections::noise::below_floor(&run),
        audits: sections::audits::section(&run),
        quiet: sections::quiet::section(environment),
        cleaned: summary.cells.iter().any(|cell| cell.estimates.keys().any(|metric| metric.raw().is_some())),
        answers: answer::sentences(&run),
        ranking: answer::ranking(&run),
        comparisons,
        told_apart,
        stolen: summary.stolen.as_ref().and_then(StolenShares::warning),
        throttled: summary.throttled.as_ref().and_then(ThrottledExecutions::warning),
        machine: sections::environment::machine(&run),
        programs: sections::environment::programs(environment),
        latency: sections::latency::section(&run),
        latency_figures: of(Section::Latency),
        stages: sections::stages::section(&run),
        stages_figures: of(Section::Stages),
        throughput: sections::throughput::section(&run),
        throughput_figures: of(Section::Throughput),
        scaling: sections::scaling::section(&run),
        scaling_figures: of(Section::Scaling),
        load: sections::load::section(&run),
        load_figures: of(Section::Load),
        knee_factor: KNEE_FACTOR,
        capacity: sections::capacity::section(&run),
        capacity_figures: of(Section::Capacity),
        echo: sections::echo::section(&run),
        echo_figures: of(Section::Echo),
        connecting: sections::connecting::section(&run),
        connecting_figures: of(Section::Connecting),
        idle: sections::idle::section(&run),
        idle_figures: of(Section::Idle),
        memory: sections::memory::section(&run),
        memory_figures: of(Section::Memory),
        relay: sections::relay::section(&run),
        relay_figures: of(Section::Relay),
        disturbed: sections::disturbed::section(&run),
        disturbed_figures: of(Section::Disturbed),
        clients: sections::clients::section(&run),
        clients_figures: of(Section::Clients),
        lanes: sections::lanes::section(&run),
        lanes_figures: of(Section::Lanes),
        resources: sections::resources::section(&run),
        resources_figures: of(Section::Resources),
        failures: sections::failures::section(&run),
        threats: sections::threats::from_records(&run),
        reproduce: reproduce(study, environment),
    };
    let text = templates()?.get_template("report.md")?.render(Serde(&view))?;
    Ok(single_blank_lines(&text))
}

/// The ledger alone, in Markdown: what `tickbench parity` shows.
pub fn ledger_page(ledger: &Ledger) -> String {
    let page = context! { parity => Serde(&sections::parity::section(ledger)) };
    let text = templates().and_then(|templates| templates.get_template(PARITY)?.render(page));
    single_blank_lines(&format!("# Parity ledger\n\n{}", text.expect("the template fits what it is given")))
}

/// The templates, read anew for each report.
fn templates() -> Result<Templates<'static>, minijinja::Error> {
    let mut templates = Templates::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    templates.add_template("report.md", TEMPLATE)?;
    templates.add_template(PARITY, include_str!("parity.md.j2"))?;
    Ok(templates)
}

/// What the template sees.
#[derive(Serialize)]
struct View<'a> {
    parity: Option<Parity>,
    study: &'a Study,
    environment: &'a Environment,
    baseline: Option<&'a str>,
    pinned: bool,
    repository: &'static str,
    stolen: Option<String>,
    throttled: Option<String>,
    headline: String,
    unfinished: Option<String>,
    alarm: Option<String>,
    noise: String,
    below_floor: usize,
    audits: Audits,
    quiet: Quiet,
    cleaned: bool,
    answers: Vec<String>,
    ranking: String,
    comparisons: usize,
    told_apart: usize,
    machine: String,
    programs: String,
    latency: Vec<Part>,
    latency_figures: Vec<&'a Figure>,
    stages: Option<Stages>,
    stages_figures: Vec<&'a Figure>,
    throughput: Vec<Part>,
    throughput_figures: Vec<&'a Figure>,
    scaling: Vec<Part>,
    scaling_figures: Vec<&'a Figure>,
    load: Vec<Part>,
    load_figures: Vec<&'a Figure>,
    knee_factor: f64,
    capacity: Vec<Part>,
    capacity_figures: Vec<&'a Figure>,
    echo: Vec<Part>,
    echo_figures: Vec<&'a Figure>,
    connecting: Vec<Part>,
    connecting_figures: Vec<&'a Figure>,
    idle: Vec<Part>,
    idle_figures: Vec<&'a Figure>,
    memory: Vec<(String, String)>,
    memory_figures: Vec<&'a Figure>,
    relay: Vec<Part>,
    relay_figures: Vec<&'a Figure>,
    disturbed: Vec<Part>,
    disturbed_figures: Vec<&'a Figure>,
    clients: String,
    clients_figures: Vec<&'a Figure>,
    lanes: Vec<(String, String)>,
    lanes_figures: Vec<&'a Figure>,
    resources: Vec<(String, String)>,
    resources_figures: Vec<&'a Figure>,
    failures: Failures,
    threats: Vec<String>,
    reproduce: String,
}

/// The lines that make the run again: its commit, its command, its seed.
fn reproduce(study: &Study, environment: &Environment) -> String {
    let command = &environment.command;
    let mut lines = match &environment.commit {
        Some(commit) => format!("git checkout {}\n", commit.trim_end_matches("-dirty")),
        None => String::new(),
    };
    match command.strip_prefix("tickbench").map(str::trim) {
        Some("") => lines += "cargo run --release -- run",
        Some(arguments) => lines += &format!("cargo run --release -- {arguments}"),
        None => lines += command,
    }
    if let Some(seed) = study.seed.filter(|_| !command.contains("--seed")) {
        lines += &format!(" --seed {seed}");
    }
    lines
}

/// At most one blank line in a row, and one line feed at the end: what the template's conditions leave behind.
fn single_blank_lines(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    let mut blank = true;
    for line in text.lines().map(str::trim_end) {
        if !(line.is_empty() && blank) {
            tidy += line;
            tidy.push('\n');
        }
        blank = line.is_empty();
    }
    tidy.truncate(tidy.trim_end().len());
    tidy.push('\n');
    tidy
}
