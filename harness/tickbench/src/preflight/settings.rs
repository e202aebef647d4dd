//! What the system's settings do to a measurement: each a finding, and the command that mends it.

use std::path::Path;

use tickbench_record::{Finding, Machine};

use crate::cores::parse_core_list;

use super::cgroup;

/// Load average above which something else runs on the machine.
const BUSY_LOAD: f64 = 0.5;

/// What the kernel gives a process that asks for nothing else.
const USUAL_SLACK_NS: u64 = 50_000;

/// What there is to look at.
pub(super) struct Scene<'a> {
    /// `/` but in tests.
    pub(super) root: &'a Path,
    pub(super) machine: &'a Machine,
    /// The cores of server and client; none where nothing is pinned.
    pub(super) cores: &'a [usize],
}

/// A file below a root, trimmed; `None` where it cannot be read or is empty.
pub(super) fn file(root: &Path, path: &str) -> Option<String> {
    let text = std::fs::read_to_string(root.join(path)).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

impl Scene<'_> {
    /// A file below the root, trimmed; `None` where it cannot be read or is empty.
    pub(super) fn file(&self, path: &str) -> Option<String> {
        file(self.root, path)
    }

    /// Every finding, in the order in which they are shown.
    pub(super) fn findings(&self) -> Vec<Finding> {
        vec![
            self.governor(),
            self.turbo(),
            self.threads(),
            self.load(),
            cgroup::quota(self),
            cgroup::cores(self),
            self.timer_slack(),
            self.clock_source(),
            self.huge_pages(),
            self.hypervisor(),
        ]
    }

    fn governor(&self) -> Finding {
        let path = |core: usize| format!("sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor");
        let found: Vec<(usize, String)> =
            self.cores.iter().filter_map(|&core| Some((core, self.file(&path(core))?))).collect();
        let slow = found.iter().filter(|(_, governor)| governor != "performance");
        let files: Vec<String> = slow.map(|(core, _)| format!("/{}", path(*core))).collect();
        let shown: Vec<String> =
            found.iter().map(|(core, governor)| format!("{governor} on core {core}")).collect();
        let advice = (!files.is_empty()).then(|| format!("echo performance | sudo tee {}", files.join(" ")));
        finding("frequency governor", (!found.is_empty()).then(|| shown.join(", ")), advice)
    }

    /// Intel's driver has a file that is 1 when turbo is off, the others one that is 1 when it is on.
    fn turbo(&self) -> Finding {
        let switches = [
            ("sys/devices/system/cpu/intel_pstate/no_turbo", "1"),
            ("sys/devices/system/cpu/cpufreq/boost", "0"),
        ];
        let known = switches.iter().find_map(|(path, off)| Some((path, off, self.file(path)? != **off)));
        let advice =
            known.filter(|(.., on)| *on).map(|(path, off, _)| format!("echo {off} | sudo tee /{path}"));
        finding("turbo", known.map(|(.., on)| if on { "on" } else { "off" }.into()), advice)
    }

    fn threads(&self) -> Finding {
        let siblings = |core: usize| {
            let list =
                self.file(&format!("sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list"))?;
            Some(parse_core_list(&list).into_iter().filter(|&other| other != core).collect::<Vec<_>>())
        };
        let known: Option<Vec<Vec<usize>>> = self.cores.iter().map(|&core| siblings(core)).collect();
        let known = known.filter(|_| !self.cores.is_empty()).map(|of_each| {
            let mut others = of_each.concat();
            others.retain(|core| !self.cores.contains(core));
            (of_each.iter().all(Vec::is_empty), others)
        });
        let found = known.as_ref().map(|(alone, others)| match (alone, &others[..]) {
            (true, _) => "server and client have a physical core each, to themselves".into(),
            (false, []) => "server and client share one physical core".into(),
            (false, others) => format!("their physical cores also run core {}", listed(others)),
        });
        let advice = known.filter(|(alone, _)| !alone).map(|(_, others)| {
            let files: Vec<String> =
                others.iter().map(|core| format!("/sys/devices/system/cpu/cpu{core}/online")).collect();
            match files[..] {
                [] => "name two other cores with --cores".into(),
                _ => format!("echo 0 | sudo tee {}", files.join(" ")),
            }
        });
        finding("hyper-threads (SMT)", found, advice)
    }

    fn load(&self) -> Finding {
        let load = self.machine.load_1m;
        let advice = load
            .filter(|&load| load > BUSY_LOAD)
            .map(|_| "end what else runs: ps -eo pcpu,pid,args --sort=-pcpu | head".to_owned());
        finding("load", load.map(|load| format!("{load:.2} over the last minute")), advice)
    }

    fn timer_slack(&self) -> Finding {
        let slack: Option<u64> = self.file("proc/self/timerslack_ns").and_then(|text| text.parse().ok());
        let advice = slack.filter(|&slack| slack > USUAL_SLACK_NS).map(|_| {
            format!("in the shell that starts tickbench: echo {USUAL_SLACK_NS} > /proc/$$/timerslack_ns")
        });
        finding("timer slack", slack.map(|ns| format!("{} µs", ns as f64 / 1e3)), advice)
    }

    fn clock_source(&self) -> Finding {
        let source = self.machine.clock_source.clone();
        let slow = source.as_deref().filter(|source| !is_quick_clock(source));
        let advice = slow.map(|_| {
            "echo tsc | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource".to_owned()
        });
        let found = source.as_ref().map(|source| match slow {
            Some(_) => format!("{source}: each reading may be a system call"),
            None => source.clone(),
        });
        finding("clock source", found, advice)
    }

    /// The kernel shows all modes, the one that holds in brackets.
    fn huge_pages(&self) -> Finding {
        const SWITCH: &str = "sys/kernel/mm/transparent_hugepage/enabled";
        let modes = self.file(SWITCH);
        let mode = modes.and_then(|modes| Some(modes.split_once('[')?.1.split_once(']')?.0.to_owned()));
        let advice = mode
            .as_deref()
            .filter(|&mode| mode == "always")
            .map(|_| format!("echo madvise | sudo tee /{SWITCH}"));
        finding("transparent huge pages", mode, advice)
    }

    fn hypervisor(&self) -> Finding {
        let found = match &self.machine.hypervisor {
            Some(name) => format!("virtual ({name}): its host takes cores away without notice"),
            None => "no hypervisor shows".into(),
        };
        let advice =
            self.machine.hypervisor.as_ref().map(|_| {
                "trust ratios, not absolute figures; for those, use a machine of its own".to_owned()
            });
        finding("machine", Some(found), advice)
    }
}

/// Clock sources that are read without a system call.
pub(crate) fn is_quick_clock(source: &str) -> bool {
    ["tsc", "kvm-clock", "arch_sys_counter"].contains(&source)
}

/// A finding; "unknown" where nothing could be read.
pub(super) fn finding(subject: &str, found: Option<String>, advice: Option<String>) -> Finding {
    Finding { subject: subject.into(), found: found.unwrap_or_else(|| "unknown".into()), advice }
}

pub(super) fn listed(cores: &[usize]) -> String {
    cores.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::tree;

    fn findings(files: &[(&str, &str)], machine: &Machine, cores: &[usize]) -> Vec<Finding> {
        let tree = tree(files);
        Scene { root: tree.path(), machine, cores }.findings()
    }

    fn of<'a>(findings: &'a [Finding], subject: &str) -> (&'a str, Option<&'a str>) {
        let finding = findings.iter().find(|finding| finding.subject == subject).unwrap();
        (&finding.found, finding.advice.as_deref())
    }

    #[test]
    fn a_machine_that_hides_everything_is_unknown_and_gets_no_advice() {
        for Finding { subject, found, advice } in findings(&[], &Machine::default(), &[0, 1]) {
            assert_eq!(advice, None, "{subject}");
            assert!(found == "unknown" || subject == "machine", "{subject}: {found}");
        }
    }

    #[test]
    fn what_is_unquiet_comes_with_the_command_that_mends_it() {
        let cpu = "sys/devices/system/cpu";
        let files = [
            (format!("{cpu}/cpu2/cpufreq/scaling_governor"), "powersave\n"),
            (format!("{cpu}/cpu3/cpufreq/scaling_governor"), "performance\n"),
            (format!("{cpu}/intel_pstate/no_turbo"), "0\n"),
            (format!("{cpu}/cpu2/topology/thread_siblings_list"), "2,6\n"),
            (format!("{cpu}/cpu3/topology/thread_siblings_list"), "3,7\n"),
            ("proc/self/timerslack_ns".into(), "2000000\n"),
            ("sys/kernel/mm/transparent_hugepage/enabled".into(), "[always] madvise never\n"),
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        let machine = Machine {
            load_1m: Some(3.25),
            clock_source: Some("hpet".into()),
            hypervisor: Some("KVM".into()),
            ..Machine::default()
        };
        let all = findings(&files, &machine, &[2, 3]);
        let (found, advice) = of(&all, "frequency governor");
        assert_eq!(found, "powersave on core 2, performance on core 3");
        assert_eq!(
            advice,
            Some(&*format!("echo performance | sudo tee /{cpu}/cpu2/cpufreq/scaling_governor"))
        );
        let no_turbo = format!("echo 1 | sudo tee /{cpu}/intel_pstate/no_turbo");
        assert_eq!(of(&all, "turbo"), ("on", Some(&*no_turbo)));
        let (found, advice) = of(&all, "hyper-threads (SMT)");
        assert_eq!(found, "their physical cores also run core 6, 7");
        assert_eq!(advice, Some(&*format!("echo 0 | sudo tee /{cpu}/cpu6/online /{cpu}/cpu7/online")));
        assert!(of(&all, "load").0.contains("3.25") && of(&all, "load").1.is_some());
        assert_eq!(of(&all, "timer slack").0, "2000 µs");
        assert!(of(&all, "timer slack").1.unwrap().contains("50000"));
        assert!(of(&all, "clock source").1.unwrap().contains("tsc"));
        assert!(of(&all, "transparent huge pages").1.unwrap().starts_with("echo madvise"));
        assert!(of(&all, "machine").0.contains("KVM") && of(&all, "machine").1.is_some());
    }

    #[test]
    fn what_is_quiet_is_left_alone() {
        let cpu = "sys/devices/system/cpu";
        let files = [
            (format!("{cpu}/cpu0/cpufreq/scaling_governor"), "performance"),
            (format!("{cpu}/cpu1/cpufreq/scaling_governor"), "performance"),
            (format!("{cpu}/cpufreq/boost"), "0"),
            (format!("{cpu}/cpu0/topology/thread_siblings_list"), "0"),
            (format!("{cpu}/cpu1/topology/thread_siblings_list"), "1"),
            ("proc/self/timerslack_ns".into(), "50000"),
            ("sys/kernel/mm/transparent_hugepage/enabled".into(), "always [madvise] never"),
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        let machine = Machine { load_1m: Some(0.1), clock_source: Some("tsc".into()), ..Machine::default() };
        let all = findings(&files, &machine, &[0, 1]);
        for (subject, found) in [
            ("turbo", "off"),
            ("hyper-threads (SMT)", "server and client have a physical core each, to themselves"),
            ("timer slack", "50 µs"),
            ("clock source", "tsc"),
            ("transparent huge pages", "madvise"),
            ("machine", "no hypervisor shows"),
        ] {
            assert_eq!(of(&all, subject), (found, None));
        }
        assert!(all.iter().all(|finding| finding.advice.is_none()));
    }

    #[test]
    fn threads_of_one_core_are_told_from_threads_of_others() {
        let path = |core: usize| format!("sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
        let (zero, four) = (path(0), path(4));
        let all = findings(&[(&zero, "0,4"), (&four, "0,4")], &Machine::default(), &[0, 4]);
        let (found, advice) = of(&all, "hyper-threads (SMT)");
        assert_eq!(found, "server and client share one physical core");
        assert_eq!(advice, Some("name two other cores with --cores"));
    }
}
