//! The generated feed: a seeded random walk over four symbols.
//!
//! All arithmetic is on integers, so that a server in any language reproduces it to the bit. The walk is a *tape* of
//! [`TAPE_UPDATES`] updates made once for a seed, and tick `seq` carries update `seq mod TAPE_UPDATES`: drawing random numbers
//! thus costs nothing in the timed path of any server, and prepared frames can hold the whole stream.

use crate::update::{Side, Symbol, Update};

/// Updates on a tape, after which it repeats. 1,024 prepared frames (50 KB binary, 250 KB JSON) fit an L2 cache.
pub const TAPE_UPDATES: usize = 1024;

/// Of sixteen draws, which symbol each one picks: trading is concentrated on few instruments.
const PICKS: [Symbol; 16] = {
    use Symbol::{BtcUsd as B, EthUsd as E, SolUsd as S, XrpUsd as X};
    [B, B, B, B, B, B, E, E, E, E, E, S, S, S, X, X]
};

/// The updates of one seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tape {
    updates: Vec<Update>,
}

impl Tape {
    /// Draws the tape of `seed`. The steps are spelled out in PROTOCOL.md, "The feed".
    pub fn generate(seed: u64) -> Tape {
        let mut random = SplitMix64 { state: seed };
        let mut bids = Symbol::ALL.map(Symbol::start_price);
        let updates = (0..TAPE_UPDATES).map(|_| next_update(&mut random, &mut bids)).collect();
        Tape { updates }
    }

    /// The update that tick `seq` carries.
    pub fn update(&self, seq: u64) -> &Update {
        &self.updates[(seq % TAPE_UPDATES as u64) as usize]
    }

    /// All updates, in order.
    pub fn updates(&self) -> &[Update] {
        &self.updates
    }
}

fn next_update(random: &mut SplitMix64, bids: &mut [u32; 4]) -> Update {
    let a = random.next();
    let b = random.next();
    let symbol = PICKS[(a & 15) as usize];
    let start = symbol.start_price();
    // The difference of two uniform draws is triangular: small moves are common, large ones rare.
    let step = ((a >> 4) & 7) as i64 - ((a >> 7) & 7) as i64;
    let bid =
        (i64::from(bids[symbol as usize]) + step).clamp(i64::from(start / 2), i64::from(start) * 2) as u32;
    bids[symbol as usize] = bid;
    let ask = bid + 1 + ((a >> 10) & 3) as u32;
    let side = if (b >> 34) & 1 == 0 { Side::Buy } else { Side::Sell };
    Update {
        symbol,
        side,
        bid,
        ask,
        bid_size: quantity(b & 0x3fff, (b >> 14) & 7),
        ask_size: quantity((b >> 17) & 0x3fff, (b >> 31) & 7),
        last: if side == Side::Buy { ask } else { bid },
    }
}

/// Quantities spread over several powers of two, in whole hundredths.
fn quantity(uniform: u64, shift: u64) -> u32 {
    100 * (1 + (uniform >> shift) as u32)
}

/// SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
#[derive(Debug, Clone)]
pub(crate) struct SplitMix64 {
    pub(crate) state: u64,
}

impl SplitMix64 {
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in (0, 1], from the upper 53 bits.
    pub(crate) fn next_unit(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix64_matches_the_published_sequence() {
        // First outputs for seed 1234567, as published with the reference implementation.
        let mut random = SplitMix64 { state: 1_234_567 };
        assert_eq!(
            [random.next(), random.next(), random.next()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn a_tape_depends_on_its_seed_alone() {
        assert_eq!(Tape::generate(7), Tape::generate(7));
        assert_ne!(Tape::generate(7), Tape::generate(8));
    }

    #[test]
    fn every_update_is_a_sound_book() {
        for seed in 0..50 {
            for update in Tape::generate(seed).updates() {
                assert!(update.bid < update.ask && update.bid_size > 0 && update.ask_size > 0);
                assert!(update.last == update.bid || update.last == update.ask);
            }
        }
    }

    #[test]
    fn every_symbol_trades() {
        let tape = Tape::generate(1);
        for symbol in Symbol::ALL {
            assert!(tape.updates().iter().any(|update| update.symbol == symbol), "{symbol:?}");
        }
    }
}
