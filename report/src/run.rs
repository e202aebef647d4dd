//! Everything that a section draws on, and the words that sections share.

use tickbench_record::{
    Arrival, Cell, Client, Disturbance, Encoding, Environment, Flush, Idle, ScenarioKind, Study, Wait,
};
use tickbench_stats::{CellSummary, Metric, Place, Summary, Verdict};

use crate::reason::{self, absent};
use crate::sections::load::offered;
use crate::table::Table;
use crate::units::{Unit, count};

/// A run as the report sees it.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) study: &'a Study,
    pub(crate) environment: &'a Environment,
    pub(crate) summary: &'a Summary,
    /// The server that is no contestant but the measure of the others, where it was measured.
    pub(crate) baseline: Option<&'a str>,
}

/// The cells that were asked the same, in the order of the study.
pub(crate) type Question<'a> = Vec<&'a CellSummary>;

impl<'a> Run<'a> {
    /// The questions of one kind that the instrument asked.
    pub(crate) fn questions(&self, kind: ScenarioKind) -> Vec<Question<'a>> {
        let mut questions = self.summary.questions();
        questions.retain(|asked| asked[0].cell.kind == kind && asked[0].cell.client == Client::Probe);
        // What only the baseline was asked has no contestant: it stands beside what another client saw of it.
        let alone = self.contestants().is_empty();
        questions.retain(|asked| alone || asked.iter().any(|cell| !self.is_baseline(&cell.cell.server)));
        questions
    }

    pub(crate) fn is_baseline(&self, server: &str) -> bool {
        self.baseline == Some(server)
    }

    /// The places of the contestants: all servers but the baseline.
    pub(crate) fn ranking(&self, question: &Question<'a>, metric: Metric) -> Vec<Place<'a>> {
        let contestants: Question<'a> =
            question.iter().copied().filter(|cell| !self.is_baseline(&cell.cell.server)).collect();
        self.summary.ranking(&contestants, metric)
    }

    /// The servers that appear in the summary, in the order of the study.
    pub(crate) fn servers(&self) -> Vec<&'a str> {
        let mut servers: Vec<&str> = Vec::new();
        for cell in self.summary.cells.iter().filter(|cell| !cell.cell.is_control()) {
            if !servers.contains(&cell.cell.server.as_str()) {
                servers.push(&cell.cell.server);
            }
        }
        servers
    }

    /// The same without the baseline.
    pub(crate) fn contestants(&self) -> Vec<&'a str> {
        self.servers().into_iter().filter(|server| !self.is_baseline(server)).collect()
    }

    /// A question in words: its scenario, and whatever tells it from the scenario's other questions.
    pub(crate) fn label(&self, cell: &Cell) -> String {
        let scenario: Vec<&Cell> = self
            .summary
            .cells
            .iter()
            .map(|other| &other.cell)
            .filter(|other| other.scenario == cell.scenario)
            .collect();
        let varies = |differs: &dyn Fn(&Cell) -> bool| scenario.iter().any(|other| differs(other));
        let mut words = vec![cell.scenario.clone()];
        if varies(&|other| other.encoding != cell.encoding) {
            words.push(encoding(cell.encoding).into());
        }
        if varies(&|other| other.flush != cell.flush) {
            words.push(flush(cell.flush).into());
        }
        if varies(&|other| other.connections != cell.connections) {
            words.push(connections(cell.connections));
        }
        if varies(&|other| other.rate_per_s != cell.rate_per_s) {
            words.push(offered(cell.rate_per_s));
        }
        if varies(&|other| other.size_bytes != cell.size_bytes) {
            words.push(format!("{} B", count(cell.size_bytes)));
        }
        if varies(&|other| other.lane != cell.lane) {
            words.push(format!("{} lane", cell.lane));
        }
        if varies(&|other| other.idle != cell.idle) {
            words.push(idle(cell.idle).into());
        }
        if varies(&|other| other.beside != cell.beside) {
            words.push(beside(cell.beside).into());
        }
        if varies(&|other| other.client != cell.client) {
            words.push(format!("{} client", cell.client));
        }
        words.join(", ")
    }

    /// A figure with its interval, or what stands for it where it is missing.
    pub(crate) fn figure(&self, table: &mut Table, cell: &CellSummary, metric: Metric, unit: Unit) -> String {
        match cell.figure(metric) {
            Some(estimate) => unit.with_interval(estimate),
            None => absent(table, cell, metric),
        }
    }

    /// The ratio of a server's figure to another's in the same question.
    pub(crate) fn ratio(
        &self,
        table: &mut Table,
        cell: &CellSummary,
        metric: Metric,
        to: Option<&str>,
    ) -> String {
        let server = cell.cell.server.as_str();
        match to {
            None => table.missing("there is nothing to compare it with"),
            Some(to) if to == server => "1".into(),
            Some(to) => match self.summary.compared(&cell.cell, metric, server, to) {
                Some(compared) => {
                    let ratio = Unit::One.fine_with_interval(&compared.ratio);
                    if compared.verdict == Verdict::NoDifference {
                        let why = match compared.floor {
                            Some(floor) if compared.below_floor => {
                                format!("below the noise floor of {:.1} %: no difference", floor * 100.0)
                            }
                            _ => "no difference that this run can resolve".into(),
                        };
                        format!("{ratio} {}", table.mark(why))
                    } else {
                        ratio
                    }
                }
                None => table.missing(self.no_ratio(cell, metric, to)),
            },
        }
    }

    /// Why two servers are not compared.
    fn no_ratio(&self, cell: &CellSummary, metric: Metric, to: &str) -> String {
        let is_other =
            |other: &&CellSummary| other.cell.server == to && other.cell.asks_the_same_as(&cell.cell);
        let other = self.summary.cells.iter().find(is_other);
        let rows: Vec<&CellSummary> = std::iter::once(cell).chain(other).collect();
        match (other, reason::of_all(&rows, metric)) {
            (None, _) => format!("no ratio: {to} was not asked, or never ran"),
            (_, why) if why.is_empty() => "no ratio: the two completed no iteration in common".into(),
            (_, why) => format!("no ratio; {why}"),
        }
    }
}

/// Whether the client rests between wake-ups.
fn rests(cell: &Cell) -> bool {
    let is_paced = cell.kind.is_paced() || cell.kind == ScenarioKind::Relay;
    is_paced && cell.client == Client::Probe && cell.wait.rest_ns(cell.connections) > 0
}

/// What is asked, in a sentence.
pub(crate) fn workload(cell: &Cell) -> String {
    let what = match (cell.kind, cell.arrival) {
        (ScenarioKind::Throughput, _) => "A flood as fast as backpressure allows".into(),
        (ScenarioKind::Echo, _) => "One message in flight on each connection".into(),
        (ScenarioKind::Capacity, _) => "Ticks at the highest rate that keeps the target".into(),
        (ScenarioKind::Connect, _) => "Connections opened as fast as the server takes them".into(),
        (ScenarioKind::Ping, _) => {
            format!("Nothing but {} pings/s over all connections", count(cell.rate_per_s.round() as u64))
        }
        (ScenarioKind::Relay, _) => {
            format!("{} messages/s published to every subscriber", count(cell.rate_per_s.round() as u64))
        }
        (_, Arrival::Recorded) => "Ticks in the gaps of a capture".into(),
        (_, arrival) => format!(
            "{} ticks/s{}, {} arrival",
            count(cell.rate_per_s.round() as u64),
            if cell.connections > 1 { " in all" } else { "" },
            arrival
        ),
    };
    let size = if cell.size_bytes > 0 { format!(" of {} B", count(cell.size_bytes)) } else { String::new() };
    format!(
        "{what}; {} messages{size}; {}; the client {}{}",
        encoding(cell.encoding),
        connections(cell.connections),
        match cell.wait {
            Wait::Spin => "polls without pause",
            Wait::Block if rests(cell) =>
                "sleeps until there is data, and rests 20 ns a connection between wake-ups",
            Wait::Block => "sleeps until there is data",
        },
        match cell.idle {
            Idle::Sleep => "",
            Idle::Spin => "; the server's core is kept awake",
        }
    )
}

/// What goes on beside the measured stream, in words.
pub(crate) fn beside(beside: Disturbance) -> &'static str {
    match beside {
        Disturbance::Nothing => "undisturbed",
        Disturbance::StoppedReader => "a stopped reader beside",
        Disturbance::SlowReader => "a slow reader beside",
        Disturbance::Vanishing => "vanishing clients beside",
        Disturbance::HalfOpen => "half-open handshakes beside",
        Disturbance::ConnectFlood => "a flood of connects beside",
        Disturbance::Churn => "churn beside",
        Disturbance::PingFlood => "a flood of pings beside",
    }
}

pub(crate) fn connections(connections: u32) -> String {
    match connections {
        1 => "1 connection".into(),
        more => format!("{} connections", count(more.into())),
    }
}

pub(crate) fn encoding(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Json => "JSON",
        Encoding::Binary => "binary",
    }
}

pub(crate) fn idle(idle: Idle) -> &'static str {
    match idle {
        Idle::Sleep => "core free to sleep",
        Idle::Spin => "core kept awake",
    }
}

pub(crate) fn flush(flush: Flush) -> &'static str {
    match flush {
        Flush::Each => "one send a message",
        Flush::Batch => "coalesced sends",
    }
}

/// A metric in words, and the unit of its numbers.
pub(crate) fn metric_words(metric: Metric) -> (&'static str, Unit) {
    match metric {
        Metric::DeliveryP50 => ("p50 delivery", Unit::Micros),
        Metric::DeliveryP99 => ("p99 delivery", Unit::Micros),
        Metric::DeliveryP999 => ("p99.9 delivery", Unit::Micros),
        Metric::DeliveryCleanedP50 => ("p50 delivery, cleaned", Unit::Micros),
        Metric::DeliveryCleanedP99 => ("p99 delivery, cleaned", Unit::Micros),
        Metric::DeliveryCleanedP999 => ("p99.9 delivery, cleaned", Unit::Micros),
        Metric::RoundTripCleanedP50 => ("p50 round trip, cleaned", Unit::Micros),
        Metric::RoundTripCleanedP99 => ("p99 round trip, cleaned", Unit::Micros),
        Metric::RoundTripP50 => ("p50 round trip", Unit::Micros),
        Metric::RoundTripP99 => ("p99 round trip", Unit::Micros),
        Metric::ServerCpuNsPerMessage => ("server CPU time", Unit::Micros),
        Metric::ResponseP50 => ("p50 response", Unit::Micros),
        Metric::ResponseP99 => ("p99 response", Unit::Micros),
        Metric::CapacityPerS => ("capacity at the target", Unit::Millions),
        _ => ("rate", Unit::Millions),
    }
}

/// An estimate with the unit that suits it, for sentences and mixed tables.
pub(crate) fn said(metric: Metric, value: f64) -> String {
    let unit = match metric_words(metric).1 {
        Unit::Millions if value < 1e5 => Unit::Thousands,
        unit => unit,
    };
    match unit.single(value) {
        bound if bound.starts_with('≥') => bound,
        number => format!("{number}{}", unit.word()),
    }
}
