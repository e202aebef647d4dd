//! How surely a difference is found: the power of the report's own verdict, estimated by drawing whole studies anew from the
//! iterations of one (Efron and Tibshirani: "An Introduction to the Bootstrap", chapter 25, on planning a study's size so).
//!
//! Drawing adds to the spread of the one study that there is. Where there is no difference at all, 8 % of the drawn studies are
//! expected to find one upwards (the share of a normal distribution of variance 2 above 1.96), and not a fortieth.

use std::collections::BTreeMap;

use tickbench_record::{Distribution, DistributionError};

use crate::FAMILY_ERROR;
use crate::blocks::Division;
use crate::figure::normal_p;
use crate::merged::{MERGED_RESAMPLES, Merged};
use crate::random::SplitMix64;
use crate::resample::{Tables, interval, median};
use crate::values::Values;
use crate::{effect, signed_rank};

/// Studies that are drawn: a share of 0.9 of them is known to ± 0.04.
pub const STUDIES: usize = 200;

/// How a figure of one series lies above that of another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// The one series' figure.
    pub one_ns: f64,
    /// The other's.
    pub other_ns: f64,
    /// The share of drawn studies in which the one is judged higher, 0 to 1.
    pub found: f64,
}

/// How surely the quantile `q` of the first is found to be above that of the second, in studies of as many iterations. Both are given
/// for each iteration that both completed; `read` reads the quantile from one. It is judged as in a comparison: by iteration where the
/// typical one holds enough samples for it, else by blocks of iterations, else by all of them merged. `None` where even those are
/// too few.
///
/// # Errors
/// Where a histogram cannot be read.
pub fn detection(
    q: f64,
    read: fn(&Distribution) -> u64,
    pairs: &BTreeMap<u32, [&Distribution; 2]>,
    seed: u64,
) -> Result<Option<Detection>, DistributionError> {
    if pairs.is_empty() {
        return Ok(None);
    }
    let divisions = [0, 1]
        .map(|side| Division::of(q, &pairs.values().map(|pair| pair[side].count).collect::<Vec<u64>>()));
    if divisions == [Some(Division::Iterations); 2] {
        let values =
            |side: usize| -> Vec<f64> { pairs.values().map(|pair| read(pair[side]) as f64).collect() };
        return Ok(by_values(&values(0), &values(1), seed));
    }
    let merged =
        |side: usize| Merged::of(pairs.iter().map(|(&iteration, pair)| (iteration, Some(pair[side]))));
    let (one, other) = (merged(0)?, merged(1)?);
    if let [Some(of_one), Some(of_other)] = divisions {
        let length = of_one.length().max(of_other.length());
        let values = |of: Division, merged: &Merged| Values::in_merged(of.lengthened(length), q, merged);
        let (one, other) = (values(of_one, &one), values(of_other, &other));
        let shared = [one.shared_with(&other), other.shared_with(&one)];
        return Ok(by_values(&shared[0].numbers(), &shared[1].numbers(), seed));
    }
    Ok(by_merging(q, &one, &other, pairs.len(), seed))
}

/// As [`Paired`](crate::Paired) judges, and no more of it than the verdict takes.
fn by_values(one: &[f64], other: &[f64], seed: u64) -> Option<Detection> {
    let found = share_of_studies(one.len(), seed, |drawn| {
        let of = |values: &[f64]| -> Vec<f64> { drawn.iter().map(|&at| values[at]).collect() };
        let pairs = of(one).into_iter().zip(of(other));
        let differences: Vec<f64> = pairs.map(|(one, other)| one.ln() - other.ln()).collect();
        differences.iter().all(|difference| difference.is_finite())
            && signed_rank::p_two_sided(&differences) < FAMILY_ERROR
            && effect::hodges_lehmann(&differences).is_some_and(|shift| shift.low > 0.0)
    });
    Some(Detection { one_ns: median(one)?, other_ns: median(other)?, found })
}

fn by_merging(q: f64, one: &Merged, other: &Merged, iterations: usize, seed: u64) -> Option<Detection> {
    let (one_ns, other_ns) = (one.quantile(q)? as f64, other.quantile(q)? as f64);
    let resamples = Tables::new(seed).over(iterations);
    let log_ratio = |weights: &[u64]| {
        let quantile = |merged: &Merged| Some((merged.weighted_quantile(q, |at| weights[at])? as f64).ln());
        Some(quantile(one)? - quantile(other)?)
    };
    let found = share_of_studies(iterations, seed, |drawn| {
        // A resample of the study counts places in it; what is merged counts the iterations that stand there.
        let weights = |times: &dyn Fn(usize) -> u64| {
            let mut weights = vec![0; iterations];
            drawn.iter().enumerate().for_each(|(place, &at)| weights[at] += times(place));
            weights
        };
        let resampled: Option<Vec<f64>> = resamples
            .rows()
            .take(MERGED_RESAMPLES)
            .map(|row| log_ratio(&weights(&|place| u64::from(row[place]))))
            .collect();
        let whole = log_ratio(&weights(&|_| 1));
        whole.zip(resampled).is_some_and(|(whole, resampled)| {
            let ratios: Vec<f64> = resampled.iter().map(|log| log.exp()).collect();
            normal_p(whole, &ratios) < FAMILY_ERROR && interval(ratios).is_some_and(|(low, _)| low > 1.0)
        })
    });
    Some(Detection { one_ns, other_ns, found })
}

/// The share of drawn studies of which `finds` is true. A study is told by the iterations that were drawn.
fn share_of_studies(iterations: usize, seed: u64, finds: impl Fn(&[usize]) -> bool) -> f64 {
    let mut random = SplitMix64::new(seed ^ 0x0070_6f77_6572);
    let found = (0..STUDIES).filter(|_| {
        let drawn: Vec<usize> = (0..iterations).map(|_| random.below(iterations)).collect();
        finds(&drawn)
    });
    found.count() as f64 / STUDIES as f64
}

#[cfg(test)]
mod tests {
    use tickbench_record::new_histogram;

    use super::*;

    /// Iterations of a few samples around 5 µs, whose level wanders by some 1 % and is `ns` higher throughout.
    fn series(ns: u64, each: u64, seed: u64) -> Vec<Distribution> {
        let mut random = SplitMix64::new(seed);
        let mut iteration = || {
            let (mut histogram, level) = (new_histogram(), 5_000 + random.below(100) as u64 + ns);
            (0..each).for_each(|_| histogram += level + random.below(400) as u64);
            Distribution::of(&histogram).unwrap()
        };
        (0..60).map(|_| iteration()).collect()
    }

    fn paired<'a>(
        one: &'a [Distribution],
        other: &'a [Distribution],
    ) -> BTreeMap<u32, [&'a Distribution; 2]> {
        (0..).zip(one.iter().zip(other).map(|(one, other)| [one, other])).collect()
    }

    /// How surely `one_ns` is found to be above `other_ns`.
    fn found(q: f64, read: fn(&Distribution) -> u64, [one_ns, other_ns]: [u64; 2]) -> Detection {
        let (one, other) = (series(one_ns, 400, 1), series(other_ns, 400, 2));
        detection(q, read, &paired(&one, &other), 3).unwrap().unwrap()
    }

    #[test]
    fn a_large_difference_is_nearly_always_found_and_none_seldom() {
        let p50: fn(&Distribution) -> u64 = |figure| figure.p50;
        let large = found(0.5, p50, [300, 0]);
        assert!(large.found > 0.99 && (250.0..350.0).contains(&(large.one_ns - large.other_ns)), "{large:?}");
        assert!(found(0.5, p50, [0, 0]).found < 0.5);
        assert_eq!(found(0.5, p50, [0, 300]).found, 0.0, "lower is not higher");
    }

    /// Series that differ by the same in every iteration, or by nothing: every study of them must judge as the whole is judged.
    #[test]
    fn a_clear_verdict_is_that_of_the_comparison() {
        for (ns, higher) in [(300, true), (0, false)] {
            let (one, other) = (series(ns, 400, 1), series(0, 400, 1));
            let p50 = |series: &[Distribution]| -> Vec<f64> {
                series.iter().map(|figure| figure.p50 as f64).collect()
            };
            let paired = crate::Paired::of(&p50(&one), &p50(&other), 3).unwrap();
            assert_eq!(paired.p < FAMILY_ERROR && paired.ratio.low > 1.0, higher);
            assert_eq!(by_values(&p50(&one), &p50(&other), 3).unwrap().found, f64::from(u8::from(higher)));
        }
    }

    #[test]
    fn a_tail_that_no_iteration_holds_is_judged_by_all_of_them_merged_or_by_blocks() {
        let p999: fn(&Distribution) -> u64 = |figure| figure.p999;
        for each in [400, 2_000] {
            let found = |ns: u64| {
                let (one, other) = (series(ns, each, 1), series(0, each, 2));
                detection(0.999, p999, &paired(&one, &other), 3).unwrap().unwrap().found
            };
            assert_eq!(Division::of(0.999, &[each; 60]), (each == 2_000).then_some(Division::Blocks(3)));
            assert!(found(300) > 0.99 && found(0) < 0.5, "{each}");
        }
        let few = series(0, 10, 1);
        assert_eq!(detection(0.999, p999, &paired(&few, &few), 3).unwrap(), None, "600 samples are too few");
    }

    #[test]
    fn blocks_are_those_of_a_table_where_an_iteration_is_missing() {
        // Each value tells its iteration: a block made of other iterations has another quantile.
        let level = |at: u64| {
            let mut histogram = new_histogram();
            (0..2_000).for_each(|n| histogram += 5_000 + 40 * at + n % 7);
            Distribution::of(&histogram).unwrap()
        };
        let all: Vec<Distribution> = (0..60).map(level).collect();
        let mut pairs = paired(&all, &all);
        pairs.remove(&1);
        let found = detection(0.999, |figure| figure.p999, &pairs, 3).unwrap().unwrap();
        // Of twenty blocks of three the middle two end with iterations 29 and 32.
        let expected = 5_006.0 + 40.0 * (29.0 + 32.0) / 2.0;
        assert!((found.one_ns - expected).abs() <= expected * 0.001, "{} for {expected}", found.one_ns);
    }
}
