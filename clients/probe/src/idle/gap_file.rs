//! The file of gaps, written as memory is: a system call would be in the server's way.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap};
use tickbench_client_kit::gaps::{
    FILE_WORDS, Gap, HEADER_WORDS, MAGIC, RECORD_WORDS, RING_RECORDS, WRITTEN_WORD,
};

/// A mapped file, as long as the process lives.
pub(super) struct GapFile {
    words: &'static [AtomicU64],
    written: u64,
}

impl GapFile {
    /// Creates the file, or begins it anew.
    pub(super) fn create(path: &Path, threshold_ns: u64) -> io::Result<GapFile> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        let bytes = 8 * FILE_WORDS;
        file.set_len(bytes as u64)?;
        let flags = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at a place of the kernel's choice overlaps nothing of this process.
        let start = unsafe { mmap(std::ptr::null_mut(), bytes, flags, MapFlags::SHARED, &file, 0)? };
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        // SAFETY: the mapping is `FILE_WORDS` words long, aligned to a page, and never unmapped. Others only read the file, and
        // here it is touched through atomics alone, for which every bit pattern is a value.
        let words = unsafe { std::slice::from_raw_parts(start.as_ptr(), FILE_WORDS) };
        let mut gaps = GapFile { words, written: 0 };
        gaps.touch();
        gaps.store(0, MAGIC);
        gaps.store(1, threshold_ns);
        Ok(gaps)
    }

    /// Writes each page once, so that no gap has to wait for one.
    fn touch(&mut self) {
        (0..FILE_WORDS).for_each(|at| self.store(at, 0));
    }

    /// Adds a gap, in place of the oldest where the ring is full.
    pub(super) fn push(&mut self, gap: Gap) {
        let at = HEADER_WORDS + RECORD_WORDS * (self.written % RING_RECORDS as u64) as usize;
        for (field, ns) in [gap.from_ns, gap.back_ns, gap.ran_until_ns].into_iter().enumerate() {
            self.store(at + field, ns);
        }
        self.written += 1;
        self.words[WRITTEN_WORD].store(self.written.to_le(), Ordering::Release);
    }

    fn store(&mut self, at: usize, word: u64) {
        self.words[at].store(word.to_le(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickbench_client_kit::gaps::Gaps;

    #[test]
    fn what_is_written_is_read_while_the_file_is_open() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut gaps = GapFile::create(file.path(), 6_000).unwrap();
        let gap = |nth| Gap { from_ns: 100 * nth, back_ns: 100 * nth + 50, ran_until_ns: 100 * nth + 60 };
        let read = |from_ns| Gaps::read(file.as_file(), from_ns, u64::MAX).unwrap();
        assert_eq!(read(0), Gaps { threshold_ns: 6_000, gaps: vec![] });
        let many = RING_RECORDS as u64 + 7;
        (0..many).for_each(|nth| gaps.push(gap(nth)));
        assert_eq!(read(100 * many - 200).gaps, [gap(many - 2), gap(many - 1)]);
        assert!(Gaps::read(file.as_file(), 0, u64::MAX).is_err(), "the first are overwritten");
    }
}
