//! The head of a JSON tick, read sixteen bytes at a time: a client's own work a message is what limits the rate that it can
//! measure, and most of it would be these digits.

use crate::stamps::{DIGITS, JSON_DUE, JSON_HEADER_BYTES, JSON_SENT, JSON_SEQ, JSON_TEMPLATE};

/// The digits of twenty that are not 0 in nearly every tick: those of a time of less than four months, and of a number of less
/// than 10^16.
const LOW_DIGITS: usize = 16;

/// How far each byte of a usual head may exceed the template's, with which it is combined by exclusive or: by 9 in the low
/// digits, and not at all elsewhere.
const MOST: [u8; JSON_HEADER_BYTES] = {
    let mut most = [0; JSON_HEADER_BYTES];
    let mut digit = DIGITS - LOW_DIGITS;
    while digit < DIGITS {
        most[JSON_SEQ + digit] = 9;
        most[JSON_DUE + digit] = 9;
        most[JSON_SENT + digit] = 9;
        digit += 1;
    }
    most
};

/// `seq`, `due_ns` and `sent_ns` of a usual head; `None` where a byte is none that a usual head has there.
#[inline(always)]
pub(crate) fn read_usual(header: &[u8; JSON_HEADER_BYTES]) -> Option<[u64; 3]> {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has SSE2.
    return unsafe { sse2::read(header) };
    #[cfg(not(target_arch = "x86_64"))]
    portable::read(header)
}

/// x86-64: a vector holds the digits of a stamp.
#[cfg(target_arch = "x86_64")]
mod sse2 {
    use std::arch::x86_64::{
        __m128i, _mm_add_epi16, _mm_and_si128, _mm_cmpeq_epi8, _mm_cvtsi128_si64, _mm_loadu_si128,
        _mm_madd_epi16, _mm_movemask_epi8, _mm_mullo_epi16, _mm_or_si128, _mm_packs_epi32, _mm_set1_epi8,
        _mm_set1_epi16, _mm_set1_epi32, _mm_setzero_si128, _mm_srli_epi16, _mm_subs_epu8, _mm_unpackhi_epi64,
        _mm_xor_si128,
    };

    use super::{DIGITS, JSON_DUE, JSON_HEADER_BYTES, JSON_SENT, JSON_SEQ, JSON_TEMPLATE, LOW_DIGITS, MOST};

    const BLOCK: usize = 16;

    #[inline]
    #[target_feature(enable = "sse2")]
    pub(super) fn read(header: &[u8; JSON_HEADER_BYTES]) -> Option<[u64; 3]> {
        if is_odd(header) {
            return None;
        }
        let (seq, sent_ns) = two_values(four_fours(header, JSON_SEQ), four_fours(header, JSON_SENT));
        let (due_ns, _) = two_values(four_fours(header, JSON_DUE), _mm_setzero_si128());
        Some([seq, due_ns, sent_ns])
    }

    /// Whole blocks, and the last block once more, as it overlaps the one before.
    #[inline]
    #[target_feature(enable = "sse2")]
    fn is_odd(header: &[u8; JSON_HEADER_BYTES]) -> bool {
        let mut odd = _mm_setzero_si128();
        for at in [0, 16, 32, 48, 64, JSON_HEADER_BYTES - BLOCK] {
            let differing = _mm_xor_si128(block(header, at), block(JSON_TEMPLATE, at));
            odd = _mm_or_si128(odd, _mm_subs_epu8(differing, block(&MOST, at)));
        }
        _mm_movemask_epi8(_mm_cmpeq_epi8(odd, _mm_setzero_si128())) != 0xffff
    }

    /// The low digits at `at` as four values of four digits, the first in the lowest lane.
    #[inline]
    #[target_feature(enable = "sse2")]
    fn four_fours(header: &[u8; JSON_HEADER_BYTES], at: usize) -> __m128i {
        let ones = _mm_xor_si128(block(header, at + DIGITS - LOW_DIGITS), _mm_set1_epi8(b'0'.cast_signed()));
        let tens = _mm_mullo_epi16(ones, _mm_set1_epi16(10));
        let pairs = _mm_and_si128(_mm_add_epi16(tens, _mm_srli_epi16(ones, 8)), _mm_set1_epi16(0xff));
        _mm_madd_epi16(pairs, _mm_set1_epi32(100 | 1 << 16))
    }

    /// From four values of four digits, twice, to two values of sixteen.
    #[inline]
    #[target_feature(enable = "sse2")]
    fn two_values(first: __m128i, second: __m128i) -> (u64, u64) {
        let eights = _mm_madd_epi16(_mm_packs_epi32(first, second), _mm_set1_epi32(10_000 | 1 << 16));
        let value = |eights: __m128i| {
            let eights = _mm_cvtsi128_si64(eights).cast_unsigned();
            (eights & 0xffff_ffff) * 100_000_000 + (eights >> 32)
        };
        (value(eights), value(_mm_unpackhi_epi64(eights, eights)))
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn block(bytes: &[u8; JSON_HEADER_BYTES], at: usize) -> __m128i {
        let block = bytes[at..].first_chunk::<BLOCK>().expect("inside the header");
        // SAFETY: the load may be unaligned, and `block` has as many bytes as it reads.
        unsafe { _mm_loadu_si128(block.as_ptr().cast()) }
    }
}

/// Any other processor: eight digits in one word.
#[cfg(any(test, not(target_arch = "x86_64")))]
mod portable {
    use super::{DIGITS, JSON_DUE, JSON_HEADER_BYTES, JSON_SENT, JSON_SEQ, JSON_TEMPLATE, LOW_DIGITS, MOST};

    #[inline(always)]
    pub(super) fn read(header: &[u8; JSON_HEADER_BYTES]) -> Option<[u64; 3]> {
        let odd = header
            .iter()
            .zip(JSON_TEMPLATE)
            .zip(&MOST)
            .fold(0, |odd, ((byte, usual), most)| odd | (byte ^ usual).saturating_sub(*most));
        (odd == 0).then(|| [JSON_SEQ, JSON_DUE, JSON_SENT].map(|at| low_digits(header, at)))
    }

    fn low_digits(header: &[u8; JSON_HEADER_BYTES], at: usize) -> u64 {
        let half = |at: usize| {
            let digits = *header[at..].first_chunk().expect("inside the header");
            eight_digits(u64::from_le_bytes(digits) ^ 0x3030_3030_3030_3030)
        };
        let at = at + DIGITS - LOW_DIGITS;
        half(at) * 100_000_000 + half(at + 8)
    }

    /// Eight bytes of 0 to 9, the first digit in the lowest byte, to their value: pairs, then fours, then eight, by
    /// multiplication.
    fn eight_digits(ones: u64) -> u64 {
        let pairs = ones.wrapping_mul(10).wrapping_add(ones >> 8) & 0x00ff_00ff_00ff_00ff;
        let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
        fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stamps;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_reader_reads_the_same(stamps in proptest::array::uniform3(0..10u64.pow(16)), at in 0..JSON_HEADER_BYTES, byte: u8) {
            let [seq, due_ns, sent_ns] = stamps;
            let mut header = [0; JSON_HEADER_BYTES];
            Stamps { seq, due_ns, sent_ns }.write_json(&mut header);
            prop_assert_eq!(read_usual(&header), Some(stamps));
            prop_assert_eq!(portable::read(&header), Some(stamps));
            header[at] = byte;
            prop_assert_eq!(portable::read(&header), read_usual(&header));
        }
    }
}
