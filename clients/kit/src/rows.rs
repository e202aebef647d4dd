//! What is kept of each tick of a window, in memory that was touched before it.

use tickbench_record::{Request, Sample, Stage};

use crate::{Failure, Question};

/// Most memory that the rows of a window may take: 56 MiB are a million messages.
const MOST_BYTES: usize = 64 << 20;

/// Most ticks whose lag is kept to be cleaned: 16 MiB.
const MOST_LAGS: usize = 1 << 20;

/// Rows in the order in which they came.
#[derive(Debug)]
pub(crate) struct Rows<T> {
    rows: Vec<T>,
    overflowed: bool,
}

impl<T: Clone> Rows<T> {
    /// Room for so many rows. Each is written once, so that the window has no page to wait for.
    fn touched(room: usize, any: T) -> Rows<T> {
        let mut rows = vec![any; room];
        rows.clear();
        Rows { rows, overflowed: false }
    }

    /// Keeps a row, while there is room.
    #[inline]
    fn keep(&mut self, row: T) {
        if self.rows.len() < self.rows.capacity() {
            self.rows.push(row);
        } else {
            self.overflowed = true;
        }
    }

    fn reset(&mut self) {
        self.rows.clear();
        self.overflowed = false;
    }

    /// All rows; `None` where there was no room for all.
    pub(crate) fn all(&self) -> Option<&[T]> {
        (!self.overflowed).then_some(&self.rows)
    }
}

/// When a tick was due and when it was sent.
pub(crate) type Lag = (u64, u64);

/// What is kept of each tick besides what is counted.
#[derive(Debug)]
pub(crate) enum Kept {
    Nothing,
    /// What it takes to clean lag.
    Lags(Rows<Lag>),
    /// All, for stages and samples. Until the window is over, `kernel_ns` is the kernel's own time.
    Messages(Rows<Sample>),
}

impl Kept {
    /// What `request` needs kept. There is room for half as many ticks again as the window should have.
    pub(crate) fn of(request: &Request) -> Result<Kept, Failure> {
        let is_paced = Question::of(request) == Question::Paced;
        let expected = request.rate_per_s * request.window_ns as f64 / 1e9;
        let room = (expected > 0.0).then_some((1.5 * expected) as usize + 1000);
        if request.stages || request.samples.is_some() {
            if !is_paced {
                return Err(refused(
                    "neither a flood nor an echo has a schedule to be late for: only paced ticks have stages and samples",
                ));
            }
            return Ok(Kept::Messages(Rows::touched(room_for_messages(room)?, BLANK)));
        }
        if is_paced && request.server_gaps.is_some() && request.connections == 1 {
            return Ok(Kept::Lags(Rows::touched(room.map_or(MOST_LAGS, |room| room.min(MOST_LAGS)), (1, 1))));
        }
        Ok(Kept::Nothing)
    }

    /// Room for so many messages.
    #[cfg(test)]
    pub(crate) fn of_all(room: usize) -> Kept {
        Kept::Messages(Rows::touched(room, BLANK))
    }

    /// Keeps a tick.
    #[inline]
    pub(crate) fn keep(&mut self, tick: &Sample) {
        match self {
            Kept::Nothing => {}
            Kept::Lags(lags) => lags.keep((tick.due_ns, tick.sent_ns)),
            Kept::Messages(rows) => rows.keep(*tick),
        }
    }

    /// The kernel took in the last segment of the read that ended at `received_ns` at `kernel_ns`: the time of the last message, if
    /// that read ended with one. `last_seq` is the number of the last message of all, which may belong to no window.
    #[inline]
    pub(crate) fn stamp(&mut self, kernel_ns: u64, received_ns: u64, last_seq: Option<u64>) {
        if let Kept::Messages(Rows { rows, overflowed: false }) = self
            && let Some(last) = rows.last_mut().filter(|last| last.received_ns == received_ns)
            && last_seq == Some(last.seq)
        {
            last.kernel_ns = Some(kernel_ns);
        }
    }

    /// Forgets all.
    pub(crate) fn reset(&mut self) {
        match self {
            Kept::Nothing => {}
            Kept::Lags(lags) => lags.reset(),
            Kept::Messages(rows) => rows.reset(),
        }
    }

    /// Every tick's lag; `None` where not all were kept.
    pub(crate) fn lags(&self) -> Option<Vec<Lag>> {
        match self {
            Kept::Nothing => None,
            Kept::Lags(lags) => lags.all().map(<[_]>::to_vec),
            Kept::Messages(rows) => {
                rows.all().map(|rows| rows.iter().map(|row| (row.due_ns, row.sent_ns)).collect())
            }
        }
    }

    /// Every message, where all were to be kept.
    pub(crate) fn into_messages(self) -> Result<Option<Vec<Sample>>, Failure> {
        let Kept::Messages(Rows { rows, overflowed }) = self else { return Ok(None) };
        if overflowed {
            let reason = format!(
                "more messages came in the window than there is room for: {} rows of {} bytes; make the window shorter",
                rows.len(),
                size_of::<Sample>()
            );
            return Err(Failure::new(Stage::Audit, reason));
        }
        Ok(Some(rows))
    }
}

const BLANK: Sample = Sample {
    seq: 1,
    connection: 1,
    due_ns: 1,
    sent_ns: 1,
    kernel_ns: Some(1),
    received_ns: 1,
    set_aside: true,
};

/// Room for the rows of a window that should have `wanted` of them, or as many as may be where a capture sets the pace.
fn room_for_messages(wanted: Option<usize>) -> Result<usize, Failure> {
    let most = MOST_BYTES / size_of::<Sample>();
    match wanted {
        Some(wanted) if wanted > most => Err(refused(&format!(
            "a row for each message of the window would take {wanted} × {} bytes, and at most {} MiB are kept: make the window \
             shorter or the rate lower",
            size_of::<Sample>(),
            MOST_BYTES >> 20
        ))),
        Some(wanted) => Ok(wanted),
        None => Ok(most),
    }
}

fn refused(reason: &str) -> Failure {
    Failure::own(Stage::Warmup, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(seq: u64, received_ns: u64) -> Sample {
        Sample { seq, kernel_ns: None, received_ns, ..BLANK }
    }

    #[test]
    fn what_does_not_fit_is_no_part_of_a_whole() {
        let mut kept = Kept::of_all(2);
        (0..2).for_each(|seq| kept.keep(&received(seq, seq)));
        assert_eq!(kept.lags(), Some(vec![(1, 1); 2]));
        kept.keep(&received(2, 2));
        assert_eq!(kept.lags(), None);
        let reason = kept.into_messages().unwrap_err().reason;
        assert!(reason.contains("room for: 2 rows of"), "{reason}");
    }

    #[test]
    fn a_reset_makes_room_anew() {
        let mut kept = Kept::of_all(1);
        (0..2).for_each(|seq| kept.keep(&received(seq, seq)));
        kept.reset();
        kept.keep(&received(7, 7));
        assert_eq!(kept.into_messages().unwrap().unwrap(), [received(7, 7)]);
    }

    #[test]
    fn a_stamp_is_that_of_the_last_message_of_its_read() {
        let mut kept = Kept::of_all(4);
        [(0, 100), (1, 200), (2, 200)].into_iter().for_each(|(seq, ns)| kept.keep(&received(seq, ns)));
        kept.stamp(55, 200, Some(2));
        // A read that ended no message, such as one of a ping; and one whose last message belongs to no window.
        kept.stamp(66, 300, Some(2));
        kept.keep(&received(3, 400));
        kept.stamp(77, 400, Some(4));
        let stamps: Vec<_> = kept.into_messages().unwrap().unwrap().iter().map(|row| row.kernel_ns).collect();
        assert_eq!(stamps, [None, None, Some(55), None]);
    }

    #[test]
    fn a_window_that_would_take_too_much_memory_is_refused() {
        let most = room_for_messages(None).unwrap();
        assert!(most * size_of::<Sample>() <= MOST_BYTES);
        assert_eq!(room_for_messages(Some(1_000)).unwrap(), 1_000);
        let reason = room_for_messages(Some(2_000_000)).unwrap_err().reason;
        assert!(reason.contains("2000000 × 56 bytes, and at most 64 MiB"), "{reason}");
    }
}
