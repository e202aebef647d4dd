//! The turns of closed loops: which are under way, and whether as many are as there are connections (Little's law over a window).
//!
//! A closed loop has one turn under way on each connection at any time, the next of which begins where the last one ends. So the time
//! that all turns spend inside a window is its length times the connections (Little: "A proof for the queuing formula L = λW", 1961).
//! Of that time, the turns that were begun in the window are recorded, with what they took beyond its end; those that its two ends cut are
//! counted by the part that is in it. Without that, a connection that waits for half the window and is never answered would break the
//! law, and it is no fault of the counting.

use tickbench_record::Stage;

use crate::Failure;
use crate::window::Window;

/// What stands for a connection that rests.
const RESTS: u64 = u64::MAX;

/// Since when each connection's turn is under way.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    begun_ns: Vec<u64>,
    under_way: usize,
    /// What the turns that an end of the window cut spent inside it, less what those that were begun inside spent behind it.
    edges_ns: i64,
}

impl Turns {
    /// A turn of `connection` begins.
    pub(crate) fn begin(&mut self, connection: usize, at_ns: u64) {
        if connection >= self.begun_ns.len() {
            self.begun_ns.resize(connection + 1, RESTS);
        }
        self.begun_ns[connection] = at_ns;
        self.under_way += 1;
    }

    /// When the turn of `connection` that is under way began.
    ///
    /// # Panics
    /// Where none ever was.
    pub(crate) fn begun_ns(&self, connection: usize) -> u64 {
        self.begun_ns[connection]
    }

    /// The turn of `connection` ends; tells when it began.
    ///
    /// # Errors
    /// Where none is under way: a server may send more than it was asked for.
    #[inline]
    pub(crate) fn end(&mut self, connection: usize, at_ns: u64, window: &Window) -> Result<u64, Failure> {
        let begun_ns = match self.begun_ns.get_mut(connection) {
            Some(begun_ns) if *begun_ns != RESTS => std::mem::replace(begun_ns, RESTS),
            _ => return Err(answers_nothing(connection)),
        };
        self.under_way -= 1;
        if begun_ns < window.opened_ns {
            self.edges_ns += at_ns.min(window.end_ns).saturating_sub(window.opened_ns) as i64;
        } else {
            self.edges_ns -= at_ns.saturating_sub(window.end_ns) as i64;
        }
        Ok(begun_ns)
    }

    /// The window opens.
    pub(crate) fn open(&mut self) {
        self.edges_ns = 0;
    }

    /// How many turns are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way
    }

    /// The connections whose turn is under way, and since when.
    pub(crate) fn unfinished(&self) -> impl Iterator<Item = (usize, u64)> {
        self.begun_ns.iter().copied().enumerate().filter(|&(_, begun_ns)| begun_ns != RESTS)
    }

    /// The mean number of turns under way in a window, where those that were begun in it and have ended took `completed_ns` together; and
    /// the connections, which it should be.
    pub(crate) fn in_flight(&self, completed_ns: f64, window: &Window) -> (f64, f64) {
        let Window { opened_ns, end_ns } = *window;
        let inside = |(_, begun_ns): (usize, u64)| end_ns.saturating_sub(begun_ns.max(opened_ns)) as f64;
        let unfinished_ns: f64 = self.unfinished().map(inside).sum();
        let inside_ns = completed_ns + self.edges_ns as f64 + unfinished_ns;
        (inside_ns / (end_ns - opened_ns).max(1) as f64, self.begun_ns.len() as f64)
    }
}

#[cold]
fn answers_nothing(connection: usize) -> Failure {
    Failure::new(Stage::Audit, format!("connection {connection}: a message came that answers nothing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { opened_ns: 1000, end_ns: 2000 };

    fn turn(turns: &mut Turns, connection: usize, ended_ns: u64) {
        turns.end(connection, ended_ns, &WINDOW).unwrap();
        turns.begin(connection, ended_ns);
    }

    #[test]
    fn turns_that_the_window_cuts_count_by_the_part_inside() {
        let mut turns = Turns::default();
        [900, 950, 990].into_iter().enumerate().for_each(|(connection, at)| turns.begin(connection, at));
        turns.open();
        // The one ends a turn from before the window, one inside and one behind; another none; the third but one, behind the window.
        turn(&mut turns, 0, 1200);
        turn(&mut turns, 0, 1800);
        assert_eq!(turns.end(0, 2500, &WINDOW), Ok(1800));
        assert_eq!(turns.end(2, 3000, &WINDOW), Ok(990));
        let completed_ns = 600.0 + 700.0;
        assert_eq!(turns.in_flight(completed_ns, &WINDOW), (3.0, 3.0));
        assert_eq!(turns.unfinished().collect::<Vec<_>>(), [(1, 950)]);
        assert_eq!(turns.under_way(), 1);
    }

    #[test]
    fn what_nobody_asked_for_is_a_failure_and_ends_no_turn() {
        let mut turns = Turns::default();
        (0..2).for_each(|connection| turns.begin(connection, 1000));
        turns.end(1, 1100, &WINDOW).unwrap();
        for connection in [1, 2] {
            let failure = turns.end(connection, 1200, &WINDOW).unwrap_err();
            let reason = format!("connection {connection}: a message came that answers nothing");
            assert_eq!(failure, Failure::new(Stage::Audit, reason));
        }
        assert_eq!(turns.under_way(), 1);
    }

    #[test]
    fn a_turn_that_was_not_recorded_is_missing() {
        let mut turns = Turns::default();
        turns.begin(0, 1000);
        turns.open();
        turn(&mut turns, 0, 1400);
        turn(&mut turns, 0, 1800);
        assert_eq!(turns.in_flight(400.0, &WINDOW), (0.6, 1.0));
    }
}
