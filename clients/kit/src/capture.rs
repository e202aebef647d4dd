//! Captures, plain or gzip.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use thiserror::Error;
use tickbench_protocol::{Capture, CaptureError};

/// The first two bytes of a gzip file: RFC 1952, section 2.3.1.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Why a capture cannot be used.
#[derive(Debug, Error)]
#[error("failed to read capture `{path}`: {cause}")]
pub struct UnreadableCapture {
    path: String,
    cause: CaptureError,
}

/// Reads the capture in the file `path`.
///
/// # Errors
/// Where the file cannot be read or holds no capture; the error names the file and, where one is at fault, its line.
pub fn read_capture(path: &Path) -> Result<Capture, UnreadableCapture> {
    let read = || {
        let mut file = BufReader::new(File::open(path)?);
        if file.fill_buf()?.starts_with(&GZIP) {
            Capture::read(BufReader::new(MultiGzDecoder::new(file)))
        } else {
            Capture::read(file)
        }
    };
    read().map_err(|cause| UnreadableCapture { path: path.display().to_string(), cause })
}
