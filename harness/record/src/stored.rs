//! A histogram as a record stores it, unpacked once however often it is looked at.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::buckets::{self, Inflated};
use crate::{Bucket, DistributionError};

/// A histogram in HdrHistogram's compressed V2 encoding, as base64.
///
/// Whoever reads a record checks its histograms, and a report merges them: what unpacking gives is kept, some thousand bytes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoredHistogram {
    text: String,
    #[serde(skip)]
    inflated: OnceLock<Inflated>,
}

impl StoredHistogram {
    /// The encoding, in base64.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The bytes of the encoding.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, DistributionError> {
        Ok(STANDARD.decode(&self.text)?)
    }

    /// The filled buckets, smallest value first.
    pub(crate) fn buckets(&self) -> Result<Vec<Bucket>, DistributionError> {
        self.inflated()?.buckets()
    }

    pub(crate) fn inflated(&self) -> Result<&Inflated, DistributionError> {
        if let Some(inflated) = self.inflated.get() {
            return Ok(inflated);
        }
        let inflated = buckets::inflate(&self.bytes()?)?;
        Ok(self.inflated.get_or_init(|| inflated))
    }
}

impl PartialEq for StoredHistogram {
    fn eq(&self, other: &StoredHistogram) -> bool {
        self.text == other.text
    }
}

impl From<String> for StoredHistogram {
    fn from(text: String) -> StoredHistogram {
        StoredHistogram { text, inflated: OnceLock::new() }
    }
}
