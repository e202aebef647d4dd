//! How each metric is read from an iteration.

use tickbench_record::{Distribution, Observation, ScenarioKind, Usage};

use crate::Metric;

/// The latencies that an iteration may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Latency {
    Lag,
    Delivery,
    Response,
    RoundTrip,
}

impl Latency {
    pub(crate) fn of(self, observation: &Observation) -> Option<&Distribution> {
        match self {
            Latency::Lag => observation.lag_ns.as_ref(),
            Latency::Delivery => observation.delivery_ns.as_ref(),
            Latency::Response => observation.response_ns.as_ref(),
            Latency::RoundTrip => observation.round_trip_ns.as_ref(),
        }
    }
}

/// The quantiles that a distribution spells out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantile {
    P50,
    P90,
    P99,
    P999,
    P9999,
}

impl Quantile {
    /// The quantile as a number from 0 to 1.
    pub(crate) fn q(self) -> f64 {
        match self {
            Quantile::P50 => 0.5,
            Quantile::P90 => 0.9,
            Quantile::P99 => 0.99,
            Quantile::P999 => 0.999,
            Quantile::P9999 => 0.9999,
        }
    }

    pub(crate) fn of(self, distribution: &Distribution) -> u64 {
        match self {
            Quantile::P50 => distribution.p50,
            Quantile::P90 => distribution.p90,
            Quantile::P99 => distribution.p99,
            Quantile::P999 => distribution.p999,
            Quantile::P9999 => distribution.p9999,
        }
    }
}

/// Where a metric comes from.
pub(crate) enum Source {
    /// A quantile of a latency, in nanoseconds.
    Quantile(Latency, Quantile),
    /// One number an iteration, where the iteration has it.
    Value(fn(&Observation) -> Option<f64>),
}

impl Metric {
    /// Every metric, in the order of its declaration.
    pub const ALL: &[Metric] = &[
        Metric::LagP50,
        Metric::LagP90,
        Metric::LagP99,
        Metric::LagP999,
        Metric::LagP9999,
        Metric::DeliveryP50,
        Metric::DeliveryP90,
        Metric::DeliveryP99,
        Metric::DeliveryP999,
        Metric::DeliveryP9999,
        Metric::ResponseP50,
        Metric::ResponseP90,
        Metric::ResponseP99,
        Metric::ResponseP999,
        Metric::ResponseP9999,
        Metric::RoundTripP50,
        Metric::RoundTripP90,
        Metric::RoundTripP99,
        Metric::RoundTripP999,
        Metric::RoundTripP9999,
        Metric::MessagesPerS,
        Metric::BytesPerS,
        Metric::MessagesPerRead,
        Metric::ConnectNs,
        Metric::ServerCpuShare,
        Metric::ServerCpuNsPerMessage,
        Metric::ServerRssBytes,
        Metric::ServerRssPeakBytes,
        Metric::ServerVoluntarySwitchesPerS,
        Metric::ServerInvoluntarySwitchesPerS,
        Metric::ClientCpuShare,
        Metric::ClientCpuNsPerMessage,
    ];

    /// The metrics on which servers are compared in a scenario of this kind.
    pub fn deciding(kind: ScenarioKind) -> &'static [Metric] {
        match kind {
            ScenarioKind::Latency | ScenarioKind::Scaling => &[Metric::DeliveryP50, Metric::DeliveryP99],
            ScenarioKind::Throughput => &[Metric::MessagesPerS],
            ScenarioKind::Echo => &[Metric::RoundTripP50, Metric::MessagesPerS],
        }
    }

    /// Whether more of it is better: a rate. Of all others, less is.
    pub fn higher_is_better(self) -> bool {
        matches!(self, Metric::MessagesPerS | Metric::BytesPerS)
    }

    /// The quantile that it is, from 0 to 1, or `None` where it is none.
    pub fn quantile(self) -> Option<f64> {
        match self.source() {
            Source::Quantile(_, quantile) => Some(quantile.q()),
            Source::Value(_) => None,
        }
    }

    pub(crate) fn source(self) -> Source {
        use Latency::{Delivery, Lag, Response, RoundTrip};
        use Quantile::{P50, P90, P99, P999, P9999};
        let quantile = Source::Quantile;
        match self {
            Metric::LagP50 => quantile(Lag, P50),
            Metric::LagP90 => quantile(Lag, P90),
            Metric::LagP99 => quantile(Lag, P99),
            Metric::LagP999 => quantile(Lag, P999),
            Metric::LagP9999 => quantile(Lag, P9999),
            Metric::DeliveryP50 => quantile(Delivery, P50),
            Metric::DeliveryP90 => quantile(Delivery, P90),
            Metric::DeliveryP99 => quantile(Delivery, P99),
            Metric::DeliveryP999 => quantile(Delivery, P999),
            Metric::DeliveryP9999 => quantile(Delivery, P9999),
            Metric::ResponseP50 => quantile(Response, P50),
            Metric::ResponseP90 => quantile(Response, P90),
            Metric::ResponseP99 => quantile(Response, P99),
            Metric::ResponseP999 => quantile(Response, P999),
            Metric::ResponseP9999 => quantile(Response, P9999),
            Metric::RoundTripP50 => quantile(RoundTrip, P50),
            Metric::RoundTripP90 => quantile(RoundTrip, P90),
            Metric::RoundTripP99 => quantile(RoundTrip, P99),
            Metric::RoundTripP999 => quantile(RoundTrip, P999),
            Metric::RoundTripP9999 => quantile(RoundTrip, P9999),
            Metric::MessagesPerS => Source::Value(|seen| Some(seen.messages_per_s)),
            Metric::BytesPerS => Source::Value(|seen| Some(seen.bytes_per_s)),
            Metric::MessagesPerRead => Source::Value(messages_per_read),
            Metric::ConnectNs => Source::Value(|seen| Some(seen.connect_ns as f64)),
            Metric::ServerCpuShare => Source::Value(|seen| Some(seen.server_usage?.cpu_share)),
            Metric::ServerCpuNsPerMessage => Source::Value(|seen| per_message(seen, seen.server_usage?)),
            Metric::ServerRssBytes => Source::Value(|seen| Some(seen.server_usage?.rss_bytes as f64)),
            Metric::ServerRssPeakBytes => {
                Source::Value(|seen| Some(seen.server_usage?.rss_peak_bytes as f64))
            }
            Metric::ServerVoluntarySwitchesPerS => {
                Source::Value(|seen| per_s(seen.server_usage?, |usage| usage.voluntary_switches))
            }
            Metric::ServerInvoluntarySwitchesPerS => {
                Source::Value(|seen| per_s(seen.server_usage?, |usage| usage.involuntary_switches))
            }
            Metric::ClientCpuShare => Source::Value(|seen| Some(seen.client_usage?.cpu_share)),
            Metric::ClientCpuNsPerMessage => Source::Value(|seen| per_message(seen, seen.client_usage?)),
        }
    }
}

fn messages_per_read(seen: &Observation) -> Option<f64> {
    (seen.reads > 0).then(|| seen.received as f64 / seen.reads as f64)
}

fn per_message(seen: &Observation, usage: Usage) -> Option<f64> {
    (seen.received > 0).then_some(usage.cpu_ns_per_message)
}

fn per_s(usage: Usage, count: impl Fn(&Usage) -> u64) -> Option<f64> {
    (usage.interval_ns > 0).then(|| count(&usage) as f64 * 1e9 / usage.interval_ns as f64)
}
