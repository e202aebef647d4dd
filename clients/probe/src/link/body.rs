//! The body of an HTTP answer: where it ends (RFC 9112, section 6.3), and its bytes without the frames of chunks.

use httparse::Status;

use super::handshake::{content_length, values};

/// A body as far as it has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// More bytes are needed.
    Incomplete,
    /// All of it, or as much as was asked for.
    Whole(Vec<u8>),
}

/// Reads at most `most` bytes of the body that begins `bytes`, behind a head with this status and these headers. `ended` says that no
/// more bytes will come: what there is of the body is taken then.
pub(crate) fn read_body(
    status: u16,
    headers: &[httparse::Header],
    bytes: &[u8],
    ended: bool,
    most: usize,
) -> Body {
    if (100..200).contains(&status) || matches!(status, 204 | 304) {
        return Body::Whole(Vec::new());
    }
    let is_chunked = |value: &str| {
        value.rsplit(',').next().is_some_and(|last| last.trim().eq_ignore_ascii_case("chunked"))
    };
    if values(headers, "Transfer-Encoding").last().is_some_and(is_chunked) {
        return chunks(bytes, ended, most);
    }
    // Without a length the body is what comes until the connection ends.
    let length = content_length(headers).map_or(most, |length| length.min(most));
    match bytes.get(..length) {
        Some(whole) => Body::Whole(whole.to_vec()),
        None if ended => Body::Whole(bytes.to_vec()),
        None => Body::Incomplete,
    }
}

fn chunks(mut bytes: &[u8], ended: bool, most: usize) -> Body {
    let mut body = Vec::new();
    loop {
        let (size, rest) = match httparse::parse_chunk_size(bytes) {
            Ok(Status::Complete((start, size))) => (size as usize, &bytes[start..]),
            Ok(Status::Partial) if !ended => return Body::Incomplete,
            // What follows is no chunk, or nothing follows: the body is what came before it.
            Ok(Status::Partial) | Err(_) => return Body::Whole(body),
        };
        let wanted = size.min(most - body.len());
        body.extend_from_slice(&rest[..wanted.min(rest.len())]);
        if size == 0 || body.len() == most {
            return Body::Whole(body);
        }
        // Behind the data stands a line's end.
        match rest.get(size.saturating_add(2)..) {
            Some(next) => bytes = next,
            None if ended => return Body::Whole(body),
            None => return Body::Incomplete,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(head: &[(&'static str, &'static str)], bytes: &[u8], ended: bool) -> Body {
        let headers: Vec<_> =
            head.iter().map(|(name, value)| httparse::Header { name, value: value.as_bytes() }).collect();
        read_body(400, &headers, bytes, ended, 10)
    }

    fn whole(text: &str) -> Body {
        Body::Whole(text.as_bytes().to_vec())
    }

    #[test]
    fn a_length_ends_it_and_so_does_the_end() {
        let length = [("Content-Length", "3")];
        assert_eq!(body(&length, b"abcdef", false), whole("abc"));
        assert_eq!(body(&length, b"ab", false), Body::Incomplete);
        assert_eq!(body(&length, b"ab", true), whole("ab"));
        assert_eq!(body(&[], b"ab", false), Body::Incomplete);
        assert_eq!(body(&[], b"ab", true), whole("ab"));
        assert_eq!(body(&[], b"0123456789abc", false), whole("0123456789"), "no more than was asked for");
        assert_eq!(body(&[("Content-Length", "99")], b"0123456789", false), whole("0123456789"));
    }

    #[test]
    fn chunks_are_joined() {
        let chunked = [("transfer-encoding", "gzip, Chunked"), ("Content-Length", "1")];
        let sent = b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        assert_eq!(body(&chunked, sent, false), whole("abcde"));
        for cut in 0..sent.len() - 4 {
            assert_eq!(body(&chunked, &sent[..cut], false), Body::Incomplete, "{cut}");
        }
        assert_eq!(body(&chunked, &sent[..14], true), whole("abc"));
        assert_eq!(body(&chunked, b"3\r\nabc\r\nno chunk", false), whole("abc"));
        assert_eq!(body(&chunked, b"ffffffffffffffff\r\nabc", false), Body::Incomplete);
        assert_eq!(body(&chunked, b"ffffffffffffffff\r\n0123456789", false), whole("0123456789"));
    }

    #[test]
    fn some_answers_have_none() {
        assert_eq!(read_body(204, &[], b"x", false, 10), Body::Whole(Vec::new()));
    }
}
