//! A measurement that failed: data, not a crash.

use thiserror::Error;
use tickbench_record::{Reply, Stage};

/// When a measurement failed and why.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct Failure {
    /// When.
    pub stage: Stage,
    /// Why, one sentence.
    pub reason: String,
}

impl Failure {
    /// A failure at `stage`, with its reason in a sentence.
    pub fn new(stage: Stage, reason: impl Into<String>) -> Failure {
        Failure { stage, reason: reason.into() }
    }
}

impl From<Failure> for Reply {
    fn from(Failure { stage, reason }: Failure) -> Reply {
        Reply::Failed { stage, reason }
    }
}
