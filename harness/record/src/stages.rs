//! Where the time of a message goes: from when it was due to when the client had it.

use serde::{Deserialize, Serialize};

/// The stages of the messages of one window, told apart by the time at which the kernel took in the last segment of each.
///
/// Messages that a hiccup of the client's core may have delayed are in no band, where the client watched for them.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Stages {
    /// Messages of the window that have a kernel timestamp of their own: the last one of a read that left nothing over.
    pub stamped: u64,
    /// Kernel timestamps that are before `sent` or after `received` by more than the clocks' bound: there must be none.
    pub misplaced: u64,
    /// How far off a kernel timestamp on the client's clock may be: the kernel stamps by CLOCK_REALTIME.
    pub clock_bound_ns: u64,
    /// The middle tenth, by response.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub median: Option<Band>,
    /// The hundredth with the longest response.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub slowest_100th: Option<Band>,
    /// The thousandth with the longest response.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub slowest_1000th: Option<Band>,
}

/// The messages with about the same response: means over them, in nanoseconds. The four stages add up to the response.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Band {
    /// How many messages: at least [`Band::FEWEST`].
    pub messages: u64,
    /// How many of them have a kernel timestamp of their own.
    pub stamped: u64,
    /// `sent - due`: the server behind its schedule.
    pub lag_ns: f64,
    /// `kernel - sent`, where a message is stamped, and 0 where not: the framework, and the server's side of the kernel.
    pub network_ns: f64,
    /// `received - kernel`, where a message is stamped, and 0 where not: the client's side of the kernel, and its read.
    pub wake_ns: f64,
    /// `received - sent` of the messages without a timestamp, and 0 of the others: what cannot be told apart.
    pub unsplit_ns: f64,
    /// `received - due`.
    pub response_ns: f64,
}

impl Band {
    /// A mean of fewer messages says nothing.
    pub const FEWEST: u64 = 10;

    /// The stages together: the response, but for rounding.
    pub fn sum_ns(&self) -> f64 {
        self.lag_ns + self.network_ns + self.wake_ns + self.unsplit_ns
    }
}
