//! The subcommands besides `measure`.

mod scripted;

use scripted::*;
use tickbench_record::{Ceiling, Check, Streamed};

#[test]
fn the_ceiling_is_measured() {
    for (encoding, wait) in [("json", "block"), ("binary", "block"), ("binary", "spin"), ("json", "spin")] {
        let output = probe()
            .args(["ceiling", "--encoding", encoding, "--wait", wait, "--window-ns", "200000000"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let ceiling: Ceiling = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((ceiling.encoding.name(), ceiling.wait.name()), (encoding, wait));
        let Ceiling { messages_per_s, bytes_per_s, cpu_ns_per_message, cpu_share, messages_per_read, .. } =
            ceiling;
        let figures = [messages_per_s, bytes_per_s, cpu_ns_per_message, cpu_share, messages_per_read];
        assert!(figures.iter().all(|&figure| figure > 0.0), "{ceiling:?}");
    }
}

#[test]
fn a_bare_stream_is_measured() {
    let output = probe().args(["bare", "--rate", "5000", "--window-ns", "20000000"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let bare: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(bare["count"], 100);
    assert!(bare["p50_ns"].as_u64().unwrap() > 0);
}

#[test]
fn a_server_that_breaks_the_contract_is_found_out() {
    let server = serve(|stream| ticks_from(stream, 1));
    let output = probe()
        .args(["verify", "--server", &server.to_string()])
        .args(["--only", "ticks,count,ping,root,refusals"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let checks: Vec<Check> = output
        .stdout
        .split_inclusive(|&byte| byte == b'\n')
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert!(checks.len() > 60);
    assert!(checks.iter().all(|check| check.failure.is_some()), "{checks:?}");
}

#[test]
fn a_stream_is_counted_and_held_until_standard_input_closes() {
    let server = serve(|stream| ticks_from(stream, 0));
    let mut client = probe()
        .args(["stream", "--server", &server.to_string(), "--count", "20"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(client.stdout.take().unwrap()), &mut line)
        .unwrap();
    let streamed: Streamed = serde_json::from_str(&line).unwrap();
    // Two bytes of a frame's header and 48 of the tick.
    assert_eq!((streamed.messages, streamed.frame_bytes), (20, 20 * 50));
    assert!(streamed.head_bytes > 100 && (1..=20).contains(&streamed.reads), "{streamed:?}");
    assert!(streamed.client.ip().is_loopback());
    assert!(client.try_wait().unwrap().is_none(), "the connection is held");
    drop(client.stdin.take());
    assert!(client.wait().unwrap().success());
}

#[test]
fn bad_flags_end_with_code_2() {
    for args in [
        &["measure"][..],
        &["measure", "--server", "nowhere"],
        &["ceiling", "--encoding", "xml"],
        &["clocks", "--cores", "1"],
        &["hiccups"],
        &[],
    ] {
        assert_eq!(probe().args(args).output().unwrap().status.code(), Some(2), "{args:?}");
    }
}
