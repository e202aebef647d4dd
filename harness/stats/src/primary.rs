//! The metrics that decide a question.

use tickbench_record::ScenarioKind;

use crate::{CellSummary, Metric};

impl Metric {
    /// The metrics on which the servers of one question are compared: those less the machine's hiccups where every cell with
    /// figures has them, and the raw ones where one has not.
    ///
    /// Raw p99.9 decides nothing: one bad iteration is its whole tail, and belongs to the machine.
    pub fn primary(question: &[&CellSummary]) -> Vec<Metric> {
        let Some(first) = question.first() else { return Vec::new() };
        let mut with_figures = question.iter().filter(|cell| cell.completed > 0);
        if first.cell.kind == ScenarioKind::Connect && !with_figures.all(|cell| cell.server_was_busy()) {
            // The rate is the client's then, or the machine's; what a connection costs the server is its own all the same.
            return vec![Metric::ServerCpuNsPerMessage];
        }
        let mut with_figures = question.iter().filter(|cell| cell.completed > 0).peekable();
        let any = with_figures.peek().is_some();
        let has = |metric| any && with_figures.all(|cell| cell.estimates.contains_key(&metric));
        Metric::primary_where(first.cell.kind, has).into()
    }

    /// The metrics that decide a question of this kind, where `has` tells whether all that is compared has a metric.
    pub fn primary_where(kind: ScenarioKind, has: impl FnOnce(Metric) -> bool) -> &'static [Metric] {
        let (cleaned, raw): (&[Metric], &[Metric]) = match kind {
            ScenarioKind::Latency | ScenarioKind::Scaling | ScenarioKind::Relay => (
                &[Metric::DeliveryCleanedP50, Metric::DeliveryCleanedP99, Metric::DeliveryCleanedP999],
                &[Metric::DeliveryP50, Metric::DeliveryP99],
            ),
            ScenarioKind::Load => return &[Metric::ResponseP50, Metric::ResponseP99],
            ScenarioKind::Ping => (
                &[Metric::RoundTripCleanedP50, Metric::RoundTripCleanedP99],
                &[Metric::RoundTripP50, Metric::RoundTripP99],
            ),
            ScenarioKind::Connect => return &[Metric::MessagesPerS, Metric::ServerCpuNsPerMessage],
            ScenarioKind::Echo => (
                &[Metric::RoundTripCleanedP50, Metric::MessagesPerS],
                &[Metric::RoundTripP50, Metric::MessagesPerS],
            ),
            ScenarioKind::Capacity => return &[Metric::CapacityPerS],
            ScenarioKind::Throughput => return &[Metric::MessagesPerS],
        };
        if has(cleaned[0]) { cleaned } else { raw }
    }
}

/// The first of the metrics that decide each cell's question.
pub(crate) fn of_each(cells: &[CellSummary]) -> Vec<Option<Metric>> {
    let asked = |one: &CellSummary| -> Vec<&CellSummary> {
        cells.iter().filter(|other| other.cell.asks_the_same_as(&one.cell)).collect()
    };
    cells.iter().map(|cell| Metric::primary(&asked(cell)).first().copied()).collect()
}
