//! Opening the connection of a capture: each step by one deadline, and given up at a signal.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use tickbench_record::foreign;
use tungstenite::client::{IntoClientRequest as _, uri_mode};
use tungstenite::handshake::client::Request;
use tungstenite::http::Uri;
use tungstenite::stream::{MaybeTlsStream, Mode};
use tungstenite::{Error, HandshakeError, Message, WebSocket, client_tls};

use super::LOOK_EVERY;
use super::reasons;
use super::watched::{Watch, Watched, is_quiet};
use crate::cli::CaptureArgs;
use crate::interrupt::Interrupt;

pub(super) type Socket = WebSocket<MaybeTlsStream<Watched>>;

/// How often an answer may point to another address.
const MOST_REDIRECTS: usize = 3;

/// How an attempt to open a connection ended.
pub(super) enum Opened {
    /// It is open; whoever reads from it says each time that he has looked.
    Open(Box<Socket>, Watch),
    Interrupted,
}

/// Why a step was not finished.
enum Unfinished {
    Interrupted,
    /// The deadline has passed.
    Late,
}

/// What is looked at between two steps.
struct Patience<'a> {
    deadline: Instant,
    interrupt: &'a mut Interrupt,
    watch: Watch,
}

impl Patience<'_> {
    fn look(&mut self) -> Result<(), Unfinished> {
        self.interrupt.look();
        self.watch.looked();
        match () {
            () if self.interrupt.wants_end() => Err(Unfinished::Interrupted),
            () if Instant::now() >= self.deadline => Err(Unfinished::Late),
            () => Ok(()),
        }
    }
}

/// Connects, upgrades and sends the messages that come first, all within `args.connect_timeout`.
pub(super) fn open(args: &CaptureArgs, interrupt: &mut Interrupt) -> anyhow::Result<Opened> {
    let mut patience =
        Patience { deadline: Instant::now() + args.connect_timeout, interrupt, watch: Watch::new() };
    let mut url = args.url.clone();
    for _ in 0..=MOST_REDIRECTS {
        patience.watch = Watch::new();
        let attempt = Attempt { url: &url, args };
        match attempt.open(&mut patience)? {
            Next::Opened(opened) => return Ok(opened),
            Next::Redirect(location) => url = location,
        }
    }
    Err(anyhow!(
        "failed to open `{}`: it was redirected more than {MOST_REDIRECTS} times, last to `{}`",
        args.url,
        foreign(url.as_bytes())
    ))
}

/// What follows from one attempt.
enum Next {
    Opened(Opened),
    Redirect(String),
}

/// One attempt at one URL.
struct Attempt<'a> {
    url: &'a str,
    args: &'a CaptureArgs,
}

impl Attempt<'_> {
    fn open(&self, patience: &mut Patience<'_>) -> anyhow::Result<Next> {
        let request =
            self.url.into_client_request().map_err(|cause| self.failed(&reasons::of_error(&cause)))?;
        let mut state = format!("looking up {}", request.uri().host().unwrap_or_default());
        let reached = reach(request.uri(), patience, &mut state)
            .map_err(|cause| self.failed(&reasons::of_error(&cause)))?;
        let stream = match reached {
            Ok(stream) => stream,
            Err(unfinished) => return self.unfinished(unfinished, &state),
        };
        let stream =
            Watched::new(stream, patience.watch.clone()).context("failed to set up the connection")?;
        let is_tls = request.uri().scheme_str() == Some("wss");
        let mut socket = match upgrade(request, stream, patience) {
            Ok(Ok(socket)) => socket,
            Ok(Err(unfinished)) => return self.unfinished(unfinished, &answered(&patience.watch, is_tls)),
            Err(cause) => match redirect(&cause, self.url) {
                Some(location) => return Ok(Next::Redirect(location)),
                None => return Err(self.failed(&reasons::of_error(&cause))),
            },
        };
        for text in &self.args.send {
            let sent = send(&mut socket, text, patience).map_err(|cause| {
                anyhow!("failed to send {text:?} to `{}`: {}", self.url, reasons::of_error(&cause))
            })?;
            if let Err(unfinished) = sent {
                return self
                    .unfinished(unfinished, &format!("sending {text:?}, which the server does not read"));
            }
        }
        Ok(Next::Opened(Opened::Open(Box::new(socket), patience.watch.clone())))
    }

    fn unfinished(&self, unfinished: Unfinished, state: &str) -> anyhow::Result<Next> {
        match unfinished {
            Unfinished::Interrupted => Ok(Next::Opened(Opened::Interrupted)),
            Unfinished::Late => Err(anyhow!(
                "failed to open `{}`: after {} it was still {state}; check the address, or wait longer with --connect-timeout",
                self.url,
                humantime::format_duration(self.args.connect_timeout)
            )),
        }
    }

    fn failed(&self, why: &str) -> anyhow::Error {
        anyhow!("failed to open `{}`: {why}", self.url)
    }
}

/// How far an upgrade has come. Of an encrypted answer nothing can be shown.
fn answered(watch: &Watch, is_tls: bool) -> String {
    match (watch.came(), is_tls) {
        ((0, _), _) => "waiting for the answer to the upgrade, of which nothing came".into(),
        ((bytes, _), true) => format!("waiting for the answer to the upgrade over TLS, after {bytes} bytes"),
        ((bytes, start), false) => {
            format!(
                "waiting for the answer to the upgrade, of which {bytes} bytes came, `{}`",
                foreign(&start)
            )
        }
    }
}

/// Looks the host up and connects to the first of its addresses that takes the connection. Neither can be interrupted where it happens, so
/// it happens aside; `state` says how far it has come.
fn reach(
    uri: &Uri,
    patience: &mut Patience<'_>,
    state: &mut String,
) -> Result<Result<TcpStream, Unfinished>, Error> {
    let port = match uri_mode(uri)? {
        Mode::Plain => uri.port_u16().unwrap_or(80),
        Mode::Tls => uri.port_u16().unwrap_or(443),
    };
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    let (tell, told) = mpsc::channel();
    let deadline = patience.deadline;
    std::thread::spawn(move || {
        // Where nobody listens any more the process is about to end.
        let connecting = |address: SocketAddr| drop(tell.send(Err(address)));
        let reached = connect(&host, port, deadline, connecting);
        drop(tell.send(Ok(reached)));
    });
    loop {
        match told.recv_timeout(LOOK_EVERY) {
            Ok(Ok(reached)) => return Ok(Ok(reached?)),
            Ok(Err(address)) => *state = format!("connecting to {address}"),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => unreachable!("what connects tells how that ended"),
        }
        if let Err(unfinished) = patience.look() {
            return Ok(Err(unfinished));
        }
    }
}

fn connect(
    host: &str,
    port: u16,
    deadline: Instant,
    connecting: impl Fn(SocketAddr),
) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::other(format!("{host} has no address"));
    for address in (host, port).to_socket_addrs()? {
        connecting(address);
        // At least a little: no time at all is an error of its own.
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => return Ok(stream),
            Err(cause) => {
                last = std::io::Error::new(cause.kind(), format!("failed to connect to {address}: {cause}"))
            }
        }
    }
    Err(last)
}

/// The handshakes of TLS and of WebSocket.
fn upgrade(
    request: Request,
    stream: Watched,
    patience: &mut Patience<'_>,
) -> Result<Result<Socket, Unfinished>, Error> {
    let mut round = client_tls(request, stream);
    loop {
        match round {
            Ok((socket, _)) => return Ok(Ok(socket)),
            Err(HandshakeError::Failure(cause)) => return Err(cause),
            Err(HandshakeError::Interrupted(half)) => match patience.look() {
                Ok(()) => round = half.handshake(),
                Err(unfinished) => return Ok(Err(unfinished)),
            },
        }
    }
}

fn send(
    socket: &mut Socket,
    text: &str,
    patience: &mut Patience<'_>,
) -> Result<Result<(), Unfinished>, Error> {
    let mut sent = socket.send(Message::text(text));
    loop {
        match sent {
            Ok(()) => return Ok(Ok(())),
            Err(Error::Io(cause)) if is_quiet(&cause) => {}
            Err(cause) => return Err(cause),
        }
        if let Err(unfinished) = patience.look() {
            return Ok(Err(unfinished));
        }
        sent = socket.flush();
    }
}

/// Where an answer points to, in place of `url`.
fn redirect(cause: &Error, url: &str) -> Option<String> {
    let Error::Http(answer) = cause else { return None };
    let location =
        answer.headers().get("Location").filter(|_| answer.status().is_redirection())?.to_str().ok()?;
    if !location.starts_with('/') {
        return Some(location.to_owned());
    }
    // A path of the same server.
    let uri: Uri = url.parse().ok()?;
    Some(format!("{}://{}{location}", uri.scheme_str()?, uri.authority()?))
}
