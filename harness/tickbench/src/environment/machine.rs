//! The machine, as /proc and /sys tell it. Elsewhere than on Linux the files are missing and so are the facts.

use std::path::Path;

use tickbench_record::Machine;

/// Reads the files below `root`, which is `/` but in tests. `core` is the one whose governor counts.
pub(crate) fn read(root: &Path, core: usize) -> Machine {
    let file = |path: &str| {
        std::fs::read_to_string(root.join(path))
            .ok()
            .map(|text| text.trim().to_owned())
            .filter(|t| !t.is_empty())
    };
    let cpuinfo = file("proc/cpuinfo").unwrap_or_default();
    Machine {
        os: file("etc/os-release").and_then(|text| value(&text, "PRETTY_NAME", '=')),
        kernel: file("proc/sys/kernel/osrelease"),
        cpu_model: value(&cpuinfo, "model name", ':'),
        architecture: std::env::consts::ARCH.into(),
        logical_cores: std::thread::available_parallelism().map_or(0, usize::from),
        memory_bytes: file("proc/meminfo").and_then(|text| memory_bytes(&text)),
        governor: file(&format!("sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor")),
        turbo: turbo(file),
        smt: file("sys/devices/system/cpu/smt/active").map(|active| active == "1"),
        hypervisor: hypervisor(&cpuinfo, file),
        clock_source: file("sys/devices/system/clocksource/clocksource0/current_clocksource"),
        load_1m: file("proc/loadavg").and_then(|text| text.split(' ').next()?.parse().ok()),
        open_files_limit: None,
        rustc: None,
    }
}

/// The value behind `key` in lines of `key SEPARATOR value`, quotes taken off.
fn value(text: &str, key: &str, separator: char) -> Option<String> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(separator)?;
        (found.trim() == key).then(|| value.trim().trim_matches('"').to_owned())
    })
}

fn memory_bytes(meminfo: &str) -> Option<u64> {
    let kib: u64 = value(meminfo, "MemTotal", ':')?.strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Intel's driver has a file that is 1 when turbo is off, the others one that is 1 when it is on.
fn turbo(file: impl Fn(&str) -> Option<String>) -> Option<bool> {
    let off = file("sys/devices/system/cpu/intel_pstate/no_turbo").map(|off| off == "0");
    off.or_else(|| file("sys/devices/system/cpu/cpufreq/boost").map(|on| on == "1"))
}

/// A virtual processor says so by a flag; who made the machine is in its firmware's tables.
fn hypervisor(cpuinfo: &str, file: impl Fn(&str) -> Option<String>) -> Option<String> {
    let flags = value(cpuinfo, "flags", ':').unwrap_or_default();
    let flagged = flags.split(' ').any(|flag| flag == "hypervisor");
    let named = file("sys/hypervisor/type").or_else(|| {
        let product = [file("sys/class/dmi/id/sys_vendor"), file("sys/class/dmi/id/product_name")];
        let product: Vec<String> = product.into_iter().flatten().collect();
        (flagged && !product.is_empty()).then(|| product.join(" "))
    });
    named.or_else(|| flagged.then(|| "of unknown make".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::tree;

    #[test]
    fn a_bare_machine_is_read_in_full() {
        let tree = tree(&[
            ("etc/os-release", "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 13\"\n"),
            ("proc/cpuinfo", "processor\t: 0\nmodel name\t: Fast CPU @ 3 GHz\nflags\t\t: fpu sse\n"),
            ("proc/meminfo", "MemTotal:       16384 kB\nMemFree: 1 kB\n"),
            ("proc/loadavg", "0.25 0.10 0.05 1/100 4242\n"),
            ("proc/sys/kernel/osrelease", "6.1.0\n"),
            ("sys/devices/system/cpu/cpu3/cpufreq/scaling_governor", "performance\n"),
            ("sys/devices/system/cpu/intel_pstate/no_turbo", "1\n"),
            ("sys/devices/system/cpu/smt/active", "0\n"),
            ("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"),
        ]);
        let machine = read(tree.path(), 3);
        assert_eq!(machine.os.as_deref(), Some("Debian GNU/Linux 13"));
        assert_eq!(machine.kernel.as_deref(), Some("6.1.0"));
        assert_eq!(machine.cpu_model.as_deref(), Some("Fast CPU @ 3 GHz"));
        assert_eq!(machine.memory_bytes, Some(16 << 20));
        assert_eq!(machine.governor.as_deref(), Some("performance"));
        assert_eq!((machine.turbo, machine.smt), (Some(false), Some(false)));
        assert_eq!(machine.hypervisor, None);
        assert_eq!(machine.clock_source.as_deref(), Some("tsc"));
        assert_eq!(machine.load_1m, Some(0.25));
    }

    #[test]
    fn a_virtual_machine_is_known_by_its_flag_and_named_by_its_firmware() {
        let flags = ("proc/cpuinfo", "flags : fpu hypervisor\n");
        let named = tree(&[flags, ("sys/class/dmi/id/sys_vendor", "QEMU\n")]);
        assert_eq!(read(named.path(), 0).hypervisor.as_deref(), Some("QEMU"));
        assert_eq!(read(tree(&[flags]).path(), 0).hypervisor.as_deref(), Some("of unknown make"));
    }

    #[test]
    fn what_is_missing_is_absent() {
        let machine = read(tree(&[]).path(), 0);
        assert_eq!((machine.os, machine.turbo, machine.load_1m), (None, None, None));
    }
}
