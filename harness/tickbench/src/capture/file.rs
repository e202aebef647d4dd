//! The file of a capture that is being recorded.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Context as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use tickbench_protocol::CapturedMessage;

/// A capture being written: plain, or gzip where its name ends in `.gz`.
pub(super) struct CaptureFile {
    out: Out,
    /// Messages that it holds.
    pub(super) count: u64,
}

enum Out {
    Plain(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
}

impl CaptureFile {
    pub(super) fn create(path: &Path) -> anyhow::Result<CaptureFile> {
        let file = OpenOptions::new().write(true).create_new(true).open(path).with_context(|| {
            format!(
                "failed to create `{}`: name a new file with --out, in a folder that exists",
                path.display()
            )
        })?;
        let file = BufWriter::new(file);
        let out = match path.extension() {
            Some(extension) if extension == "gz" => Out::Gzip(GzEncoder::new(file, Compression::default())),
            _ => Out::Plain(file),
        };
        Ok(CaptureFile { out, count: 0 })
    }

    pub(super) fn add(&mut self, message: &CapturedMessage) -> io::Result<()> {
        let mut line = serde_json::to_string(message)?;
        line.push('\n');
        match &mut self.out {
            Out::Plain(out) => out.write_all(line.as_bytes())?,
            Out::Gzip(out) => out.write_all(line.as_bytes())?,
        }
        self.count += 1;
        Ok(())
    }

    /// Writes what is buffered and says how many messages there are.
    pub(super) fn finish(self) -> io::Result<u64> {
        match self.out {
            Out::Plain(mut out) => out.flush()?,
            Out::Gzip(out) => out.finish()?.flush()?,
        }
        Ok(self.count)
    }
}
