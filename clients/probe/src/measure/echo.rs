//! The job of having messages echoed: a closed loop, on each connection one message in flight.

use std::io;
use std::os::fd::OwnedFd;

use tickbench_client_kit::{Failure, Session, monotonic_ns};
use tickbench_frame::{Kind, Mask, Opcode, write_frame};
use tickbench_record::{Encoding, Request, Stage};

use super::intake::{From, Handler};
use crate::link::{random_bytes, socket};

/// Sends the same frame again each time it is back.
pub(crate) struct Echo {
    kind: Kind,
    payload: Vec<u8>,
    frame: Vec<u8>,
}

impl Echo {
    pub(crate) fn new(request: &Request) -> Result<Echo, Failure> {
        let (kind, opcode, symbols) = match request.encoding {
            Encoding::Json => (Kind::Text, Opcode::Text, b'a'..=b'z'),
            Encoding::Binary => (Kind::Binary, Opcode::Binary, 0..=255),
        };
        let payload: Vec<u8> = symbols.cycle().take(request.size_bytes as usize).collect();
        let mask = random_bytes().map_err(|cause: io::Error| {
            Failure::own(Stage::Connect, format!("failed to draw a mask: {cause}"))
        })?;
        let mut frame = Vec::new();
        write_frame(&mut frame, true, opcode, Mask::Key(mask), &payload);
        Ok(Echo { kind, payload, frame })
    }
}

impl Handler for Echo {
    type State = ();

    fn start(&mut self, index: usize, socket: &OwnedFd, session: &mut Session) -> Result<(), Failure> {
        let sent_ns = monotonic_ns();
        socket::send_all(socket, &self.frame)
            .map_err(|cause| Failure::new(Stage::Warmup, cannot_send(index, &cause)))?;
        session.recorder.begin(index, sent_ns);
        Ok(())
    }

    /// The time of receiving is the time of sending the next: one reading of the clock a round. When the window is over, there is no next.
    #[inline(always)]
    fn message(
        &mut self,
        from: From<'_, ()>,
        kind: Kind,
        payload: &[u8],
        now_ns: u64,
        session: &mut Session,
    ) -> Result<(), Failure> {
        if kind != self.kind || payload != self.payload {
            return Err(changed(from.index, payload.len(), self.payload.len()));
        }
        session.recorder.round_trip(from.index, payload.len(), now_ns);
        if !session.recorder.is_before_end(now_ns) {
            return Ok(());
        }
        session.recorder.begin(from.index, now_ns);
        match socket::send_all(from.socket, &self.frame) {
            Ok(()) => Ok(()),
            Err(cause) => Err(session.failure(cannot_send(from.index, &cause))),
        }
    }
}

#[cold]
fn cannot_send(index: usize, cause: &io::Error) -> String {
    format!("failed to send on connection {index}: {cause}")
}

#[cold]
fn changed(index: usize, came: usize, sent: usize) -> Failure {
    let reason =
        format!("the echo on connection {index} differs from what was sent: {came} bytes for {sent}");
    Failure::new(Stage::Audit, reason)
}
