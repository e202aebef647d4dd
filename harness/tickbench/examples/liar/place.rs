//! Where a lie is told: the words behind it on the command line.

use std::ops::Range;

/// Connections and messages are counted from 0; a message is a data message or a pong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// `on=A` or `on=A..`: connections in the order in which they were accepted; all where it is left out.
    on: Range<u64>,
    /// `from=N` and `count=N`: messages of each of these connections.
    messages: Range<u64>,
    /// `once-verified`: nowhere in a process that began before its folder held a file `verified`.
    pub(crate) once_verified: bool,
}

impl Place {
    /// # Panics
    /// Where a word is none of these.
    pub(crate) fn parse(words: &[String]) -> Place {
        let (mut on, mut from, mut count, mut once_verified) = (0..u64::MAX, 0, u64::MAX, false);
        for word in words {
            let number = |text: &str| text.parse::<u64>().unwrap_or_else(|_| panic!("{word:?}: no number"));
            match word.split_once('=') {
                Some(("on", value)) => {
                    on = match value.strip_suffix("..") {
                        Some(first) => number(first)..u64::MAX,
                        None => number(value)..number(value) + 1,
                    }
                }
                Some(("from", value)) => from = number(value),
                Some(("count", value)) => count = number(value),
                None if word == "once-verified" => once_verified = true,
                _ => panic!("{word:?} is no place"),
            }
        }
        Place { on, messages: from..from.saturating_add(count), once_verified }
    }

    pub(crate) fn is_on(&self, connection: u64) -> bool {
        self.on.contains(&connection)
    }

    pub(crate) fn holds(&self, message: u64) -> bool {
        self.messages.contains(&message)
    }
}
