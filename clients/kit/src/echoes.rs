//! What is sent to be echoed, and whether what comes back is the answer to the message that is under way.
//!
//! Were all messages equal, a server could answer twice, or before it was asked, and look quick: nobody could tell whose answer one is. So
//! the first bytes of each message are drawn anew from a generator of this process alone, directly before it is sent. Nobody knows them
//! before, and an answer that has them answers this message and no other, of this connection and no other.

use rand::Rng as _;
use rand::rngs::StdRng;
use tickbench_record::{Encoding, Request, Stage};

use crate::Failure;
use crate::unforeseen::unforeseen;

/// Bytes of a [`Mark`]; a shorter message has as many of them as fit.
const MARK_BYTES: usize = 8;

/// What tells one message from all others: its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark([u8; MARK_BYTES]);

impl Mark {
    /// The bytes as one number, in the order of memory.
    #[inline]
    pub fn word(self) -> u64 {
        u64::from_ne_bytes(self.0)
    }
}

/// The messages of a measurement, all of one size and alike but for their marks.
#[derive(Debug)]
pub struct Echoes {
    random: StdRng,
    is_text: bool,
    /// One without a mark.
    payload: Vec<u8>,
    mark_bytes: usize,
}

impl Echoes {
    /// Those that `request` asks for.
    ///
    /// # Errors
    /// Where the system has no random bytes.
    pub fn new(request: &Request) -> Result<Echoes, Failure> {
        Ok(Echoes::drawn_from(unforeseen(Stage::Connect)?, request.encoding, request.size_bytes as usize))
    }

    fn drawn_from(random: StdRng, encoding: Encoding, bytes: usize) -> Echoes {
        let is_text = encoding == Encoding::Json;
        let symbols = if is_text { b'a'..=b'z' } else { 0..=255 };
        let payload = symbols.cycle().take(bytes).collect();
        Echoes { random, is_text, payload, mark_bytes: bytes.min(MARK_BYTES) }
    }

    /// Whether they are text.
    pub fn are_text(&self) -> bool {
        self.is_text
    }

    /// A payload without a mark, which is to be written over its first bytes.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// How many bytes of a mark a payload has: eight, or all that it is long.
    #[inline]
    pub fn mark_bytes(&self) -> usize {
        self.mark_bytes
    }

    /// The mark of the next message. Text has 64 symbols of printable ASCII, from `0` on.
    #[inline]
    pub fn draw(&mut self) -> Mark {
        const SIX_BITS: u64 = u64::from_ne_bytes([0x3f; MARK_BYTES]);
        const ZEROS: u64 = u64::from_ne_bytes([b'0'; MARK_BYTES]);
        let word = self.random.next_u64();
        // No symbol reaches 128, and so none carries over into the next byte.
        Mark(if self.is_text { (word & SIX_BITS) + ZEROS } else { word }.to_ne_bytes())
    }

    /// The payload with this mark.
    pub fn message(&self, mark: Mark) -> Vec<u8> {
        let mut message = self.payload.clone();
        message[..self.mark_bytes].copy_from_slice(&mark.0[..self.mark_bytes]);
        message
    }

    /// What came over `connection`, text or not, must be the message with this mark.
    ///
    /// # Errors
    /// Where it is not; the error says how it differs.
    #[inline]
    pub fn check(&self, connection: usize, mark: Mark, is_text: bool, came: &[u8]) -> Result<(), Failure> {
        let is_equal = is_text == self.is_text
            && came.len() == self.payload.len()
            && came[..self.mark_bytes] == mark.0[..self.mark_bytes]
            && came[self.mark_bytes..] == self.payload[self.mark_bytes..];
        if is_equal { Ok(()) } else { Err(self.refuse(connection, mark, is_text, came)) }
    }

    #[cold]
    fn refuse(&self, connection: usize, mark: Mark, is_text: bool, came: &[u8]) -> Failure {
        let sent = self.message(mark);
        let kind = |is_text| if is_text { "text" } else { "binary" };
        let equal = came.iter().zip(&sent).rev().take_while(|(came, sent)| came == sent).count();
        let reason = if is_text != self.is_text {
            format!(
                "the echo on connection {connection} is {}, and {} was sent",
                kind(is_text),
                kind(self.is_text)
            )
        } else if came.len() == sent.len() && equal >= sent.len() - self.mark_bytes {
            format!(
                "the echo on connection {connection} does not answer the message that is under way: its first {} bytes are those of \
                 another, or nobody's; it came twice, too early, or changed",
                self.mark_bytes
            )
        } else {
            let (came, sent) = (came.len(), sent.len());
            format!("the echo on connection {connection} differs from what was sent: {came} bytes for {sent}")
        };
        Failure::new(Stage::Audit, reason)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn echoes(encoding: Encoding, bytes: usize) -> Echoes {
        Echoes::drawn_from(StdRng::seed_from_u64(7), encoding, bytes)
    }

    fn refusal(echoes: &Echoes, mark: Mark, is_text: bool, came: &[u8]) -> String {
        let failure = echoes.check(3, mark, is_text, came).unwrap_err();
        assert_eq!((failure.stage, failure.is_own), (Stage::Audit, false));
        failure.reason
    }

    #[test]
    fn only_the_message_under_way_is_answered() {
        for encoding in [Encoding::Json, Encoding::Binary] {
            for bytes in [1, 7, 8, 9, 64] {
                let mut echoes = echoes(encoding, bytes);
                let (last, mark) = (echoes.draw(), echoes.draw());
                let message = echoes.message(mark);
                assert_eq!(message.len(), bytes);
                assert_eq!(echoes.check(3, mark, echoes.are_text(), &message), Ok(()));
                let late = refusal(&echoes, mark, echoes.are_text(), &echoes.message(last));
                assert!(
                    late.starts_with(
                        "the echo on connection 3 does not answer the message that is under way"
                    ),
                    "{late}"
                );
            }
        }
    }

    #[test]
    fn a_change_is_told_from_another_message() {
        let mut echoes = echoes(Encoding::Binary, 64);
        let mark = echoes.draw();
        let mut changed = echoes.message(mark);
        changed[61] ^= 1;
        let reason = "the echo on connection 3 differs from what was sent: 64 bytes for 64";
        assert_eq!(refusal(&echoes, mark, false, &changed), reason);
        let reason = "the echo on connection 3 differs from what was sent: 63 bytes for 64";
        assert_eq!(refusal(&echoes, mark, false, &echoes.message(mark)[..63]), reason);
        let reason = "the echo on connection 3 is text, and binary was sent";
        assert_eq!(refusal(&echoes, mark, true, &echoes.message(mark)), reason);
    }

    #[test]
    fn marks_of_text_are_printable_and_nearly_all_differ() {
        let mut echoes = echoes(Encoding::Json, 8);
        let mut marks: Vec<[u8; 8]> = (0..10_000).map(|_| echoes.draw().0).collect();
        assert!(marks.iter().flatten().all(|&byte| (b'0'..=b'o').contains(&byte)));
        marks.sort_unstable();
        marks.dedup();
        assert_eq!(marks.len(), 10_000);
    }

    #[test]
    fn a_message_of_no_bytes_cannot_be_told_from_another() {
        let mut echoes = echoes(Encoding::Binary, 0);
        let mark = echoes.draw();
        assert_eq!(echoes.check(0, mark, false, &[]), Ok(()));
        assert!(refusal(&echoes, mark, false, &[1]).ends_with("1 bytes for 0"));
    }
}
