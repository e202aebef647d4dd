//! What one who disturbs sees of what is published.

use tickbench_frame::{Decoder, Event, Kind};
use tickbench_protocol::{SUBSCRIBED, Stamps};

/// The stream of one disturber: counted from its first message on.
#[derive(Debug, Default)]
pub(super) struct Following {
    pub(super) is_subscribed: bool,
    pub(super) received: u64,
    pub(super) bytes: u64,
    /// Messages that are missing between others.
    pub(super) missing: u64,
    /// The number behind that of the last message.
    pub(super) next_seq: Option<u64>,
    leftover: Vec<u8>,
}

/// How the other end ended a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With a close frame, and its code.
    Closed(Option<u16>),
    /// Against the protocol: nothing that it sends from there on can be read.
    Unreadable,
}

impl Following {
    /// Forgets what was counted, and goes on with the sequence.
    pub(super) fn count_anew(&mut self) {
        (self.received, self.bytes, self.missing) = (0, 0, 0);
    }

    /// Takes what was read; tells how it ended, where it did.
    pub(super) fn take(&mut self, decoder: &mut Decoder, bytes: &[u8]) -> Option<End> {
        let joined;
        let mut rest = if self.leftover.is_empty() {
            bytes
        } else {
            joined = [&self.leftover, bytes].concat();
            &joined[..]
        };
        let end = loop {
            match decoder.next(&mut rest) {
                Ok(None) => break None,
                Ok(Some(Event::Message { kind, payload })) => self.message(kind, &payload),
                Ok(Some(Event::Close(frame))) => break Some(End::Closed(frame.map(|frame| frame.code))),
                Ok(Some(Event::Ping(_) | Event::Pong(_))) => {}
                Err(_) => break Some(End::Unreadable),
            }
        };
        self.leftover = rest.to_vec();
        end
    }

    fn message(&mut self, kind: Kind, payload: &[u8]) {
        if !self.is_subscribed {
            self.is_subscribed = payload == SUBSCRIBED.as_bytes();
            return;
        }
        self.received += 1;
        self.bytes += payload.len() as u64;
        let stamps = match kind {
            Kind::Text => Stamps::read_json(payload),
            Kind::Binary => Stamps::read_binary(payload),
        };
        // What has no stamps is not what was published: its number stays missing.
        let Ok(Stamps { seq, .. }) = stamps else { return };
        self.missing = self.missing.saturating_add(seq.saturating_sub(self.next_seq.unwrap_or(seq)));
        self.next_seq = Some(seq.saturating_add(1));
    }
}

#[cfg(test)]
mod tests {
    use tickbench_frame::{Mask, Opcode, write_close, write_frame};

    use super::*;

    fn frame(out: &mut Vec<u8>, seq: u64) {
        let mut payload = [0; 48];
        Stamps { seq, ..Stamps::default() }.write_binary(&mut payload);
        write_frame(out, true, Opcode::Binary, Mask::None, &payload);
    }

    #[test]
    fn numbers_that_a_server_made_up_do_no_harm() {
        let (mut following, mut decoder) = (Following::default(), Decoder::new(1 << 20));
        let mut bytes = Vec::new();
        write_frame(&mut bytes, true, Opcode::Text, Mask::None, SUBSCRIBED.as_bytes());
        [0, u64::MAX - 1, u64::MAX, 0, u64::MAX, u64::MAX].iter().for_each(|seq| frame(&mut bytes, *seq));
        assert_eq!(following.take(&mut decoder, &bytes), None);
        assert_eq!((following.received, following.missing), (6, u64::MAX));
    }

    #[test]
    fn gaps_and_the_end_are_told_however_the_bytes_come() {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, true, Opcode::Text, Mask::None, SUBSCRIBED.as_bytes());
        [7, 8, 11].iter().for_each(|seq| frame(&mut bytes, *seq));
        write_close(&mut bytes, Mask::None, 1008);
        for piece in [1, 7, 1000] {
            let (mut following, mut decoder) = (Following::default(), Decoder::new(1 << 20));
            let ends: Vec<End> =
                bytes.chunks(piece).filter_map(|part| following.take(&mut decoder, part)).collect();
            assert_eq!(ends, [End::Closed(Some(1008))]);
            let Following { received, missing, next_seq, bytes, .. } = following;
            assert_eq!((received, missing, next_seq, bytes), (3, 2, Some(12), 144));
        }
    }
}
