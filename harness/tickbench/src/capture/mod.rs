//! `tickbench capture`: records a WebSocket session, one line a data message with the time at which it came.
//!
//! Signals, the duration and the deadlines are looked at several times a second, whatever the server does or leaves undone.

mod file;
mod open;
mod reasons;
mod watched;

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tickbench_protocol::CapturedMessage;
use tungstenite::protocol::CloseFrame;
use tungstenite::{Error, Message};

use crate::cli::CaptureArgs;
use crate::exit::ExitStatus;
use crate::interrupt::Interrupt;
use crate::out;
use file::CaptureFile;
use open::{Opened, Socket};
use watched::{Watch, is_quiet};

/// How often a connection is left to look at the time and at signals.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Why a recording ended.
enum End {
    Enough,
    Interrupted,
    /// The server closed the connection, with a close frame or without.
    Closed(Option<CloseFrame>),
    Broken(String),
}

/// Records until the count, the duration, a signal or the end of the connection.
pub(crate) fn capture(args: &CaptureArgs) -> anyhow::Result<ExitStatus> {
    let mut interrupt = Interrupt::install()?;
    let (url, out) = (&args.url, args.out.display());
    ensure!(!args.out.exists(), "failed to create `{out}`: it exists; name a new file with --out");
    let Opened::Open(mut socket, watch) = open::open(args, &mut interrupt)? else {
        interrupt.check(format_args!(" before `{url}` was open: nothing was recorded"))?;
        return Ok(ExitStatus::Undecided);
    };
    let mut file = CaptureFile::create(&args.out)?;
    let recorded = record(args, &mut socket, &watch, &mut file, &mut interrupt);
    let count = file.finish().with_context(|| format!("failed to write `{out}`"))?;
    let why = match recorded? {
        End::Enough | End::Interrupted => String::new(),
        End::Closed(frame) => format!("; the server closed `{url}` {}", reasons::of_close(frame.as_ref())),
        End::Broken(cause) => format!("; the connection to `{url}` broke: {cause}"),
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

fn record(
    args: &CaptureArgs,
    socket: &mut Socket,
    watch: &Watch,
    file: &mut CaptureFile,
    interrupt: &mut Interrupt,
) -> anyhow::Result<End> {
    let began = Instant::now();
    loop {
        interrupt.look();
        watch.looked();
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
                    "message {} of `{}` is binary and no UTF-8: a capture holds text; `{}` keeps what came before",
                    file.count + 1,
                    args.url,
                    args.out.display()
                ),
            },
            Ok(Message::Close(frame)) => return Ok(End::Closed(frame)),
            Ok(_) => continue,
            Err(Error::Io(cause)) if is_quiet(&cause) => continue,
            Err(Error::ConnectionClosed | Error::AlreadyClosed) => return Ok(End::Closed(None)),
            Err(cause) => return Ok(End::Broken(reasons::of_error(&cause))),
        };
        let ts_ns = began.elapsed().as_nanos() as u64;
        file.add(&CapturedMessage { ts_ns, payload })
            .with_context(|| format!("failed to write `{}`", args.out.display()))?;
    }
}
