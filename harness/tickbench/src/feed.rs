//! Captures on disk, plain or gzip.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::Context as _;
use flate2::bufread::MultiGzDecoder;
use tickbench_protocol::Capture;

/// Reads a whole capture; an error says which line is bad.
pub(crate) fn read(path: &Path) -> anyhow::Result<Capture> {
    let attempt = || -> anyhow::Result<Capture> {
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
