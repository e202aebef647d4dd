//! The invented study and the invented machine.

use tickbench_record::{
    BuiltServer, Ceiling, Client, ClientCeiling, ClockCheck, CoreHiccups, Cores, Encoding, Environment,
    Finding, Machine, SelfTest, SkippedServer, Spent, Study, Wait,
};

const STUDY: &str = r#"
name = "synthetic"
iterations = 100
seed = 7
servers = ["axum", "actix", "tungstenite", "floor"]
control = "axum"

[[scenario]]
name = "latency"
control = true
idle = ["spin"]
kind = "latency"
encodings = ["json", "binary"]
rate_per_s = 10000
wait = "spin"
warmup_ms = 50
window_ms = 250

[[scenario]]
name = "throughput"
control = true
kind = "throughput"
encodings = ["json", "binary"]
flush = ["each", "batch"]
wait = "block"
warmup_ms = 50
window_ms = 200

[[scenario]]
name = "echo"
control = true
kind = "echo"
size_bytes = [64]
wait = "spin"
warmup_ms = 50
window_ms = 200

[[scenario]]
name = "scaling"
kind = "scaling"
connections = [1, 10, 100, 1000]
rate_per_s = 10000
wait = "block"
warmup_ms = 50
window_ms = 250

[[scenario]]
name = "usual client"
kind = "latency"
servers = ["floor"]
clients = ["tungstenite"]
rate_per_s = 10000
wait = "block"
warmup_ms = 50
window_ms = 250
"#;

/// A run of it is small enough to be kept beside tests.
const SMALL: &str = r#"
name = "synthetic, small"
iterations = 8
seed = 7
servers = ["axum", "tungstenite", "floor"]
control = "axum"
usage_samples_per_s = 0

[[scenario]]
name = "latency"
kind = "latency"
control = true
rate_per_s = 5000
wait = "spin"
warmup_ms = 20
window_ms = 60

[[scenario]]
name = "throughput"
kind = "throughput"
wait = "block"
warmup_ms = 20
window_ms = 50

[[scenario]]
name = "echo"
kind = "echo"
size_bytes = [64]
wait = "spin"
warmup_ms = 20
window_ms = 30
"#;

pub(crate) fn study(small: bool) -> Study {
    Study::from_toml(if small { SMALL } else { STUDY }).expect("the texts above are studies")
}

pub(crate) fn environment(study: &Study) -> Environment {
    let built = |name: &str, version: &str, digit: char| BuiltServer {
        name: name.into(),
        language: "Rust".into(),
        version: version.into(),
        build: format!("cargo build --profile contestant -p tickbench-{name}"),
        binary: format!("contestant/tickbench-{name}"),
        sha256: Some(String::from(digit).repeat(64)),
        coalesces: name == "actix",
        deviations: Vec::new(),
    };
    let server = |name: &String| match name.as_str() {
        "axum" => built(name, "axum 0.8.9", 'a'),
        "actix" => built(name, "actix-web 4.12.0", 'b'),
        "tungstenite" => built(name, "tokio-tungstenite 0.30.0", 'c'),
        _ => built(name, "floor 0.1.0", 'd'),
    };
    Environment {
        tickbench_version: "0.1.0".into(),
        commit: Some("0123456789abcdef0123456789abcdef01234567".into()),
        command: "tickbench run --study studies/synthetic.toml".into(),
        started_at: "2023-11-14T22:13:20Z".into(),
        machine: Machine {
            os: Some("Synthetic Linux 1".into()),
            kernel: Some("6.12.0".into()),
            cpu_model: Some("Invented CPU @ 3.00GHz".into()),
            architecture: "x86_64".into(),
            logical_cores: 2,
            memory_bytes: Some(8 << 30),
            governor: None,
            turbo: Some(true),
            smt: Some(true),
            hypervisor: Some("KVM".into()),
            clock_source: Some("tsc".into()),
            load_1m: Some(0.31),
            open_files_limit: Some(1 << 20),
            rustc: Some("rustc 1.95.0".into()),
        },
        cores: Cores {
            server: Some(0),
            client: Some(1),
            harness: vec![0, 1],
            read_back: "the affinity of server and client was read back as set".into(),
            kinds: None,
        },
        servers: study.servers.iter().map(server).collect(),
        skipped: vec![SkippedServer {
            name: "gorilla".into(),
            reason: "its toolchain is missing: `go` was not found".into(),
        }],
        clients: vec![
            built("probe", "probe 0.1.0", 'e'),
            built("client-tungstenite", "tokio-tungstenite 0.30.0", 'f'),
        ],
        warnings: vec![
            "These figures are invented: no server was measured.".into(),
            "There are only 2 cores: the harness shares them with server and client.".into(),
        ],
        baseline: Some("floor".into()),
        ceilings: [(Encoding::Json, 16.7e6, 203.4), (Encoding::Binary, 90e6, 48.0)].map(ceiling).into(),
        findings: vec![
            Finding { subject: "clock source".into(), found: "tsc".into(), advice: None },
            Finding {
                subject: "SMT".into(),
                found: "cores 0 and 1 share one physical core".into(),
                advice: Some("choose cores of their own with --cores".into()),
            },
        ],
        hiccups: [(0, 350.0, 0.025), (1, 210.0, 0.011)].map(hiccups).into(),
        clocks: Some(ClockCheck { readings: 200_000, backwards: 0, worst_ns: 0 }),
        self_test: Some(SelfTest {
            at: "2023-11-14T21:50:00Z".into(),
            tickbench_version: "0.1.0".into(),
            done: 11,
            caught: 11,
        }),
        executions_per_iteration: None,
        spent: Some(Spent {
            building_ns: 41_000_000_000,
            verifying_ns: 3_100_000_000,
            executing_ns: 1_420_000_000_000,
            measuring_ns: 1_271_000_000_000,
            waiting_ns: 0,
        }),
    }
}

fn ceiling((encoding, messages_per_s, bytes): (Encoding, f64, f64)) -> ClientCeiling {
    let ceiling = Ceiling {
        encoding,
        wait: Wait::Block,
        messages_per_s,
        bytes_per_s: messages_per_s * bytes,
        cpu_ns_per_message: 1e9 / messages_per_s,
        cpu_share: 1.0,
        messages_per_read: 262_144.0 / bytes,
    };
    ClientCeiling { client: Client::Probe, ceiling }
}

fn hiccups((core, per_s, lost_share): (usize, f64, f64)) -> CoreHiccups {
    CoreHiccups {
        core,
        watched_ns: 1_000_000_000,
        threshold_ns: 6_000,
        per_s,
        lost_share,
        longest_ns: 1_900_000,
    }
}
