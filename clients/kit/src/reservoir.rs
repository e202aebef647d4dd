//! A uniform sample of things whose number nobody knows beforehand.
//!
//! Algorithm L of Li: "Reservoir-sampling algorithms of time complexity O(n(1 + log(N/n)))", ACM Transactions on Mathematical Software
//! 20(4), 1994. How many are passed over until the next is kept is drawn at once, so that to pass one over costs a comparison and a
//! subtraction. Of *N* things some *n* (1 + ln (*N*/*n*)) are kept for a while: of 10 million, with room for 256, about 3,000.

use rand::RngExt as _;
use rand::rngs::StdRng;

/// Which of the things that come are to be kept, and in which place.
#[derive(Debug)]
pub(crate) struct Reservoir {
    random: StdRng,
    room: usize,
    filled: usize,
    /// How many are passed over before the next is kept.
    pass: u64,
    /// The largest of as many random numbers between 0 and 1 as there are places, each of them the smallest so far (W in the paper).
    largest: f64,
}

impl Reservoir {
    /// Room for so many things: one or more.
    pub(crate) fn new(room: usize, random: StdRng) -> Reservoir {
        Reservoir { random, room, filled: 0, pass: 0, largest: 1.0 }
    }

    /// Forgets all that came.
    pub(crate) fn reset(&mut self) {
        (self.filled, self.pass, self.largest) = (0, 0, 1.0);
    }

    /// How many places are taken.
    pub(crate) fn filled(&self) -> usize {
        self.filled
    }

    /// Another thing came: tells in which place it is to be kept, if it is; in that of another, where all are taken.
    #[inline(always)]
    pub(crate) fn offer(&mut self) -> Option<usize> {
        match self.pass.checked_sub(1) {
            Some(pass) => {
                self.pass = pass;
                None
            }
            None => Some(self.take()),
        }
    }

    #[cold]
    fn take(&mut self) -> usize {
        let place = if self.filled < self.room {
            self.filled += 1;
            self.filled - 1
        } else {
            self.random.random_range(0..self.room)
        };
        if self.filled == self.room {
            self.largest *= (self.ln_of_any() / self.room as f64).exp();
            // A whole number, or all that there is.
            self.pass = (self.ln_of_any() / (-self.largest).ln_1p()) as u64;
        }
        place
    }

    /// The logarithm of a random number between 0 and 1.
    fn ln_of_any(&mut self) -> f64 {
        self.random.random::<f64>().ln()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    /// What is kept of the numbers up to `count`.
    fn kept(reservoir: &mut Reservoir, count: u64) -> Vec<u64> {
        let mut places = Vec::new();
        for number in 0..count {
            match reservoir.offer() {
                Some(place) if place == places.len() => places.push(number),
                Some(place) => places[place] = number,
                None => {}
            }
        }
        assert_eq!(places.len(), reservoir.filled());
        places
    }

    fn reservoir(room: usize) -> Reservoir {
        Reservoir::new(room, StdRng::seed_from_u64(1))
    }

    #[test]
    fn all_are_kept_while_there_is_room() {
        assert_eq!(kept(&mut reservoir(16), 16), (0..16).collect::<Vec<_>>());
        assert_eq!(kept(&mut reservoir(16), 3), [0, 1, 2]);
    }

    #[test]
    fn each_is_kept_as_often_as_any_other() {
        let (mut reservoir, mut often) = (reservoir(16), [0_u32; 100]);
        for _ in 0..10_000 {
            kept(&mut reservoir, 100).into_iter().for_each(|number| often[number as usize] += 1);
            reservoir.reset();
        }
        // Each is kept 1,600 times in the mean, with a standard deviation of 37.
        let squares: f64 =
            often.iter().map(|&often| (f64::from(often) - 1600.0).powi(2) / (1600.0 * 0.84)).sum();
        assert!(often.iter().all(|&often| often.abs_diff(1600) < 5 * 37), "{often:?}");
        assert!((50.0..160.0).contains(&squares), "chi-squared of 100 is {squares}");
    }

    #[test]
    fn few_are_taken_in_of_many() {
        let mut reservoir = reservoir(256);
        let taken = (0..1_000_000).filter(|_| reservoir.offer().is_some()).count();
        // 256 (1 + ln (1,000,000 / 256)) = 2,373.
        assert!((2_000..2_800).contains(&taken), "{taken}");
    }
}
