//! The metrics, and how each is read from an iteration.

use serde::Serialize;
use tickbench_record::{Band, Distribution, Observation, Usage};

/// The latencies that an iteration may hold. A cleaned one is without the samples that a hiccup of the machine may have delayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Latency {
    Lag,
    LagCleaned,
    Delivery,
    DeliveryCleaned,
    Response,
    RoundTrip,
    RoundTripCleaned,
    Handshake,
    FirstTick,
    PublishLag,
    Skew,
}

impl Latency {
    /// Those that hold every sample: none is a part of another.
    const WHOLE: [Latency; 8] = [
        Latency::Lag,
        Latency::Delivery,
        Latency::Response,
        Latency::RoundTrip,
        Latency::Handshake,
        Latency::FirstTick,
        Latency::PublishLag,
        Latency::Skew,
    ];

    /// Samples of an iteration that are beyond the range of the histograms.
    pub(crate) fn beyond(observation: &Observation) -> u64 {
        let beyond = |latency: Latency| latency.of(observation).map_or(0, |figure| figure.beyond);
        Latency::WHOLE.into_iter().map(beyond).sum()
    }

    pub(crate) fn of(self, observation: &Observation) -> Option<&Distribution> {
        match self {
            Latency::Lag => observation.lag_ns.as_ref(),
            Latency::LagCleaned => observation.lag_cleaned_ns.as_ref(),
            Latency::Delivery => observation.delivery_ns.as_ref(),
            Latency::DeliveryCleaned => observation.delivery_cleaned_ns.as_ref(),
            Latency::Response => observation.response_ns.as_ref(),
            Latency::RoundTrip => observation.round_trip_ns.as_ref(),
            Latency::RoundTripCleaned => observation.round_trip_cleaned_ns.as_ref(),
            Latency::Handshake => observation.handshake_ns.as_ref(),
            Latency::FirstTick => observation.first_tick_ns.as_ref(),
            Latency::PublishLag => observation.publish_lag_ns.as_ref(),
            Latency::Skew => observation.skew_ns.as_ref(),
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

const fn quantile(latency: Latency, quantile: Quantile) -> Source {
    Source::Quantile(latency, quantile)
}

macro_rules! metrics {
    ($($name:ident = $source:expr,)+) => {
        /// A figure of a cell.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "snake_case")]
        #[allow(
            missing_docs,
            reason = "each is the field of the measurement of the same name, `P` before its quantile, `Cleaned` where samples \
                      that a hiccup may have delayed are set aside; `SetAsideShare` tells how many"
        )]
        pub enum Metric { $($name),+ }

        impl Metric {
            /// Every metric, in the order of its declaration.
            pub const ALL: &[Metric] = &[$(Metric::$name),+];

            pub(crate) fn source(self) -> Source {
                match self { $(Metric::$name => $source),+ }
            }
        }
    };
}

metrics! {
    LagP50 = quantile(Latency::Lag, Quantile::P50),
    LagP90 = quantile(Latency::Lag, Quantile::P90),
    LagP99 = quantile(Latency::Lag, Quantile::P99),
    LagP999 = quantile(Latency::Lag, Quantile::P999),
    LagP9999 = quantile(Latency::Lag, Quantile::P9999),
    LagCleanedP50 = quantile(Latency::LagCleaned, Quantile::P50),
    LagCleanedP90 = quantile(Latency::LagCleaned, Quantile::P90),
    LagCleanedP99 = quantile(Latency::LagCleaned, Quantile::P99),
    LagCleanedP999 = quantile(Latency::LagCleaned, Quantile::P999),
    LagCleanedP9999 = quantile(Latency::LagCleaned, Quantile::P9999),
    DeliveryP50 = quantile(Latency::Delivery, Quantile::P50),
    DeliveryP90 = quantile(Latency::Delivery, Quantile::P90),
    DeliveryP99 = quantile(Latency::Delivery, Quantile::P99),
    DeliveryP999 = quantile(Latency::Delivery, Quantile::P999),
    DeliveryP9999 = quantile(Latency::Delivery, Quantile::P9999),
    DeliveryCleanedP50 = quantile(Latency::DeliveryCleaned, Quantile::P50),
    DeliveryCleanedP90 = quantile(Latency::DeliveryCleaned, Quantile::P90),
    DeliveryCleanedP99 = quantile(Latency::DeliveryCleaned, Quantile::P99),
    DeliveryCleanedP999 = quantile(Latency::DeliveryCleaned, Quantile::P999),
    DeliveryCleanedP9999 = quantile(Latency::DeliveryCleaned, Quantile::P9999),
    ResponseP50 = quantile(Latency::Response, Quantile::P50),
    ResponseP90 = quantile(Latency::Response, Quantile::P90),
    ResponseP99 = quantile(Latency::Response, Quantile::P99),
    ResponseP999 = quantile(Latency::Response, Quantile::P999),
    ResponseP9999 = quantile(Latency::Response, Quantile::P9999),
    RoundTripP50 = quantile(Latency::RoundTrip, Quantile::P50),
    RoundTripP90 = quantile(Latency::RoundTrip, Quantile::P90),
    RoundTripP99 = quantile(Latency::RoundTrip, Quantile::P99),
    RoundTripP999 = quantile(Latency::RoundTrip, Quantile::P999),
    RoundTripP9999 = quantile(Latency::RoundTrip, Quantile::P9999),
    RoundTripCleanedP50 = quantile(Latency::RoundTripCleaned, Quantile::P50),
    RoundTripCleanedP90 = quantile(Latency::RoundTripCleaned, Quantile::P90),
    RoundTripCleanedP99 = quantile(Latency::RoundTripCleaned, Quantile::P99),
    RoundTripCleanedP999 = quantile(Latency::RoundTripCleaned, Quantile::P999),
    RoundTripCleanedP9999 = quantile(Latency::RoundTripCleaned, Quantile::P9999),
    HandshakeP50 = quantile(Latency::Handshake, Quantile::P50),
    HandshakeP90 = quantile(Latency::Handshake, Quantile::P90),
    HandshakeP99 = quantile(Latency::Handshake, Quantile::P99),
    HandshakeP999 = quantile(Latency::Handshake, Quantile::P999),
    HandshakeP9999 = quantile(Latency::Handshake, Quantile::P9999),
    FirstTickP50 = quantile(Latency::FirstTick, Quantile::P50),
    FirstTickP90 = quantile(Latency::FirstTick, Quantile::P90),
    FirstTickP99 = quantile(Latency::FirstTick, Quantile::P99),
    FirstTickP999 = quantile(Latency::FirstTick, Quantile::P999),
    FirstTickP9999 = quantile(Latency::FirstTick, Quantile::P9999),
    MessagesPerS = Source::Value(|seen| Some(seen.messages_per_s)),
    BytesPerS = Source::Value(|seen| Some(seen.bytes_per_s)),
    MessagesPerRead = Source::Value(per_read),
    // Where connections are opened in turn, there is no time at which all are open.
    ConnectNs = Source::Value(|seen| seen.handshake_ns.is_none().then_some(seen.connect_ns as f64)),
    ServerCpuShare = Source::Value(|seen| Some(seen.server_usage?.cpu_share)),
    ServerCpuNsPerMessage = Source::Value(|seen| per_message(seen, seen.server_usage?)),
    ServerRssBytes = Source::Value(|seen| Some(seen.server_usage?.rss_bytes as f64)),
    ServerRssPeakBytes = Source::Value(|seen| Some(seen.server_usage?.rss_peak_bytes as f64)),
    ServerPssBytes = Source::Value(|seen| Some(seen.server_memory_after?.pss_bytes as f64)),
    ServerVoluntarySwitchesPerS = Source::Value(|seen| per_s(seen.server_usage?, |usage| usage.voluntary_switches)),
    ServerInvoluntarySwitchesPerS = Source::Value(|seen| per_s(seen.server_usage?, |usage| usage.involuntary_switches)),
    ServerSetAsideShare = Source::Value(|seen| over(seen.server_hiccups?.set_aside, seen.received)),
    ClientCpuShare = Source::Value(|seen| Some(seen.client_usage?.cpu_share)),
    ClientCpuNsPerMessage = Source::Value(|seen| per_message(seen, seen.client_usage?)),
    ClientSetAsideShare = Source::Value(|seen| over(seen.client_hiccups?.set_aside, seen.received)),
    StagesMedianLagNs = Source::Value(|seen| Some(seen.stages?.median?.lag_ns)),
    StagesMedianNetworkNs = Source::Value(|seen| Some(seen.stages?.median?.network_ns)),
    StagesMedianWakeNs = Source::Value(|seen| Some(seen.stages?.median?.wake_ns)),
    StagesMedianUnsplitNs = Source::Value(|seen| Some(seen.stages?.median?.unsplit_ns)),
    StagesMedianResponseNs = Source::Value(|seen| Some(seen.stages?.median?.response_ns)),
    StagesMedianStampedShare = Source::Value(|seen| stamped(seen.stages?.median?)),
    StagesSlowest100thLagNs = Source::Value(|seen| Some(seen.stages?.slowest_100th?.lag_ns)),
    StagesSlowest100thNetworkNs = Source::Value(|seen| Some(seen.stages?.slowest_100th?.network_ns)),
    StagesSlowest100thWakeNs = Source::Value(|seen| Some(seen.stages?.slowest_100th?.wake_ns)),
    StagesSlowest100thUnsplitNs = Source::Value(|seen| Some(seen.stages?.slowest_100th?.unsplit_ns)),
    StagesSlowest100thResponseNs = Source::Value(|seen| Some(seen.stages?.slowest_100th?.response_ns)),
    StagesSlowest100thStampedShare = Source::Value(|seen| stamped(seen.stages?.slowest_100th?)),
    StagesSlowest1000thLagNs = Source::Value(|seen| Some(seen.stages?.slowest_1000th?.lag_ns)),
    StagesSlowest1000thNetworkNs = Source::Value(|seen| Some(seen.stages?.slowest_1000th?.network_ns)),
    StagesSlowest1000thWakeNs = Source::Value(|seen| Some(seen.stages?.slowest_1000th?.wake_ns)),
    StagesSlowest1000thUnsplitNs = Source::Value(|seen| Some(seen.stages?.slowest_1000th?.unsplit_ns)),
    StagesSlowest1000thResponseNs = Source::Value(|seen| Some(seen.stages?.slowest_1000th?.response_ns)),
    StagesSlowest1000thStampedShare = Source::Value(|seen| stamped(seen.stages?.slowest_1000th?)),
    StagesClockBoundNs = Source::Value(|seen| Some(seen.stages?.clock_bound_ns as f64)),
    PublishLagP50 = quantile(Latency::PublishLag, Quantile::P50),
    PublishLagP99 = quantile(Latency::PublishLag, Quantile::P99),
    SkewP50 = quantile(Latency::Skew, Quantile::P50),
    SkewP99 = quantile(Latency::Skew, Quantile::P99),
    SkewP999 = quantile(Latency::Skew, Quantile::P999),
    ServerRssGrowthBytes = Source::Value(rss_growth),
    DisturberShare = Source::Value(|seen| over(seen.disturbed.as_ref()?.client_ns, seen.elapsed_ns)),
    CapacityPerS = Source::Value(|seen| Some(seen.capacity.as_ref()?.rate_per_s)),
    // Of what was due in the window, the share that was sent before its end.
    AchievedShare = Source::Value(|seen| over(seen.accounts?.sent_in_window, seen.sent)),
    // A constant lag that a server hides in the start of its schedule is in here.
    StartAfterUpgradeNs = Source::Value(|seen| Some(seen.accounts?.start_after_upgrade_ns? as f64)),
}

/// Raw tails, each with the same less the machine's hiccups.
const CLEANED: [(Metric, Metric); 15] = [
    (Metric::LagP50, Metric::LagCleanedP50),
    (Metric::LagP90, Metric::LagCleanedP90),
    (Metric::LagP99, Metric::LagCleanedP99),
    (Metric::LagP999, Metric::LagCleanedP999),
    (Metric::LagP9999, Metric::LagCleanedP9999),
    (Metric::DeliveryP50, Metric::DeliveryCleanedP50),
    (Metric::DeliveryP90, Metric::DeliveryCleanedP90),
    (Metric::DeliveryP99, Metric::DeliveryCleanedP99),
    (Metric::DeliveryP999, Metric::DeliveryCleanedP999),
    (Metric::DeliveryP9999, Metric::DeliveryCleanedP9999),
    (Metric::RoundTripP50, Metric::RoundTripCleanedP50),
    (Metric::RoundTripP90, Metric::RoundTripCleanedP90),
    (Metric::RoundTripP99, Metric::RoundTripCleanedP99),
    (Metric::RoundTripP999, Metric::RoundTripCleanedP999),
    (Metric::RoundTripP9999, Metric::RoundTripCleanedP9999),
];

impl Metric {
    /// The same tail less the machine's hiccups, of a raw one; `None` of any other metric.
    pub fn cleaned(self) -> Option<Metric> {
        CLEANED.iter().find(|(raw, _)| *raw == self).map(|(_, cleaned)| *cleaned)
    }

    /// The raw tail, of one less the machine's hiccups; `None` of any other metric.
    pub fn raw(self) -> Option<Metric> {
        CLEANED.iter().find(|(_, cleaned)| *cleaned == self).map(|(raw, _)| *raw)
    }

    /// Whether more of it is better: a rate. Of all others, less is.
    pub fn higher_is_better(self) -> bool {
        matches!(self, Metric::MessagesPerS | Metric::BytesPerS | Metric::CapacityPerS)
    }

    /// The quantile that it is, from 0 to 1, or `None` where it is none.
    pub fn quantile(self) -> Option<f64> {
        match self.source() {
            Source::Quantile(_, quantile) => Some(quantile.q()),
            Source::Value(_) => None,
        }
    }
}

/// How much more memory the server holds at the end of a relay's window than before it; less than nothing where it gave some back.
fn rss_growth(seen: &Observation) -> Option<f64> {
    let before = seen.relayed.as_ref()?.server_rss_start_bytes?;
    Some(seen.server_usage?.rss_bytes as f64 - before as f64)
}

/// Both are of what came while the window was open.
fn per_read(seen: &Observation) -> Option<f64> {
    let received = (seen.messages_per_s * seen.elapsed_ns as f64 / 1e9).round();
    (seen.reads > 0).then(|| received / seen.reads as f64)
}

fn over(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn stamped(band: Band) -> Option<f64> {
    over(band.stamped, band.messages)
}

fn per_message(seen: &Observation, usage: Usage) -> Option<f64> {
    (seen.received > 0).then_some(usage.cpu_ns_per_message)
}

fn per_s(usage: Usage, count: impl Fn(&Usage) -> u64) -> Option<f64> {
    (usage.interval_ns > 0).then(|| count(&usage) as f64 * 1e9 / usage.interval_ns as f64)
}
