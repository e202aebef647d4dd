//! Messages that never come, come twice, in another order, as one, or changed.

use std::io::{self, Write as _};
use std::net::TcpStream;

use super::{Asked, Lie};
use crate::frame::Frame;

enum Messages {
    /// `silent`: they never come.
    Silent,
    /// `repeat`: each comes twice.
    Repeat,
    /// `swap`: each comes after the next one.
    Swap(Option<Frame>),
    /// `merge`: each two come as one message.
    Merge(Option<Frame>),
    /// `change`: the last byte is another; text stays text. The last byte but one, so that JSON stays JSON.
    Change,
}

pub(super) fn of(word: &str, _: &str, asked: Asked<'_>) -> Option<Option<Box<dyn Lie>>> {
    let lie = match word {
        "silent" => Messages::Silent,
        "repeat" => Messages::Repeat,
        "swap" => Messages::Swap(None),
        "merge" => Messages::Merge(None),
        "change" => Messages::Change,
        _ => return None,
    };
    Asked::lie(asked.upgrades, lie)
}

impl Lie for Messages {
    fn tell(&mut self, mut frame: Frame, client: &mut TcpStream) -> io::Result<()> {
        match self {
            Messages::Silent => Ok(()),
            Messages::Repeat => client.write_all(&[frame.bytes(), frame.bytes()].concat()),
            Messages::Swap(held) => match held.take() {
                None => {
                    *held = Some(frame);
                    Ok(())
                }
                Some(late) => client.write_all(&[frame.bytes(), late.bytes()].concat()),
            },
            Messages::Merge(held) => match held.take() {
                None => {
                    *held = Some(frame);
                    Ok(())
                }
                Some(mut first) => {
                    first.payload.append(&mut frame.payload);
                    client.write_all(&first.bytes())
                }
            },
            Messages::Change => {
                if let Some(at) = frame.payload.len().checked_sub(3) {
                    frame.payload[at] ^= 1;
                }
                client.write_all(&frame.bytes())
            }
        }
    }
}
