//! What the probe itself can take in: a flood of prepared frames, measured as any other flood.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail};
use tickbench_protocol::parse_ready_line;
use tickbench_record::{Arrival, Ceiling, Disturbance, Encoding, Flush, Job, Reply, Request, Wait};

use crate::measure::measure;

/// Measures against a prepared server of its own, which runs on `writer_core` where that is named.
pub(crate) fn run(
    encoding: Encoding,
    wait: Wait,
    window_ns: u64,
    writer_core: Option<usize>,
) -> anyhow::Result<()> {
    let (mut writer, server) = start_writer(encoding, writer_core)?;
    let reply = measure(&request(server, encoding, wait, window_ns));
    // Its standard input closes, and it ends.
    drop(writer.stdin.take());
    writer.wait().context("failed to wait for the writer")?;
    let seen = match reply {
        Reply::Completed(seen) => seen,
        Reply::Failed { reason, .. } | Reply::Broken { reason, .. } => {
            bail!("failed to measure the ceiling: {reason}")
        }
    };
    let ceiling =
        Ceiling::of(&seen, encoding, wait).context("the probe's own usage is not known on this system")?;
    println!("{}", serde_json::to_string(&ceiling)?);
    Ok(())
}

fn start_writer(encoding: Encoding, core: Option<usize>) -> anyhow::Result<(Child, SocketAddr)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["prepared", "--listen", "127.0.0.1:0", "--encoding", encoding.name()]);
    command.args(core.map(|core| format!("--core={core}")));
    let mut writer = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("failed to start the writer")?;
    let mut line = String::new();
    BufReader::new(writer.stdout.take().context("the writer has no standard output")?)
        .read_line(&mut line)?;
    let server = parse_ready_line(&line)
        .with_context(|| format!("the writer said {line:?} in place of its address"))?;
    Ok((writer, server))
}

fn request(server: SocketAddr, encoding: Encoding, wait: Wait, window_ns: u64) -> Request {
    Request {
        server,
        job: Job::Ticks,
        encoding,
        flush: Flush::Batch,
        arrival: Arrival::Constant,
        rate_per_s: 0.0,
        size_bytes: 0,
        seed: 1,
        feed: None,
        speed: 1.0,
        connections: 1,
        wait,
        warmup_ns: 200_000_000,
        window_ns,
        stall_ns: 2_000_000_000,
        server_pid: None,
        usage_samples_per_s: 0,
        hiccup_ns: None,
        server_gaps: None,
        stages: false,
        samples: None,
        beside: Disturbance::Nothing,
    }
}
