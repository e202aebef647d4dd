//! What breaks the contract of servers/PROTOCOL.md and is in no stream that is measured.

use std::io::{self, Write as _};
use std::net::TcpStream;

use super::{Asked, Lie, number};
use crate::frame::{Frame, PONG};

enum Breach {
    /// `merge-heard`: echoes of messages that arrived in one read come back as one.
    MergeHeard,
    /// `unmasked`: frames without a mask are taken as if they had one.
    Unmasked,
    /// `limit=BYTES`: a message that is longer ends its connection with code 1009.
    Limit(usize),
    /// `no-pong`: no ping is answered while ticks are sent.
    NoPong,
    /// `plain`: `/ticks` without an upgrade is a page like any other.
    Plain,
    /// `no-bound`: what a slow subscriber has not taken waits without end.
    NoBound,
}

const PAGE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

pub(super) fn of(word: &str, value: &str, asked: Asked<'_>) -> Option<Option<Box<dyn Lie>>> {
    let (lie, told) = match word {
        "merge-heard" => (Breach::MergeHeard, asked.is_for("/echo")),
        "unmasked" => (Breach::Unmasked, asked.upgrades),
        "limit" => (Breach::Limit(number(value) as usize), asked.is_for("/echo")),
        "no-pong" => (Breach::NoPong, asked.is_for("/ticks")),
        "plain" => (Breach::Plain, !asked.upgrades && asked.target.starts_with("/ticks")),
        "no-bound" => (Breach::NoBound, asked.is_for("/relay")),
        _ => return None,
    };
    Asked::lie(told, lie)
}

impl Lie for Breach {
    fn in_place_of_the_server(&self) -> Option<&'static [u8]> {
        matches!(self, Breach::Plain).then_some(PAGE)
    }

    fn hear(&mut self, frames: Vec<Frame>) -> Vec<Frame> {
        match self {
            Breach::MergeHeard => merged(frames),
            Breach::Unmasked => frames
                .into_iter()
                .map(|mut frame| {
                    frame.unmask();
                    frame
                })
                .collect(),
            _ => frames,
        }
    }

    fn tell(&mut self, frame: Frame, client: &mut TcpStream) -> io::Result<()> {
        match self {
            Breach::Limit(bytes) if frame.payload.len() > *bytes => {
                client.write_all(&Frame::close(1009).bytes())?;
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            Breach::NoPong if frame.opcode() == PONG => Ok(()),
            _ => client.write_all(&frame.bytes()),
        }
    }

    fn is_without_bound(&self) -> bool {
        matches!(self, Breach::NoBound)
    }
}

/// Whole messages of one kind that follow each other, as one.
fn merged(frames: Vec<Frame>) -> Vec<Frame> {
    let mut out: Vec<Frame> = Vec::new();
    for mut frame in frames {
        match out.last_mut() {
            Some(last) if last.is_message() && frame.is_message() && last.opcode() == frame.opcode() => {
                last.unmask();
                frame.unmask();
                last.payload.append(&mut frame.payload);
            }
            _ => out.push(frame),
        }
    }
    out
}
