//! What `verify` asks, seen by a server: nothing tells it from a measurement.

mod scripted;

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use scripted::*;
use tickbench_record::{Arrival, Encoding, Flush, Request};

type Heads = Arc<Mutex<Vec<String>>>;

/// A server that keeps the heads of all requests and answers none of them.
fn listener() -> (SocketAddr, Heads) {
    let heads = Heads::default();
    let kept = Arc::clone(&heads);
    let address = serve_raw(move |stream| {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        kept.lock().unwrap().push(String::from_utf8(head).unwrap());
        stream.write_all(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
    });
    (address, heads)
}

/// The head of a request with all that differs from stream to stream taken out: its keys and headers in their order, and what never
/// differs.
fn form(head: &str) -> String {
    let varies = |key: &str| {
        ["encoding", "flush", "arrival", "seed", "size", "rate", "speed", "feed", "Host", "Sec-WebSocket-Key"]
            .contains(&key)
    };
    let (target, rest) = head.split_once(" HTTP/1.1\r\n").unwrap();
    let pair = |text: &str, between: &str| {
        let (key, _) = text.split_once(between).unwrap_or((text, ""));
        if varies(key) { format!("{key}{between}*") } else { text.to_owned() }
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query: Vec<String> = query.split('&').map(|text| pair(text, "=")).collect();
    let headers: Vec<String> = rest.lines().map(|line| pair(line, ": ")).collect();
    format!("{path}?{}\n{}", query.join("&"), headers.join("\n"))
}

fn value<'a>(head: &'a str, key: &str) -> Option<&'a str> {
    let query = head.split_once('?')?.1.split_once(' ')?.0;
    query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
}

/// What measurements of all kinds of ticks ask for.
fn measured() -> Vec<String> {
    let (server, heads) = listener();
    let all = |request: Request| {
        for encoding in [Encoding::Json, Encoding::Binary] {
            for flush in [Flush::Each, Flush::Batch] {
                failed(measure(&Request { encoding, flush, stall_ns: 1_000_000, ..request.clone() }));
            }
        }
    };
    let request = request(server);
    for size_bytes in [0, 1 << 10] {
        all(Request { size_bytes, ..request.clone() });
    }
    for arrival in [Arrival::Constant, Arrival::Poisson, Arrival::Burst] {
        all(Request { rate_per_s: 10_000.0, arrival, connections: 3, ..request.clone() });
    }
    let feed = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(feed.path(), "{\"ts_ns\":1,\"payload\":\"a\"}\n{\"ts_ns\":2,\"payload\":\"b\"}\n")
        .unwrap();
    for arrival in [Arrival::Constant, Arrival::Recorded] {
        all(Request { feed: Some(feed.path().to_owned()), arrival, ..request.clone() });
    }
    heads.lock().unwrap().clone()
}

/// What these checks ask for, in order.
fn verified(only: &str, seed: u64) -> Vec<String> {
    let (server, heads) = listener();
    let output = probe()
        .args(["verify", "--server", &server.to_string(), "--seed", &seed.to_string()])
        .args(["--connections", "20", "--only", only])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    heads.lock().unwrap().clone()
}

#[test]
fn streams_are_asked_for_as_measurements_ask_for_them() {
    let forms: BTreeSet<String> = measured().iter().map(|head| form(head)).collect();
    assert!(forms.iter().any(|form| form.contains("count=0")), "{forms:#?}");
    let heads = verified("ticks,on-time,stamps,fine-timer,replay,connections", 7);
    let streams: Vec<&String> = heads.iter().filter(|head| head.starts_with("GET /ticks")).collect();
    assert!(streams.len() > 50, "{}", streams.len());
    for head in streams {
        assert!(forms.contains(&form(head)), "{head} is told from these: {forms:#?}");
    }
}

#[test]
fn the_seeds_are_those_of_a_study_but_for_the_two_ends() {
    for seed in [7, 3_000_000_000] {
        let heads = verified("ticks", seed);
        let seeds: BTreeSet<u64> =
            heads.iter().map(|head| value(head, "seed").unwrap().parse().unwrap()).collect();
        let study = seed..seed + 100;
        let (inside, ends): (Vec<u64>, Vec<u64>) = seeds.into_iter().partition(|seed| study.contains(seed));
        assert!(inside.len() > 3 && ends == [0, u64::MAX], "{inside:?} {ends:?}");
    }
}

#[test]
fn the_first_request_of_all_is_for_a_stream_and_the_order_is_of_chance() {
    let first = |seed| verified("ticks,root,refusals,echo", seed).swap_remove(0);
    let firsts: BTreeSet<String> = (0..8).map(|seed| form(&first(seed))).collect();
    assert!(firsts.iter().all(|form| form.starts_with("GET /ticks?encoding=*")), "{firsts:#?}");
    let targets = |seed| -> Vec<String> {
        verified("ticks", seed).iter().map(|head| value(head, "encoding").unwrap().to_owned()).collect()
    };
    assert_eq!(targets(1), targets(1));
    assert_ne!(targets(1), targets(2));
}

#[test]
fn checks_that_are_none_are_refused_by_name() {
    let output = probe().args(["verify", "--server", "127.0.0.1:1", "--only", "tocks"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("tocks") && said.contains("ticks"), "{said}");
}
