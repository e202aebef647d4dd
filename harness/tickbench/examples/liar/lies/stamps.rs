//! Stamps that are not true. What a tick carries besides, and when it comes, is left alone.

use std::io::{self, Write as _};
use std::net::TcpStream;

use tickbench_protocol::Stamps;

use super::{Asked, Lie, now_ns, time};
use crate::frame::Frame;

enum Untrue {
    /// `due=zero`.
    DueZero,
    /// `due=sent`: no lag.
    DueIsSent,
    /// `due=-TIME`, `due=TIME`: so much earlier or later than it was.
    Due(i64),
    /// `sent=due`: no lag, and what it was is delivery.
    SentIsDue,
    /// `sent=-TIME`, `sent=TIME`.
    Sent(i64),
    /// `sent=last-TIME`: so long before that of the tick before.
    SentBeforeLast { by_ns: u64, last_ns: u64 },
    /// `sent=now`: no delivery, and what it was is lag.
    SentNow,
}

pub(super) fn of(word: &str, value: &str, asked: Asked<'_>) -> Option<Option<Box<dyn Lie>>> {
    let signed = |value: &str| match value.strip_prefix('-') {
        Some(back) => -(time(back).as_nanos() as i64),
        None => time(value).as_nanos() as i64,
    };
    let lie = match (word, value) {
        ("due", "zero") => Untrue::DueZero,
        ("due", "sent") => Untrue::DueIsSent,
        ("due", by) => Untrue::Due(signed(by)),
        ("sent", "due") => Untrue::SentIsDue,
        ("sent", "now") => Untrue::SentNow,
        ("sent", by) => match by.strip_prefix("last-") {
            Some(by) => Untrue::SentBeforeLast { by_ns: time(by).as_nanos() as u64, last_ns: 0 },
            None => Untrue::Sent(signed(by)),
        },
        _ => return None,
    };
    Asked::lie(asked.is_for("/ticks") || asked.is_for("/relay"), lie)
}

impl Lie for Untrue {
    fn tell(&mut self, mut frame: Frame, client: &mut TcpStream) -> io::Result<()> {
        if let Some(mut stamps) = read(&frame) {
            self.alter(&mut stamps);
            write(stamps, &mut frame);
        }
        client.write_all(&frame.bytes())
    }
}

impl Untrue {
    fn alter(&mut self, stamps: &mut Stamps) {
        let is_of_a_flood = is_of_a_flood(stamps);
        let due_ns = stamps.due_ns;
        match self {
            Untrue::DueZero => stamps.due_ns = 0,
            Untrue::DueIsSent => stamps.due_ns = stamps.sent_ns,
            Untrue::Due(by_ns) => stamps.due_ns = stamps.due_ns.saturating_add_signed(*by_ns),
            Untrue::SentIsDue => stamps.sent_ns = stamps.due_ns,
            Untrue::SentNow => stamps.sent_ns = now_ns(),
            Untrue::Sent(by_ns) => stamps.sent_ns = stamps.sent_ns.saturating_add_signed(*by_ns),
            Untrue::SentBeforeLast { by_ns, last_ns } => {
                let sent_ns = if *last_ns == 0 { stamps.sent_ns } else { *last_ns - *by_ns };
                *last_ns = std::mem::replace(&mut stamps.sent_ns, sent_ns);
            }
        }
        // A lie about its sending is one about its due time too: else it would contradict itself.
        if is_of_a_flood && stamps.due_ns == due_ns {
            stamps.due_ns = stamps.sent_ns;
        }
    }
}

/// The ticks of a flood are due when they are sent; a paced one is sent later, if only by the reading of a clock.
pub(super) fn is_of_a_flood(stamps: &Stamps) -> bool {
    stamps.due_ns == stamps.sent_ns
}

/// The stamps of a tick; `None` of any other message.
pub(super) fn read(frame: &Frame) -> Option<Stamps> {
    match frame.opcode() {
        1 => Stamps::read_json(&frame.payload).ok(),
        2 => Stamps::read_binary(&frame.payload).ok(),
        _ => None,
    }
}

pub(super) fn write(stamps: Stamps, frame: &mut Frame) {
    match frame.opcode() {
        1 => stamps.patch_json(&mut frame.payload),
        _ => stamps.write_binary(&mut frame.payload),
    }
}
