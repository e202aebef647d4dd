//! What of a summary goes together into one chart.

use tickbench_record::{Arrival, Cell, Client, Disturbance, Encoding, Flush, Lane, ScenarioKind};
use tickbench_stats::{CellSummary, Comparison, Estimate, Metric, Summary};

use crate::palette::{Look, Server, servers};
use crate::units::{Unit, counted, grouped};

/// A summary, seen as charts need it.
pub(crate) struct Run<'a> {
    /// The whole.
    pub(crate) summary: &'a Summary,
    /// Every server, in the order of the study.
    pub(crate) servers: Vec<Server>,
}

/// A scenario in one lane: what one chart shows.
pub(crate) struct Scene<'a> {
    /// Its cells, as the instrument saw them; never empty.
    pub(crate) cells: Vec<&'a CellSummary>,
}

/// What tells the panels of a scene apart: all of a cell but its server, and what a scene shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facet {
    pub(crate) encoding: Encoding,
    pub(crate) flush: Flush,
    pub(crate) connections: u32,
    pub(crate) size_bytes: u64,
    pub(crate) beside: Disturbance,
}

impl<'a> Run<'a> {
    pub(crate) fn new(summary: &'a Summary, baseline: Option<&str>) -> Run<'a> {
        Run { summary, servers: servers(summary, baseline) }
    }

    /// The scenes that compare servers in one kind of question, in the order of the study.
    pub(crate) fn scenes(&self, kind: ScenarioKind) -> Vec<Scene<'a>> {
        let mut scenes = self.all_scenes(kind);
        scenes.retain(|scene| !self.compares_clients(scene));
        scenes
    }

    /// The cells that another client measured too, as the instrument saw them, by that client and scene.
    pub(crate) fn seen_twice(&self, kind: ScenarioKind) -> Vec<(Client, Scene<'a>)> {
        let mut scenes: Vec<(Client, Scene<'a>)> = Vec::new();
        for other in self.summary.cells.iter().map(|cell| &cell.cell) {
            if other.kind != kind || other.client == Client::Probe {
                continue;
            }
            let Some(cell) = self.as_seen_by(Client::Probe, other) else { continue };
            let same =
                |(client, scene): &&mut (Client, Scene)| *client == other.client && scene.belongs(&cell.cell);
            match scenes.iter_mut().find(same) {
                Some((_, scene)) => scene.cells.push(cell),
                None => scenes.push((other.client, Scene { cells: vec![cell] })),
            }
        }
        scenes
    }

    /// Whether a scene is there for its clients: several see it, and it leaves servers out.
    fn compares_clients(&self, scene: &Scene) -> bool {
        let asked = distinct(scene.cells.iter().map(|cell| &cell.cell.server)).len();
        let same = |cell: &&CellSummary| cell.cell.scenario == scene.first().scenario;
        let clients = distinct(self.summary.cells.iter().filter(same).map(|cell| cell.cell.client)).len();
        clients > 1 && asked < self.servers.len()
    }

    /// The scenes of one kind of question, in the order of the study. A cell seen by a usual client is left out where the
    /// instrument saw the same.
    fn all_scenes(&self, kind: ScenarioKind) -> Vec<Scene<'a>> {
        let mut scenes: Vec<Scene<'a>> = Vec::new();
        for cell in self.summary.cells.iter().filter(|cell| cell.cell.kind == kind) {
            if cell.cell.client != Client::Probe && self.as_seen_by(Client::Probe, &cell.cell).is_some() {
                continue;
            }
            match scenes.iter_mut().find(|scene| scene.belongs(&cell.cell)) {
                Some(scene) => scene.cells.push(cell),
                None => scenes.push(Scene { cells: vec![cell] }),
            }
        }
        scenes
    }

    /// The server that others are compared with, where the run has it.
    pub(crate) fn baseline(&self) -> Option<&Server> {
        self.servers.iter().find(|server| server.look.baseline)
    }

    /// The same question to the same server, measured by another client. A study may ask it in a scenario of its own, because a
    /// usual client cannot wait as the instrument does; the nearest is taken.
    pub(crate) fn as_seen_by(&self, client: Client, cell: &Cell) -> Option<&'a CellSummary> {
        let asks_the_same = |other: &&CellSummary| {
            let Cell { scenario, wait, .. } = &cell;
            other.cell.client == client
                && Cell { scenario: scenario.clone(), wait: *wait, client: cell.client, ..other.cell.clone() }
                    == *cell
        };
        let distance =
            |other: &&CellSummary| (other.cell.scenario != cell.scenario, other.cell.wait != cell.wait);
        self.summary.cells.iter().filter(asks_the_same).min_by_key(distance)
    }

    /// A cell's figure divided by that of `baseline` in the same question: the summary's comparison where it has one, else the
    /// quotient of the two estimates, without an interval.
    pub(crate) fn ratio(
        &self,
        scene: &Scene,
        cell: &CellSummary,
        baseline: &str,
        metric: Metric,
    ) -> Option<Estimate> {
        let question = cell.cell.question();
        let compares = |server: &str, other: &str| {
            let wanted = |comparison: &&Comparison| {
                (comparison.metric, comparison.question.as_str()) == (metric, question.as_str())
                    && (comparison.server.as_str(), comparison.baseline.as_str()) == (server, other)
            };
            self.summary.comparisons.iter().find(wanted).map(|comparison| comparison.ratio)
        };
        let server = &cell.cell.server;
        let compared =
            compares(server, baseline).or_else(|| compares(baseline, server).map(Estimate::inverse));
        let ratio = compared.or_else(|| {
            let same = |other: &&&CellSummary| {
                other.cell.server == baseline && other.cell.asks_the_same_as(&cell.cell)
            };
            let base = estimate(scene.cells.iter().find(same)?, metric)?;
            let figure = estimate(cell, metric)?;
            let quotient = figure.estimate / base.estimate;
            Some(Estimate {
                estimate: quotient,
                low: quotient,
                high: quotient,
                iterations: figure.iterations,
            })
        });
        ratio.filter(is_finite)
    }

    /// How a server is drawn.
    pub(crate) fn look(&self, server: &str) -> Look {
        self.servers
            .iter()
            .find(|known| known.name == server)
            .map(|known| known.look)
            .expect("a run knows the servers of its own cells")
    }

    /// `100 iterations`, or how many of them there are where some cells have fewer.
    pub(crate) fn iterations(&self, cells: &[&CellSummary]) -> String {
        let planned = self.summary.iterations as usize;
        let fewest = cells.iter().map(|cell| cell.completed).min().unwrap_or(0);
        let most = cells.iter().map(|cell| cell.completed).max().unwrap_or(0);
        match (fewest, most) {
            (few, many) if few == many && few == planned => counted(planned as f64, "iteration"),
            (few, many) if few == many => format!("{few} of {}", counted(planned as f64, "iteration")),
            (few, many) => format!("{few} to {many} of {}", counted(planned as f64, "iteration")),
        }
    }

    /// A name for a file: scenario, chart, and the lane where the scenario has several.
    pub(crate) fn stem(&self, scene: &Scene, chart: &str) -> String {
        let first = scene.first();
        let in_other_lane =
            |cell: &CellSummary| cell.cell.scenario == first.scenario && cell.cell.lane != first.lane;
        let stem = format!("{}-{chart}", slug(&first.scenario));
        if self.summary.cells.iter().any(in_other_lane) { format!("{stem}-{}", first.lane) } else { stem }
    }

    /// The line under a title: study, scenario, what all cells have in common.
    pub(crate) fn setting(&self, scene: &Scene) -> String {
        let first = scene.first();
        let mut parts = vec![format!("{} study", self.summary.study), self.iterations(&scene.cells)];
        let same_rate = scene.cells.iter().all(|cell| cell.cell.rate_per_s == first.rate_per_s);
        if first.rate_per_s > 0.0 && same_rate {
            let relay = first.kind == ScenarioKind::Relay;
            let what = if relay { "messages/s published" } else { "ticks/s" };
            parts.push(format!("{} {what}", grouped(first.rate_per_s)));
        }
        parts.extend(match first.arrival {
            Arrival::Constant => None,
            Arrival::Poisson => Some("Poisson arrival".to_owned()),
            Arrival::Burst => Some("in bursts".to_owned()),
            Arrival::Recorded => Some("recorded arrival".to_owned()),
        });
        let facets = scene.facets();
        let same =
            |differs: fn(&Facet) -> u64| facets.iter().all(|facet| differs(facet) == differs(&facets[0]));
        if same(|facet| facet.connections.into()) {
            let noun = if first.kind == ScenarioKind::Relay { "subscriber" } else { "connection" };
            parts.push(counted(first.connections.into(), noun));
        }
        if same(|facet| facet.size_bytes) && first.size_bytes > 0 {
            parts.push(Unit::Bytes.tick(first.size_bytes as f64));
        }
        if first.lane == Lane::Tuned {
            parts.push("tuned".into());
        }
        if first.client != Client::Probe {
            parts.push(format!("{} client", first.client));
        }
        parts.join(" · ")
    }
}

impl<'a> Scene<'a> {
    pub(crate) fn first(&self) -> &'a Cell {
        &self.cells[0].cell
    }

    /// A title, with the scenario's name: several scenarios ask questions of one kind.
    pub(crate) fn title(&self, shown: &str) -> String {
        format!("{shown}: {}", self.first().scenario)
    }

    fn belongs(&self, cell: &Cell) -> bool {
        let first = self.first();
        (&first.scenario, first.lane) == (&cell.scenario, cell.lane)
    }

    /// The same tail less the machine's hiccups, where every cell that has the tail has both.
    pub(crate) fn cleaned(&self, metric: Metric) -> Option<Metric> {
        let cleaned = metric.cleaned()?;
        let mut with_tail = self.cells.iter().filter(|cell| estimate(cell, metric).is_some()).peekable();
        let all = with_tail.peek().is_some() && with_tail.all(|cell| estimate(cell, cleaned).is_some());
        all.then_some(cleaned)
    }

    /// What tells its panels apart, in the order of the study.
    pub(crate) fn facets(&self) -> Vec<Facet> {
        distinct(self.cells.iter().map(|cell| Facet::of(&cell.cell)))
    }

    /// Whether it asks of messages of several sizes, so that each size is a point of a line.
    pub(crate) fn varies_size(&self) -> bool {
        let sizes = distinct(self.cells.iter().map(|cell| cell.cell.size_bytes));
        sizes.len() > 2 && !sizes.contains(&0)
    }

    /// The cells of one facet, one a server.
    pub(crate) fn of(&self, facet: Facet) -> impl Iterator<Item = &'a CellSummary> {
        self.cells.iter().copied().filter(move |cell| Facet::of(&cell.cell) == facet)
    }
}

impl Facet {
    pub(crate) fn of(cell: &Cell) -> Facet {
        Facet {
            encoding: cell.encoding,
            flush: cell.flush,
            connections: cell.connections,
            size_bytes: cell.size_bytes,
            beside: cell.beside,
        }
    }

    /// The encoding, and whatever else differs among the facets beside it.
    pub(crate) fn label(&self, among: &[Facet]) -> String {
        let mut label = encoding_name(self.encoding).to_owned();
        if among.iter().any(|other| other.flush != self.flush) {
            label += &format!(", flushed {}", flush_name(self.flush));
        }
        if among.iter().any(|other| other.connections != self.connections) {
            label += &format!(", {}", counted(self.connections.into(), "connection"));
        }
        if among.iter().any(|other| other.size_bytes != self.size_bytes) {
            label += &match self.size_bytes {
                0 => ", unpadded".to_owned(),
                size => format!(", {}", Unit::Bytes.tick(size as f64)),
            };
        }
        if among.iter().any(|other| other.beside != self.beside) {
            label += &match self.beside {
                Disturbance::Nothing => ", undisturbed".to_owned(),
                beside => format!(", {beside} beside"),
            };
        }
        label
    }
}

/// An encoding as a heading shows it.
pub(crate) fn encoding_name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Json => "JSON",
        Encoding::Binary => "Binary",
    }
}

/// A flush class as a heading shows it.
pub(crate) fn flush_name(flush: Flush) -> &'static str {
    match flush {
        Flush::Each => "after each message",
        Flush::Batch => "in batches",
    }
}

/// An estimate that can be drawn.
pub(crate) fn estimate(cell: &CellSummary, metric: Metric) -> Option<Estimate> {
    cell.figure(metric).copied().filter(is_finite)
}

fn is_finite(estimate: &Estimate) -> bool {
    [estimate.estimate, estimate.low, estimate.high].iter().all(|figure| figure.is_finite())
}

/// Each item once, in the order of its first appearance.
pub(crate) fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for item in items {
        if !distinct.contains(&item) {
            distinct.push(item);
        }
    }
    distinct
}

pub(crate) fn slug(name: &str) -> String {
    let plain = |letter: char| if letter.is_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    name.chars().map(plain).collect()
}
