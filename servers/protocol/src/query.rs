//! What a client asks of `/ticks` and `/relay`, read from the query of the request.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use thiserror::Error;

use crate::MAX_MESSAGE_BYTES;
use crate::arrival::Arrival;
use crate::codec::{BINARY_TICK_BYTES, MIN_JSON_SIZE};

/// How a tick is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// A JSON market update in a text message.
    Json,
    /// A fixed little-endian layout in a binary message.
    Binary,
}

/// When a message leaves the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flush {
    /// Each message as a user's `send` call would.
    Each,
    /// Several messages at once, in the framework's own way.
    Batch,
}

/// What a connection to `/relay` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RelayRole {
    /// Gets every message that is published.
    Subscriber,
    /// Sends messages to all subscribers.
    Publisher,
}

/// A checked query of `/ticks`.
#[derive(Debug, Clone, PartialEq)]
pub struct TicksQuery {
    /// `encoding=json|binary`, JSON by default.
    pub encoding: Encoding,
    /// `rate=N`, ticks a second; 0 is a flood. 1,000 by default; `None` where [`Arrival::Recorded`] sets the pace.
    pub rate_per_s: Option<f64>,
    /// `count=N`: after so many ticks the server closes with code 1000. `None` (or `count=0`) is endless.
    pub count: Option<u64>,
    /// `size=BYTES`: pad each message to this size; 0, the default, pads nothing.
    pub size_bytes: usize,
    /// `seed=N` of the feed and of Poisson arrivals; 1 by default.
    pub seed: u64,
    /// `flush=each|batch`, each by default.
    pub flush: Flush,
    /// `arrival=constant|poisson|burst|recorded`; recorded by default where there is a feed and no rate.
    pub arrival: Arrival,
    /// `feed=FILE`: payloads of this capture in place of the generated feed.
    pub feed: Option<PathBuf>,
    /// `speed=X` divides the recorded gaps; 1 by default.
    pub speed: f64,
}

/// Why a query is refused: the body of the HTTP 400 answer, one sentence.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct QueryError(String);

impl QueryError {
    /// A refusal with this sentence.
    pub fn new(sentence: impl Into<String>) -> QueryError {
        QueryError(sentence.into())
    }
}

impl Default for TicksQuery {
    fn default() -> Self {
        TicksQuery {
            encoding: Encoding::Json,
            rate_per_s: Some(1000.0),
            count: None,
            size_bytes: 0,
            seed: 1,
            flush: Flush::Each,
            arrival: Arrival::Constant,
            feed: None,
            speed: 1.0,
        }
    }
}

impl TicksQuery {
    /// Reads the part of a request target behind `?` (empty where there is none).
    pub fn parse(query: &str) -> Result<TicksQuery, QueryError> {
        let mut parsed = TicksQuery::default();
        let (mut rate, mut arrival) = (None, None);
        for (key, value) in pairs(query)? {
            match key.as_str() {
                "encoding" => parsed.encoding = word(&key, &value, &ENCODINGS)?,
                "flush" => parsed.flush = word(&key, &value, &FLUSHES)?,
                "arrival" => arrival = Some(word(&key, &value, &ARRIVALS)?),
                "rate" => rate = Some(positive(&key, &value, true)?),
                "speed" => parsed.speed = positive(&key, &value, false)?,
                "count" => parsed.count = Some(whole(&key, &value)?).filter(|&count| count > 0),
                "size" => parsed.size_bytes = whole(&key, &value)? as usize,
                "seed" => parsed.seed = whole(&key, &value)?,
                "feed" => parsed.feed = Some(PathBuf::from(value)),
                _ => return Err(QueryError(format!("unknown query key {key:?}: /ticks takes {TICKS_KEYS}"))),
            }
        }
        parsed.set_pace(rate, arrival)?;
        parsed.check_size()?;
        Ok(parsed)
    }

    fn set_pace(&mut self, rate: Option<f64>, arrival: Option<Arrival>) -> Result<(), QueryError> {
        let recorded_by_default = self.feed.is_some() && rate.is_none();
        self.arrival =
            arrival.unwrap_or(if recorded_by_default { Arrival::Recorded } else { Arrival::Constant });
        match (self.arrival, rate) {
            (Arrival::Recorded, _) if self.feed.is_none() => {
                return Err(QueryError::new("arrival=recorded needs a capture: add feed=FILE"));
            }
            (Arrival::Recorded, Some(_)) => {
                return Err(QueryError::new(
                    "arrival=recorded takes its pace from the capture: leave rate out, or set speed",
                ));
            }
            (Arrival::Recorded, None) => self.rate_per_s = None,
            (_, rate) => self.rate_per_s = rate.or(self.rate_per_s),
        }
        Ok(())
    }

    fn check_size(&self) -> Result<(), QueryError> {
        let least = match self.encoding {
            Encoding::Json => MIN_JSON_SIZE,
            Encoding::Binary => BINARY_TICK_BYTES,
        };
        match (self.size_bytes, &self.feed) {
            (0, _) => Ok(()),
            (_, Some(_)) => Err(QueryError::new("size does not apply to a capture: leave size or feed out")),
            (size, None) if (least..=MAX_MESSAGE_BYTES).contains(&size) => Ok(()),
            (size, None) => Err(QueryError(format!(
                "size={size} is out of range: 0, or {least} to {MAX_MESSAGE_BYTES} for encoding={}",
                self.encoding.name()
            ))),
        }
    }

    /// Whether ticks are sent as fast as backpressure allows.
    pub fn is_flood(&self) -> bool {
        self.rate_per_s == Some(0.0)
    }
}

impl fmt::Display for TicksQuery {
    /// The query that reads back as this one, every key spelled out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "encoding={}&flush={}", self.encoding.name(), self.flush.name())?;
        write!(f, "&arrival={}&seed={}&size={}", self.arrival.name(), self.seed, self.size_bytes)?;
        write!(f, "&count={}&speed={}", self.count.unwrap_or(0), self.speed)?;
        if let Some(rate) = self.rate_per_s {
            write!(f, "&rate={rate}")?;
        }
        match &self.feed {
            Some(feed) => write!(f, "&feed={}", utf8_percent_encode(&feed.to_string_lossy(), ESCAPED)),
            None => Ok(()),
        }
    }
}

/// All but what RFC 3986 calls unreserved, and `/`.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

const TICKS_KEYS: &str = "encoding, rate, count, size, seed, flush, arrival, feed and speed";
const ENCODINGS: [(&str, Encoding); 2] = [("json", Encoding::Json), ("binary", Encoding::Binary)];
const FLUSHES: [(&str, Flush); 2] = [("each", Flush::Each), ("batch", Flush::Batch)];
const ARRIVALS: [(&str, Arrival); 4] = [
    ("constant", Arrival::Constant),
    ("poisson", Arrival::Poisson),
    ("burst", Arrival::Burst),
    ("recorded", Arrival::Recorded),
];

impl Encoding {
    /// The word that stands for it in a query.
    pub const fn name(self) -> &'static str {
        match self {
            Encoding::Json => "json",
            Encoding::Binary => "binary",
        }
    }
}

impl Flush {
    /// The word that stands for it in a query.
    pub const fn name(self) -> &'static str {
        match self {
            Flush::Each => "each",
            Flush::Batch => "batch",
        }
    }
}

/// Reads the query of `/relay`: `role=subscriber|publisher`, subscriber by default.
pub fn parse_relay_role(query: &str) -> Result<RelayRole, QueryError> {
    let mut role = RelayRole::Subscriber;
    for (key, value) in pairs(query)? {
        match key.as_str() {
            "role" => {
                role = word(
                    &key,
                    &value,
                    &[("subscriber", RelayRole::Subscriber), ("publisher", RelayRole::Publisher)],
                )?;
            }
            _ => return Err(QueryError(format!("unknown query key {key:?}: /relay takes role"))),
        }
    }
    Ok(role)
}

/// Refuses any query: `/` and `/echo` take none.
pub fn refuse_any_query(path: &str, query: &str) -> Result<(), QueryError> {
    match pairs(query)?.first() {
        Some((key, _)) => Err(QueryError(format!("unknown query key {key:?}: {path} takes no query"))),
        None => Ok(()),
    }
}

/// The pairs of a query, percent-decoded, each key at most once.
fn pairs(query: &str) -> Result<Vec<(String, String)>, QueryError> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part
            .split_once('=')
            .ok_or_else(|| QueryError(format!("{part:?} has no value: write key=value")))?;
        let (key, value) = (percent_decode(key)?, percent_decode(value)?);
        if pairs.iter().any(|(known, _)| *known == key) {
            return Err(QueryError(format!("{key} is given twice: give it once")));
        }
        pairs.push((key, value));
    }
    Ok(pairs)
}

fn word<T: Copy>(key: &str, value: &str, words: &[(&str, T)]) -> Result<T, QueryError> {
    words.iter().find(|(name, _)| *name == value).map(|&(_, meaning)| meaning).ok_or_else(|| {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        QueryError(format!("{key}={value} is not known: {key} takes {}", names.join(", ")))
    })
}

fn whole(key: &str, value: &str) -> Result<u64, QueryError> {
    value.parse().map_err(|_| QueryError(format!("{key}={value} is no whole number from 0 up")))
}

fn positive(key: &str, value: &str, or_zero: bool) -> Result<f64, QueryError> {
    let range = if or_zero { "a number from 0 up" } else { "a number above 0" };
    match value.parse::<f64>() {
        Ok(number) if number.is_finite() && (number > 0.0 || (or_zero && number == 0.0)) => Ok(number),
        _ => Err(QueryError(format!("{key}={value} is not {range}"))),
    }
}

fn percent_decode(text: &str) -> Result<String, QueryError> {
    match percent_encoding::percent_decode_str(text).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err(QueryError(format!("{text:?} is not percent-encoded UTF-8"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(query: &str) -> String {
        TicksQuery::parse(query).expect_err(query).to_string()
    }

    #[test]
    fn nothing_asked_is_the_default() {
        assert_eq!(TicksQuery::parse(""), Ok(TicksQuery::default()));
        assert_eq!(TicksQuery::parse("&&"), Ok(TicksQuery::default()));
    }

    #[test]
    fn a_feed_without_a_rate_is_replayed_as_recorded() {
        let query = TicksQuery::parse("feed=a%20b.jsonl&speed=2.5").unwrap();
        assert_eq!((query.arrival, query.rate_per_s, query.speed), (Arrival::Recorded, None, 2.5));
        assert_eq!(query.feed, Some(PathBuf::from("a b.jsonl")));
        let paced = TicksQuery::parse("feed=x&rate=10").unwrap();
        assert_eq!((paced.arrival, paced.rate_per_s), (Arrival::Constant, Some(10.0)));
    }

    #[test]
    fn a_rate_of_zero_is_a_flood() {
        assert!(TicksQuery::parse("rate=0").unwrap().is_flood());
        assert!(!TicksQuery::parse("rate=0.5").unwrap().is_flood());
        assert!(!TicksQuery::parse("feed=x").unwrap().is_flood());
    }

    #[test]
    fn refusals_name_what_is_wrong() {
        for (query, part) in [
            ("speeed=1", "speeed"),
            ("rate", "has no value"),
            ("rate=fast", "rate=fast"),
            ("rate=-1", "rate=-1"),
            ("rate=inf", "rate=inf"),
            ("speed=0", "speed=0"),
            ("count=1.5", "count=1.5"),
            ("seed=-1", "seed=-1"),
            ("encoding=xml", "json, binary"),
            ("flush=never", "each, batch"),
            ("seed=1&seed=1", "twice"),
            ("size=100", "288"),
            ("encoding=binary&size=47", "48"),
            ("encoding=binary&size=16777217", "16777216"),
            ("feed=x&size=512", "capture"),
            ("arrival=recorded", "feed=FILE"),
            ("feed=x&arrival=recorded&rate=1", "leave rate out"),
            ("feed=%ff", "UTF-8"),
        ] {
            let sentence = refusal(query);
            assert!(sentence.contains(part), "{query}: {sentence}");
        }
    }

    #[test]
    fn relay_and_the_plain_paths_refuse_what_they_do_not_take() {
        assert_eq!(parse_relay_role(""), Ok(RelayRole::Subscriber));
        assert_eq!(parse_relay_role("role=publisher"), Ok(RelayRole::Publisher));
        assert!(parse_relay_role("role=king").is_err());
        assert!(parse_relay_role("rate=1").is_err());
        assert_eq!(refuse_any_query("/", ""), Ok(()));
        assert!(refuse_any_query("/echo", "a=b").unwrap_err().to_string().contains("/echo"));
    }

    proptest! {
        #[test]
        fn a_query_that_is_spelled_out_reads_back(
            binary: bool, batch: bool, seed: u64, count in proptest::option::of(1u64..),
            rate in 0.0..1e9f64, speed in 0.001..1e6f64, size in 288usize..=MAX_MESSAGE_BYTES,
            feed in proptest::option::of("[ -~äé/]{1,20}"), arrival in 0..4usize,
        ) {
            let arrival = ARRIVALS[arrival].1;
            prop_assume!(arrival != Arrival::Recorded || feed.is_some());
            let query = TicksQuery {
                encoding: if binary { Encoding::Binary } else { Encoding::Json },
                rate_per_s: Some(rate).filter(|_| arrival != Arrival::Recorded),
                count,
                size_bytes: if feed.is_some() { 0 } else { size },
                seed,
                flush: if batch { Flush::Batch } else { Flush::Each },
                arrival,
                feed: feed.map(PathBuf::from),
                speed,
            };
            prop_assert_eq!(TicksQuery::parse(&query.to_string()), Ok(query));
        }

        #[test]
        fn no_query_panics(query in "[ -~]{0,40}") {
            let _ = TicksQuery::parse(&query);
        }
    }
}
