//! The one-way time of a TCP stream without any WebSocket: what no server can beat.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use anyhow::Context as _;
use serde::Serialize;
use tickbench_client_kit::monotonic_ns;
use tickbench_record::{Distribution, new_histogram};

use crate::affinity;
use crate::pacer::Pacer;

/// A stamp of eight bytes leads each record.
pub(crate) const LEAST_SIZE: usize = 8;

/// Records before the window, as a share of a second.
const WARMUP_S: f64 = 0.2;

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stream {
    pub(crate) size: usize,
    pub(crate) rate: f64,
    pub(crate) window_ns: u64,
    pub(crate) writer_core: Option<usize>,
}

#[derive(Debug, Serialize)]
struct OneWay {
    size_bytes: usize,
    rate_per_s: f64,
    count: u64,
    p50_ns: u64,
    p99_ns: u64,
}

/// Measures, and prints one line of JSON.
pub(crate) fn run(stream: Stream) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut reader = TcpStream::connect(listener.local_addr()?)?;
    let (writer, _) = listener.accept()?;
    let warmup = (stream.rate * WARMUP_S) as u64;
    let count = (stream.rate * stream.window_ns as f64 / 1e9) as u64;
    let writing = std::thread::spawn(move || write(writer, stream, warmup + count));
    let one_way = read(&mut reader, stream, warmup)?;
    writing.join().expect("the writer does not panic")?;
    println!("{}", serde_json::to_string(&one_way)?);
    Ok(())
}

/// Writes one stamped record each time a timer wakes this thread: as a paced server does.
fn write(mut socket: TcpStream, stream: Stream, count: u64) -> anyhow::Result<()> {
    stream.writer_core.map_or(Ok(()), affinity::pin)?;
    socket.set_nodelay(true)?;
    let pacer = Pacer::new().context("failed to create a timer")?;
    let mut record = vec![0; stream.size];
    let start_ns = monotonic_ns();
    for index in 0..count {
        pacer.wait_until(start_ns + (index as f64 * 1e9 / stream.rate) as u64)?;
        record[..LEAST_SIZE].copy_from_slice(&monotonic_ns().to_le_bytes());
        socket.write_all(&record)?;
    }
    Ok(())
}

/// Spins on the socket, stamping each read right after it returns.
fn read(socket: &mut TcpStream, stream: Stream, warmup: u64) -> anyhow::Result<OneWay> {
    socket.set_nonblocking(true)?;
    let mut histogram = new_histogram();
    let mut buffer = vec![0; 256 << 10];
    let (mut filled, mut seen) = (0, 0);
    loop {
        let count = match socket.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => count,
            Err(cause) if matches!(cause.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => continue,
            Err(cause) => return Err(cause.into()),
        };
        let now_ns = monotonic_ns();
        filled += count;
        let mut records = buffer[..filled].chunks_exact(stream.size);
        for record in &mut records {
            let sent_ns = u64::from_le_bytes(*record.first_chunk().context("a record holds a stamp")?);
            seen += 1;
            if seen > warmup {
                histogram.saturating_record(now_ns.saturating_sub(sent_ns));
            }
        }
        let left = records.remainder().len();
        buffer.copy_within(filled - left..filled, 0);
        filled = left;
    }
    let all = Distribution::of(&histogram).context("no record was read: make the window longer")?;
    let Distribution { count, p50, p99, .. } = all;
    Ok(OneWay { size_bytes: stream.size, rate_per_s: stream.rate, count, p50_ns: p50, p99_ns: p99 })
}
