//! How many turns of a closed loop are under way: Little's law over a window.
//!
//! A closed loop has one turn under way on each connection at any time, the next of which begins where the last one ends. So the time
//! that all turns spend inside a window is its length times the connections (Little: "A proof for the queuing formula L = λW", 1961).
//! Of that time, the turns that ended in the window are recorded; those that its two ends cut are counted by the part that is in it.
//! Without that, a connection that waits for half the window and is never answered would break the law, and it is no fault of the
//! counting.

/// Since when each connection's turn is under way.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    begun_ns: Vec<u64>,
    /// What the turns under way had spent when the window opened.
    before_ns: u64,
}

impl Turns {
    /// The first turn of `connection` begins.
    pub(crate) fn begin(&mut self, connection: usize, at_ns: u64) {
        if connection >= self.begun_ns.len() {
            self.begun_ns.resize(connection + 1, at_ns);
        }
        self.begun_ns[connection] = at_ns;
    }

    /// A turn of `connection` ends, and the next begins.
    #[inline]
    pub(crate) fn end(&mut self, connection: usize, at_ns: u64) {
        self.begun_ns[connection] = at_ns;
    }

    /// The window opens.
    pub(crate) fn open(&mut self, at_ns: u64) {
        self.before_ns = self.spent_ns(at_ns);
    }

    /// The mean number of turns under way in a window of `elapsed_ns` that closed at `closed_ns`, where those that ended in it took
    /// `completed_ns` together; and the connections, which it should be.
    pub(crate) fn in_flight(&self, completed_ns: f64, elapsed_ns: u64, closed_ns: u64) -> (f64, f64) {
        let cut_ns = self.spent_ns(closed_ns) as f64 - self.before_ns as f64;
        ((completed_ns + cut_ns) / elapsed_ns.max(1) as f64, self.begun_ns.len() as f64)
    }

    /// What the turns under way have spent so far.
    fn spent_ns(&self, at_ns: u64) -> u64 {
        self.begun_ns.iter().map(|&begun_ns| at_ns.saturating_sub(begun_ns)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_that_the_window_cuts_count_by_the_part_inside() {
        let mut turns = Turns::default();
        turns.begin(0, 900);
        turns.begin(1, 950);
        turns.open(1000);
        // The one answers twice in the window, the other never.
        turns.end(0, 1200);
        turns.end(0, 1800);
        let completed_ns = 300.0 + 600.0;
        assert_eq!(turns.in_flight(completed_ns, 1000, 2000), (2.0, 2.0));
    }

    #[test]
    fn a_turn_that_was_not_recorded_is_missing() {
        let mut turns = Turns::default();
        turns.begin(0, 0);
        turns.open(0);
        turns.end(0, 400);
        turns.end(0, 800);
        assert_eq!(turns.in_flight(400.0, 1000, 1000), (0.6, 1.0));
    }
}
