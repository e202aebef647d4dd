//! The little HTTP that a server without an HTTP framework must speak.

/// Bytes of a request's head that a server reads before it gives up.
pub const MAX_HEAD_BYTES: usize = 16 << 10;

/// A whole answer, after which the connection is closed.
pub fn http_answer(status: u16, content_type: &str, body: &str) -> String {
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
