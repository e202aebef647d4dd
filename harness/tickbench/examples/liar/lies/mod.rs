//! The catalogue: one file a family of lies.

mod contract;
mod endings;
mod messages;
mod stamps;
mod timing;

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::frame::Frame;

/// The lie that is none.
const HONEST: &str = "honest";

/// The lie that flags which are wrong end the server with 0.
pub(crate) const ENDS_WELL: &str = "ends-well";

/// What is done to one connection. Each part does nothing unless a lie says otherwise.
pub(crate) trait Lie: Send {
    /// An answer to the request, in place of the real server's.
    fn in_place_of_the_server(&self) -> Option<&'static [u8]> {
        None
    }

    /// The head of the real server's answer goes to the client.
    fn answer(&mut self, head: &[u8], client: &mut TcpStream) -> io::Result<()> {
        client.write_all(head)
    }

    /// What the real server hears in place of these frames, which came from the client together.
    fn hear(&mut self, frames: Vec<Frame>) -> Vec<Frame> {
        frames
    }

    /// A data message or a pong on its way to the client. An error ends the connection.
    fn tell(&mut self, frame: Frame, client: &mut TcpStream) -> io::Result<()> {
        client.write_all(&frame.bytes())
    }

    /// Another control frame on its way to the client.
    fn control(&mut self, frame: Frame, client: &mut TcpStream) -> io::Result<()> {
        client.write_all(&frame.bytes())
    }

    /// Whether all that the real server sends is taken at once, however slowly the client reads.
    fn is_without_bound(&self) -> bool {
        false
    }
}

/// A connection that was asked for.
#[derive(Clone, Copy)]
struct Asked<'t> {
    target: &'t str,
    upgrades: bool,
}

type Family = fn(word: &str, value: &str, asked: Asked<'_>) -> Option<Option<Box<dyn Lie>>>;

/// Each takes the words of its lies: `Some(None)` is one that is not told on such a connection.
const FAMILIES: [Family; 5] = [messages::of, stamps::of, timing::of, endings::of, contract::of];

/// The lie `text` as it is told on a connection that asked for `target`; `None` where it is told on others alone.
pub(crate) fn of(text: &str, target: &str, upgrades: bool) -> Option<Box<dyn Lie>> {
    find(text, Asked { target, upgrades }).flatten()
}

/// Whether there is such a lie.
pub(crate) fn is_one(text: &str) -> bool {
    [HONEST, ENDS_WELL].contains(&text) || find(text, Asked { target: "", upgrades: false }).is_some()
}

fn find(text: &str, asked: Asked<'_>) -> Option<Option<Box<dyn Lie>>> {
    let (word, value) = text.split_once('=').unwrap_or((text, ""));
    FAMILIES.iter().find_map(|family| family(word, value, asked))
}

impl Asked<'_> {
    fn is_for(self, path: &str) -> bool {
        self.upgrades && self.target.split('?').next() == Some(path)
    }

    /// The lie where `told`, else none.
    fn lie<L: Lie + 'static>(told: bool, lie: L) -> Option<Option<Box<dyn Lie>>> {
        Some(told.then(|| Box::new(lie) as Box<dyn Lie>))
    }
}

fn number(value: &str) -> u64 {
    value.parse().unwrap_or_else(|_| panic!("{value:?} is no whole number"))
}

/// A time such as `5ms`.
fn time(value: &str) -> Duration {
    let (number, unit) = value.split_at(value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len()));
    let number = self::number(number);
    match unit {
        "ns" => Duration::from_nanos(number),
        "us" => Duration::from_micros(number),
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        _ => panic!("{value:?} is no time"),
    }
}

/// The clock of the stamps.
fn now_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32).as_nanos() as u64
}
