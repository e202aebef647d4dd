//! A histogram of one figure over one iteration, with its usual quantiles spelled out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Bucket, StoredHistogram};

/// The largest value that is told apart from larger ones, in nanoseconds: one hour.
pub const HIGHEST_NS: u64 = 3_600_000_000_000;

/// Decimal digits that a recorded value keeps: an error of at most 0.1 %.
pub const SIGNIFICANT_DIGITS: u8 = 3;

/// An empty histogram of nanoseconds, as every measurement uses it: 1 ns to [`HIGHEST_NS`], larger values saturate and are
/// counted in [`Distribution::beyond`].
pub fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, HIGHEST_NS, SIGNIFICANT_DIGITS).expect("the bounds are valid")
}

/// Samples below which the quantile `q` (0..1) says nothing: ten must be expected beyond it, 10 / (1 − q).
pub fn samples_needed(q: f64) -> u64 {
    (10.0 / (1.0 - q)).round() as u64
}

/// One figure over one iteration. Values are nanoseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// How many samples.
    pub count: u64,
    /// The smallest.
    pub min: u64,
    /// The median.
    pub p50: u64,
    /// The 0.9 quantile.
    pub p90: u64,
    /// The 0.99 quantile.
    pub p99: u64,
    /// The 0.999 quantile.
    pub p999: u64,
    /// The 0.9999 quantile.
    pub p9999: u64,
    /// The largest.
    pub max: u64,
    /// The arithmetic mean.
    pub mean: f64,
    /// How many of the samples are beyond [`HIGHEST_NS`]; they are counted as that value, so that a quantile which reaches them is a
    /// lower bound.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub beyond: u64,
    /// The histogram: HdrHistogram V2, compressed, base64.
    pub histogram: StoredHistogram,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Why a stored histogram cannot be read.
#[derive(Debug, Error)]
pub enum DistributionError {
    /// The text is no base64.
    #[error("histogram is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// The bytes are no compressed V2 histogram.
    #[error("histogram is not a compressed HdrHistogram V2: {0}")]
    Histogram(#[from] hdrhistogram::serialization::DeserializeError),
    /// The bytes are not laid out as a compressed V2 histogram is.
    #[error("histogram is not a compressed HdrHistogram V2: {0}")]
    Layout(&'static str),
}

impl Distribution {
    /// The distribution of a histogram, none of whose samples is beyond [`HIGHEST_NS`]; `None` where it is empty.
    pub fn of(histogram: &Histogram<u64>) -> Option<Distribution> {
        if histogram.is_empty() {
            return None;
        }
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(histogram, &mut bytes).expect("writing to memory does not fail");
        Some(Distribution {
            count: histogram.len(),
            min: histogram.min(),
            p50: histogram.value_at_quantile(0.5),
            p90: histogram.value_at_quantile(0.9),
            p99: histogram.value_at_quantile(0.99),
            p999: histogram.value_at_quantile(0.999),
            p9999: histogram.value_at_quantile(0.9999),
            max: histogram.max(),
            mean: histogram.mean(),
            beyond: 0,
            histogram: STANDARD.encode(bytes).into(),
        })
    }

    /// The histogram itself, to be merged with others: quantiles are never averaged.
    pub fn histogram(&self) -> Result<Histogram<u64>, DistributionError> {
        Ok(Deserializer::new().deserialize(&mut self.histogram.bytes()?.as_slice())?)
    }

    /// The filled buckets of the histogram, smallest value first: all that merging needs, without
    /// the array of all counts that is made by [`histogram`](Distribution::histogram).
    pub fn buckets(&self) -> Result<Vec<Bucket>, DistributionError> {
        self.histogram.buckets()
    }
}
