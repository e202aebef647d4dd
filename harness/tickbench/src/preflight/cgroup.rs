//! What a control group, a container's for instance, leaves of the processor.

use tickbench_record::Finding;

use super::settings::{Scene, finding};

/// Fewer cores than this leave none to the harness and the rest of the system.
const ENOUGH_CORES: usize = 3;

/// A share of CPU time that a group may use: when it is used up, all processes of the group stop until the next period.
struct Quota {
    /// Cores' worth of time.
    cores: f64,
    /// The command that lifts it.
    lift: String,
}

/// Whether this process's group, or one above it, may use only so much CPU time.
pub(super) fn quota(scene: &Scene<'_>) -> Finding {
    let groups = scene.file("proc/self/cgroup");
    let tightest =
        groups.iter().flat_map(|groups| quotas(scene, groups)).min_by(|a, b| a.cores.total_cmp(&b.cores));
    let (found, advice) = match (groups, tightest) {
        (None, _) => (None, None),
        (Some(_), None) => (Some("none".to_owned()), None),
        (_, Some(Quota { cores, lift })) => {
            (Some(format!("{cores} cores' worth of time, then all of it stands still")), Some(lift))
        }
    };
    finding("CPU quota", found, advice)
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
/// root, so that a path may not exist; the root then counts.
fn quotas(scene: &Scene<'_>, groups: &str) -> Vec<Quota> {
    let mut quotas = Vec::new();
    for line in groups.lines() {
        // `0::PATH` in version 2, `ID:CONTROLLERS:PATH` in version 1 (cgroups(7)).
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        for path in upwards(path) {
            if controllers.is_empty() {
                quotas.extend(version_2(scene, &format!("sys/fs/cgroup{path}/cpu.max")));
            } else if controllers.split(',').any(|controller| controller == "cpu") {
                quotas.extend(version_1(scene, &format!("sys/fs/cgroup/{controllers}{path}")));
            }
        }
    }
    quotas
}

/// `/a/b`, `/a` and the root, which is empty.
fn upwards(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path.trim_end_matches('/')), |path| Some(path.rsplit_once('/')?.0))
}

/// `QUOTA PERIOD` in microseconds; `max` is none.
fn version_2(scene: &Scene<'_>, path: &str) -> Option<Quota> {
    let text = scene.file(path)?;
    let (quota, period) = text.split_once(' ')?;
    let cores = quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?;
    Some(Quota { cores, lift: format!("echo max | sudo tee /{path}") })
}

/// A file each, in microseconds; -1 is none.
fn version_1(scene: &Scene<'_>, folder: &str) -> Option<Quota> {
    let number = |name: &str| scene.file(&format!("{folder}/{name}"))?.parse::<f64>().ok();
    let (quota, period) = (number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?);
    let lift = format!("echo -1 | sudo tee /{folder}/cpu.cfs_quota_us");
    (quota > 0.0).then(|| Quota { cores: quota / period, lift })
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
