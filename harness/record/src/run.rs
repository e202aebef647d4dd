//! The folder of one run, and the only code that reads and writes its records.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::reader::{self, Records};
use crate::{Environment, Held, Ledger, Measurement, Study, StudyError, validate};

/// A folder that holds a run.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
}

/// What can go wrong with a run's folder.
#[derive(Debug, Error)]
pub enum RunError {
    /// A file could not be read or written.
    #[error("failed to {verb} `{path}`: {cause}")]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("failed to read `{path}`, line {line}: {cause}")]
    Content {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        cause: String,
    },
    /// A measurement contradicts itself, another or its study.
    #[error(
        "failed to read `{path}`, line {line}{}: {cause}; remove that line, and `tickbench run --resume` executes it again",
        if key.is_empty() { String::new() } else { format!(", key `{key}`") }
    )]
    Record {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key, with dots between the keys of what holds it; empty where the line as a whole is meant.
        key: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The figures that a client told contradict each other.
    #[error(
        "failed to add `{cell}` to `{path}`: the client told figures that contradict each other: `{key}`: {cause}; that is a fault of \
         the client, and what was measured before is kept"
    )]
    Contradiction {
        /// The file.
        path: PathBuf,
        /// What was measured.
        cell: String,
        /// The key, with dots between the keys of what holds it.
        key: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The recorded study is not one.
    #[error("failed to read `{path}`: {cause}")]
    Study {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: StudyError,
    },
    /// Another process writes to the run.
    #[error("`{path}` is in use by {held}: wait until it ends, or name another folder with --out")]
    InUse {
        /// The run's folder.
        path: PathBuf,
        /// Who uses it.
        held: Held,
    },
    /// The folder is no run.
    #[error("`{0}` holds no run: it has no study.toml")]
    NoRun(PathBuf),
    /// A new run would be written over something.
    #[error(
        "`{0}` exists and is not empty: name another folder with --out, or continue a run there with --resume"
    )]
    Occupied(PathBuf),
}

impl RunFolder {
    pub(crate) fn at(path: &Path) -> RunFolder {
        RunFolder { path: path.into() }
    }

    /// Makes a new, empty run; the folder may exist if it is empty. Who measures into it takes a [`Claim`](crate::Claim) instead.
    pub fn create(path: &Path) -> Result<RunFolder, RunError> {
        let run = RunFolder::at(path);
        std::fs::create_dir_all(path).map_err(|cause| run.io("create", path, cause))?;
        if !run.names()?.is_empty() {
            return Err(RunError::Occupied(path.into()));
        }
        let graphs = run.graphs();
        std::fs::create_dir_all(&graphs).map_err(|cause| run.io("create", &graphs, cause))?;
        Ok(run)
    }

    /// What lies in the folder.
    pub(crate) fn names(&self) -> Result<Vec<OsString>, RunError> {
        let io = |cause| self.io("open", &self.path, cause);
        let entries = self.path.read_dir().map_err(io)?;
        entries.map(|entry| Ok(entry.map_err(io)?.file_name())).collect()
    }

    /// Opens a run that exists.
    pub fn open(path: &Path) -> Result<RunFolder, RunError> {
        let run = RunFolder::at(path);
        if run.study_path().is_file() { Ok(run) } else { Err(RunError::NoRun(path.into())) }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the graphs are.
    pub fn graphs(&self) -> PathBuf {
        self.path.join("graphs")
    }

    /// Where the samples of an execution are, if they were kept: `samples/ITERATION-POSITION.csv.gz`.
    pub fn samples(&self, iteration: u32, position: u32) -> PathBuf {
        self.samples_folder().join(format!("{iteration}-{position}.csv.gz"))
    }

    /// The folder of all samples; a run that keeps none has no such folder.
    pub fn samples_folder(&self) -> PathBuf {
        self.path.join("samples")
    }

    fn study_path(&self) -> PathBuf {
        self.path.join("study.toml")
    }

    fn measurements_path(&self) -> PathBuf {
        self.path.join("measurements.jsonl")
    }

    /// Writes `study.toml`.
    pub fn write_study(&self, study: &Study) -> Result<(), RunError> {
        self.write("study.toml", study.to_toml().as_bytes())
    }

    /// Reads `study.toml`.
    pub fn study(&self) -> Result<Study, RunError> {
        let path = self.study_path();
        let text = std::fs::read_to_string(&path).map_err(|cause| self.io("read", &path, cause))?;
        Study::from_toml(&text).map_err(|cause| RunError::Study { path, cause })
    }

    /// Writes `environment.json`.
    pub fn write_environment(&self, environment: &Environment) -> Result<(), RunError> {
        self.write_json("environment.json", environment)
    }

    /// Reads `environment.json`.
    pub fn environment(&self) -> Result<Environment, RunError> {
        self.read_json("environment.json")
    }

    /// Writes `parity.json`.
    pub fn write_ledger(&self, ledger: &Ledger) -> Result<(), RunError> {
        self.write_json("parity.json", ledger)
    }

    /// Reads `parity.json`; `None` where the run has none.
    pub fn ledger(&self) -> Result<Option<Ledger>, RunError> {
        if self.path.join("parity.json").exists() {
            self.read_json("parity.json").map(Some)
        } else {
            Ok(None)
        }
    }

    /// Writes a file of the run, whole or not at all: it is written aside and moved into place. Aside of each process there is another
    /// place, for a report may be derived while its run goes on.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), RunError> {
        let aside = format!("{name}.{}.part", std::process::id());
        let (path, aside) = (self.path.join(name), self.path.join(aside));
        let written = std::fs::write(&aside, content).map_err(|cause| self.io("write", &aside, cause));
        let moved = written
            .and_then(|()| std::fs::rename(&aside, &path).map_err(|cause| self.io("write", &path, cause)));
        // What went wrong is told; what it left is of no use.
        moved.inspect_err(|_| drop(std::fs::remove_file(&aside)))
    }

    /// Writes a value as indented JSON.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), RunError> {
        let mut text = serde_json::to_string_pretty(value).expect("records are plain data");
        text.push('\n');
        self.write(name, text.as_bytes())
    }

    fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<T, RunError> {
        let path = self.path.join(name);
        let text = std::fs::read_to_string(&path).map_err(|cause| self.io("read", &path, cause))?;
        let read = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(&text));
        read.map_err(|wrong: serde_path_to_error::Error<serde_json::Error>| RunError::Content {
            path,
            line: wrong.inner().line(),
            cause: wrong.to_string(),
        })
    }

    /// Opens `measurements.jsonl` for [`append`](MeasurementLog::append), after removing a last line that a killed run
    /// left unfinished.
    pub fn log(&self) -> Result<MeasurementLog, RunError> {
        let path = self.measurements_path();
        let io = |cause| self.io("open", &path, cause);
        let file = OpenOptions::new().create(true).append(true).read(true).open(&path).map_err(io)?;
        let whole =
            std::fs::read(&path).map_err(io)?.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        file.set_len(whole as u64).map_err(io)?;
        Ok(MeasurementLog { path, file })
    }

    /// Reads the study and all that was measured for it. What is read holds: a record that contradicts itself, another or the study is an
    /// error that names its line and key. A last line without its line feed is a write that was cut off, and is left out with a note.
    pub fn records(&self) -> Result<Records, RunError> {
        reader::read(self.study()?, &self.measurements_path())
    }

    /// The note of [`records`](RunFolder::records) on a last line that was cut off, for who reads no record.
    pub fn note(&self) -> Result<Option<String>, RunError> {
        reader::note(&self.measurements_path())
    }

    pub(crate) fn io(&self, verb: &'static str, path: &Path, cause: std::io::Error) -> RunError {
        RunError::Io { verb, path: path.into(), cause }
    }
}

/// The open end of `measurements.jsonl`.
#[derive(Debug)]
pub struct MeasurementLog {
    path: PathBuf,
    file: File,
}

impl MeasurementLog {
    /// Adds one line and hands it to the kernel at once, so that it survives whatever ends this process. Refuses what could not be read
    /// back: figures that contradict each other.
    pub fn append(&mut self, measurement: &Measurement) -> Result<(), RunError> {
        validate::check(measurement).map_err(|validate::Fault { key, cause }| RunError::Contradiction {
            path: self.path.clone(),
            cell: measurement.cell.to_string(),
            key,
            cause,
        })?;
        let mut line = serde_json::to_string(measurement).expect("records are plain data");
        line.push('\n');
        self.file.write_all(line.as_bytes()).map_err(|cause| RunError::Io {
            verb: "write",
            path: self.path.clone(),
            cause,
        })
    }
}
