//! Linux: the process's CPU clock and /proc.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::{RunDelay, Sample, Snapshot, UsageError};
use crate::monotonic_ns;

/// Reads the counters of one process.
#[derive(Debug)]
pub struct Meter {
    pid: u32,
    folder: PathBuf,
    /// Kept open: one system call a sample instead of three.
    statm: File,
    clock: libc::clockid_t,
    page_bytes: u64,
}

impl Meter {
    /// The meter of this process.
    pub fn own() -> Result<Meter, UsageError> {
        Meter::of(std::process::id())
    }

    /// The meter of the process `pid`.
    pub fn of(pid: u32) -> Result<Meter, UsageError> {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let open = || {
            let (clock, statm) = (cpu_clock(pid)?, File::open(folder.join("statm"))?);
            Ok((clock, statm))
        };
        let (clock, statm) = open().map_err(|cause| UsageError { pid, cause })?;
        Ok(Meter { pid, folder, statm, clock, page_bytes: rustix::param::page_size() as u64 })
    }

    /// CPU time and resident memory now: a few microseconds.
    pub fn sample(&self) -> Result<Sample, UsageError> {
        let read = || Ok(Sample { cpu_ns: cpu_ns(self.clock)?, rss_bytes: self.rss_bytes()? });
        read().map_err(|cause| self.error(cause))
    }

    /// All counters, the CPU clock first: for the end of an interval.
    pub fn snapshot_at_end(&self) -> Result<Snapshot, UsageError> {
        self.clock_now().and_then(|clock| self.counters(clock)).map_err(|cause| self.error(cause))
    }

    /// All counters, the CPU clock last: for the start of an interval, which the slower reads then stay out of.
    pub fn snapshot_at_start(&self) -> Result<Snapshot, UsageError> {
        self.counters((0, 0))
            .and_then(|counters| {
                let (at_ns, cpu_ns) = self.clock_now()?;
                Ok(Snapshot { at_ns, cpu_ns, ..counters })
            })
            .map_err(|cause| self.error(cause))
    }

    /// What the process is doing, in a word for a person: "running", "stopped", "ended" …
    pub fn state(&self) -> &'static str {
        match fs::read_to_string(self.folder.join("stat")).ok().as_deref().and_then(stat_fields) {
            Some((_, fields)) => match fields.first().copied() {
                Some("R") => "running",
                Some("S") => "sleeping",
                Some("D") => "in an uninterruptible sleep",
                Some("T") => "stopped",
                Some("t") => "stopped by a debugger",
                Some("Z" | "X") => "dead",
                _ => "in an unknown state",
            },
            None => "gone",
        }
    }

    fn clock_now(&self) -> io::Result<(u64, u64)> {
        Ok((monotonic_ns(), cpu_ns(self.clock)?))
    }

    fn counters(&self, (at_ns, cpu_ns): (u64, u64)) -> io::Result<Snapshot> {
        let stat = fs::read_to_string(self.folder.join("stat"))?;
        let (_, fields) = stat_fields(&stat).ok_or_else(|| malformed("stat"))?;
        // proc_pid_stat(5) counts from 1 and the name is its second field: utime is the 14th, stime the 15th.
        let ticks = |field: usize| {
            fields.get(field - 3).and_then(|text| text.parse().ok()).ok_or_else(|| malformed("stat"))
        };
        let status = fs::read_to_string(self.folder.join("status"))?;
        let threads = threads(&self.folder.join("task"))?;
        Ok(Snapshot {
            at_ns,
            cpu_ns,
            user_ticks: ticks(14)?,
            system_ticks: ticks(15)?,
            rss_bytes: self.rss_bytes()?,
            rss_peak_bytes: 1024 * status_number(&status, "VmHWM:").ok_or_else(|| malformed("status"))?,
            voluntary_switches: threads.voluntary_switches,
            involuntary_switches: threads.involuntary_switches,
            threads: threads.count,
            run_delay: threads.run_delay,
        })
    }

    fn rss_bytes(&self) -> io::Result<u64> {
        let mut text = [0; 128];
        let count = self.statm.read_at(&mut text, 0)?;
        let pages = std::str::from_utf8(&text[..count])
            .ok()
            .and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok())
            .ok_or_else(|| malformed("statm"))?;
        Ok(pages * self.page_bytes)
    }

    fn error(&self, cause: io::Error) -> UsageError {
        UsageError { pid: self.pid, cause }
    }
}

/// What the living threads of a process tell together.
struct Threads {
    voluntary_switches: u64,
    involuntary_switches: u64,
    count: u32,
    run_delay: Option<RunDelay>,
}

/// Reads all living threads once: the process's own files tell of its first thread alone.
fn threads(tasks: &Path) -> io::Result<Threads> {
    let mut all = Threads { voluntary_switches: 0, involuntary_switches: 0, count: 0, run_delay: None };
    let (mut busiest, mut cpu_ns) = (None, 0);
    for task in fs::read_dir(tasks)? {
        let task = task?;
        let Some(status) = read_unless_gone(&task.path().join("status"))? else { continue };
        let number = |key| status_number(&status, key).ok_or_else(|| malformed("status"));
        all.voluntary_switches += number("voluntary_ctxt_switches:")?;
        all.involuntary_switches += number("nonvoluntary_ctxt_switches:")?;
        all.count += 1;
        // A kernel may be built without it.
        let Some(schedstat) = read_unless_gone(&task.path().join("schedstat"))? else { continue };
        let (own_ns, waited_ns) = times(&schedstat).ok_or_else(|| malformed("schedstat"))?;
        cpu_ns += own_ns;
        busiest = busiest.max(Some((own_ns, number("Pid:")?, waited_ns)));
    }
    // A kernel that does not count tells zeros.
    all.run_delay = busiest.filter(|&(own_ns, ..)| own_ns > 0).map(|(own_ns, thread, waited_ns)| RunDelay {
        thread: thread as u32,
        waited_ns,
        others_cpu_ns: cpu_ns - own_ns,
    });
    Ok(all)
}

/// CPU time and run delay of a thread, in nanoseconds: the first two numbers of its `schedstat`.
fn times(schedstat: &str) -> Option<(u64, u64)> {
    let mut numbers = schedstat.split_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// The file of a thread; `None` where there is none: a thread may end between the listing and the reading.
fn read_unless_gone(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
        Err(cause) if cause.raw_os_error() == Some(libc::ESRCH) => Ok(None),
        Err(cause) => Err(cause),
    }
}

fn status_number(status: &str, key: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(key))?.split_whitespace().next()?.parse().ok()
}

/// The name and the fields behind it, of which the first is the state. The name may hold blanks and parentheses.
fn stat_fields(stat: &str) -> Option<(&str, Vec<&str>)> {
    let (head, fields) = stat.rsplit_once(')')?;
    Some((head.split_once('(')?.1, fields.split_whitespace().collect()))
}

fn malformed(file: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("/proc file {file} has an unknown form"))
}

fn cpu_clock(pid: u32) -> io::Result<libc::clockid_t> {
    let pid = libc::pid_t::try_from(pid).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
    let mut clock = 0;
    // SAFETY: `clock` lives over the call, which writes it and nothing else.
    match unsafe { libc::clock_getcpuclockid(pid, &mut clock) } {
        0 => Ok(clock),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

fn cpu_ns(clock: libc::clockid_t) -> io::Result<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` lives over the call, which writes it and nothing else.
    match unsafe { libc::clock_gettime(clock, &mut time) } {
        0 => Ok(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_uses_the_machine() {
        let meter = Meter::own().unwrap();
        let start = meter.snapshot_at_start().unwrap();
        let spent = (0..1_000_000u64).fold(0, |sum, i| std::hint::black_box(sum ^ i));
        assert!(spent < u64::MAX);
        let end = meter.snapshot_at_end().unwrap();
        assert!(end.cpu_ns > start.cpu_ns && end.at_ns > start.at_ns);
        assert!(start.threads >= 1 && start.rss_bytes > 0 && start.rss_peak_bytes > 0);
        assert!(meter.sample().unwrap().cpu_ns > end.cpu_ns);
        // Where the kernel counts it at all, it counts from the start.
        assert_eq!(start.run_delay.is_some(), end.run_delay.is_some());
    }

    #[test]
    fn another_process_is_read_to_its_end() {
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let meter = Meter::of(child.id()).unwrap();
        meter.snapshot_at_start().unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(meter.sample().is_err());
        assert_eq!(meter.state(), "gone");
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        assert!(Meter::of(u32::MAX).unwrap_err().to_string().contains("failed to read the usage of process"));
    }

    #[test]
    fn the_times_of_a_thread_are_the_first_two_of_its_numbers() {
        assert_eq!(times("12 34 5\n"), Some((12, 34)));
        assert_eq!([times("12"), times(""), times("12 x 5")], [None; 3]);
    }

    #[test]
    fn a_name_with_parentheses_hides_no_field() {
        let (name, fields) = stat_fields("12 (a) b) (c) S 1 2 3").unwrap();
        assert_eq!((name, fields[0]), ("a) b) (c", "S"));
    }
}
