//! The metrics of stages, band by band, for those who show them.

use crate::Metric;

/// Messages of about the same response, and the metrics that say where their time went. Each is a mean over the messages of an
/// iteration; the first four add up to the response there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageBand {
    /// What it is called.
    pub name: &'static str,
    /// Which messages it holds.
    pub messages: &'static str,
    /// Due to sent: the server behind its schedule.
    pub lag: Metric,
    /// Sent to kernel: the framework, and the server's side of the kernel.
    pub network: Metric,
    /// Kernel to client: the client's side of the kernel, and its read.
    pub wake: Metric,
    /// Sent to client, of messages that have no kernel timestamp of their own.
    pub unsplit: Metric,
    /// Due to client.
    pub response: Metric,
    /// The share of the messages that have a kernel timestamp of their own.
    pub stamped: Metric,
}

impl StageBand {
    /// All bands, the usual messages first.
    pub const ALL: [StageBand; 3] = [
        StageBand {
            name: "median",
            messages: "the middle 10 % of the messages by response",
            lag: Metric::StagesMedianLagNs,
            network: Metric::StagesMedianNetworkNs,
            wake: Metric::StagesMedianWakeNs,
            unsplit: Metric::StagesMedianUnsplitNs,
            response: Metric::StagesMedianResponseNs,
            stamped: Metric::StagesMedianStampedShare,
        },
        StageBand {
            name: "slowest 1 %",
            messages: "the 1 % of the messages with the longest response",
            lag: Metric::StagesSlowest100thLagNs,
            network: Metric::StagesSlowest100thNetworkNs,
            wake: Metric::StagesSlowest100thWakeNs,
            unsplit: Metric::StagesSlowest100thUnsplitNs,
            response: Metric::StagesSlowest100thResponseNs,
            stamped: Metric::StagesSlowest100thStampedShare,
        },
        StageBand {
            name: "slowest 0.1 %",
            messages: "the 0.1 % of the messages with the longest response",
            lag: Metric::StagesSlowest1000thLagNs,
            network: Metric::StagesSlowest1000thNetworkNs,
            wake: Metric::StagesSlowest1000thWakeNs,
            unsplit: Metric::StagesSlowest1000thUnsplitNs,
            response: Metric::StagesSlowest1000thResponseNs,
            stamped: Metric::StagesSlowest1000thStampedShare,
        },
    ];

    /// The stages in the order in which a message passes through them, what cannot be split last.
    pub fn stages(&self) -> [Metric; 4] {
        [self.lag, self.network, self.wake, self.unsplit]
    }
}
