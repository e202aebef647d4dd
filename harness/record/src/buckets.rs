//! The filled buckets of a stored histogram, read without unfolding it.
//!
//! A report merges thousands of histograms of a few hundred filled buckets each. Unfolding one first makes an array of some
//! 33,000 counters; this reader takes the buckets straight from the HdrHistogram V2 encoding: a header, then each counter as
//! a zigzag LEB128 number, where −n stands for n empty counters.

use std::cell::RefCell;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_PARSE_ZLIB_HEADER, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use crate::DistributionError;

/// A filled bucket of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// The highest value that the histogram does not tell from the others in the bucket: what its quantiles report.
    pub value: u64,
    /// How many samples.
    pub count: u64,
}

const COMPRESSED_COOKIE: u32 = 0x1c84_9314;
const COOKIE: u32 = 0x1c84_9313;
const HEADER_BYTES: usize = 40;

/// More bytes than the counters of any histogram of ours take: some 40,000 of them at up to nine bytes.
const MOST_BYTES: usize = 1 << 20;

/// A histogram without its compression: the counters, and what they count.
#[derive(Debug, Clone)]
pub(crate) struct Inflated {
    scale: Scale,
    counters: Box<[u8]>,
}

impl Inflated {
    /// The filled buckets.
    pub(crate) fn buckets(&self) -> Result<Vec<Bucket>, DistributionError> {
        filled(&self.counters, self.scale)
    }

    /// The lowest value that the bucket with this highest one does not tell from it.
    pub(crate) fn lowest_with(&self, highest: u64) -> u64 {
        self.scale.lowest_with(highest)
    }
}

/// What inflates, and room for what it gives. Thousands of small histograms are read one after another, and making these anew for each
/// took as long as the rest.
struct Inflater {
    state: DecompressorOxide,
    space: Box<[u8]>,
}

thread_local! {
    static INFLATER: RefCell<Inflater> =
        RefCell::new(Inflater { state: DecompressorOxide::new(), space: vec![0; MOST_BYTES].into() });
}

impl Inflater {
    fn inflate(&mut self, deflated: &[u8]) -> Result<&[u8], DistributionError> {
        self.state.init();
        let flags = TINFL_FLAG_PARSE_ZLIB_HEADER | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        match decompress(&mut self.state, deflated, &mut self.space, 0, flags) {
            (TINFLStatus::Done, _, length) => Ok(&self.space[..length]),
            (TINFLStatus::HasMoreOutput, ..) => {
                Err(DistributionError::Layout("it holds more counters than any histogram has"))
            }
            _ => Err(DistributionError::Layout("its compressed part is damaged")),
        }
    }
}

/// Unpacks the compressed V2 encoding.
pub(crate) fn inflate(compressed: &[u8]) -> Result<Inflated, DistributionError> {
    let (cookie, rest) = take(compressed)?;
    let (_length, deflated) = take::<4>(rest)?;
    if u32::from_be_bytes(cookie) != COMPRESSED_COOKIE {
        return Err(DistributionError::Layout(
            "it does not begin with the mark of a compressed V2 histogram",
        ));
    }
    INFLATER.with_borrow_mut(|inflater| split(inflater.inflate(deflated)?))
}

/// The header of a V2 histogram, and the counters behind it.
fn split(bytes: &[u8]) -> Result<Inflated, DistributionError> {
    let header = bytes.get(..HEADER_BYTES).ok_or(CUT_OFF)?;
    let u32_at = |at: usize| u32::from_be_bytes(std::array::from_fn(|byte| header[at + byte]));
    let u64_at = |at: usize| u64::from_be_bytes(std::array::from_fn(|byte| header[at + byte]));
    let (length, digits, lowest) = (u32_at(4) as usize, u32_at(12), u64_at(16));
    if u32_at(0) != COOKIE || u32_at(8) != 0 || !(1..=5).contains(&digits) || lowest == 0 {
        return Err(DistributionError::Layout("its header is not that of a V2 histogram"));
    }
    let counters = bytes[HEADER_BYTES..].get(..length).ok_or(CUT_OFF)?;
    Ok(Inflated { scale: Scale::new(digits, lowest).ok_or(BEYOND)?, counters: counters.into() })
}

const CUT_OFF: DistributionError = DistributionError::Layout("it is cut off");

fn take<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), DistributionError> {
    bytes.split_first_chunk::<N>().map(|(first, rest)| (*first, rest)).ok_or(CUT_OFF)
}

fn filled(mut counters: &[u8], scale: Scale) -> Result<Vec<Bucket>, DistributionError> {
    let (mut buckets, mut index, end) = (Vec::with_capacity(512), 0u64, scale.end());
    while !counters.is_empty() {
        let (zigzag, rest) = leb128(counters).ok_or(CUT_OFF)?;
        counters = rest;
        let number = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
        if number > 0 {
            if index >= end {
                return Err(BEYOND);
            }
            buckets.push(Bucket { value: scale.highest_in(index), count: number as u64 });
        }
        // A count takes one place, and −n stands for n empty ones.
        index = index.saturating_add(if number < 0 { number.unsigned_abs() } else { 1 });
    }
    Ok(buckets)
}

const BEYOND: DistributionError = DistributionError::Layout("it counts values beyond the largest number");

/// A number in sevens of bits, the lowest first; a ninth byte holds eight.
#[inline]
fn leb128(bytes: &[u8]) -> Option<(u64, &[u8])> {
    match bytes.split_first()? {
        // Most counters are small.
        (&byte, rest) if byte < 0x80 => Some((byte.into(), rest)),
        _ => long_leb128(bytes),
    }
}

fn long_leb128(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (at, &byte) in bytes.iter().enumerate().take(9) {
        let is_last = byte & 0x80 == 0 || at == 8;
        let bits = if at == 8 { byte } else { byte & 0x7f };
        number |= u64::from(bits) << (7 * at);
        if is_last {
            return Some((number, &bytes[at + 1..]));
        }
    }
    None
}

/// How counters map to values: the first `2 × half` are `unit` apart, then every `half` of them twice as far.
#[derive(Debug, Clone, Copy)]
struct Scale {
    unit_bits: u32,
    half_bits: u32,
}

impl Scale {
    /// `None` where not even the first values would be numbers of 64 bits (HdrHistogram: 61 of them, and a sign).
    fn new(digits: u32, lowest: u64) -> Option<Scale> {
        let told_apart = 2 * 10u64.pow(digits);
        let (unit_bits, half_bits) = (lowest.ilog2(), told_apart.next_power_of_two().ilog2() - 1);
        (unit_bits + half_bits <= 61).then_some(Scale { unit_bits, half_bits })
    }

    /// The lowest value counted where `highest` is the highest.
    fn lowest_with(self, highest: u64) -> u64 {
        let linear = (2u64 << self.half_bits) << self.unit_bits;
        let doublings = (highest / linear).checked_ilog2().map_or(0, |bits| bits + 1);
        highest >> (doublings + self.unit_bits) << (doublings + self.unit_bits)
    }

    /// Beyond the last index whose values are numbers of 64 bits.
    fn end(self) -> u64 {
        u64::from(65 - self.unit_bits - self.half_bits) << self.half_bits
    }

    /// The highest value counted at an index before the [`end`](Scale::end).
    #[inline]
    fn highest_in(self, index: u64) -> u64 {
        let half = 1u64 << self.half_bits;
        let doublings = (index >> self.half_bits).saturating_sub(1);
        let steps = if index < half { index } else { half + (index & (half - 1)) };
        let bits = doublings as u32 + self.unit_bits;
        (steps << bits) + ((1u64 << bits) - 1)
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
    use proptest::prelude::*;

    use super::*;
    use crate::new_histogram;

    fn read(compressed: &[u8]) -> Result<Vec<Bucket>, DistributionError> {
        inflate(compressed)?.buckets()
    }

    fn stored(histogram: &Histogram<u64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(histogram, &mut bytes).unwrap();
        bytes
    }

    fn unfolded(histogram: &Histogram<u64>) -> Vec<Bucket> {
        let bucket = |value: u64, count| Bucket { value: histogram.highest_equivalent(value), count };
        histogram.iter_recorded().map(|r| bucket(r.value_iterated_to(), r.count_at_value())).collect()
    }

    proptest! {
        #[test]
        fn equals_the_unfolded_histogram(
            values in proptest::collection::vec((0u64..4_000_000_000_000, 0u32..42, 1u64..1_000_000), 0..60),
        ) {
            let mut histogram = new_histogram();
            for (value, shift, count) in values {
                histogram.saturating_record_n(value >> shift, count);
            }
            prop_assert_eq!(read(&stored(&histogram)).unwrap(), unfolded(&histogram));
        }

        #[test]
        fn other_bounds_and_digits(low in 1u64..5000, digits in 1u8..=5, values in proptest::collection::vec(0u64..10_000_000, 1..20)) {
            let mut histogram = Histogram::new_with_bounds(low, 20_000_000, digits).unwrap();
            values.iter().for_each(|&value| histogram.record(value).unwrap());
            prop_assert_eq!(read(&stored(&histogram)).unwrap(), unfolded(&histogram));
            let inflated = inflate(&stored(&histogram)).unwrap();
            for recorded in histogram.iter_recorded() {
                let (lowest, highest) = (
                    histogram.lowest_equivalent(recorded.value_iterated_to()),
                    histogram.highest_equivalent(recorded.value_iterated_to()),
                );
                prop_assert_eq!(inflated.lowest_with(highest), lowest);
            }
        }

        #[test]
        fn damage_is_an_error_and_no_panic(at in 0usize..200, byte in any::<u8>(), cut in 0usize..200) {
            let mut histogram = new_histogram();
            (1..200).for_each(|n| histogram += n * n * n);
            let mut bytes = stored(&histogram);
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            let _ = read(&bytes);
            bytes.truncate(cut);
            prop_assert!(read(&bytes).is_err());
        }
    }
    /// A header and counters as they stand, packed.
    fn packed(lowest: u64, counters: &[u8]) -> Vec<u8> {
        let header = [COOKIE, counters.len() as u32, 0, 3].map(u32::to_be_bytes).concat();
        let bounds = [lowest, u64::MAX, 1.0f64.to_bits()].map(u64::to_be_bytes).concat();
        let mut deflated = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut deflated, &[header, bounds, counters.to_vec()].concat()).unwrap();
        [&COMPRESSED_COOKIE.to_be_bytes()[..], &[0; 4], &deflated.finish().unwrap()].concat()
    }

    #[test]
    fn numbers_beyond_reason_are_an_error_and_no_panic() {
        // −2⁶³ empty counters, twice, and then one that is empty or filled.
        let far = [&[0xff; 9][..], &[0xff; 9]].concat();
        for counter in [0, 2] {
            let read = read(&packed(1, &[&far[..], &[counter]].concat()));
            assert_eq!(read.map(|buckets| buckets.len()).ok(), (counter == 0).then_some(0));
        }
        assert!(read(&packed(1 << 52, &[2])).is_err());
        let last = read(&packed(1 << 51, &[2])).unwrap();
        assert_eq!(last, [Bucket { value: (1 << 51) - 1, count: 1 }]);
        // The last place is that of the largest number, and behind it is none.
        let places = Scale::new(3, 1).unwrap().end();
        let at = |place: u64| {
            let mut zigzag = 2 * place - 1;
            let mut counters = Vec::new();
            while zigzag >= 0x80 {
                counters.push(zigzag as u8 | 0x80);
                zigzag >>= 7;
            }
            read(&packed(1, &[&counters[..], &[zigzag as u8, 2]].concat()))
        };
        assert_eq!(at(places - 1).unwrap(), [Bucket { value: u64::MAX, count: 1 }]);
        assert!(at(places).is_err());
    }

    #[test]
    fn what_inflates_without_end_is_given_up() {
        let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut packed, &vec![0; 64 << 20]).unwrap();
        let bomb = [&COMPRESSED_COOKIE.to_be_bytes()[..], &[0; 4], &packed.finish().unwrap()].concat();
        assert!(read(&bomb).unwrap_err().to_string().contains("more counters than any histogram has"));
    }
}
