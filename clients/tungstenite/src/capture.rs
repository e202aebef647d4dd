//! Recording a session: every text message of a server, with the time at which it came.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{SinkExt, StreamExt};
use tickbench_client_kit::monotonic_ns;
use tickbench_protocol::CapturedMessage;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

/// What to record.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CaptureFlags {
    /// The server's address: ws://…, or wss://… where this client was built with `--features tls`
    url: String,
    /// Where to write: JSON lines, compressed if the name ends in .gz
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Sent as a text message once connected, such as a subscription; may be given several times
    #[arg(long, value_name = "TEXT")]
    send: Vec<String>,
    /// End after so many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: Option<u64>,
}

/// Records until the count or the time is reached, the server closes, or an interrupt; keeps what came until then.
pub(crate) async fn capture(flags: &CaptureFlags) -> anyhow::Result<()> {
    ensure!(
        cfg!(feature = "tls") || !flags.url.starts_with("wss://"),
        "failed to connect to `{}`: this client was built without TLS: build it with `--features tls`, or record from ws://",
        flags.url
    );
    let (mut socket, _) = connect_async(&flags.url).await.with_context(|| {
        format!("failed to connect to `{}`: check the address and that the server listens", flags.url)
    })?;
    let mut sink = Sink::create(&flags.out)?;
    for text in &flags.send {
        socket.send(Message::text(text)).await.with_context(|| format!("failed to send `{text}` to `{}`", flags.url))?;
    }
    let clock = WallClock::start();
    let ended = tokio::select! {
        ended = receive(&mut socket, &mut sink, clock, flags.count) => ended,
        () = time_is_up(flags.seconds) => Ok("the time is up"),
        _ = tokio::signal::ctrl_c() => Ok("interrupted"),
    };
    let recorded = sink.recorded;
    sink.finish().with_context(|| format!("failed to write `{}`", flags.out.display()))?;
    eprintln!("recorded {recorded} messages in `{}`: {}", flags.out.display(), ended?);
    ensure!(recorded >= 2, "a capture needs at least two messages to have a gap: record for longer, or --send a subscription");
    Ok(())
}

async fn receive<S>(
    socket: &mut S,
    sink: &mut Sink,
    clock: WallClock,
    count: Option<u64>,
) -> anyhow::Result<&'static str>
where
    S: StreamExt<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + Unpin,
{
    while count.is_none_or(|count| sink.recorded < count) {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                sink.write(CapturedMessage { ts_ns: clock.now_ns(), payload: text.as_str().into() })?;
            }
            Some(Ok(Message::Binary(_))) => {
                bail!("the server sent a binary message, and a capture holds text: ask it for a text feed")
            }
            Some(Ok(Message::Close(_))) | None => return Ok("the server closed"),
            Some(Ok(_)) => {}
            Some(Err(cause)) => return Err(cause).context("failed to receive"),
        }
    }
    Ok("the count is reached")
}

async fn time_is_up(seconds: Option<u64>) {
    match seconds {
        Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
        None => std::future::pending().await,
    }
}

/// UNIX time that never steps: the wall clock once, the monotonic clock from then on.
#[derive(Clone, Copy)]
struct WallClock {
    offset_ns: u64,
}

impl WallClock {
    fn start() -> WallClock {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        WallClock { offset_ns: wall.saturating_sub(monotonic_ns()) }
    }

    fn now_ns(self) -> u64 {
        self.offset_ns + monotonic_ns()
    }
}

/// The file that is written, plain or compressed.
struct Sink {
    out: Output,
    recorded: u64,
}

enum Output {
    Plain(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
}

impl Sink {
    fn create(path: &Path) -> anyhow::Result<Sink> {
        let file = File::create_new(path).with_context(|| {
            format!("failed to create `{}`: name a file that does not exist, in a folder that does", path.display())
        })?;
        let file = BufWriter::new(file);
        let compressed = path.extension().is_some_and(|extension| extension == "gz");
        let out = if compressed {
            Output::Gzip(GzEncoder::new(file, Compression::default()))
        } else {
            Output::Plain(file)
        };
        Ok(Sink { out, recorded: 0 })
    }

    fn write(&mut self, message: CapturedMessage) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(&message).expect("a captured message is plain data");
        line.push(b'\n');
        match &mut self.out {
            Output::Plain(file) => file.write_all(&line),
            Output::Gzip(file) => file.write_all(&line),
        }
        .context("failed to write the capture")?;
        self.recorded += 1;
        Ok(())
    }

    fn finish(self) -> std::io::Result<()> {
        match self.out {
            Output::Plain(mut file) => file.flush(),
            Output::Gzip(file) => file.finish()?.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use std::io::BufReader;
    use tickbench_protocol::Capture;
    use tokio::net::TcpListener;

    async fn record(name: &str, count: Option<u64>) -> (anyhow::Result<()>, PathBuf, tempfile::TempDir) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let flags = CaptureFlags {
            url: format!("ws://{}/", listener.local_addr().unwrap()),
            out: folder.path().join(name),
            send: vec!["subscribe".into()],
            count,
            seconds: None,
        };
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("subscribe"));
            for text in ["{\"a\":1}", "no \"json\"", "é"] {
                socket.send(Message::text(text)).await.unwrap();
            }
            socket.close(None).await.unwrap();
        };
        let (result, ()) = tokio::join!(capture(&flags), server);
        (result, flags.out, folder)
    }

    #[tokio::test]
    async fn what_was_sent_reads_back_as_a_capture() {
        let (result, path, _folder) = record("session.jsonl", None).await;
        result.unwrap();
        let capture = Capture::read(BufReader::new(File::open(path).unwrap())).unwrap();
        let payloads: Vec<&str> = capture.messages().iter().map(|message| message.payload.as_str()).collect();
        assert_eq!(payloads, ["{\"a\":1}", "no \"json\"", "é"]);
    }

    #[tokio::test]
    async fn a_count_ends_a_compressed_capture() {
        let (result, path, _folder) = record("session.jsonl.gz", Some(2)).await;
        result.unwrap();
        let capture = Capture::read(BufReader::new(GzDecoder::new(File::open(path).unwrap()))).unwrap();
        assert_eq!(capture.messages().len(), 2);
    }

    #[tokio::test]
    async fn one_message_is_too_few() {
        let (result, ..) = record("session.jsonl", Some(1)).await;
        assert!(result.unwrap_err().to_string().contains("at least two messages"));
    }
}
