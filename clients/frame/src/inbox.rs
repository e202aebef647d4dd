//! The buffer between a socket and a decoder.

use crate::Decoder;

/// Bytes received and not yet decoded. Its usual size is fixed; it grows for one frame that is larger, then shrinks again.
#[derive(Debug)]
pub struct Inbox {
    bytes: Vec<u8>,
    usual_bytes: usize,
    start: usize,
    end: usize,
}

impl Inbox {
    /// An empty inbox that reads up to `usual_bytes` at once, at least 2.
    pub fn new(usual_bytes: usize) -> Inbox {
        // Half of it is what there is space for at least.
        let usual_bytes = usual_bytes.max(2);
        Inbox { bytes: vec![0; usual_bytes], usual_bytes, start: 0, end: 0 }
    }

    /// What was received and not yet consumed.
    #[inline]
    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Drops all but the last `left` bytes of [`unread`](Inbox::unread).
    #[inline]
    pub fn keep_last(&mut self, left: usize) {
        debug_assert!(left <= self.end - self.start);
        self.start = self.end - left;
    }

    /// Replaces the content by `bytes`: what another read of the same connection left over.
    pub fn load(&mut self, bytes: &[u8]) {
        (self.start, self.end) = (0, 0);
        if self.bytes.len() < bytes.len() {
            self.bytes.resize(bytes.len(), 0);
        }
        self.bytes[..bytes.len()].copy_from_slice(bytes);
        self.end = bytes.len();
    }

    /// Where the next read may write: never empty. Once what is unread takes more than half the usual size, it is large enough for
    /// the rest of the frame that is begun.
    #[inline]
    pub fn space(&mut self, decoder: &Decoder) -> &mut [u8] {
        if self.start != 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        // Half the usual space is left for all but a frame that needs more.
        if self.end > self.usual_bytes / 2 || self.bytes.len() != self.usual_bytes {
            self.fit(decoder);
        }
        &mut self.bytes[self.end..]
    }

    #[cold]
    fn fit(&mut self, decoder: &Decoder) {
        let frame_bytes = decoder.frame_bytes(&self.bytes[..self.end]).unwrap_or(0);
        let wanted = self.usual_bytes.max(frame_bytes).max(self.end + self.usual_bytes / 2);
        self.bytes.resize(wanted, 0);
        if wanted == self.usual_bytes {
            self.bytes.shrink_to_fit();
        }
    }

    /// Tells that the first `count` bytes of [`space`](Inbox::space) have been written.
    ///
    /// # Panics
    /// Later, where there is no space for so many.
    #[inline]
    pub fn add(&mut self, count: usize) {
        self.end += count;
    }
}
