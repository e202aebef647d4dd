//! Captures, plain or gzip.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::Context as _;
use flate2::bufread::MultiGzDecoder;
use tickbench_protocol::Capture;

/// The first two bytes of a gzip file: RFC 1952, section 2.3.1.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads the capture in the file `path`.
pub(crate) fn read_capture(path: &Path) -> anyhow::Result<Capture> {
    let read = || {
        let mut file = BufReader::new(File::open(path)?);
        if file.fill_buf()?.starts_with(&GZIP) {
            anyhow::Ok(Capture::read(BufReader::new(MultiGzDecoder::new(file)))?)
        } else {
            Ok(Capture::read(file)?)
        }
    };
    read().with_context(|| format!("failed to read capture `{}`", path.display()))
}
