//! Captures on disk, plain or gzip: read and judged before anything starts, so that a feed's fault is no server's.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context as _, ensure};
use flate2::bufread::MultiGzDecoder;
use tickbench_protocol::Capture;

/// The share of the stall limit that a gap may take: at the very limit a server on time would be given up on by chance.
const SHARE_OF_STALL: f64 = 0.9;

/// Reads a whole capture; an error says which line is bad.
pub(crate) fn read(path: &Path) -> anyhow::Result<Capture> {
    let attempt = || -> anyhow::Result<Capture> {
        // A pipe or a terminal could only be read once, and everybody who replays it reads it anew. Opening a pipe would wait for its writer.
        ensure!(path.metadata()?.is_file(), "it is no file");
        let mut reader = BufReader::new(File::open(path)?);
        // A gzip stream begins with these two bytes (RFC 1952, 2.3.1); a line of JSON never does.
        let is_gzip = reader.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        Ok(if is_gzip {
            Capture::read(BufReader::new(MultiGzDecoder::new(reader)))?
        } else {
            Capture::read(reader)?
        })
    };
    attempt().with_context(|| {
        format!(
            "failed to read the capture `{}` (record one with `tickbench capture URL --out FILE`)",
            path.display()
        )
    })
}

/// Makes sure that no gap of a replay is taken for a stall.
pub(crate) fn check_gaps(capture: &Capture, path: &Path, speed: f64, stall_ms: u64) -> anyhow::Result<()> {
    let gaps = capture.messages().windows(2).map(|pair| pair[1].ts_ns - pair[0].ts_ns);
    // Between its last message and the first of the next turn is the mean gap, which is not the longest.
    let longest = (1..).zip(gaps).max_by_key(|(_, gap_ns)| *gap_ns);
    let (message, gap_ns) = longest.context("a capture holds at least two messages")?;
    let (gap_ms, most_ms) = (gap_ns as f64 / 1e6, stall_ms as f64 * SHARE_OF_STALL);
    ensure!(
        gap_ms / speed <= most_ms,
        "the capture `{}` is silent for {:.0} ms after its message {message}, replayed {speed} times as fast, and the study takes a \
         silence of {stall_ms} ms for a stall: raise stall_ms in the study to at least {:.0}, or replay it faster, with a speed of \
         at least {:.3}",
        path.display(),
        gap_ms / speed,
        (gap_ms / speed / SHARE_OF_STALL).ceil(),
        (gap_ms / most_ms * 1000.0).ceil() / 1000.0
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capture(times_ms: &[u64]) -> Capture {
        let line = |ms: &u64| format!("{{\"ts_ns\":{},\"payload\":\"x\"}}\n", ms * 1_000_000);
        Capture::read(times_ms.iter().map(line).collect::<String>().as_bytes()).unwrap()
    }

    #[test]
    fn a_gap_that_would_be_a_stall_is_refused_and_what_is_advised_is_enough() {
        let (capture, path) = (capture(&[0, 10, 2_410, 2_420]), Path::new("tape"));
        let check =
            |speed, stall_ms| check_gaps(&capture, path, speed, stall_ms).map_err(|cause| cause.to_string());
        let refusal = check(1.0, 2_000).unwrap_err();
        for words in [
            "`tape` is silent for 2400 ms after its message 2",
            "at least 2667,",
            "a speed of at least 1.334",
        ] {
            assert!(refusal.contains(words), "{words} is missing from {refusal}");
        }
        assert_eq!((check(1.0, 2_667), check(1.334, 2_000)), (Ok(()), Ok(())));
        assert!(check(1.0, 2_666).is_err() && check(1.333, 2_000).is_err(), "and no less is");
        assert!(check(0.5, 4_000).is_err(), "slower is longer");
    }
}
