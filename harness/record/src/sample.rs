//! A row a message: what `run --samples` keeps of each window, as a CSV file in gzip.
//!
//! Plain numbers in a text that pandas, DuckDB and `zcat` read as it stands, so that the client that writes it needs nothing
//! that it had not before. gzip makes some 20 bytes of a row.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use thiserror::Error;

use crate::foreign;

/// One message of a window. Times are CLOCK_MONOTONIC, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Its number within its connection's stream.
    pub seq: u64,
    /// Which connection brought it, from 0.
    pub connection: u32,
    /// When the schedule wanted it sent.
    pub due_ns: u64,
    /// When the server sent it.
    pub sent_ns: u64,
    /// When the client's kernel took in its last segment. Only where stages were asked for, and only of a message that was the
    /// last of a read.
    pub kernel_ns: Option<u64>,
    /// When the client had read it.
    pub received_ns: u64,
    /// Whether a hiccup of the client's core may have delayed it.
    pub set_aside: bool,
}

/// The columns, in their order.
const COLUMNS: [&str; 7] =
    ["seq", "connection", "due_ns", "sent_ns", "kernel_ns", "received_ns", "set_aside"];

/// The first line of the file.
const HEADER: &str = "seq,connection,due_ns,sent_ns,kernel_ns,received_ns,set_aside";

/// Why a file of samples cannot be read.
#[derive(Debug, Error)]
#[error("failed to read `{path}`, line {line}: {cause}")]
pub struct SampleError {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub cause: String,
}

/// Writes a file of samples.
pub fn write_samples(path: &Path, samples: &[Sample]) -> io::Result<()> {
    // The quickest compression: the client is waited for.
    let mut file = BufWriter::new(GzEncoder::new(File::create(path)?, Compression::fast()));
    writeln!(file, "{HEADER}")?;
    for sample in samples {
        let Sample { seq, connection, due_ns, sent_ns, kernel_ns, received_ns, set_aside } = sample;
        write!(file, "{seq},{connection},{due_ns},{sent_ns},")?;
        if let Some(kernel_ns) = kernel_ns {
            write!(file, "{kernel_ns}")?;
        }
        writeln!(file, ",{received_ns},{}", u8::from(*set_aside))?;
    }
    file.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?;
    Ok(())
}

/// Reads a file of samples, row by row.
pub fn read_samples(
    path: &Path,
) -> Result<impl Iterator<Item = Result<Sample, SampleError>> + use<>, SampleError> {
    let at = |line: usize, cause: String| SampleError { path: path.into(), line, cause };
    let file = File::open(path).map_err(|cause| at(0, cause.to_string()))?;
    let mut lines = BufReader::new(MultiGzDecoder::new(BufReader::new(file))).lines();
    match lines.next() {
        Some(Ok(header)) if header == HEADER => {}
        Some(Err(cause)) => return Err(at(1, cause.to_string())),
        _ => return Err(at(1, format!("it does not begin with `{HEADER}`"))),
    }
    let path = path.to_owned();
    Ok(lines.zip(2..).map(move |(text, line)| {
        let text = text.map_err(|cause| cause.to_string());
        let sample = text.and_then(|text| parse(&text));
        sample.map_err(|cause| SampleError { path: path.clone(), line, cause })
    }))
}

/// A row; else what is wrong with it, and in which column.
fn parse(line: &str) -> Result<Sample, String> {
    let mut fields = [""; COLUMNS.len()];
    let count = fields.iter_mut().zip(line.split(',')).map(|(field, text)| *field = text).count();
    if count < COLUMNS.len() || line.split(',').count() > COLUMNS.len() {
        return Err(format!("{} is no row of {} columns", foreign(line.as_bytes()), COLUMNS.len()));
    }
    let wrong =
        |at: usize| format!("{}: `{}` is no such number", COLUMNS[at], foreign(fields[at].as_bytes()));
    let number = |at: usize| fields[at].parse::<u64>().map_err(|_| wrong(at));
    Ok(Sample {
        seq: number(0)?,
        connection: fields[1].parse().map_err(|_| wrong(1))?,
        due_ns: number(2)?,
        sent_ns: number(3)?,
        kernel_ns: if fields[4].is_empty() { None } else { Some(number(4)?) },
        received_ns: number(5)?,
        set_aside: match fields[6] {
            "0" => false,
            "1" => true,
            _ => return Err(wrong(6)),
        },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn any_sample()(
            numbers: [u64; 4], connection: u32, kernel_ns: Option<u64>, set_aside: bool,
        ) -> Sample {
            let [seq, due_ns, sent_ns, received_ns] = numbers;
            Sample { seq, connection, due_ns, sent_ns, kernel_ns, received_ns, set_aside }
        }
    }

    fn file(name: &str) -> (PathBuf, impl Drop) {
        struct Gone(PathBuf);
        impl Drop for Gone {
            fn drop(&mut self) {
                std::fs::remove_file(&self.0).ok();
            }
        }
        let path = std::env::temp_dir().join(format!("tickbench-{}-{name}", std::process::id()));
        (path.clone(), Gone(path))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_is_written_reads_back(samples in proptest::collection::vec(any_sample(), 0..50)) {
            let (path, _gone) = file("round-trip.csv.gz");
            write_samples(&path, &samples).unwrap();
            let back: Result<Vec<Sample>, _> = read_samples(&path).unwrap().collect();
            prop_assert_eq!(back.unwrap(), samples);
        }
    }

    #[test]
    fn damage_is_told_with_its_line() {
        let (path, _gone) = file("damaged.csv.gz");
        let written = |text: &str| {
            let mut file = GzEncoder::new(File::create(&path).unwrap(), Compression::fast());
            file.write_all(text.as_bytes()).unwrap();
            file.finish().unwrap();
        };
        written("a,b\n");
        assert!(
            read_samples(&path).err().unwrap().to_string().contains("line 1: it does not begin with `seq,")
        );
        assert_eq!(COLUMNS.join(","), HEADER);
        for (line, words) in [
            ("1,2,3", "1,2,3 is no row of 7 columns"),
            ("1,0,3,4,,5,2", "set_aside: `2`"),
            ("1,0,3,4,,5,0,6", "is no row of 7 columns"),
            ("-1,0,3,4,,5,0", "seq: `-1`"),
            ("1,4294967296,3,4,,5,0", "connection: `4294967296`"),
            ("1,0,3,4,x,5,0", "kernel_ns: `x`"),
        ] {
            written(&format!("{HEADER}\n1,0,3,4,,5,0\n{line}\n"));
            let read: Vec<_> = read_samples(&path).unwrap().collect();
            assert!(read[0].is_ok());
            let error = read[1].as_ref().unwrap_err().to_string();
            assert!(error.contains("line 3") && error.contains(words), "{line}: {error}");
        }
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 9]).unwrap();
        assert!(read_samples(&path).is_err() || read_samples(&path).unwrap().any(|row| row.is_err()));
    }
}
