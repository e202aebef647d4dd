//! The job of having messages echoed: a closed loop, on each connection one message in flight.

use std::io;
use std::os::fd::OwnedFd;

use tickbench_client_kit::{Echoes, Failure, Mark, Session, monotonic_ns};
use tickbench_frame::{Kind, Mask, Opcode, write_frame};
use tickbench_record::{Request, Stage};

use super::intake::{From, Handler};
use crate::link::{random_bytes, socket};

/// Sends the same frame again each time it is back, but for the mark of its message.
pub(crate) struct Echo {
    echoes: Echoes,
    frame: Vec<u8>,
    /// Where in it the payload begins.
    payload_at: usize,
    /// The key of the mask, twice.
    mask: u64,
}

impl Echo {
    pub(crate) fn new(request: &Request) -> Result<Echo, Failure> {
        let echoes = Echoes::new(request)?;
        let opcode = if echoes.are_text() { Opcode::Text } else { Opcode::Binary };
        let key: [u8; 4] = random_bytes().map_err(|cause: io::Error| {
            Failure::own(Stage::Connect, format!("failed to draw a mask: {cause}"))
        })?;
        let mut frame = Vec::new();
        write_frame(&mut frame, true, opcode, Mask::Key(key), echoes.payload());
        let payload_at = frame.len() - echoes.payload().len();
        let [a, b, c, d] = key;
        Ok(Echo { echoes, frame, payload_at, mask: u64::from_ne_bytes([a, b, c, d, a, b, c, d]) })
    }

    /// The frame of a message that nobody has seen before, and its mark.
    #[inline(always)]
    fn next(&mut self) -> (Mark, &[u8]) {
        let mark = self.echoes.draw();
        let masked = (mark.word() ^ self.mask).to_ne_bytes();
        let bytes = self.echoes.mark_bytes();
        self.frame[self.payload_at..][..bytes].copy_from_slice(&masked[..bytes]);
        (mark, &self.frame)
    }
}

impl Handler for Echo {
    /// What is under way.
    type State = Mark;

    fn start(&mut self, index: usize, socket: &OwnedFd, session: &mut Session) -> Result<Mark, Failure> {
        let (mark, frame) = self.next();
        let sent_ns = monotonic_ns();
        socket::send_all(socket, frame)
            .map_err(|cause| Failure::new(Stage::Warmup, cannot_send(index, &cause)))?;
        session.recorder.begin(index, sent_ns);
        Ok(mark)
    }

    /// The time of receiving is the time of sending the next: one reading of the clock a round. When the window is over, there is no next.
    #[inline(always)]
    fn message(
        &mut self,
        from: From<'_, Mark>,
        kind: Kind,
        payload: &[u8],
        now_ns: u64,
        session: &mut Session,
    ) -> Result<(), Failure> {
        session.recorder.round_trip(from.index, payload.len(), now_ns)?;
        self.echoes.check(from.index, *from.state, kind == Kind::Text, payload)?;
        if !session.recorder.is_before_end(now_ns) {
            return Ok(());
        }
        session.recorder.begin(from.index, now_ns);
        let (mark, frame) = self.next();
        *from.state = mark;
        match socket::send_all(from.socket, frame) {
            Ok(()) => Ok(()),
            Err(cause) => Err(session.failure(cannot_send(from.index, &cause))),
        }
    }
}

#[cold]
fn cannot_send(index: usize, cause: &io::Error) -> String {
    format!("failed to send on connection {index}: {cause}")
}
