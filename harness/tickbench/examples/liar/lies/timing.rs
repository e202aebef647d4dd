//! Messages that come late, in bursts, or a few bytes at a time.

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use super::stamps::{is_of_a_flood, read, write};
use super::{Asked, Lie, now_ns, number, time};
use crate::frame::Frame;

/// Between two pieces of what comes a few bytes at a time.
const BETWEEN_PIECES: Duration = Duration::from_millis(1);

enum Timing {
    /// `stall=TIME`: nothing comes for so long, then all that has waited.
    Stall(Duration),
    /// `late=TIME`: each tick is sent so long after it was due, and says so.
    Late(Duration),
    /// `grid=TIME`: ticks are sent at multiples of it alone, as by a runtime with coarse timers.
    Grid(Duration),
    /// `drip=BYTES`: so many bytes at a time, a millisecond apart.
    Drip(usize),
    /// `drip-answer=TIME`: a byte of the answer to the upgrade each so often.
    DripAnswer(Duration),
}

pub(super) fn of(word: &str, value: &str, asked: Asked<'_>) -> Option<Option<Box<dyn Lie>>> {
    let lie = match word {
        "stall" => Timing::Stall(time(value)),
        "late" => Timing::Late(time(value)),
        "grid" => Timing::Grid(time(value)),
        "drip" => Timing::Drip(number(value) as usize),
        "drip-answer" => Timing::DripAnswer(time(value)),
        _ => return None,
    };
    let is_of_ticks = matches!(lie, Timing::Late(_) | Timing::Grid(_));
    Asked::lie(if is_of_ticks { asked.is_for("/ticks") } else { asked.upgrades }, lie)
}

impl Lie for Timing {
    fn answer(&mut self, head: &[u8], client: &mut TcpStream) -> io::Result<()> {
        let Timing::DripAnswer(every) = *self else { return client.write_all(head) };
        head.iter().try_for_each(|&byte| {
            thread::sleep(every);
            client.write_all(&[byte])
        })
    }

    fn tell(&mut self, mut frame: Frame, client: &mut TcpStream) -> io::Result<()> {
        match *self {
            Timing::Stall(stall) => thread::sleep(stall),
            Timing::Late(by) => send_at(&mut frame, |due_ns| due_ns + by.as_nanos() as u64),
            Timing::Grid(every) => {
                send_at(&mut frame, |due_ns| due_ns.next_multiple_of(every.as_nanos() as u64))
            }
            Timing::Drip(bytes) => {
                return frame.bytes().chunks(bytes).try_for_each(|piece| {
                    client.write_all(piece)?;
                    thread::sleep(BETWEEN_PIECES);
                    Ok(())
                });
            }
            Timing::DripAnswer(_) => {}
        }
        client.write_all(&frame.bytes())
    }
}

/// Waits until the time that `when` makes of a paced tick's due time, and stamps it anew.
fn send_at(frame: &mut Frame, when: impl FnOnce(u64) -> u64) {
    let Some(mut stamps) = read(frame).filter(|stamps| !is_of_a_flood(stamps)) else { return };
    thread::sleep(Duration::from_nanos(when(stamps.due_ns).saturating_sub(now_ns())));
    stamps.sent_ns = now_ns();
    write(stamps, frame);
}
