//! Writes the golden vectors: what a server in any language must reproduce. `cargo run -p tickbench-protocol --example vectors`
//! writes the files, `… -- --check` compares them; `servers/vectors/README.md` says what is in them.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};
use tickbench_protocol::{
    Arrivals, Capture, Encoding, Payload, Stamps, Tape, TicksQuery, encode_binary, encode_json,
    parse_relay_role, refuse_any_query,
};

const CAPTURE: &str = r#"{"ts_ns":1000000000,"payload":"{\"type\":\"trade\",\"price\":\"64123.45\"}"}
{"ts_ns":1000250000,"payload":"not JSON: \"quoted\", grün\n"}
{"ts_ns":1010000000,"payload":""}
"#;

/// Targets of requests, served and refused.
const TARGETS: &[&str] = &[
    "/",
    "/?a=b",
    "/echo",
    "/echo?size=1",
    "/ticks",
    "/ticks?",
    "/ticks?encoding=binary&rate=10000&count=5&size=1024&seed=42&flush=batch",
    "/ticks?rate=0",
    "/ticks?rate=0.5",
    "/ticks?rate=1e3",
    "/ticks?count=0",
    "/ticks?arrival=poisson&rate=100",
    "/ticks?arrival=burst",
    "/ticks?seed=18446744073709551615",
    "/ticks?size=288",
    "/ticks?encoding=binary&size=48",
    "/ticks?encoding=binary&size=16777216",
    "/ticks?speed=1",
    "/ticks?speeed=1",
    "/ticks?rate",
    "/ticks?rate=",
    "/ticks?rate=fast",
    "/ticks?rate=-1",
    "/ticks?rate=inf",
    "/ticks?rate=nan",
    "/ticks?count=-1",
    "/ticks?count=1.5",
    "/ticks?seed=18446744073709551616",
    "/ticks?size=287",
    "/ticks?encoding=binary&size=47",
    "/ticks?size=16777217",
    "/ticks?encoding=JSON",
    "/ticks?flush=never",
    "/ticks?arrival=soon",
    "/ticks?arrival=recorded",
    "/ticks?speed=0",
    "/ticks?rate=1&rate=1",
    "/ticks?feed=%ff",
    "/relay",
    "/relay?role=subscriber",
    "/relay?role=publisher",
    "/relay?role=king",
    "/relay?rate=1",
];

pub(crate) fn main() -> ExitCode {
    let check = std::env::args().any(|argument| argument == "--check");
    let folder = folder();
    for (name, content) in files() {
        let path = folder.join(&name);
        if check && fs::read(&path).ok().as_deref() != Some(&content) {
            eprintln!(
                "`{}` differs: run this example without --check and look at the change",
                path.display()
            );
            return ExitCode::FAILURE;
        }
        if !check && let Err(cause) = fs::write(&path, &content) {
            eprintln!("failed to write `{}`: {cause}", path.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// `servers/vectors`.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors"))
}

/// Every file, by name.
pub(crate) fn files() -> Vec<(String, Vec<u8>)> {
    let mut files = vec![
        ("capture.jsonl".into(), CAPTURE.into()),
        ("tapes.jsonl".into(), lines([1, 2, 42, u64::MAX].map(tape))),
        ("arrivals.jsonl".into(), lines(arrivals())),
        ("requests.jsonl".into(), lines(TARGETS.iter().map(|target| request(target)))),
    ];
    let mut index = Vec::new();
    for (encoding, seed, seq, size) in ticks() {
        let tape = Tape::generate(seed);
        let (name, message) = message(
            encoding,
            &format!("seed{seed}-seq{seq}-size{size}"),
            seq,
            size,
            Payload::Update(tape.update(seq)),
        );
        let stamps = stamps(seq);
        index.push(json!({
            "file": name, "encoding": encoding.name(), "seed": seed, "size": size,
            "seq": seq, "due_ns": stamps.due_ns, "sent_ns": stamps.sent_ns,
        }));
        files.push((name, message));
    }
    let capture = capture();
    for encoding in [Encoding::Json, Encoding::Binary] {
        for seq in 0..3 {
            let payload = Payload::Captured(capture.payload(seq));
            let (name, message) = message(encoding, &format!("capture-seq{seq}"), seq, 0, payload);
            let stamps = stamps(seq);
            index.push(json!({
                "file": name, "encoding": encoding.name(), "feed": "capture.jsonl",
                "seq": seq, "due_ns": stamps.due_ns, "sent_ns": stamps.sent_ns,
            }));
            files.push((name, message));
        }
    }
    files.push(("messages.jsonl".into(), lines(index)));
    files
}

fn ticks() -> Vec<(Encoding, u64, u64, usize)> {
    let mut ticks = Vec::new();
    for encoding in [Encoding::Json, Encoding::Binary] {
        for (seed, seq) in
            [(1, 0), (1, 1), (1, 2), (1, 3), (1, 1024), (42, 0), (42, 1_000_000), (u64::MAX, 7)]
        {
            ticks.push((encoding, seed, seq, 0));
        }
        ticks.push((encoding, 1, 0, 1024));
    }
    ticks.push((Encoding::Json, 1, 0, 288));
    ticks
}

/// Stamps that differ from one another and from tick to tick.
fn stamps(seq: u64) -> Stamps {
    let due_ns = 1_700_000_000_000 + seq * 100_000;
    Stamps { seq, due_ns, sent_ns: due_ns + 5_432 }
}

fn message(encoding: Encoding, name: &str, seq: u64, size: usize, payload: Payload) -> (String, Vec<u8>) {
    let mut message = Vec::new();
    match encoding {
        Encoding::Json => encode_json(&stamps(seq), payload, size, &mut message),
        Encoding::Binary => encode_binary(&stamps(seq), payload, size, &mut message),
    }
    let extension = if encoding == Encoding::Json { "json" } else { "bin" };
    (format!("{name}.{extension}"), message)
}

fn capture() -> Arc<Capture> {
    Arc::new(Capture::read(CAPTURE.as_bytes()).expect("the capture is one"))
}

/// The first updates of a tape as integers, and the digest of all 1,024 as binary ticks with stamps of zero.
fn tape(seed: u64) -> Value {
    let tape = Tape::generate(seed);
    let mut all = Vec::new();
    for update in tape.updates() {
        encode_binary(&Stamps::default(), Payload::Update(update), 0, &mut all);
    }
    let digest = Sha1::digest(&all).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to memory does not fail");
        text
    });
    let first: Vec<Value> = tape.updates()[..4]
        .iter()
        .map(|update| {
            json!({
                "symbol": update.symbol as u16, "side": update.side as u8, "bid": update.bid, "ask": update.ask,
                "bid_size": update.bid_size, "ask_size": update.ask_size, "last": update.last,
            })
        })
        .collect();
    json!({ "seed": seed, "sha1": digest, "first": first })
}

fn arrivals() -> Vec<Value> {
    let due = |arrivals: Arrivals| arrivals.take(70).collect::<Vec<u64>>();
    vec![
        json!({ "arrival": "constant", "rate": 3.0, "due_ns": due(Arrivals::constant(3.0)) }),
        json!({ "arrival": "constant", "rate": 0.5, "due_ns": due(Arrivals::constant(0.5)) }),
        json!({ "arrival": "burst", "rate": 1000.0, "due_ns": due(Arrivals::burst(1000.0)) }),
        json!({ "arrival": "poisson", "rate": 1000.0, "seed": 1, "due_ns": due(Arrivals::poisson(1000.0, 1)) }),
        json!({ "arrival": "poisson", "rate": 7.5, "seed": 42, "due_ns": due(Arrivals::poisson(7.5, 42)) }),
        json!({ "arrival": "recorded", "feed": "capture.jsonl", "speed": 1.0, "due_ns": due(Arrivals::recorded(capture(), 1.0)) }),
        json!({ "arrival": "recorded", "feed": "capture.jsonl", "speed": 4.0, "due_ns": due(Arrivals::recorded(capture(), 4.0)) }),
    ]
}

/// Whether a target is served, and the query with every default spelled out, or why it is refused.
fn request(target: &str) -> Value {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let meaning = match path {
        "/ticks" => TicksQuery::parse(query).map(|query| query.to_string()),
        "/relay" => parse_relay_role(query).map(|role| format!("role={role:?}").to_lowercase()),
        _ => refuse_any_query(path, query).map(|()| String::new()),
    };
    match meaning {
        Ok(meaning) => json!({ "target": target, "served": true, "means": meaning }),
        Err(refusal) => json!({ "target": target, "served": false, "sentence": refusal.to_string() }),
    }
}

fn lines(values: impl IntoIterator<Item = Value>) -> Vec<u8> {
    let mut text = String::new();
    for value in values {
        writeln!(text, "{value}").expect("writing to memory does not fail");
    }
    text.into_bytes()
}
