//! The times of connections that are opened and closed in turn.

use crate::tally::Tally;

/// The times of each turn.
#[derive(Debug)]
pub(crate) struct Connects {
    /// From the call that connects until the answer to the upgrade was read and checked.
    pub(crate) handshake: Tally,
    /// From that call until the first tick was whole.
    pub(crate) first_tick: Tally,
    /// From the end of the turn before until the server had answered the close frame.
    pub(crate) whole: Tally,
}

impl Connects {
    pub(crate) fn new() -> Connects {
        Connects { handshake: Tally::new(), first_tick: Tally::new(), whole: Tally::new() }
    }

    pub(crate) fn reset(&mut self) {
        [&mut self.handshake, &mut self.first_tick, &mut self.whole].into_iter().for_each(Tally::reset);
    }
}
