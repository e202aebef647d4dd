//! The little HTTP that a server without an HTTP framework must speak.

use std::io;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::{Framework, Refusal};

/// Bytes of a request's head that a server reads before it gives up.
pub const MAX_HEAD_BYTES: usize = 16 << 10;

/// A whole answer, after which the connection is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    status: u16,
    content_type: &'static str,
    body: String,
}

impl Answer {
    /// What `GET /` is answered with: who the server is.
    pub fn of(framework: &Framework) -> Answer {
        Answer { status: 200, content_type: "application/json", body: framework.to_json() }
    }

    /// Sends it, and ends the connection.
    pub async fn send(self, mut stream: TcpStream) -> io::Result<()> {
        stream.write_all(self.to_http().as_bytes()).await?;
        stream.shutdown().await
    }

    fn to_http(&self) -> String {
        let Answer { status, content_type, body } = self;
        let reason = match status {
            200 => "OK",
            400 => "Bad Request",
            404 => "Not Found",
            _ => "Internal Server Error",
        };
        let length = body.len();
        format!(
            "HTTP/1.1 {status} {reason}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
    }
}

impl From<Refusal> for Answer {
    fn from(Refusal { status, sentence }: Refusal) -> Answer {
        Answer { status, content_type: "text/plain; charset=utf-8", body: sentence }
    }
}
