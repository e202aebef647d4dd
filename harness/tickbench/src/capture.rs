//! `tickbench capture`: records a WebSocket session, one line a data message with the time at which it came.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use tickbench_protocol::CapturedMessage;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Error, Message, WebSocket};

use crate::cli::CaptureArgs;
use crate::exit::ExitStatus;
use crate::interrupt::Interrupt;
use crate::out;

/// How often a quiet connection is left to look at the time and at signals.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Why a recording ended.
enum End {
    Enough,
    Interrupted,
    Closed,
    Broken(String),
}

/// Records until the count, the duration, a signal or the end of the connection.
pub(crate) fn capture(args: &CaptureArgs) -> anyhow::Result<ExitStatus> {
    let mut interrupt = Interrupt::install()?;
    let out = args.out.display();
    ensure!(!args.out.exists(), "failed to create `{out}`: it exists; name a new file with --out");
    let mut socket = connect(args)?;
    let mut file = CaptureFile::create(&args.out)?;
    let recorded = record(args, &mut socket, &mut file, &mut interrupt);
    let count = file.finish().with_context(|| format!("failed to write `{out}`"))?;
    let why = match recorded? {
        End::Enough | End::Interrupted => String::new(),
        End::Closed => "; the server closed the connection".into(),
        End::Broken(cause) => format!("; the connection broke: {cause}"),
    };
    out::line(format_args!("{count} messages in `{out}`{why}"));
    if count < 2 {
        out::line(
            "a replay needs at least two messages: does the server want a subscription first (--send)?",
        );
        return Ok(ExitStatus::Undecided);
    }
    Ok(ExitStatus::Success)
}

fn connect(args: &CaptureArgs) -> anyhow::Result<WebSocket<MaybeTlsStream<TcpStream>>> {
    let url = &args.url;
    let (mut socket, _) = tungstenite::connect(url.as_str()).map_err(|cause| match cause {
        Error::Http(response) => {
            let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            anyhow::anyhow!(
                "failed to open `{url}`: the server answered {}: {}",
                response.status(),
                body.trim()
            )
        }
        cause => anyhow::anyhow!(
            "failed to open `{url}`: {cause}; check the address, ws://HOST:PORT/PATH or wss://…, and whether a server \
             listens there"
        ),
    })?;
    stream(&socket)?.set_read_timeout(Some(LOOK_EVERY)).context("failed to set a read timeout")?;
    for text in &args.send {
        socket
            .send(Message::text(text.as_str()))
            .with_context(|| format!("failed to send {text:?} to `{url}`"))?;
    }
    Ok(socket)
}

fn stream(socket: &WebSocket<MaybeTlsStream<TcpStream>>) -> anyhow::Result<&TcpStream> {
    match socket.get_ref() {
        MaybeTlsStream::Plain(stream) => Ok(stream),
        MaybeTlsStream::Rustls(tls) => Ok(&tls.sock),
        _ => bail!("this kind of connection is not known"),
    }
}

fn record(
    args: &CaptureArgs,
    socket: &mut WebSocket<MaybeTlsStream<TcpStream>>,
    file: &mut CaptureFile,
    interrupt: &mut Interrupt,
) -> anyhow::Result<End> {
    let began = Instant::now();
    loop {
        interrupt.look();
        if interrupt.wants_end() {
            return Ok(End::Interrupted);
        }
        let enough = args.count.is_some_and(|count| file.count >= count);
        if enough || args.duration.is_some_and(|duration| began.elapsed() >= duration) {
            return Ok(End::Enough);
        }
        let payload = match socket.read() {
            Ok(Message::Text(text)) => text.as_str().to_owned(),
            Ok(Message::Binary(bytes)) => match String::from_utf8(bytes.to_vec()) {
                Ok(text) => text,
                Err(_) => bail!(
                    "message {} is binary and no UTF-8: a capture holds text; `{}` keeps what came before",
                    file.count + 1,
                    args.out.display()
                ),
            },
            Ok(Message::Close(_)) => return Ok(End::Closed),
            Ok(_) => continue,
            Err(Error::Io(cause)) if is_quiet(&cause) => continue,
            Err(Error::ConnectionClosed | Error::AlreadyClosed) => return Ok(End::Closed),
            Err(cause) => return Ok(End::Broken(cause.to_string())),
        };
        let ts_ns = began.elapsed().as_nanos() as u64;
        file.add(&CapturedMessage { ts_ns, payload })
            .with_context(|| format!("failed to write `{}`", args.out.display()))?;
    }
}

fn is_quiet(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// A capture being written: plain, or gzip where its name ends in `.gz`.
struct CaptureFile {
    out: Out,
    count: u64,
}

enum Out {
    Plain(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
}

impl CaptureFile {
    fn create(path: &Path) -> anyhow::Result<CaptureFile> {
        let file = OpenOptions::new().write(true).create_new(true).open(path).with_context(|| {
            format!(
                "failed to create `{}`: name a new file with --out, in a folder that exists",
                path.display()
            )
        })?;
        let file = BufWriter::new(file);
        let out = match path.extension() {
            Some(extension) if extension == "gz" => Out::Gzip(GzEncoder::new(file, Compression::default())),
            _ => Out::Plain(file),
        };
        Ok(CaptureFile { out, count: 0 })
    }

    fn add(&mut self, message: &CapturedMessage) -> io::Result<()> {
        let mut line = serde_json::to_string(message)?;
        line.push('\n');
        match &mut self.out {
            Out::Plain(out) => out.write_all(line.as_bytes())?,
            Out::Gzip(out) => out.write_all(line.as_bytes())?,
        }
        self.count += 1;
        Ok(())
    }

    /// Writes what is buffered and says how many messages there are.
    fn finish(self) -> io::Result<u64> {
        match self.out {
            Out::Plain(mut out) => out.flush()?,
            Out::Gzip(out) => out.finish()?.flush()?,
        }
        Ok(self.count)
    }
}
