//! The parity ledger as report and command show it.

mod support;

use support::{LATENCY, about, environment, study, summary};
use tickbench_record::{
    BuildFlags, Encoding, Executable, Flush, Lane, Ledger, LedgerEntry, Reading, Sizes, SocketBuffer,
    SocketSettings, StreamPass, Streamed, SystemCalls,
};
use tickbench_report::{ledger_page, render, render_with};
use tickbench_stats::{Distance, LaneStep, Metric};

fn missing<T>(why: &str) -> Reading<T> {
    Reading::Missing { missing: why.into() }
}

/// A stream of a hundred ticks, so many of them a write.
fn stream(flush: Flush, rate_per_s: f64, a_write: u64) -> StreamPass {
    let writes = 100 / a_write;
    let client = std::net::SocketAddr::from(([127, 0, 0, 1], 40_000));
    StreamPass {
        flush,
        encoding: Encoding::Binary,
        rate_per_s,
        seen: Reading::Read(Streamed {
            client,
            head_bytes: 129,
            messages: 100,
            frame_bytes: 5_000,
            reads: 50,
        }),
        calls: Reading::Read(SystemCalls {
            messages: 100,
            counts: [("sendto".to_owned(), writes), ("epoll_wait".to_owned(), 99)].into(),
            writes: Sizes {
                calls: writes,
                bytes: 5_000,
                min: 50 * a_write,
                median: 50 * a_write,
                max: 50 * a_write,
            },
            failed_writes: 0,
            read_space_bytes: Some(131_072),
        }),
    }
}

fn entry(server: &str, lane: Lane, no_delay: bool) -> LedgerEntry {
    let buffer = |bytes| SocketBuffer { bytes, is_set: Reading::Read(false) };
    LedgerEntry {
        server: server.into(),
        lane,
        version: "0.8.9".into(),
        build: BuildFlags {
            command: format!("cargo build --profile contestant -p {server}"),
            profile: vec!["lto = \"fat\"".into(), "codegen-units = 1".into()],
            rustflags: Vec::new(),
        },
        executable: Reading::Read(Executable {
            sha256: "0123456789abcdef".repeat(4),
            bytes: 2 << 20,
            libraries: vec!["libc.so.6".into()],
            compilers: vec!["GCC: 12.2.0".into(), "rustc version 1.95.0".into()],
            allocators: Reading::Read(Vec::new()),
            crates: vec!["bytes 1.12.1".into(), "tungstenite 0.29.0".into()],
        }),
        threads: Reading::Read(vec![server.into(), "stdin".into()]),
        backlog: Reading::Read(4096),
        socket: Reading::Read(SocketSettings {
            no_delay,
            cork: false,
            quick_ack: no_delay,
            keep_alive: false,
            send_buffer: buffer(2_626_560),
            receive_buffer: buffer(131_072),
            not_sent_low_water_bytes: u64::from(u32::MAX),
            busy_poll_us: 0,
            congestion: "cubic".into(),
        }),
        streams: vec![stream(Flush::Each, 1000.0, 1), stream(Flush::Batch, 0.0, 25)],
    }
}

/// Two servers that differ in what a reader should see, and one of which little could be read.
fn ledger() -> Ledger {
    let mut plain = entry("plain", Lane::Default, true);
    if let Reading::Read(executable) = &mut plain.executable {
        executable.crates[1] = "tungstenite 0.30.0".into();
        executable.allocators = Reading::Read(vec!["mimalloc".into()]);
    }
    plain.streams[1] = stream(Flush::Batch, 0.0, 5);
    let mut closed = entry("closed|off", Lane::Default, false);
    closed.socket = missing("pidfd_getfd was refused: <not permitted>");
    closed.executable = missing("`/proc/7/exe` is no ELF file");
    closed.streams.truncate(1);
    closed.streams[0].calls = missing("ptrace of thread 7 was refused");
    let mut tuned = entry("swift", Lane::Tuned, false);
    if let Reading::Read(socket) = &mut tuned.socket {
        socket.send_buffer = SocketBuffer { bytes: 40_000, is_set: Reading::Read(true) };
    }
    Ledger { entries: vec![entry("swift", Lane::Default, false), plain, closed, tuned] }
}

#[test]
fn a_ledger_with_differences_broken_promises_and_refusals() {
    insta::assert_snapshot!(ledger_page(&ledger()));
}

#[test]
fn what_differs_is_marked_and_what_moves_by_itself_is_not() {
    let same = Ledger { entries: ["a", "b"].map(|name| entry(name, Lane::Default, true)).into() };
    let page = ledger_page(&same);
    assert!(page.contains("The servers differ in nothing that was compared."), "{page}");
    let page = ledger_page(&ledger());
    for line in
        ["| ≠ | TCP_NODELAY | off | on |", "| ≠ | allocator |", "| ≠ | messages a write (batch, flood) |"]
    {
        assert!(page.contains(line), "{line} is missing from {page}");
    }
    for line in [
        "|  | TCP_QUICKACK | off | on |",
        "|  | SO_SNDBUF |",
        "|  | messages a write (each, 1,000 ticks/s) |",
    ] {
        assert!(page.contains(line), "{line} is missing from {page}");
    }
}

#[test]
fn a_report_has_the_ledger_where_the_run_has_one() {
    let study = study(&["swift", "plain"], LATENCY);
    let summary = summary(&study, &[("swift", 1.0), ("plain", 1.3)]);
    let environment = environment(&["swift", "plain"], None);
    let with = render_with(&study, &environment, &summary, &[], Some(&ledger())).unwrap();
    assert!(
        with.contains("\n## Parity\n") && with.contains("**The tuned lane is not what it promises to be:**")
    );
    let without = render(&study, &environment, &summary, &[]).unwrap();
    assert!(!without.contains("## Parity"));
}

#[test]
fn lanes_side_by_side_say_what_tuning_closes() {
    let study = study(&["swift", "plain", "wire"], LATENCY);
    let mut summary = summary(&study, &[("swift", 1.1), ("plain", 1.3), ("wire", 1.0)]);
    let step = |server: &str, distance| LaneStep {
        question: "latency binary each ×1".into(),
        tuned_question: "latency-tuned binary each ×1 tuned".into(),
        server: server.into(),
        metric: Metric::DeliveryP50,
        default: about(5_500.0),
        tuned: about(5_300.0),
        ratio: about(0.964),
        distance,
    };
    let distance = |closed| Distance { default: about(1.08), tuned: about(1.04), closed };
    summary.lanes = vec![
        step("swift", Some(distance(Some(about(0.5))))),
        step("plain", Some(distance(None))),
        step("wire", None),
    ];
    let environment = environment(&["swift", "plain", "wire"], Some("wire"));
    let report = render(&study, &environment, &summary, &[]).unwrap();
    let (_, section) = report.split_once("## Default and tuned").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    insta::assert_snapshot!(section);
}
