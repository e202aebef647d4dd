//! Which iterations make one value of a quantile over a run: each its own or, where single iterations hold too few samples, blocks of
//! consecutive ones. Tables, graphs and comparisons all ask here.
//!
//! A block is made by the numbers of its iterations and not by how many completed before them: where an iteration is missing, its
//! block is smaller and all others stay what they are. So the blocks of two servers hold the same iterations.

use tickbench_record::samples_needed;

/// Blocks from which on they are worth telling a figure by: ten pairs can still be told apart at 5 % in a scenario of twenty
/// comparisons (the signed-rank test's smallest p is 2 · 2⁻¹⁰).
pub(crate) const LEAST_BLOCKS: usize = 10;

/// How a quantile is divided into values over a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Division {
    /// A value an iteration: most of them hold the samples that the quantile needs. One iteration in which the machine stood still
    /// holds fewer; it counts as what it is, one bad observation of many. Merged with the others, its late messages would be
    /// the whole tail.
    Iterations,
    /// A value a block of so many iterations: as many typical ones as hold the samples that a block needs.
    Blocks(u32),
}

impl Division {
    /// How the quantile is divided where the iterations hold so many samples each, 0 included; `None` where there would be too few
    /// blocks.
    pub(crate) fn of(q: f64, counts: &[u64]) -> Option<Division> {
        let enough = counts.iter().filter(|&&count| count >= samples_needed(q)).count();
        if 2 * enough > counts.len() {
            return Some(Division::Iterations);
        }
        let mut sorted = counts.to_vec();
        sorted.sort_unstable();
        let typical = *sorted.get(sorted.len() / 2)?;
        let length = (typical > 0).then(|| block_needs(q).div_ceil(typical))?;
        let blocks = counts.len() as u64 / length.max(1);
        (blocks >= LEAST_BLOCKS as u64).then_some(Division::Blocks(length as u32))
    }

    /// Iterations behind each value.
    pub(crate) fn length(self) -> u32 {
        match self {
            Division::Iterations => 1,
            Division::Blocks(length) => length,
        }
    }

    /// The place of an iteration's samples.
    pub(crate) fn place(self, iteration: u32) -> u32 {
        iteration / self.length()
    }

    /// Whether so many samples make a value. A block that lacks iterations, as the last one may, needs half of what others need.
    pub(crate) fn has_enough(self, q: f64, samples: u64) -> bool {
        match self {
            Division::Iterations => samples > 0,
            Division::Blocks(_) => 2 * samples >= block_needs(q),
        }
    }

    /// The same in blocks of `length`, to go with another that needs so many; what is as long already stays as it is.
    pub(crate) fn lengthened(self, length: u32) -> Division {
        if self.length() < length { Division::Blocks(length) } else { self }
    }
}

/// The samples that a block needs for a quantile: five beyond it. Half of what a figure that stands alone needs, since this one is
/// the median over many blocks.
fn block_needs(q: f64) -> u64 {
    samples_needed(q).div_ceil(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iterations_are_taken_one_by_one_where_most_hold_the_samples() {
        assert_eq!(Division::of(0.99, &[1_000, 1_000, 3]), Some(Division::Iterations));
        assert_eq!(Division::of(0.99, &[1_000, 3, 3]), None, "and no ten blocks");
    }

    #[test]
    fn blocks_hold_what_a_quantile_needs_and_are_ten_at_least() {
        assert_eq!(Division::of(0.999, &[1_250; 40]), Some(Division::Blocks(4)));
        assert_eq!(Division::of(0.999, &[1_250; 39]), None);
        assert_eq!(Division::of(0.999, &[0; 50]), None, "where the typical iteration has no samples");
        assert_eq!(Division::of(0.999, &[]), None);
    }

    #[test]
    fn half_of_the_samples_make_a_value_of_a_block_and_any_make_one_of_an_iteration() {
        assert!(
            Division::Blocks(4).has_enough(0.999, 2_500) && !Division::Blocks(4).has_enough(0.999, 2_499)
        );
        assert!(Division::Iterations.has_enough(0.999, 1) && !Division::Iterations.has_enough(0.999, 0));
    }
}
