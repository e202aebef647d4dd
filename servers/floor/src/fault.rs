//! What can be made to go wrong on purpose: the words of `--inject`.

use std::num::NonZeroU64;
use std::str::FromStr;

use thiserror::Error;

/// The longest time that a fault may name.
const MOST_NS: u64 = 60_000_000_000;

const WORDS: &str = "delay=TIME, stall=TIME/N, skew=[-]TIME/N, due=zero/N, due=sent/N, due=[-]TIME/N, drop=N, duplicate=N, reorder=N, \
                     corrupt=N, silent=K, tail=K and close=K";

/// One thing that the server does wrong in a stream of ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `delay=TIME`, `stall=TIME/N`: spins so long between reading the sent stamp and the send.
    Stall { ns: u64, every: Every },
    /// `skew=TIME/N`: the sent stamp lies so far in the future, or with `-` in the past.
    Skew { ns: i64, every: Every },
    /// `due=zero/N`, `due=sent/N`, `due=TIME/N`: the due stamp is a lie.
    Due { lie: DueLie, every: Every },
    /// `drop=N`: the tick is not sent.
    Drop(Every),
    /// `duplicate=N`: the tick is sent twice.
    Duplicate(Every),
    /// `reorder=N`: the tick is sent right after the next one.
    Reorder(Every),
    /// `corrupt=N`: a byte of the tick is another, behind its stamps.
    Corrupt(Every),
    /// `silent=K`: only the first K streams of the process get ticks.
    Silent(u64),
    /// `tail=K`: only the first K ticks of a stream are sent, and it stays open.
    Tail(u64),
    /// `close=K`: a stream ends with code 1000 after K ticks.
    Close(u64),
}

/// What stands where a tick's due time should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DueLie {
    Zero,
    /// The sent stamp, so that there is no lag.
    Sent,
    /// The due time and so much, or with `-` less so much.
    Off(i64),
}

/// Which ticks a fault befalls: the last of each so many, the first of them being number N − 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Every(NonZeroU64);

impl Every {
    pub(crate) fn hits(self, seq: u64) -> bool {
        seq % self.0 == self.0.get() - 1
    }
}

/// Why a word of `--inject` is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum FaultError {
    #[error("there is no such fault: --inject takes {WORDS}")]
    Unknown,
    #[error("{0:?} is no time: write a whole number and ns, us, ms or s, 60s at most")]
    Time(String),
    #[error("{0:?} is no number of ticks: write a whole number from 1 up, for reorder from 2 up")]
    Every(String),
    #[error("{0:?} is no count: write a whole number from 0 up")]
    Count(String),
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Fault, FaultError> {
        let (word, value) = text.split_once('=').ok_or(FaultError::Unknown)?;
        match word {
            "delay" => Ok(Fault::Stall { ns: time_ns(value)?, every: Every(NonZeroU64::MIN) }),
            "stall" => {
                let (time, every) = split_ratio(value)?;
                Ok(Fault::Stall { ns: time_ns(time)?, every })
            }
            "skew" => {
                let (time, every) = split_ratio(value)?;
                Ok(Fault::Skew { ns: signed_ns(time)?, every })
            }
            "due" => {
                let (lie, every) = split_ratio(value)?;
                let lie = match lie {
                    "zero" => DueLie::Zero,
                    "sent" => DueLie::Sent,
                    time => DueLie::Off(signed_ns(time)?),
                };
                Ok(Fault::Due { lie, every })
            }
            "drop" => every(value).map(Fault::Drop),
            "duplicate" => every(value).map(Fault::Duplicate),
            "corrupt" => every(value).map(Fault::Corrupt),
            // Of two ticks that follow each other, only one can wait for the other.
            "reorder" if value.trim() == "1" => Err(FaultError::Every(value.into())),
            "reorder" => every(value).map(Fault::Reorder),
            "silent" => count(value).map(Fault::Silent),
            "tail" => count(value).map(Fault::Tail),
            "close" => count(value).map(Fault::Close),
            _ => Err(FaultError::Unknown),
        }
    }
}

fn split_ratio(value: &str) -> Result<(&str, Every), FaultError> {
    let (time, count) = value.split_once('/').ok_or_else(|| FaultError::Every(value.into()))?;
    Ok((time, every(count)?))
}

fn every(text: &str) -> Result<Every, FaultError> {
    text.parse().map(Every).map_err(|_| FaultError::Every(text.into()))
}

fn count(text: &str) -> Result<u64, FaultError> {
    text.parse().map_err(|_| FaultError::Count(text.into()))
}

fn signed_ns(text: &str) -> Result<i64, FaultError> {
    match text.strip_prefix('-') {
        Some(back) => Ok(-time_ns(back)?.cast_signed()),
        None => Ok(time_ns(text)?.cast_signed()),
    }
}

fn time_ns(text: &str) -> Result<u64, FaultError> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit_ns = match unit {
        "ns" => Some(1),
        "us" => Some(1_000),
        "ms" => Some(1_000_000),
        "s" => Some(1_000_000_000),
        _ => None,
    };
    let ns = unit_ns.and_then(|unit_ns| number.parse::<u64>().ok()?.checked_mul(unit_ns));
    ns.filter(|&ns| ns <= MOST_NS).ok_or_else(|| FaultError::Time(text.into()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn every(count: u64) -> Every {
        Every(NonZeroU64::new(count).unwrap())
    }

    #[test]
    fn each_word_is_read() {
        for (text, fault) in [
            ("delay=100ns", Fault::Stall { ns: 100, every: every(1) }),
            ("stall=5ms/200", Fault::Stall { ns: 5_000_000, every: every(200) }),
            ("skew=1us/100", Fault::Skew { ns: 1_000, every: every(100) }),
            ("skew=-60s/1", Fault::Skew { ns: -60_000_000_000, every: every(1) }),
            ("drop=100", Fault::Drop(every(100))),
            ("duplicate=7", Fault::Duplicate(every(7))),
            ("reorder=2", Fault::Reorder(every(2))),
            ("corrupt=1", Fault::Corrupt(every(1))),
            ("due=zero/1", Fault::Due { lie: DueLie::Zero, every: every(1) }),
            ("due=sent/50", Fault::Due { lie: DueLie::Sent, every: every(50) }),
            ("due=-1ns/50", Fault::Due { lie: DueLie::Off(-1), every: every(50) }),
            ("due=2us/50", Fault::Due { lie: DueLie::Off(2_000), every: every(50) }),
            ("silent=0", Fault::Silent(0)),
            ("tail=12", Fault::Tail(12)),
            ("close=7", Fault::Close(7)),
        ] {
            assert_eq!(text.parse(), Ok(fault), "{text}");
        }
    }

    #[test]
    fn what_is_no_fault_is_named() {
        for (text, words) in [
            ("drop", "no such fault: --inject takes delay=TIME"),
            ("freeze=1s", "no such fault"),
            ("drop=0", "\"0\" is no number of ticks"),
            ("drop=-1", "no number of ticks"),
            ("reorder=1", "from 2 up"),
            ("stall=5ms", "\"5ms\" is no number of ticks"),
            ("stall=5/200", "\"5\" is no time"),
            ("stall=-5ms/200", "no time"),
            ("due=never/1", "\"never\" is no time"),
            ("due=zero", "\"zero\" is no number of ticks"),
            ("silent=-1", "\"-1\" is no count"),
            ("tail=", "no count"),
            ("close=1.5", "no count"),
            ("delay=61s", "60s at most"),
            ("delay=ms", "no time"),
            ("delay=1.5ms", "no time"),
            ("delay=99999999999999999999s", "no time"),
        ] {
            let error = text.parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_fault_befalls_the_last_of_each_so_many() {
        let hit: Vec<u64> = (0..12).filter(|&seq| every(5).hits(seq)).collect();
        assert_eq!(hit, [4, 9]);
        assert!((0..12).all(|seq| every(1).hits(seq)));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-z]{0,9}=?[-0-9a-z/]{0,12}") {
            let _ = text.parse::<Fault>();
        }
    }
}
