//! Connections that end too early, or not as they should.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;

use super::{Asked, Lie};
use crate::frame::{CLOSE, Frame};

enum Ending {
    /// `close`: a close frame comes in place of the message.
    Close,
    /// `vanish`: the connection ends without one.
    Vanish,
    /// `hang-up`: it ends right behind the server's close frame, before the client can answer.
    HangUp,
    /// `deaf`: the client's close frame is not answered, and its leaving is waited for. Not where ticks are counted: there the server
    /// closes first.
    Deaf,
}

pub(super) fn of(word: &str, _: &str, asked: Asked<'_>) -> Option<Option<Box<dyn Lie>>> {
    let lie = match word {
        "close" => Ending::Close,
        "vanish" => Ending::Vanish,
        "hang-up" => Ending::HangUp,
        "deaf" => Ending::Deaf,
        _ => return None,
    };
    // A count of 0 is none.
    let counts = |key: &str| key.strip_prefix("count=").is_some_and(|count| count != "0");
    let closes_first = asked.target.split(['?', '&']).any(counts);
    Asked::lie(asked.upgrades && !(closes_first && matches!(lie, Ending::Deaf)), lie)
}

impl Lie for Ending {
    fn tell(&mut self, frame: Frame, client: &mut TcpStream) -> io::Result<()> {
        match self {
            Ending::Close => {
                client.write_all(&Frame::close(1000).bytes())?;
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            Ending::Vanish => Err(io::ErrorKind::ConnectionAborted.into()),
            Ending::HangUp | Ending::Deaf => client.write_all(&frame.bytes()),
        }
    }

    fn control(&mut self, frame: Frame, client: &mut TcpStream) -> io::Result<()> {
        match self {
            Ending::Deaf if frame.opcode() == CLOSE => loop {
                if client.read(&mut [0; 512])? == 0 {
                    return Ok(());
                }
            },
            _ => client.write_all(&frame.bytes())?,
        }
        match self {
            Ending::HangUp if frame.opcode() == CLOSE => Err(io::ErrorKind::ConnectionAborted.into()),
            _ => Ok(()),
        }
    }
}
