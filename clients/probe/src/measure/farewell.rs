//! Ends connections as RFC 6455 asks, as far as that costs next to nothing.

use std::os::fd::OwnedFd;

use tickbench_client_kit::monotonic_ns;
use tickbench_frame::{Mask, write_close};

use crate::link::random_bytes;
use crate::link::socket::{Patience, receive, send_at_once};

/// How long the server of a single connection is waited for.
const PATIENCE_NS: u64 = 20_000_000;

/// Sends a close frame on each connection and, where there is only one, reads on until the server has closed it too or there
/// is nothing more. What fails here changes no figure, and is left.
pub(crate) fn close(sockets: &[OwnedFd]) {
    let Ok(key) = random_bytes() else { return };
    let mut frame = Vec::new();
    write_close(&mut frame, Mask::Key(key), 1000);
    let sent = sockets.iter().filter(|socket| send_at_once(socket, &frame).is_ok()).count();
    let ([only], 1) = (sockets, sent) else { return };
    let mut space = vec![0; 256 << 10];
    let deadline_ns = monotonic_ns() + PATIENCE_NS;
    while monotonic_ns() < deadline_ns {
        match receive(only, &mut space, Patience::Wait) {
            Ok(Some(count)) if count > 0 => {}
            _ => return,
        }
    }
}
