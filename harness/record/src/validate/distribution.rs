//! What must hold of a distribution: its quantiles ascend, and they and its counts are those of the histogram beside them.

use super::{Checked, Fault, ascending, fault, number, whole};
use crate::{Bucket, Distribution, DistributionError};

pub(super) fn check(key: &str, distribution: &Distribution) -> Checked {
    let Distribution { count, min, p50, p90, p99, p999, p9999, max, mean, beyond, .. } = distribution;
    let of = |part: &str| format!("{key}.{part}");
    if *count == 0 {
        return fault(of("count"), "a distribution of nothing is left out");
    }
    whole(&[("count", *count), ("max", *max)]).map_err(|wrong| Fault { key: of(&wrong.key), ..wrong })?;
    let quantiles = [
        ("min", *min),
        ("p50", *p50),
        ("p90", *p90),
        ("p99", *p99),
        ("p999", *p999),
        ("p9999", *p9999),
        ("max", *max),
    ];
    ascending(key, &quantiles)?;
    number(&of("mean"), *mean)?;
    if *mean < *min as f64 || *mean > *max as f64 {
        return fault(of("mean"), format!("{mean} is not between min and max, {min} and {max}"));
    }
    if beyond > count {
        return fault(of("beyond"), format!("{beyond} are more than the {count} samples"));
    }
    let damaged = |cause: DistributionError| Fault { key: of("histogram"), cause: cause.to_string() };
    let histogram = distribution.histogram.inflated().map_err(damaged)?;
    let buckets = histogram.buckets().map_err(damaged)?;
    let lowest = buckets.first().map(|first| histogram.lowest_with(first.value));
    if lowest.is_some_and(|lowest| lowest != *min) {
        return fault(
            of("min"),
            format!("{min}, and its histogram begins at {}", lowest.unwrap_or_default()),
        );
    }
    check_counts(key, distribution, &buckets)
}

/// The counts of the histogram are a second source: each figure of the distribution must be what they say.
fn check_counts(key: &str, distribution: &Distribution, buckets: &[Bucket]) -> Checked {
    let of = |part: &str| format!("{key}.{part}");
    let counted = buckets.iter().try_fold(0u64, |sum, bucket| sum.checked_add(bucket.count));
    if counted != Some(distribution.count) {
        let counted = counted.map_or("more than can be counted".into(), |counted| counted.to_string());
        return fault(
            of("count"),
            format!("{} samples, and its histogram holds {counted}", distribution.count),
        );
    }
    // It holds as many samples as it says, and so there is a last one.
    let Some(last) = buckets.last() else { return fault(of("histogram"), "it is empty") };
    // Samples beyond the range of a histogram are counted as its highest value.
    let is_highest = match distribution.beyond {
        0 => distribution.max == last.value,
        _ => distribution.max >= last.value,
    };
    if !is_highest {
        return fault(of("max"), format!("{}, and its histogram ends at {}", distribution.max, last.value));
    }
    let mut at = 0;
    let mut below = 0;
    for (part, q, value) in [
        ("p50", 0.5, distribution.p50),
        ("p90", 0.9, distribution.p90),
        ("p99", 0.99, distribution.p99),
        ("p999", 0.999, distribution.p999),
        ("p9999", 0.9999, distribution.p9999),
    ] {
        // The samples below the bucket of this value, and with it.
        while at + 1 < buckets.len() && buckets[at].value < value {
            below += buckets[at].count;
            at += 1;
        }
        let wanted = q * distribution.count as f64;
        // Whoever counts the rank of a quantile may round it up or down.
        let is_there = buckets[at].value == value
            && below as f64 <= wanted + 1.0
            && (below + buckets[at].count) as f64 >= wanted - 1.0;
        if !is_there {
            return fault(of(part), format!("{value} is not the {q} quantile of its histogram"));
        }
    }
    Ok(())
}
