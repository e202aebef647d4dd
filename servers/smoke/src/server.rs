//! A server's process, and connections to it.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use tickbench_protocol::parse_ready_line;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::client::IntoClientRequest};

/// No check takes so long unless the server hangs.
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) type Socket = WebSocketStream<TcpStream>;

/// A server that accepts connections. It is killed when this is dropped.
pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) address: SocketAddr,
}

/// Runs `check` against a fresh server in each lane.
pub(crate) fn with_server(program: &str, check: impl AsyncFn(&mut Server)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for lane in [&[][..], &["--tuned"]] {
        let checked = async { check(&mut Server::start(program, lane).await).await };
        runtime
            .block_on(async { tokio::time::timeout(DEADLINE, checked).await })
            .unwrap_or_else(|_| panic!("{program} {lane:?} hangs"));
    }
}

impl Server {
    pub(crate) async fn start(program: &str, lane: &[&str]) -> Server {
        let mut process = Command::new(program)
            .args(["--listen", "127.0.0.1:0"])
            .args(lane)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|cause| panic!("failed to start `{program}`: {cause}"));
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
        let address = parse_ready_line(&line).unwrap_or_else(|| panic!("{line:?} is no ready line"));
        Server { process, address }
    }

    /// A WebSocket on `target`.
    pub(crate) async fn open(&self, target: &str) -> Socket {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("ws://{}{target}", self.address).into_client_request().unwrap();
        client_async(request, stream).await.unwrap_or_else(|cause| panic!("{target}: {cause}")).0
    }

    /// Status and body of the answer to a request for `target` that would be upgraded where nothing is wrong.
    pub(crate) async fn get(&self, target: &str) -> (u16, String) {
        let mut rest = BufReader::new(TcpStream::connect(self.address).await.unwrap());
        rest.write_all(self.request(target, "close, Upgrade").as_bytes()).await.unwrap();
        let head = read_head(&mut rest).await;
        let field = |before: &str, after: &str| {
            let value = head.split_once(before).and_then(|(_, value)| value.split_once(after));
            value.and_then(|(value, _)| value.parse().ok())
        };
        // The end of the stream is no sign: some servers keep it open for a second after their answer.
        let length = field("content-length: ", "\r\n").unwrap_or_else(|| panic!("{head:?} has no length"));
        let mut body = vec![0; length];
        rest.read_exact(&mut body).await.unwrap();
        let status = field("http/1.1 ", " ").unwrap_or_else(|| panic!("{head:?} has no status"));
        (status as u16, String::from_utf8(body).unwrap())
    }

    pub(crate) fn request(&self, target: &str, connection: &str) -> String {
        format!(
            "GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: {connection}\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
            self.address
        )
    }
}

/// The head of an answer, in lower case.
pub(crate) async fn read_head(stream: &mut BufReader<TcpStream>) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(stream.read_line(&mut head).await.unwrap(), 0, "{head:?} is no whole answer");
    }
    head.to_ascii_lowercase()
}
