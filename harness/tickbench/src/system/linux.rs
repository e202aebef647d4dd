//! Linux: sched_setaffinity, prctl, procfs.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use rustix::process::{Pid, Signal, getpid, getppid, set_parent_process_death_signal};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use tickbench_record::CoreKind;

use crate::cores::parse_core_list;

/// The cores that this process may run on, ascending.
pub(crate) fn allowed_cores() -> io::Result<Vec<usize>> {
    Ok(cores_of(&sched_getaffinity(None)?))
}

/// The cores that another process may run on.
pub(crate) fn allowed_cores_of(pid: u32) -> io::Result<Vec<usize>> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    Ok(cores_of(&sched_getaffinity(Some(pid.ok_or(io::ErrorKind::InvalidInput)?))?))
}

/// Confines this thread, and what it starts from now on, to these cores.
pub(crate) fn pin_self(cores: &[usize]) -> io::Result<()> {
    Ok(sched_setaffinity(None, &set_of(cores))?)
}

fn cores_of(set: &CpuSet) -> Vec<usize> {
    (0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect()
}

fn set_of(cores: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    cores.iter().for_each(|&core| set.set(core));
    set
}

/// What a child does between fork and exec: system calls alone, as `CommandExt::pre_exec` demands.
#[derive(Clone, Copy)]
pub(crate) struct BeforeExec {
    core: Option<CpuSet>,
    parent: Pid,
}

impl BeforeExec {
    /// Pins the child to `core` and ties its life to the thread that calls this and starts it.
    pub(crate) fn new(core: Option<usize>) -> BeforeExec {
        BeforeExec { core: core.map(|core| set_of(&[core])), parent: getpid() }
    }

    pub(crate) fn apply(&self) -> io::Result<()> {
        if let Some(core) = &self.core {
            sched_setaffinity(None, core)?;
        }
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // The parent may have died before the line above, and then no signal will come.
        if getppid() == Some(self.parent) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }
}

/// Why a process cannot do its job, where it cannot: `stopped by a signal`, say.
pub(crate) fn idle_state(pid: u32) -> Option<&'static str> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The state follows the program's name, which stands in parentheses and may itself hold some.
    match stat.rsplit_once(") ")?.1.chars().next()? {
        'T' => Some("stopped by a signal"),
        't' => Some("stopped by a debugger"),
        'Z' => Some("dead"),
        _ => None,
    }
}

/// How long the hypervisor has kept this core for others since the machine started, in nanoseconds: the eighth count of its line in
/// `/proc/stat` (`proc_stat(5)`).
pub(crate) fn stolen_ns(core: usize) -> Option<u64> {
    stolen_of(&std::fs::read_to_string("/proc/stat").ok()?, core, rustix::param::clock_ticks_per_second())
}

fn stolen_of(stat: &str, core: usize, ticks_per_s: u64) -> Option<u64> {
    let label = format!("cpu{core}");
    let mut counts =
        stat.lines().map(str::split_whitespace).find(|line| line.clone().next() == Some(&label))?;
    let ticks: u64 = counts.nth(8)?.parse().ok()?;
    Some(ticks * 1_000_000_000 / ticks_per_s)
}

/// Forbids all cores any sleep that takes time to wake from, for as long as the file is open: the kernel's PM QoS, a latency of 0 µs
/// (Documentation/power/pm_qos_interface.rst). Virtual machines have nothing behind it.
pub(crate) fn forbid_deep_sleep() -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).open("/dev/cpu_dma_latency")?;
    file.write_all(&0_i32.to_ne_bytes())?;
    Ok(file)
}

/// The logical cores that share a physical core with this one, itself included; itself alone where the kernel does not say.
pub(crate) fn siblings(core: usize) -> Vec<usize> {
    let path = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
    std::fs::read_to_string(path).map_or_else(|_| vec![core], |list| parse_core_list(&list))
}

/// What makes a core as good as another; `None` where the kernel does not say in which package it is.
pub(crate) fn core_kind(core: usize) -> Option<CoreKind> {
    core_kind_in(Path::new(&format!("/sys/devices/system/cpu/cpu{core}")))
}

fn core_kind_in(folder: &Path) -> Option<CoreKind> {
    let file = |path: &str| Some(std::fs::read_to_string(folder.join(path)).ok()?.trim().to_owned());
    // The caches of a core are numbered from the nearest on, few as they are.
    let shared = |index: usize| file(&format!("cache/index{index}/shared_cpu_list"));
    Some(CoreKind {
        package: file("topology/physical_package_id")?.parse().ok()?,
        shares_cache_with: (0..16).map_while(shared).last(),
        most_khz: file("cpufreq/cpuinfo_max_freq").and_then(|text| text.parse().ok()),
        capacity: file("cpu_capacity").and_then(|text| text.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_hypervisor_keeps_is_read_core_by_core() {
        let stat =
            "cpu  1 2 3 4 5 6 7 30 0 0\ncpu1 1 2 3 4 5 6 7 10 0 0\ncpu10 1 2 3 4 5 6 7 20 0 0\nintr 5\n";
        assert_eq!(stolen_of(stat, 1, 100), Some(100_000_000));
        assert_eq!(stolen_of(stat, 10, 100), Some(200_000_000));
        assert_eq!(stolen_of(stat, 0, 100), None);
        assert_eq!(stolen_of("cpu1 1 2 3 4\n", 1, 100), None, "a kernel of before 2.6.11");
        assert!(stolen_ns(allowed_cores().unwrap()[0]).is_some());
    }

    #[test]
    fn affinity_reads_back() {
        let all = allowed_cores().unwrap();
        pin_self(&all[..1]).unwrap();
        let pinned = allowed_cores().unwrap();
        pin_self(&all).unwrap();
        assert_eq!(pinned, all[..1]);
    }

    #[test]
    fn the_kind_of_a_core_is_its_package_its_last_cache_and_its_speed() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(core_kind_in(folder.path()), None);
        for (path, text) in [
            ("topology/physical_package_id", "1\n"),
            ("cache/index0/shared_cpu_list", "4\n"),
            ("cache/index1/shared_cpu_list", "4-7\n"),
            ("cpufreq/cpuinfo_max_freq", "5200000\n"),
        ] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let kind = CoreKind {
            package: 1,
            shares_cache_with: Some("4-7".into()),
            most_khz: Some(5_200_000),
            capacity: None,
        };
        assert_eq!(core_kind_in(folder.path()), Some(kind));
    }
}
