//! From the system calls of a process to those of one stream of ticks.

use tickbench_record::{Sizes, Streamed, SystemCalls};

/// One call that has returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    /// Its first argument: the descriptor, of calls on one.
    pub(crate) descriptor: i32,
    /// Its third argument: the bytes offered, of `read`, `recvfrom` and their like.
    pub(crate) length: u64,
    /// What it returned; below 0 for an error.
    pub(crate) result: i64,
}

/// Calls that write to their first argument and return how many bytes.
const WRITES: [&str; 5] = ["write", "writev", "sendto", "sendmsg", "sendfile"];

/// Calls that read from their first argument and say in their third how much they can take.
const READS: [&str; 2] = ["read", "recvfrom"];

/// The calls between the handshake's answer and the last tick, and the sizes of what was written to the connection, which
/// has these descriptors. Fails where
/// the writes that were seen do not add up to what the client received: they are then not all.
pub(crate) fn of_stream(
    calls: &[Call],
    descriptors: &[i32],
    streamed: &Streamed,
) -> Result<SystemCalls, String> {
    // The number of the descriptor may have been that of an earlier connection.
    let accepted = |call: &Call| {
        call.name.starts_with("accept") && descriptors.iter().any(|&one| i64::from(one) == call.result)
    };
    let calls = &calls[calls.iter().rposition(accepted).map_or(0, |at| at + 1)..];
    let (start, end) = stream_of(calls, descriptors, streamed)?;
    let stream = &calls[start..=end];
    let on_it =
        |call: &&Call, names: &[&str]| descriptors.contains(&call.descriptor) && names.contains(&call.name);
    let writes = || stream.iter().filter(|call| on_it(call, &WRITES));
    // Nothing comes from the client until it says goodbye: the read that takes that is the stream's too.
    let reads = calls[start..].iter().filter(|call| on_it(call, &READS));
    let mut counts = std::collections::BTreeMap::new();
    for call in stream {
        *counts.entry(call.name.to_owned()).or_insert(0) += 1;
    }
    let written: Vec<u64> = writes().filter_map(|call| u64::try_from(call.result).ok()).collect();
    Ok(SystemCalls {
        messages: streamed.messages,
        counts,
        failed_writes: writes().count() as u64 - written.len() as u64,
        writes: sizes(written).ok_or("nothing was written after the handshake")?,
        read_space_bytes: reads.map(|call| call.length).max(),
    })
}

/// The first and the last call of the stream, told by the bytes written: the answer to the handshake ends before it, and the last
/// tick ends it.
fn stream_of(calls: &[Call], descriptors: &[i32], streamed: &Streamed) -> Result<(usize, usize), String> {
    let head = streamed.head_bytes;
    let all = head + streamed.frame_bytes;
    let (mut written, mut start) = (0, None);
    for (at, call) in calls.iter().enumerate() {
        if !descriptors.contains(&call.descriptor) || !WRITES.contains(&call.name) || call.result <= 0 {
            continue;
        }
        written += call.result as u64;
        if start.is_none() && written >= head {
            // A write that holds ticks behind the answer belongs to the stream.
            start = Some(if written > head { at } else { at + 1 });
        }
        if let (Some(start), true) = (start, written >= all) {
            return Ok((start, at));
        }
    }
    Err(format!(
        "the calls that were seen wrote {written} bytes to the connection, and the client received {all}: the server also \
         writes by calls other than {}",
        WRITES.join(", ")
    ))
}

fn sizes(mut bytes: Vec<u64>) -> Option<Sizes> {
    bytes.sort_unstable();
    Some(Sizes {
        calls: bytes.len() as u64,
        bytes: bytes.iter().sum(),
        min: *bytes.first()?,
        median: bytes[(bytes.len() - 1) / 2],
        max: *bytes.last()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOCKET: i32 = 9;
    /// Another descriptor of the same socket.
    const TWIN: i32 = 10;

    fn call(name: &'static str, descriptor: i32, result: i64) -> Call {
        Call { name, descriptor, length: 4096, result }
    }

    fn streamed(messages: u64, frame_bytes: u64) -> Streamed {
        let client = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        Streamed { client, head_bytes: 129, messages, frame_bytes, reads: 1 }
    }

    #[test]
    fn the_stream_is_what_lies_between_handshake_and_close() {
        let calls = [
            call("sendto", SOCKET, 50), // of the connection that had this number before
            call("accept4", 3, SOCKET.into()),
            call("recvfrom", SOCKET, 180),
            call("sendto", SOCKET, 129),
            call("recvfrom", SOCKET, -11),
            call("epoll_wait", 4, 1),
            call("sendto", SOCKET, 50),
            call("write", 5, 8), // an eventfd
            call("sendto", SOCKET, -11),
            call("sendto", TWIN, 100),
            call("sendto", SOCKET, 4), // the close frame
        ];
        let of = of_stream(&calls, &[SOCKET, TWIN], &streamed(3, 150)).unwrap();
        let counts: Vec<(&str, u64)> =
            of.counts.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        assert_eq!(counts, [("epoll_wait", 1), ("recvfrom", 1), ("sendto", 3), ("write", 1)]);
        assert_eq!(of.writes, Sizes { calls: 2, bytes: 150, min: 50, median: 50, max: 100 });
        assert_eq!((of.messages, of.failed_writes, of.read_space_bytes), (3, 1, Some(4096)));
    }

    #[test]
    fn a_tick_in_the_write_of_the_answer_and_a_close_in_that_of_the_last_tick_are_of_the_stream() {
        let calls =
            [call("accept", 3, SOCKET.into()), call("writev", SOCKET, 179), call("writev", SOCKET, 54)];
        let of = of_stream(&calls, &[SOCKET, TWIN], &streamed(2, 100)).unwrap();
        assert_eq!(of.writes, Sizes { calls: 2, bytes: 233, min: 54, median: 54, max: 179 });
    }

    #[test]
    fn writes_that_do_not_add_up_are_no_figures() {
        let calls = [call("sendto", SOCKET, 129), call("io_uring_enter", 7, 1)];
        let refusal = of_stream(&calls, &[SOCKET, TWIN], &streamed(2, 100)).unwrap_err();
        assert!(refusal.contains("wrote 129 bytes") && refusal.contains("received 229"), "{refusal}");
    }
}
