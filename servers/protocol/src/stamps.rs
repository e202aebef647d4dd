//! The three stamps of a tick, at fixed offsets in both encodings: read and written without parsing the rest.

use std::ops::Range;

use thiserror::Error;

use crate::header::read_usual;

/// Bytes before the market data of a binary tick: three little-endian `u64`.
pub const BINARY_HEADER_BYTES: usize = 24;

/// Bytes of a JSON tick up to and including the quote that closes `sent_ns`.
pub const JSON_HEADER_BYTES: usize = 94;

pub(crate) const JSON_TEMPLATE: &[u8; JSON_HEADER_BYTES] =
    br#"{"seq":"00000000000000000000","due_ns":"00000000000000000000","sent_ns":"00000000000000000000""#;
pub(crate) const JSON_SEQ: usize = 8;
pub(crate) const JSON_DUE: usize = 40;
pub(crate) const JSON_SENT: usize = 73;
pub(crate) const DIGITS: usize = 20;

/// What stands before, between and behind the digits.
const KEYS: [Range<usize>; 4] = [
    0..JSON_SEQ,
    JSON_SEQ + DIGITS..JSON_DUE,
    JSON_DUE + DIGITS..JSON_SENT,
    JSON_SENT + DIGITS..JSON_HEADER_BYTES,
];

/// Sequence number and times of one tick. Times are nanoseconds of CLOCK_MONOTONIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamps {
    /// The position of the tick in its stream, from 0.
    pub seq: u64,
    /// When the schedule wanted the tick sent. In a flood, equal to `sent_ns`.
    pub due_ns: u64,
    /// When the server handed the tick to the framework.
    pub sent_ns: u64,
}

/// Why a message has no stamps to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum StampError {
    /// The message ends before its header does.
    #[error("message of {0} bytes is shorter than the header of a tick")]
    Short(usize),
    /// A JSON message whose first bytes are not the fixed header.
    #[error("message does not begin with the fixed header of a JSON tick")]
    Header,
}

impl Stamps {
    /// Reads the stamps of a binary message.
    #[inline]
    pub fn read_binary(message: &[u8]) -> Result<Stamps, StampError> {
        let Some(header) = message.first_chunk::<BINARY_HEADER_BYTES>() else {
            return Err(StampError::Short(message.len()));
        };
        let word = |at: usize| u64::from_le_bytes(*header[at..].first_chunk().expect("inside the header"));
        Ok(Stamps { seq: word(0), due_ns: word(8), sent_ns: word(16) })
    }

    /// Writes the stamps into the head of a binary message.
    ///
    /// # Panics
    /// Where `message` is shorter than [`BINARY_HEADER_BYTES`].
    #[inline]
    pub fn write_binary(&self, message: &mut [u8]) {
        message[0..8].copy_from_slice(&self.seq.to_le_bytes());
        message[8..16].copy_from_slice(&self.due_ns.to_le_bytes());
        message[16..24].copy_from_slice(&self.sent_ns.to_le_bytes());
    }

    /// Reads the stamps of a JSON message at their fixed offsets. The three keys and every digit are checked.
    #[inline(always)]
    pub fn read_json(message: &[u8]) -> Result<Stamps, StampError> {
        let Some(header) = message.first_chunk::<JSON_HEADER_BYTES>() else {
            return Err(StampError::Short(message.len()));
        };
        match read_usual(header) {
            Some([seq, due_ns, sent_ns]) => Ok(Stamps { seq, due_ns, sent_ns }),
            None => Stamps::read_odd_json(header),
        }
    }

    /// Reads a header that has a number of more than sixteen digits, or is none.
    #[cold]
    fn read_odd_json(header: &[u8; JSON_HEADER_BYTES]) -> Result<Stamps, StampError> {
        let number = |at| all_digits(header, at).ok_or(StampError::Header);
        if KEYS.into_iter().any(|key| header[key.clone()] != JSON_TEMPLATE[key]) {
            return Err(StampError::Header);
        }
        Ok(Stamps { seq: number(JSON_SEQ)?, due_ns: number(JSON_DUE)?, sent_ns: number(JSON_SENT)? })
    }

    /// Writes keys and digits of the stamps into the head of a JSON message.
    ///
    /// # Panics
    /// Where `message` is shorter than [`JSON_HEADER_BYTES`].
    pub fn write_json(&self, message: &mut [u8]) {
        message[..JSON_HEADER_BYTES].copy_from_slice(JSON_TEMPLATE);
        self.patch_json(message);
    }

    /// Overwrites the digits alone, in a message that has its keys already.
    ///
    /// # Panics
    /// Where `message` is shorter than [`JSON_HEADER_BYTES`].
    #[inline]
    pub fn patch_json(&self, message: &mut [u8]) {
        message[JSON_SEQ..JSON_SEQ + DIGITS].copy_from_slice(&digits(self.seq));
        message[JSON_DUE..JSON_DUE + DIGITS].copy_from_slice(&digits(self.due_ns));
        message[JSON_SENT..JSON_SENT + DIGITS].copy_from_slice(&digits(self.sent_ns));
    }
}

/// `value` as twenty decimal digits with leading zeros: as wide as the largest `u64`.
#[inline]
fn digits(mut value: u64) -> [u8; DIGITS] {
    const PAIRS: [[u8; 2]; 100] = {
        let mut pairs = [[0; 2]; 100];
        let mut n = 0;
        while n < 100 {
            pairs[n] = [b'0' + (n / 10) as u8, b'0' + (n % 10) as u8];
            n += 1;
        }
        pairs
    };
    let mut out = [b'0'; DIGITS];
    for pair in out.as_chunks_mut::<2>().0.iter_mut().rev() {
        *pair = PAIRS[(value % 100) as usize];
        value /= 100;
    }
    out
}

/// Twenty digits at `at`. `None` where a byte is no digit or the value exceeds `u64`.
fn all_digits(header: &[u8; JSON_HEADER_BYTES], at: usize) -> Option<u64> {
    header[at..at + DIGITS].iter().try_fold(0u64, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_encodings_read_back(seq: u64, due_ns: u64, sent_ns: u64) {
            let stamps = Stamps { seq, due_ns, sent_ns };
            let mut binary = [0; BINARY_HEADER_BYTES];
            stamps.write_binary(&mut binary);
            prop_assert_eq!(Stamps::read_binary(&binary), Ok(stamps));
            let mut json = [0; JSON_HEADER_BYTES];
            stamps.write_json(&mut json);
            prop_assert_eq!(Stamps::read_json(&json), Ok(stamps));
            let text = String::from_utf8(json.to_vec()).unwrap();
            prop_assert_eq!(text, format!(r#"{{"seq":"{seq:020}","due_ns":"{due_ns:020}","sent_ns":"{sent_ns:020}""#));
        }

        #[test]
        fn one_changed_byte_is_never_read_as_other_keys(at in 0..JSON_HEADER_BYTES, byte: u8) {
            let mut json = [0; JSON_HEADER_BYTES];
            Stamps { seq: 1, due_ns: 2, sent_ns: 3 }.write_json(&mut json);
            let changed = json[at] != byte;
            json[at] = byte;
            let is_digit_place = [JSON_SEQ, JSON_DUE, JSON_SENT].iter().any(|&from| (from..from + DIGITS).contains(&at));
            let refused = Stamps::read_json(&json).is_err();
            // A leading 2 or more in twenty digits exceeds u64, or nearly: only the other digits must be accepted.
            if changed && !(is_digit_place && byte.is_ascii_digit()) {
                prop_assert!(refused);
            }
        }
    }

    #[test]
    fn more_than_a_u64_is_refused() {
        let mut json = [0; JSON_HEADER_BYTES];
        Stamps::default().write_json(&mut json);
        json[JSON_SEQ..JSON_SEQ + DIGITS].copy_from_slice(b"18446744073709551616");
        assert_eq!(Stamps::read_json(&json), Err(StampError::Header));
        json[JSON_SEQ..JSON_SEQ + DIGITS].copy_from_slice(b"18446744073709551615");
        assert_eq!(Stamps::read_json(&json).unwrap().seq, u64::MAX);
    }

    #[test]
    fn short_messages_are_named() {
        assert_eq!(Stamps::read_binary(&[0; 23]), Err(StampError::Short(23)));
        assert_eq!(Stamps::read_json(b"{}"), Err(StampError::Short(2)));
    }
}
