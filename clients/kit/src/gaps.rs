//! What the process that keeps the server's core awake has seen of that core: a file that it writes without system calls, and that a
//! client reads after its window.
//!
//! Little-endian numbers of 64 bits: a header of [`HEADER_WORDS`], then a ring of [`RING_RECORDS`] records of [`RECORD_WORDS`]. The
//! n-th gap, from 0, stands in place n modulo the ring's length.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// The first word of the file.
pub const MAGIC: u64 = u64::from_le_bytes(*b"tickgap1");
/// Words of the header: [`MAGIC`], the threshold in nanoseconds, and how many gaps have been written.
pub const HEADER_WORDS: usize = 3;
/// Which word of the header tells how many gaps have been written; stored after the gap itself.
pub const WRITTEN_WORD: usize = 2;
/// Words of a record: the fields of a [`Gap`], in their order.
pub const RECORD_WORDS: usize = 3;
/// Records that are kept: those of ten seconds, on a machine in a bad minute.
pub const RING_RECORDS: usize = 1 << 16;
/// Words of the whole file.
pub const FILE_WORDS: usize = HEADER_WORDS + RECORD_WORDS * RING_RECORDS;

/// A time at which the server's core was away, though nobody but the idle process ran on it. CLOCK_MONOTONIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// When it was there last.
    pub from_ns: u64,
    /// When it was there again.
    pub back_ns: u64,
    /// Until when others ran that had been waiting for it: at most until then, the server. Equal to `back_ns` where nobody had.
    pub ran_until_ns: u64,
}

/// The gaps of a stretch of time, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gaps {
    /// From how long on a gap was noted.
    pub threshold_ns: u64,
    /// The gaps that ended in it.
    pub gaps: Vec<Gap>,
}

impl Gaps {
    /// Reads the gaps that ended after `from_ns` and not after `to_ns`.
    ///
    /// # Errors
    /// Where the file cannot be read, is no such file, or holds so many later gaps that some of that time may be lost.
    pub fn read(file: &File, from_ns: u64, to_ns: u64) -> io::Result<Gaps> {
        let mut bytes = vec![0; 8 * FILE_WORDS];
        file.read_exact_at(&mut bytes, 0)?;
        let words: Vec<u64> = bytes.as_chunks().0.iter().map(|&word| u64::from_le_bytes(word)).collect();
        if words[0] != MAGIC {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it holds no gaps of a core"));
        }
        // The writer goes on: what it may have begun to overwrite meanwhile is not believed.
        let mut written = [0; 8];
        file.read_exact_at(&mut written, 8 * WRITTEN_WORD as u64)?;
        let oldest = (u64::from_le_bytes(written) + 1).saturating_sub(RING_RECORDS as u64);
        let record = |nth: u64| {
            let at = HEADER_WORDS + RECORD_WORDS * (nth % RING_RECORDS as u64) as usize;
            Gap { from_ns: words[at], back_ns: words[at + 1], ran_until_ns: words[at + 2] }
        };
        let kept: Vec<Gap> = (oldest..words[WRITTEN_WORD]).map(record).collect();
        if oldest > 0 && kept.first().is_none_or(|gap| gap.from_ns > from_ns) {
            return Err(io::Error::other("the gaps of the window are overwritten: make the window shorter"));
        }
        let gaps = kept.into_iter().filter(|gap| from_ns < gap.back_ns && gap.back_ns <= to_ns).collect();
        Ok(Gaps { threshold_ns: words[1], gaps })
    }

    /// Whether a tick that was due at `due_ns` and sent at `sent_ns` was sent by whoever had been waiting for the core.
    pub(crate) fn delayed(&self, due_ns: u64, sent_ns: u64) -> bool {
        let behind = self.gaps.partition_point(|gap| gap.back_ns <= sent_ns);
        let before = behind.checked_sub(1).map(|last| self.gaps[last]);
        before.is_some_and(|gap| due_ns < gap.back_ns && sent_ns <= gap.ran_until_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(written: u64, gap: impl Fn(u64) -> Gap) -> File {
        let mut words = vec![0u64; FILE_WORDS];
        words[..HEADER_WORDS].copy_from_slice(&[MAGIC, 6_000, written]);
        for nth in written.saturating_sub(RING_RECORDS as u64)..written {
            let at = HEADER_WORDS + RECORD_WORDS * (nth % RING_RECORDS as u64) as usize;
            let Gap { from_ns, back_ns, ran_until_ns } = gap(nth);
            words[at..at + RECORD_WORDS].copy_from_slice(&[from_ns, back_ns, ran_until_ns]);
        }
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&bytes, 0).unwrap();
        file
    }

    /// The n-th gap is in the n-th microsecond.
    fn nth_gap(nth: u64) -> Gap {
        Gap { from_ns: 1000 * nth, back_ns: 1000 * nth + 10, ran_until_ns: 1000 * nth + 20 }
    }

    #[test]
    fn the_gaps_of_a_window_are_read() {
        let gaps = Gaps::read(&file(100, nth_gap), 5_010, 8_010).unwrap();
        assert_eq!(gaps, Gaps { threshold_ns: 6_000, gaps: vec![nth_gap(6), nth_gap(7), nth_gap(8)] });
    }

    #[test]
    fn the_ring_goes_round() {
        let written = 3 * RING_RECORDS as u64 / 2;
        let file = file(written, nth_gap);
        let late = 1000 * (written - 2);
        assert_eq!(
            Gaps::read(&file, late, u64::MAX).unwrap().gaps,
            [nth_gap(written - 2), nth_gap(written - 1)]
        );
        let refusal = Gaps::read(&file, 1_000, 2_000).unwrap_err().to_string();
        assert!(refusal.contains("overwritten"), "{refusal}");
    }

    #[test]
    fn another_file_is_refused() {
        let other = tempfile::tempfile().unwrap();
        assert!(Gaps::read(&other, 0, 1).is_err());
        other.set_len(8 * FILE_WORDS as u64).unwrap();
        assert!(Gaps::read(&other, 0, 1).unwrap_err().to_string().contains("no gaps"));
    }

    #[test]
    fn a_tick_was_delayed_where_its_sender_had_to_wait_for_the_core() {
        let gap = |from_ns, back_ns, ran_until_ns| Gap { from_ns, back_ns, ran_until_ns };
        let gaps = Gaps { threshold_ns: 1, gaps: vec![gap(100, 150, 150), gap(200, 250, 300)] };
        assert!(gaps.delayed(210, 260), "due while the core was away");
        assert!(gaps.delayed(190, 300), "late already, and then the core was away");
        assert!(!gaps.delayed(250, 260), "due when it was back");
        assert!(!gaps.delayed(210, 301), "sent by a later run: the server had the core, and gave it up");
        assert!(!gaps.delayed(110, 170), "nobody had waited for the core");
        assert!(!gaps.delayed(10, 90) && !gaps.delayed(10, 190));
    }
}
