//! Usage over the window, as graphs draw it.

use tickbench_record::{Observation, UsageSamples};

use crate::resample::median;

/// One point for each two successive samples: the CPU time between them over the time between them.
pub(crate) fn over_time<'a>(seen: impl Iterator<Item = &'a Observation>) -> Vec<(f64, f64, f64, f64)> {
    let samples: Vec<&UsageSamples> = seen.filter_map(|seen| seen.usage_samples.as_ref()).collect();
    let longest = samples.iter().map(|samples| samples.at_ns.len()).max().unwrap_or(0);
    let share = |samples: &UsageSamples, cpu_ns: &[u64], at: usize| {
        let spent = cpu_ns.get(at)?.checked_sub(*cpu_ns.get(at - 1)?)?;
        let passed = samples.at_ns.get(at)?.checked_sub(*samples.at_ns.get(at - 1)?)?;
        (passed > 0).then(|| spent as f64 / passed as f64)
    };
    let over = |figure: &dyn Fn(&UsageSamples) -> Option<f64>| {
        let values: Vec<f64> = samples.iter().filter_map(|samples| figure(samples)).collect();
        median(&values)
    };
    (1..longest)
        .filter_map(|at| {
            Some((
                over(&|samples| Some(*samples.at_ns.get(at)? as f64 / 1e6))?,
                over(&|samples| share(samples, &samples.server_cpu_ns, at))?,
                over(&|samples| Some(*samples.server_rss_bytes.get(at)? as f64))?,
                over(&|samples| share(samples, &samples.client_cpu_ns, at))?,
            ))
        })
        .collect()
}
