//! An answer other than the one that was asked for.

use std::fmt;

use tickbench_protocol::QueryError;

/// Why a request is not served: an HTTP status and the sentence that is the answer's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// 400 where the request is wrong, 500 where the server cannot.
    pub status: u16,
    /// What is wrong, and what to do about it.
    pub sentence: String,
}

impl Refusal {
    /// A refusal of a wrong request: HTTP 400.
    pub fn bad_request(sentence: impl fmt::Display) -> Refusal {
        Refusal { status: 400, sentence: sentence.to_string() }
    }

    /// A refusal of a path that PROTOCOL.md does not have: HTTP 404.
    pub fn unknown_path(path: &str) -> Refusal {
        Refusal { status: 404, sentence: format!("there is no {path}: ask for /, /echo, /ticks or /relay") }
    }

    /// A refusal of a request that the server has no means to serve: HTTP 500.
    pub fn incapable(sentence: impl fmt::Display) -> Refusal {
        Refusal { status: 500, sentence: sentence.to_string() }
    }
}

impl From<QueryError> for Refusal {
    fn from(error: QueryError) -> Refusal {
        Refusal::bad_request(error)
    }
}
