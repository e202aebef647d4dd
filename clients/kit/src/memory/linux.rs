//! Linux: /proc/PID/smaps_rollup, /proc/net/sockstat and /proc/meminfo.

use std::fs;
use std::io::{Error, ErrorKind};

use tickbench_record::MemoryReading;

use super::MemoryError;

/// The memory of the process `pid`, and of the kernel. Walks all pages of the process: some milliseconds for a gibibyte, in which
/// it cannot map memory. Not for a window that is open.
pub fn read_memory(pid: u32) -> Result<MemoryReading, MemoryError> {
    let rollup = read(format!("/proc/{pid}/smaps_rollup"), process)?;
    let sockets = read("/proc/net/sockstat".into(), sockets)?;
    let kernel_slab_bytes = read("/proc/meminfo".into(), |text| kib(text, "Slab:"))?;
    Ok(MemoryReading {
        rss_bytes: rollup.rss_bytes,
        pss_bytes: rollup.pss_bytes,
        private_bytes: rollup.private_bytes,
        kernel_buffer_bytes: sockets.buffer_pages * rustix::param::page_size() as u64,
        kernel_slab_bytes,
        tcp_sockets: sockets.in_use,
    })
}

fn read<T>(file: String, parse: impl Fn(&str) -> Option<T>) -> Result<T, MemoryError> {
    let unknown = || Error::new(ErrorKind::InvalidData, "it has an unknown form");
    match fs::read_to_string(&file).and_then(|text| parse(&text).ok_or_else(unknown)) {
        Ok(parsed) => Ok(parsed),
        Err(cause) => Err(MemoryError { file, cause }),
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Process {
    rss_bytes: u64,
    pss_bytes: u64,
    private_bytes: u64,
}

/// Reads smaps_rollup (proc_pid_smaps(5)): sums over all mappings, in KiB.
fn process(rollup: &str) -> Option<Process> {
    let private = ["Private_Clean:", "Private_Dirty:", "Private_Hugetlb:"].map(|key| kib(rollup, key));
    // Huge pages are not in every kernel.
    let private_bytes = private[0]? + private[1]? + private[2].unwrap_or(0);
    Some(Process { rss_bytes: kib(rollup, "Rss:")?, pss_bytes: kib(rollup, "Pss:")?, private_bytes })
}

#[derive(Debug, PartialEq, Eq)]
struct Sockets {
    in_use: u64,
    buffer_pages: u64,
}

/// Reads sockstat (proc_net(5)): words and numbers in turn, behind the protocol's name.
fn sockets(sockstat: &str) -> Option<Sockets> {
    let fields = sockstat.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let number = |name: &str| {
        let (_, value) = fields
            .as_chunks::<2>()
            .0
            .iter()
            .map(|[name, value]| (*name, *value))
            .find(|(at, _)| *at == name)?;
        value.parse().ok()
    };
    Some(Sockets { in_use: number("inuse")?, buffer_pages: number("mem")? })
}

/// The bytes of the line that begins with `key`, which tells them in KiB.
fn kib(text: &str, key: &str) -> Option<u64> {
    let (number, unit) = text.lines().find_map(|line| line.strip_prefix(key))?.trim().split_once(' ')?;
    (unit == "kB").then_some(1024 * number.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLLUP: &str = "\
5581d0a42000-7ffd0f9e6000 ---p 00000000 00:00 0                          [rollup]
Rss:                5312 kB
Pss:                2101 kB
Pss_Dirty:          1210 kB
Pss_Anon:            900 kB
Shared_Clean:       3100 kB
Shared_Dirty:          0 kB
Private_Clean:      1002 kB
Private_Dirty:      1210 kB
Referenced:         5312 kB
Private_Hugetlb:       4 kB
";

    const SOCKSTAT: &str = "\
sockets: used 231
TCP: inuse 2003 orphan 0 tw 17 alloc 2009 mem 190
UDP: inuse 1 mem 5
";

    #[test]
    fn the_sums_of_a_process_are_read() {
        let due = Process { rss_bytes: 5312 << 10, pss_bytes: 2101 << 10, private_bytes: 2216 << 10 };
        assert_eq!(process(ROLLUP), Some(due));
        let older = ROLLUP.replace("Private_Hugetlb:       4 kB\n", "");
        assert_eq!(process(&older).unwrap().private_bytes, 2212 << 10);
    }

    #[test]
    fn pss_is_not_the_first_line_that_begins_so() {
        let turned = ROLLUP.replace("Pss:                2101 kB\n", "") + "Pss:  7 kB\n";
        assert_eq!(process(&turned).unwrap().pss_bytes, 7 << 10);
    }

    #[test]
    fn sockets_of_tcp_are_told_from_those_of_others() {
        assert_eq!(sockets(SOCKSTAT), Some(Sockets { in_use: 2003, buffer_pages: 190 }));
    }

    #[test]
    fn what_has_another_form_is_not_guessed() {
        assert_eq!(process(&ROLLUP.replace("Rss:", "Res:")), None);
        assert_eq!(process(&ROLLUP.replace("5312 kB", "5312 MB")), None);
        assert_eq!(process(""), None);
        assert_eq!(sockets(&SOCKSTAT.replace("TCP:", "TCP6:")), None);
        assert_eq!(sockets(&SOCKSTAT.replace("mem 190", "mem")), None);
        assert_eq!(kib("Slab:  many kB", "Slab:"), None);
    }

    #[test]
    fn this_process_has_memory() {
        let now = read_memory(std::process::id()).unwrap();
        assert!(
            now.rss_bytes >= now.pss_bytes && now.pss_bytes >= now.private_bytes && now.private_bytes > 0
        );
        assert!(now.kernel_slab_bytes > 0);
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        let error = read_memory(u32::MAX).unwrap_err().to_string();
        assert!(error.starts_with("failed to read `/proc/4294967295/smaps_rollup`: "), "{error}");
    }
}
