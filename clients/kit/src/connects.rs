//! The times of connections that are opened and closed in turn.

use crate::tally::Tally;

/// Each from the call that connects.
#[derive(Debug)]
pub(crate) struct Connects {
    /// Until the answer to the upgrade was read and checked.
    pub(crate) handshake: Tally,
    /// Until the first tick was whole.
    pub(crate) first_tick: Tally,
    /// Until the server had answered the close frame.
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
