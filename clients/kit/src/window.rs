//! The window, and what was on the wire while it was open.

/// The stretch of time whose messages are recorded: from its opening on, up to and without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) opened_ns: u64,
    pub(crate) end_ns: u64,
}

impl Window {
    /// Everything belongs to it: the warm-up, whose records are thrown away.
    pub(crate) const ALL: Window = Window { opened_ns: 0, end_ns: u64::MAX };

    /// Nothing belongs to it: between warm-up and window.
    pub(crate) const NONE: Window = Window { opened_ns: u64::MAX, end_ns: u64::MAX };

    /// Whether `at_ns` is in it.
    #[inline(always)]
    pub(crate) fn holds(&self, at_ns: u64) -> bool {
        self.opened_ns <= at_ns && at_ns < self.end_ns
    }
}

/// Messages that came, whichever window they belong to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wire {
    /// Those that came inside the window.
    pub(crate) messages: u64,
    /// Bytes of their payloads.
    pub(crate) bytes: u64,
    /// Messages that came after it.
    pub(crate) after: u64,
}

impl Wire {
    /// A message with a payload of `bytes` came at `received_ns`.
    #[inline(always)]
    pub(crate) fn count(&mut self, window: &Window, bytes: usize, received_ns: u64) {
        if window.holds(received_ns) {
            self.messages += 1;
            self.bytes += bytes as u64;
        } else {
            self.after += 1;
        }
    }
}
