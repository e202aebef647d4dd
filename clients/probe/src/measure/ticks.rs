//! The job of receiving ticks.

use std::os::fd::OwnedFd;

use tickbench_client_kit::{Failure, Session};
use tickbench_frame::Kind;
use tickbench_protocol::{StampError, Stamps};
use tickbench_record::Encoding;

use super::intake::{From, Handler};

/// Reads the stamps of each tick and records them.
pub(crate) struct Ticks {
    expected: Kind,
}

impl Ticks {
    pub(crate) fn new(encoding: Encoding) -> Ticks {
        Ticks { expected: if encoding == Encoding::Json { Kind::Text } else { Kind::Binary } }
    }
}

impl Handler for Ticks {
    type State = ();

    fn start(&mut self, _: usize, _: &OwnedFd, _: &mut Session) -> Result<(), Failure> {
        Ok(())
    }

    #[inline(always)]
    fn message(
        &mut self,
        from: From<'_, ()>,
        kind: Kind,
        payload: &[u8],
        now_ns: u64,
        session: &mut Session,
    ) -> Result<(), Failure> {
        // The opcode tells the encoding: the bytes of a binary tick may begin like JSON.
        if kind != self.expected {
            return Err(wrong_kind(kind, from.index, session));
        }
        let stamps = match kind {
            Kind::Text => Stamps::read_json(payload),
            Kind::Binary => Stamps::read_binary(payload),
        };
        let stamps = match stamps {
            Ok(stamps) => stamps,
            Err(cause) => return Err(bad_stamps(cause, from.index, session)),
        };
        session.recorder.tick(from.index, &stamps, payload, now_ns);
        Ok(())
    }
}

#[cold]
fn wrong_kind(kind: Kind, index: usize, session: &Session) -> Failure {
    let (came, due) = match kind {
        Kind::Text => ("text", "binary"),
        Kind::Binary => ("binary", "text"),
    };
    session.failure(format!("a {came} message came on connection {index} where {due} was asked for"))
}

#[cold]
fn bad_stamps(cause: StampError, index: usize, session: &Session) -> Failure {
    session.failure(format!("a tick on connection {index} has no stamps: {cause}"))
}
