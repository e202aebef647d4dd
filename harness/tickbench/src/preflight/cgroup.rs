//! What a control group, a container's for instance, leaves of the processor.

use std::path::Path;

use tickbench_record::{Finding, Throttled};

use super::settings::{Scene, file, finding};

/// Fewer cores than this leave none to the harness and the rest of the system.
const ENOUGH_CORES: usize = 3;

/// A share of CPU time that a group may use: when it is used up, all processes of the group stop until the next period.
struct Quota {
    /// Cores' worth of time.
    cores: f64,
    /// The command that lifts it.
    lift: String,
    /// What its group was stopped for so far: `cpu.stat`, below the root.
    counters: String,
}

/// Whether this process's group, or one above it, may use only so much CPU time.
pub(super) fn quota(scene: &Scene<'_>) -> Finding {
    let (found, advice) = match quotas(scene.root).map(tightest) {
        None => (None, None),
        Some(None) => (Some("none".to_owned()), None),
        Some(Some(Quota { cores, lift, .. })) => {
            (Some(format!("{cores} cores' worth of time, then all of it stands still")), Some(lift))
        }
    };
    finding("CPU quota", found, advice)
}

/// What a reader must know of a quota before the figures.
pub(super) fn warning(root: &Path) -> Option<String> {
    let Quota { cores, lift, .. } = quotas(root).and_then(tightest)?;
    Some(format!(
        "A CPU quota left this run {cores} cores' worth of time: when that is used up, server and client stand still until its next \
         period begins. Lift it with `{lift}`."
    ))
}

fn tightest(quotas: Vec<Quota>) -> Option<Quota> {
    quotas.into_iter().min_by(|a, b| a.cores.total_cmp(&b.cores))
}

/// What each quota that this process is under has stopped since its group was made.
#[derive(Debug, PartialEq)]
pub(crate) struct Stops(Vec<Throttled>);

impl Stops {
    /// Reads the counters now; `None` where there is no quota, or a group does not tell.
    pub(crate) fn so_far(root: &Path) -> Option<Stops> {
        let quotas = quotas(root).filter(|quotas| !quotas.is_empty())?;
        let counters = quotas.iter().map(|quota| counters(&file(root, &quota.counters)?));
        Some(Stops(counters.collect::<Option<_>>()?))
    }

    /// What the quota that stopped the most did between an earlier reading and this one. Those of groups within one another stop the
    /// same processes, and are not added.
    pub(crate) fn since(&self, earlier: &Stops) -> Option<Throttled> {
        let since = |(now, then): (&Throttled, &Throttled)| Throttled {
            periods: now.periods.saturating_sub(then.periods),
            stopped_ns: now.stopped_ns.saturating_sub(then.stopped_ns),
        };
        let same_groups = self.0.len() == earlier.0.len();
        self.0.iter().zip(&earlier.0).filter(|_| same_groups).map(since).max_by_key(|one| one.stopped_ns)
    }
}

/// `cpu.stat`: the time is in microseconds in version 2 (`throttled_usec`), in nanoseconds in version 1 (`throttled_time`).
fn counters(text: &str) -> Option<Throttled> {
    let number = |key: &str| -> Option<u64> {
        text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok())
    };
    let stopped_ns = number("throttled_usec ").map(|us| us * 1_000).or_else(|| number("throttled_time "))?;
    Some(Throttled { periods: number("nr_throttled ")?, stopped_ns })
}

/// The cores that this process may use, of those that there are.
pub(super) fn cores(scene: &Scene<'_>) -> Finding {
    let status = scene.file("proc/self/status");
    let allowed = status.as_deref().and_then(|status| {
        status.lines().find_map(|line| Some(line.strip_prefix("Cpus_allowed_list:")?.trim().to_owned()))
    });
    let online = scene.file("sys/devices/system/cpu/online");
    let few = allowed.as_deref().is_some_and(|list| crate::cores::parse_core_list(list).len() < ENOUGH_CORES);
    let advice = match (&allowed, &online) {
        (Some(allowed), Some(online)) if few && allowed != online => Some(format!(
            "start tickbench on more of them, or widen its cpuset: taskset -c {online} tickbench"
        )),
        _ => None,
    };
    let found = allowed.zip(online).map(|(allowed, online)| format!("{allowed} of {online}"));
    finding("cores allowed", found, advice)
}

/// The quotas of all groups that this process is in, and of those above them. A container often sees its own group as the
/// root, so that a path may not exist; the root then counts. `None` where there are no control groups.
fn quotas(root: &Path) -> Option<Vec<Quota>> {
    let groups = file(root, "proc/self/cgroup")?;
    let mut quotas = Vec::new();
    for line in groups.lines() {
        // `0::PATH` in version 2, `ID:CONTROLLERS:PATH` in version 1 (cgroups(7)).
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        for path in upwards(path) {
            if controllers.is_empty() {
                quotas.extend(version_2(root, &format!("sys/fs/cgroup{path}")));
            } else if controllers.split(',').any(|controller| controller == "cpu") {
                quotas.extend(version_1(root, &format!("sys/fs/cgroup/{controllers}{path}")));
            }
        }
    }
    Some(quotas)
}

/// `/a/b`, `/a` and the root, which is empty.
fn upwards(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path.trim_end_matches('/')), |path| Some(path.rsplit_once('/')?.0))
}

/// `QUOTA PERIOD` in microseconds; `max` is none.
fn version_2(root: &Path, folder: &str) -> Option<Quota> {
    let text = file(root, &format!("{folder}/cpu.max"))?;
    let (quota, period) = text.split_once(' ')?;
    let cores = quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?;
    let lift = format!("echo max | sudo tee /{folder}/cpu.max");
    Some(Quota { cores, lift, counters: format!("{folder}/cpu.stat") })
}

/// A file each, in microseconds; -1 is none.
fn version_1(root: &Path, folder: &str) -> Option<Quota> {
    let number = |name: &str| file(root, &format!("{folder}/{name}"))?.parse::<f64>().ok();
    let (quota, period) = (number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?);
    let lift = format!("echo -1 | sudo tee /{folder}/cpu.cfs_quota_us");
    (quota > 0.0).then(|| Quota { cores: quota / period, lift, counters: format!("{folder}/cpu.stat") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::tree;
    use tickbench_record::Machine;

    fn with(files: &[(&str, &str)], look: fn(&Scene<'_>) -> Finding) -> (String, Option<String>) {
        let (tree, machine) = (tree(files), Machine::default());
        let Finding { found, advice, .. } = look(&Scene { root: tree.path(), machine: &machine, cores: &[] });
        (found, advice)
    }

    #[test]
    fn a_quota_of_version_2_is_found_in_any_group_above() {
        let files = [
            ("proc/self/cgroup", "0::/pod/box\n"),
            ("sys/fs/cgroup/pod/box/cpu.max", "max 100000\n"),
            ("sys/fs/cgroup/pod/cpu.max", "150000 100000\n"),
        ];
        let (found, advice) = with(&files, quota);
        assert!(found.starts_with("1.5 cores"), "{found}");
        assert_eq!(advice.as_deref(), Some("echo max | sudo tee /sys/fs/cgroup/pod/cpu.max"));
        assert_eq!(with(&files[..2], quota), ("none".into(), None));
    }

    #[test]
    fn a_quota_of_version_1_is_found_at_the_root_where_a_container_hides_the_path() {
        let files = [
            ("proc/self/cgroup", "4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "200000\n"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
        ];
        let (found, advice) = with(&files, quota);
        assert!(found.starts_with("2 cores"), "{found}");
        assert!(advice.unwrap().ends_with("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us"));
        let unlimited = [files[0], (files[1].0, "-1\n"), files[2]];
        assert_eq!(with(&unlimited, quota), ("none".into(), None));
    }

    #[test]
    fn a_quota_is_told_before_the_figures() {
        let quota = [("proc/self/cgroup", "0::/box\n"), ("sys/fs/cgroup/box/cpu.max", "150000 100000\n")];
        let told = warning(tree(&quota).path()).unwrap();
        assert!(
            told.contains("1.5 cores' worth") && told.contains("tee /sys/fs/cgroup/box/cpu.max"),
            "{told}"
        );
        assert_eq!(warning(tree(&quota[..1]).path()), None);
    }

    #[test]
    fn what_a_quota_stops_is_read_before_and_after_in_both_versions() {
        let version_2 = [
            ("proc/self/cgroup", "0::/pod/box\n"),
            ("sys/fs/cgroup/pod/box/cpu.max", "100000 100000\n"),
            (
                "sys/fs/cgroup/pod/box/cpu.stat",
                "usage_usec 9\nnr_periods 7\nnr_throttled 3\nthrottled_usec 5000\n",
            ),
            ("sys/fs/cgroup/pod/cpu.max", "150000 100000\n"),
            ("sys/fs/cgroup/pod/cpu.stat", "nr_periods 7\nnr_throttled 1\nthrottled_usec 20\n"),
        ];
        let tree_2 = tree(&version_2);
        let before = Stops::so_far(tree_2.path()).unwrap();
        assert_eq!(before.since(&before), Some(Throttled::default()));
        let later = "nr_periods 9\nnr_throttled 5\nthrottled_usec 45000\n";
        std::fs::write(tree_2.path().join(version_2[2].0), later).unwrap();
        let since = Stops::so_far(tree_2.path()).unwrap().since(&before);
        assert_eq!(since, Some(Throttled { periods: 2, stopped_ns: 40_000_000 }));

        let cpu = "sys/fs/cgroup/cpu";
        let [quota, period, stat] =
            ["cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.stat"].map(|name| format!("{cpu}/{name}"));
        let tree_1 = tree(&[
            ("proc/self/cgroup", "3:cpu:/\n"),
            (&quota, "50000\n"),
            (&period, "100000\n"),
            (&stat, "nr_periods 4\nnr_throttled 2\nthrottled_time 7000\n"),
        ]);
        let nothing = Stops(vec![Throttled::default()]);
        let since = Stops::so_far(tree_1.path()).unwrap().since(&nothing);
        assert_eq!(since, Some(Throttled { periods: 2, stopped_ns: 7_000 }));
    }

    #[test]
    fn without_a_quota_nothing_is_stopped_and_nothing_is_told() {
        let unlimited = [
            ("proc/self/cgroup", "0::/box\n"),
            ("sys/fs/cgroup/box/cpu.max", "max 100000\n"),
            ("sys/fs/cgroup/box/cpu.stat", "nr_periods 0\nnr_throttled 0\nthrottled_usec 0\n"),
        ];
        assert_eq!(Stops::so_far(tree(&unlimited).path()), None);
        assert_eq!(Stops::so_far(tree(&[]).path()), None);
    }

    #[test]
    fn few_of_many_cores_are_worth_a_word() {
        let allowed = |list: &'static str| {
            with(&[("proc/self/status", list), ("sys/devices/system/cpu/online", "0-7\n")], cores)
        };
        let (found, advice) = allowed("Name:\tx\nCpus_allowed_list:\t0-1\n");
        assert_eq!(found, "0-1 of 0-7");
        assert!(advice.unwrap().ends_with("taskset -c 0-7 tickbench"));
        assert_eq!(allowed("Cpus_allowed_list:\t0-3\n").1, None);
    }

    #[test]
    fn without_control_groups_nothing_is_known() {
        assert_eq!(with(&[], quota), ("unknown".into(), None));
        assert_eq!(with(&[], cores), ("unknown".into(), None));
    }
}
