//! A fake contestant and a fake client, for the harness's tests: they keep the contract between processes, and break it
//! on demand. Between them runs a line protocol of their own, for the harness never looks at the wire.
//!
//! `fake server MODE TAG --listen ADDR` · `fake client MODE TAG measure FLAGS` · `fake verify MODE --server ADDR` ·
//! `fake stream MODE TAG --server ADDR --count N` · `fake watch MODE TAG hiccups|clocks|idle FLAGS` · `fake version`

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{ExitCode, abort, exit};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rustix::process::{Signal, getpid, kill_process};
use tickbench_record::{
    Account, Accounts, Check, ClockCheck, CoreHiccups, Distribution, Hiccups, Observation, Reply, Sample,
    Stage, Streamed, Usage, new_histogram, write_samples,
};

/// In the middle of an iteration: after so many messages.
const MIDDLE: u64 = 20;

/// The rate beyond which a client in the mode `saturates` sees slow responses.
const SATURATES_PER_S: f64 = 50_000.0;

fn main() -> ExitCode {
    // A path need not be text; all else is.
    let args: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["version", ..] => println!("fake 1.0"),
        ["server", _, _, "--version"] => println!("fake 1.0"),
        ["server", mode, _, ref flags @ ..] => match listen_of(flags) {
            Some(listen) => serve(mode, listen),
            None => {
                eprintln!("these flags are wrong: {flags:?}");
                return ExitCode::from(2);
            }
        },
        ["client", mode, ..] => measure(mode, &words),
        ["stream", mode, ..] => return stream(mode, &words),
        ["verify", mode, ..] => return verify(mode, &words),
        ["watch", mode, _, job, ..] => return watch(mode, job, &words),
        _ => return ExitCode::from(2),
    }
    ExitCode::SUCCESS
}

fn flag<'a>(words: &[&'a str], name: &str) -> &'a str {
    maybe(words, name).expect("the flag is there")
}

/// The value of a flag, written `NAME VALUE` or `NAME=VALUE`.
fn maybe<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    let joined = words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    joined.or_else(|| words.iter().skip_while(|word| **word != name).nth(1).copied())
}

/// The address of `--listen`, where all flags are right.
fn listen_of<'a>(flags: &[&'a str]) -> Option<&'a str> {
    let known = ["--listen", "--tuned", "--inject", "--encoding", "--core"];
    let is_known = |flag: &&str| !flag.starts_with("--") || known.contains(flag);
    let listen = maybe(flags, "--listen").filter(|listen| listen.parse::<SocketAddr>().is_ok());
    listen.filter(|_| flags.iter().all(is_known))
}

fn serve(mode: &str, listen: &str) {
    match mode {
        "exits" => {
            eprintln!("no licence found");
            exit(3);
        }
        "silent" => return wait_for_end(),
        "babbles" => println!("Hello!"),
        _ => {}
    }
    let listener = TcpListener::bind(listen).expect("the address is free");
    println!("listening {}", listener.local_addr().expect("it is bound"));
    let served = mode.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(&served, stream.expect("a connection"));
        }
    });
    if mode == "deaf" {
        let flag = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(signal_hook::consts::SIGTERM, flag).expect("a handler");
        wait_for_end();
        std::thread::sleep(Duration::from_secs(60));
    }
    wait_for_end();
    if mode == "unclean" {
        // As a program that colours what it says.
        eprintln!("lost a lock\u{1b}[0m");
        exit(7);
    }
}

fn wait_for_end() {
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).expect("standard input");
}

/// A line for each line, until the middle; then what the mode says.
fn answer(mode: &str, stream: TcpStream) {
    let mut writer = stream.try_clone().expect("a second handle");
    for (count, line) in (0..).zip(BufReader::new(stream).lines()) {
        if line.is_err() {
            return;
        }
        let mut text: &[u8] = b"tick\n";
        if count == MIDDLE {
            match mode {
                "dies" => abort(),
                "freezes" => kill_process(getpid(), Signal::STOP).expect("a stop"),
                "garbage" => text = b"\xff\xfe\x00rubbish\n",
                "noisy" => eprintln!("warning: noise"),
                _ => {}
            }
        }
        if writer.write_all(text).is_err() {
            return;
        }
    }
}

fn measure(mode: &str, words: &[&str]) {
    let ns = |name: &str| Duration::from_nanos(flag(words, name).parse().expect("nanoseconds"));
    match mode {
        "dies" => abort(),
        // From the sixth of its launches on.
        "dies-late" if launches() >= 5 => abort(),
        "hangs" => wait_for_end(),
        "hangs-once" if launches() == 1 => wait_for_end(),
        "babbles" => return println!("not a reply"),
        _ => {}
    }
    let rate_per_s: f64 = flag(words, "--rate").parse().expect("a rate");
    let completed = |received| {
        let slower = match mode {
            "scripted" if is_slow_launch() => 1000,
            "saturates" if rate_per_s > SATURATES_PER_S => 2_000_000,
            _ => 0,
        };
        let seen = Observation {
            client_hiccups: maybe(words, "--hiccup-ns").map(hiccups_over),
            // The file that a spinner made.
            server_hiccups: maybe(words, "--server-gaps").map(|gaps| {
                hiccups_over(&std::fs::read_to_string(gaps).expect("the gaps of the server's core"))
            }),
            ..observation(received, ns("--window-ns"), slower)
        };
        // Whatever the fakes managed, they say that they kept the schedule.
        let connections: u32 = flag(words, "--connections").parse().expect("a number");
        Reply::Completed(Box::new(if rate_per_s > 0.0 { kept(rate_per_s, connections, seen) } else { seen }))
    };
    // A search has many windows, and none of them needs its time.
    let window = if mode == "saturates" { Duration::ZERO } else { ns("--window-ns") };
    let reply = match exchange(flag(words, "--server"), window, ns("--stall-ns")) {
        Ok(count) => {
            match samples().map(|path| write_samples(&path, &SAMPLES).map_err(|cause| cause.to_string())) {
                Some(Err(reason)) => Reply::Broken { stage: Stage::Audit, reason },
                _ => completed(count),
            }
        }
        // A client that notices, and never tells.
        Err(_) if mode == "patient" => return wait_for_end(),
        // A client that does not notice what its server does.
        Err(_) if mode == "oblivious" => completed(MIDDLE),
        Err(reason) => Reply::Failed { stage: Stage::Measure, reason },
    };
    println!("{}", serde_json::to_string(&reply).expect("plain data"));
}

/// Where the samples go.
fn samples() -> Option<PathBuf> {
    std::env::args_os().skip_while(|word| word != "--samples").nth(1).map(PathBuf::from)
}

/// An observation whose schedule was kept: all that was owed was sent in time, and came.
fn kept(rate_per_s: f64, connections: u32, seen: Observation) -> Observation {
    let owed = (rate_per_s * seen.elapsed_ns as f64 / 1e9) as u64;
    let each = owed / u64::from(connections);
    let accounts = Accounts {
        sent_in_window: owed,
        least_owed: each,
        worst: Account { connection: 0, owed: each, received: each },
        ..Accounts::default()
    };
    Observation { sent: owed, received: owed, messages_per_s: rate_per_s, accounts: Some(accounts), ..seen }
}

/// What a client leaves of a window: a message with a kernel timestamp, and one without.
const SAMPLES: [Sample; 2] = [
    Sample {
        seq: 41,
        connection: 0,
        due_ns: 1_000,
        sent_ns: 1_200,
        kernel_ns: Some(1_230),
        received_ns: 1_300,
        set_aside: false,
    },
    Sample {
        seq: 42,
        connection: 3,
        due_ns: 2_000,
        sent_ns: 2_200,
        kernel_ns: None,
        received_ns: 2_300,
        set_aside: true,
    },
];
/// So many lines to and fro, each in a write of its own, and the connection held until standard input closes.
fn stream(mode: &str, words: &[&str]) -> ExitCode {
    if mode == "fails" {
        eprintln!("the server closed the stream");
        return ExitCode::from(2);
    }
    let count: u64 = flag(words, "--count").parse().expect("a number");
    let mut stream = TcpStream::connect(flag(words, "--server")).expect("the server listens");
    let mut answer = [0; 5];
    for _ in 0..count {
        stream.write_all(b"go\n").expect("the server reads");
        stream.read_exact(&mut answer).expect("the server answers");
    }
    let streamed = Streamed {
        client: stream.local_addr().expect("it is connected"),
        head_bytes: 0,
        messages: count,
        frame_bytes: count * answer.len() as u64,
        reads: count,
    };
    println!("{}", serde_json::to_string(&streamed).expect("plain data"));
    wait_for_end();
    ExitCode::SUCCESS
}

fn hiccups_over(threshold_ns: &str) -> Hiccups {
    Hiccups { threshold_ns: threshold_ns.parse().expect("nanoseconds"), ..Hiccups::default() }
}

/// How many clients were launched before this one: a file in the project's folder counts them.
fn launches() -> usize {
    let before = std::fs::read("launches").unwrap_or_default();
    std::fs::write("launches", [&before[..], b"x"].concat()).expect("a writable folder");
    before.len()
}

/// Whether this is one of the launches, counted from 0, that `slow.txt` lists: it is in the project's folder too.
fn is_slow_launch() -> bool {
    let launch = launches().to_string();
    let slow = std::fs::read_to_string("slow.txt").unwrap_or_default();
    slow.lines().any(|line| line == launch)
}

/// Lines to and fro for the length of the window, and beyond the middle.
fn exchange(server: &str, window: Duration, stall: Duration) -> Result<u64, String> {
    let mut stream = TcpStream::connect(server).map_err(|cause| format!("failed to connect: {cause}"))?;
    stream.set_read_timeout(Some(stall)).expect("a timeout");
    let (began, mut count, mut answer) = (Instant::now(), 0, [0; 5]);
    while began.elapsed() < window || count < 2 * MIDDLE {
        stream.write_all(b"go\n").map_err(|cause| format!("connection closed: {cause}"))?;
        stream.read_exact(&mut answer).map_err(|cause| match cause.kind() {
            std::io::ErrorKind::WouldBlock => format!("no message for {} ms", stall.as_millis()),
            _ => format!("connection closed: {cause}"),
        })?;
        if &answer != b"tick\n" {
            return Err(format!("protocol violation: {answer:?}"));
        }
        count += 1;
    }
    Ok(count)
}

fn observation(received: u64, window: Duration, slower_ns: u64) -> Observation {
    let mut histogram = new_histogram();
    (0..2000).for_each(|sample| histogram.record(5000 + slower_ns + sample).expect("in range"));
    Observation {
        sent: received,
        received,
        lost: 0,
        reordered: 0,
        negative: 0,
        checked: received,
        elapsed_ns: window.as_nanos() as u64,
        messages_per_s: received as f64 / window.as_secs_f64(),
        bytes_per_s: 48.0 * received as f64 / window.as_secs_f64(),
        reads: received,
        connect_ns: 1000,
        lag_ns: Distribution::of(&histogram),
        delivery_ns: Distribution::of(&histogram),
        response_ns: Distribution::of(&histogram),
        client_usage: Some(Usage {
            interval_ns: window.as_nanos() as u64,
            cpu_user_ns: 1000,
            cpu_system_ns: 1000,
            cpu_share: 0.5,
            cpu_ns_per_message: 100.0,
            rss_bytes: 1 << 20,
            rss_peak_bytes: 1 << 20,
            voluntary_switches: 0,
            involuntary_switches: 0,
            run_delay_ns: None,
            threads: 1,
        }),
        ..Observation::default()
    }
}

/// Cores are the quieter the lower their number; a spinner notes its threshold as its only gap.
fn watch(mode: &str, job: &str, words: &[&str]) -> ExitCode {
    match job {
        "hiccups" => {
            let core: usize = flag(words, "--core").parse().expect("a core");
            let lost_share = if is_restless(mode, words) { 0.5 } else { 0.0001 * (core + 1) as f64 };
            let threshold_ns = 7000 + core as u64;
            let seen = CoreHiccups {
                core,
                watched_ns: 1_000_000,
                threshold_ns,
                per_s: 350.0,
                lost_share,
                longest_ns: 20_000,
            };
            println!("{}", serde_json::to_string(&seen).expect("plain data"));
        }
        "clocks" => {
            let (backwards, worst_ns) = if mode == "backwards" { (3, 70) } else { (0, 0) };
            let check = ClockCheck { readings: 1000, backwards, worst_ns };
            println!("{}", serde_json::to_string(&check).expect("plain data"));
        }
        "idle" if mode == "refuses" => {
            eprintln!("failed to enter SCHED_IDLE: not permitted");
            return ExitCode::from(2);
        }
        "idle" => {
            std::fs::write(flag(words, "--gaps"), flag(words, "--threshold-ns")).expect("a writable folder");
            println!("spinning on core {}", flag(words, "--core"));
            wait_for_end();
        }
        _ => return ExitCode::from(2),
    }
    ExitCode::SUCCESS
}

/// Whether a core is: always, or at the first look at it that a waiting run takes. Such a look is shorter than one before a run.
fn is_restless(mode: &str, words: &[&str]) -> bool {
    match mode {
        "restless" => true,
        "calms" if flag(words, "--watch-ns") == "200000000" => {
            let seen =
                std::env::current_dir().expect("a folder").join(format!("seen-{}", flag(words, "--core")));
            let first = !seen.exists();
            std::fs::write(seen, "").expect("a writable folder");
            first
        }
        _ => false,
    }
}

fn verify(mode: &str, words: &[&str]) -> ExitCode {
    let failure = (mode == "fails").then(|| "byte 3 differs".to_owned());
    let held = format!("holds {} connections", flag(words, "--connections"));
    for (id, name, failure) in [
        ("root", "names itself", None),
        ("vectors", "streams the golden vectors", failure),
        ("connections", held.as_str(), None),
    ] {
        let check = Check { id: id.into(), name: name.into(), essential: id == "connections", failure };
        println!("{}", serde_json::to_string(&check).expect("plain data"));
    }
    if mode == "fails" { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
