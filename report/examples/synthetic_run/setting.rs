//! The invented study and the invented machine.

use tickbench_record::{BuiltServer, Cores, Environment, Machine, SkippedServer, Spent, Study};

const STUDY: &str = r#"
name = "synthetic"
iterations = 100
seed = 7
servers = ["axum", "actix", "tungstenite", "floor"]

[[scenario]]
name = "latency"
kind = "latency"
encodings = ["json", "binary"]
rate_per_s = 10000
wait = "spin"
warmup_ms = 50
window_ms = 250

[[scenario]]
name = "throughput"
kind = "throughput"
encodings = ["json", "binary"]
flush = ["each", "batch"]
wait = "block"
warmup_ms = 50
window_ms = 200

[[scenario]]
name = "echo"
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

pub(crate) fn study() -> Study {
    Study::from_toml(STUDY).expect("the text above is a study")
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
    };
    let versions = ["axum 0.8.9", "actix-web 4.12.0", "tokio-tungstenite 0.30.0", "floor 0.1.0"];
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
        },
        servers: study
            .servers
            .iter()
            .zip(versions)
            .zip(['a', 'b', 'c', 'd'])
            .map(|((name, version), digit)| built(name, version, digit))
            .collect(),
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
        spent: Some(Spent {
            building_ns: 41_000_000_000,
            verifying_ns: 3_100_000_000,
            executing_ns: 1_420_000_000_000,
            measuring_ns: 1_271_000_000_000,
        }),
        ..Environment::default()
    }
}
