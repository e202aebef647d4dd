//! What the machine takes is set apart, and what a server does is not.

mod scripted;

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};

use scripted::*;
use tickbench_client_kit::monotonic_ns;
use tickbench_record::{Distribution, Job, Observation, Request, Wait};

/// What is calibrated on most machines.
const THRESHOLD_NS: u64 = 4_000;

/// A spinning client that watches its core, and ticks that have a schedule.
fn watching(server: SocketAddr) -> Request {
    Request {
        wait: Wait::Spin,
        rate_per_s: RATE_PER_S,
        hiccup_ns: Some(THRESHOLD_NS),
        window_ns: 300_000_000,
        ..request(server)
    }
}

const RATE_PER_S: f64 = 5_000.0;

/// Ticks at this rate, until the probe is gone; between its stamp and its writing each waits for as long as `stall_ns` says.
fn ticks_that_stall(
    stream: &mut TcpStream,
    rate_per_s: f64,
    stall_ns: impl Fn(u64) -> u64,
) -> std::io::Result<()> {
    let mut paced = Paced::start(rate_per_s);
    loop {
        let stamps = paced.next();
        spin_until(stamps.sent_ns + stall_ns(stamps.seq));
        stream.write_all(&framed(&payload(&stamps, 0)))?;
    }
}

fn spin_until(ns: u64) {
    while monotonic_ns() < ns {}
}

/// How many samples are `ns` or more; buckets are told apart to 0.1 %.
fn at_least(ns: u64, figure: &Distribution) -> u64 {
    let high = figure.buckets().unwrap().into_iter().filter(|bucket| bucket.value >= ns);
    high.map(|bucket| bucket.count).sum()
}

/// What was kept and what was set apart are all that there was.
fn check_sum(seen: &Observation) -> u64 {
    let all = seen.delivery_ns.as_ref().or(seen.round_trip_ns.as_ref()).unwrap();
    let cleaned = seen.delivery_cleaned_ns.as_ref().or(seen.round_trip_cleaned_ns.as_ref());
    let set_aside = seen.client_hiccups.unwrap().set_aside;
    assert_eq!(cleaned.map_or(0, |cleaned| cleaned.count) + set_aside, all.count);
    set_aside
}

#[test]
fn what_is_kept_of_a_server_that_stalls_is_whole() {
    for (stall_ns, rate_per_s) in [(20_000, RATE_PER_S), (100_000, RATE_PER_S), (5_000_000, 100.0)] {
        let server = serve(move |stream| ticks_that_stall(stream, rate_per_s, |_| stall_ns));
        let seen = completed(measure(&Request { rate_per_s, ..watching(server) }));
        check_sum(&seen);
        if let Some(cleaned) = seen.delivery_cleaned_ns {
            assert_eq!(at_least(stall_ns, &cleaned), cleaned.count);
        }
    }
}

#[test]
fn a_stall_of_the_server_is_never_taken_for_a_hiccup() {
    // Any hiccup that a machine has in its usual minutes is below this threshold, and the stall is above it.
    let hiccup_ns = Some(1_000_000);
    let stall_ns = 5_000_000;
    // Each tick, and one in ten.
    for (one_in, rate_per_s) in [(1, 100.0), (10, 1000.0)] {
        let stall = move |seq: u64| if seq % one_in == one_in - 1 { stall_ns } else { 0 };
        let server = serve(move |stream| ticks_that_stall(stream, rate_per_s, stall));
        let seen = completed(measure(&Request { hiccup_ns, rate_per_s, ..watching(server) }));
        let set_aside = check_sum(&seen);
        let (raw, cleaned) = (seen.delivery_ns.unwrap(), seen.delivery_cleaned_ns.unwrap());
        let (all, kept) = (at_least(stall_ns, &raw), at_least(stall_ns, &cleaned));
        assert!(all > 0 && kept + set_aside >= all && 2 * kept > all, "{kept} of {all} stalls are kept");
    }
}

#[test]
fn with_hiccups_everywhere_samples_are_set_apart_and_with_none_nothing() {
    for connections in [1, 2] {
        let rate_per_s = RATE_PER_S / f64::from(connections);
        let ticks = serve(move |stream| ticks_that_stall(stream, rate_per_s, |_| 0));
        let request = Request { connections, ..watching(ticks) };
        let seen = completed(measure(&Request { hiccup_ns: Some(1), ..request.clone() }));
        assert!(check_sum(&seen) > 0, "{:?}", seen.client_hiccups);
        let hiccups = seen.client_hiccups.unwrap();
        assert!(hiccups.count > 0 && hiccups.lost_ns >= hiccups.longest_ns && hiccups.longest_ns > 0);
        assert_eq!(hiccups.threshold_ns, 1);

        let seen = completed(measure(&Request { hiccup_ns: Some(60_000_000_000), ..request }));
        assert_eq!((check_sum(&seen), seen.client_hiccups.unwrap().count), (0, 0));
        assert_eq!(seen.delivery_cleaned_ns, seen.delivery_ns);
        assert_eq!((seen.lag_cleaned_ns, seen.server_hiccups), (None, None));
    }
}

#[test]
fn round_trips_are_cleaned_as_deliveries_are() {
    let server = serve(echo);
    let request = Request { job: Job::Echo, size_bytes: 64, ..watching(server) };
    let seen = completed(measure(&Request { hiccup_ns: Some(1), ..request.clone() }));
    assert!(check_sum(&seen) > 0 && seen.delivery_cleaned_ns.is_none());
    let seen = completed(measure(&Request { hiccup_ns: Some(60_000_000_000), ..request }));
    assert_eq!(check_sum(&seen), 0);
    assert_eq!(seen.round_trip_cleaned_ns, seen.round_trip_ns);
}

#[test]
fn who_sleeps_and_who_floods_watches_nothing() {
    let paced = serve(|stream| ticks_that_stall(stream, RATE_PER_S, |_| 0));
    let flood = serve(|stream| ticks_from(stream, 0));
    for request in
        [Request { wait: Wait::Block, ..watching(paced) }, Request { rate_per_s: 0.0, ..watching(flood) }]
    {
        let seen = completed(measure(&request));
        assert_eq!((seen.client_hiccups, seen.delivery_cleaned_ns), (None, None));
    }
}

/// What needs a core of one's own.
#[cfg(target_os = "linux")]
mod on_cores {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::sync::OnceLock;

    use rustix::process::{Pid, Signal, kill_process};
    use tickbench_record::{ClockCheck, CoreHiccups, Reply};

    use super::*;

    /// Twenty ticks take 20 ms, and the probe is stopped for 6 ms of them.
    const STOPPED_RATE_PER_S: f64 = 1000.0;

    #[test]
    fn a_client_whose_core_is_taken_knows_it() {
        let Some([near, far]) = two_cores() else { return };
        // Stopped by a signal, the probe is away as it is where a hypervisor takes the core.
        static PROBE: OnceLock<Pid> = OnceLock::new();
        let server = serve(|stream| {
            let mut paced = Paced::start(STOPPED_RATE_PER_S);
            loop {
                let mut stamps = paced.next();
                // Until the probe is known there is nobody to stop; once it has ended, writing fails.
                if let Some(&probe) = PROBE.get().filter(|_| stamps.seq % 20 == 19) {
                    kill_process(probe, Signal::STOP).ok();
                    spin_until(monotonic_ns() + 3_000_000);
                    stamps.sent_ns = monotonic_ns();
                    let sent = stream.write_all(&framed(&payload(&stamps, 0)));
                    spin_until(monotonic_ns() + 3_000_000);
                    kill_process(probe, Signal::CONT).ok();
                    sent?;
                } else {
                    stream.write_all(&framed(&payload(&stamps, 0)))?;
                }
            }
        });
        // Whoever else runs on the probe's core is not what it takes for the server.
        let mut elsewhere = on_core(far, || Command::new("cat").stdin(Stdio::piped()).spawn().unwrap());
        let rate_per_s = STOPPED_RATE_PER_S;
        let request = Request { server_pid: Some(elsewhere.id()), rate_per_s, ..watching(server) };
        let child = on_core(near, || probe().args(request.to_args()).stdout(Stdio::piped()).spawn().unwrap());
        PROBE.set(Pid::from_child(&child)).unwrap();
        let output = child.wait_with_output().unwrap();
        drop(elsewhere.stdin.take());
        elsewhere.wait().unwrap();
        let seen = completed(serde_json::from_slice::<Reply>(&output.stdout).unwrap());
        check_sum(&seen);
        let hiccups = seen.client_hiccups.unwrap();
        assert!(hiccups.longest_ns >= 5_000_000, "{hiccups:?}");
        assert!(hiccups.set_aside > 0, "{hiccups:?}");
    }

    /// What `start` starts, on this core from its first instruction on.
    fn on_core(core: usize, start: impl FnOnce() -> Child + Send) -> Child {
        let starter = || {
            let mut cores = rustix::thread::CpuSet::new();
            cores.set(core);
            rustix::thread::sched_setaffinity(None, &cores).unwrap();
            start()
        };
        std::thread::scope(|scope| scope.spawn(starter).join().unwrap())
    }

    /// Two cores that this process may run on, if there are.
    fn two_cores() -> Option<[usize; 2]> {
        let cores = rustix::thread::sched_getaffinity(None).unwrap();
        let mut allowed = (0..rustix::thread::CpuSet::MAX_CPU).filter(|&core| cores.is_set(core));
        Some([allowed.next()?, allowed.next()?])
    }

    /// A core that this process may run on.
    fn a_core() -> usize {
        let cores = rustix::thread::sched_getaffinity(None).unwrap();
        (0..).find(|&core| cores.is_set(core)).unwrap()
    }

    #[test]
    fn a_threshold_is_calibrated() {
        let core = a_core();
        let output = probe()
            .args(["hiccups", "--core", &core.to_string(), "--watch-ns", "20000000"])
            .output()
            .unwrap();
        let seen: CoreHiccups = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(seen.core, core);
        assert!(seen.threshold_ns >= THRESHOLD_NS && seen.watched_ns >= 20_000_000, "{seen:?}");
        assert!((0.0..=1.0).contains(&seen.lost_share) && seen.per_s >= 0.0, "{seen:?}");
    }

    #[test]
    fn clocks_are_compared_over_two_cores() {
        let Some([near, far]) = two_cores() else { return };
        let output = probe()
            .args(["clocks", "--readings", "1000", "--cores", &format!("{near},{far}")])
            .output()
            .unwrap();
        let check: ClockCheck = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(check.readings, 1000);
    }

    fn idle(gaps: &std::path::Path, threshold_ns: &str) -> Child {
        let core = a_core().to_string();
        let mut idle = probe()
            .args(["idle", "--core", &core, "--threshold-ns", threshold_ns, "--gaps"])
            .arg(gaps)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(idle.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, format!("spinning on core {core}\n"));
        idle
    }

    #[test]
    fn an_idle_process_notes_gaps_and_lag_is_cleaned_by_them() {
        let gaps = tempfile::NamedTempFile::new().unwrap();
        let mut spinning = idle(gaps.path(), "1000");
        let server = serve(|stream| ticks_that_stall(stream, RATE_PER_S, |_| 0));
        let request = Request { server_gaps: Some(gaps.path().into()), ..watching(server) };
        let reply = measure(&request);
        drop(spinning.stdin.take());
        assert!(spinning.wait().unwrap().success());
        let seen = completed(reply);
        let (lag, cleaned, hiccups) =
            (seen.lag_ns.unwrap(), seen.lag_cleaned_ns, seen.server_hiccups.unwrap());
        assert_eq!(cleaned.map_or(0, |cleaned| cleaned.count) + hiccups.set_aside, lag.count);
        assert_eq!(hiccups.threshold_ns, 1_000);
    }

    #[test]
    fn without_gaps_to_read_a_measurement_fails_and_says_why() {
        let server = serve(|stream| ticks_that_stall(stream, RATE_PER_S, |_| 0));
        let nowhere = Request { server_gaps: Some("/nowhere/at/all".into()), ..watching(server) };
        let (_, reason) = broken(measure(&nowhere));
        assert!(reason.starts_with("failed to read the gaps of the server's core"), "{reason}");
        let output = probe().args(["idle", "--core", "0", "--gaps", "/nowhere/at/all"]).output().unwrap();
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains("failed to create `/nowhere/at/all`"));
    }
}
