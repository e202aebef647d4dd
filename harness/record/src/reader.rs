//! Reading `measurements.jsonl`. There is no other way in which a measurement comes from disk, and what comes by it holds: by itself, and
//! as a part of the study that it was measured for.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::validate::{self, Fault};
use crate::{CONTROL, Cell, Measurement, Outcome, RunError, Stolen, Study, Throttled};

/// What a run has measured so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Records {
    /// The study that it was measured for.
    pub study: Study,
    /// Its measurements, in the order in which they ended.
    pub measurements: Vec<Measurement>,
    /// A sentence on what was left out, for whoever reads what follows from the rest.
    pub note: Option<String>,
}

/// Reads all finished measurements of `study`. A last line without its line feed is a write that was cut off: it is left out, with a note.
pub(crate) fn read(study: Study, path: &Path) -> Result<Records, RunError> {
    let io = |verb| move |cause| RunError::Io { verb, path: path.into(), cause };
    let mut records = Records { study, measurements: Vec::new(), note: None };
    if !path.exists() {
        return Ok(records);
    }
    let text = std::fs::read(path).map_err(io("read"))?;
    let mut lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
    if lines.last().is_some_and(|line| !line.ends_with(b"\n")) {
        lines.pop();
        records.note = Some(unfinished(path));
    }
    let wrong = |(line, Fault { key, cause })| RunError::Record { path: path.into(), line, key, cause };
    records.measurements = measurements(&lines).map_err(wrong)?;
    let mut places = Places::of(&records.study);
    for (line, measurement) in (1..).zip(&records.measurements) {
        places.take(measurement, line).map_err(|fault| wrong((line, fault)))?;
    }
    Ok(records)
}

/// Each line by itself, a part of them on each core; else the first line that is wrong.
fn measurements(lines: &[&[u8]]) -> Result<Vec<Measurement>, (usize, Fault)> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = lines.len().div_ceil(threads).max(1);
    let read = |first: usize, lines: &[&[u8]]| -> Result<Vec<Measurement>, (usize, Fault)> {
        let line = |(at, text): (usize, &&[u8])| measurement(text).map_err(|fault| (first + at, fault));
        lines.iter().enumerate().map(line).collect()
    };
    thread::scope(|scope| {
        let parts = lines.chunks(share).enumerate();
        let spawned: Vec<_> =
            parts.map(|(at, part)| scope.spawn(move || read(1 + at * share, part))).collect();
        let mut all = Vec::with_capacity(lines.len());
        for part in spawned {
            all.append(&mut part.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok(all)
    })
}

/// The note on a last line that was cut off, where there is one, without reading what is before it.
pub(crate) fn note(path: &Path) -> Result<Option<String>, RunError> {
    let io = |verb| move |cause| RunError::Io { verb, path: path.into(), cause };
    if !path.exists() {
        return Ok(None);
    }
    let mut file = File::open(path).map_err(io("open"))?;
    if file.seek(SeekFrom::End(0)).map_err(io("read"))? == 0 {
        return Ok(None);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1)).and_then(|_| file.read_exact(&mut last)).map_err(io("read"))?;
    Ok((last != *b"\n").then(|| unfinished(path)))
}

fn unfinished(path: &Path) -> String {
    format!(
        "the last line of `{}` was cut off while it was written and is left out: `tickbench run --resume` executes it again",
        path.display()
    )
}

/// A line without what says which cell it is of, and without what was seen.
#[derive(Deserialize)]
struct Line {
    iteration: u32,
    position: u32,
    started_at_s: f64,
    wall_ns: u64,
    stolen: Option<Stolen>,
    throttled: Option<Throttled>,
    outcome: Outcome,
    /// The first key of what was seen: whether there is any of it.
    sent: Option<IgnoredAny>,
}

/// One line, which holds by itself. Its parts are read one after another, so that an error can name its key; what is flattened into one cannot.
fn measurement(text: &[u8]) -> Result<Measurement, Fault> {
    let line: Line = part(text)?;
    let has_figures = line.outcome == Outcome::Completed || line.sent.is_some();
    let measurement = Measurement {
        iteration: line.iteration,
        position: line.position,
        started_at_s: line.started_at_s,
        wall_ns: line.wall_ns,
        stolen: line.stolen,
        throttled: line.throttled,
        cell: part(text)?,
        outcome: line.outcome,
        observation: has_figures.then(|| part(text)).transpose()?,
    };
    validate::check(&measurement)?;
    Ok(measurement)
}

fn part<T: DeserializeOwned>(text: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(text).map_err(|cause| {
        // Reading once more with an eye on the path costs a quarter more, and errors are rare.
        let again = serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_slice(text));
        let key = again.err().map_or_else(String::new, |error| error.path().to_string());
        // The reader of JSON counts lines within this one.
        let cause = cause.to_string().replace(" at line 1 column ", ", at column ");
        Fault { key: key.trim_matches('.').into(), cause }
    })
}

/// The places that a study has for measurements, and the lines that took them.
struct Places<'a> {
    study: &'a Study,
    /// Each server that was met, and what the study asks of it.
    servers: Vec<(String, Vec<Cell>)>,
    /// By iteration, server and cell.
    executions: HashMap<(u32, usize, usize), usize>,
    /// By iteration and place in it.
    positions: HashMap<(u32, u32), usize>,
}

impl Places<'_> {
    fn of(study: &Study) -> Places<'_> {
        Places { study, servers: Vec::new(), executions: HashMap::new(), positions: HashMap::new() }
    }

    /// Takes the place of the measurement in `line`, which must be there and free.
    fn take(&mut self, measurement: &Measurement, line: usize) -> Result<(), Fault> {
        let Measurement { iteration, position, cell, .. } = measurement;
        let planned = self.study.iterations;
        if *iteration >= planned {
            let cause =
                format!("{iteration} is beyond the {planned} of study.toml, which are counted from 0");
            return Err(Fault { key: "iteration".into(), cause });
        }
        let server = self.server(&cell.server)?;
        let place = place(cell, &self.servers[server].1)?;
        let taken = |other: usize, what: String| {
            Err(Fault {
                key: "iteration".into(),
                cause: format!("line {other} has {what} of iteration {iteration} already"),
            })
        };
        if let Some(other) = self.executions.insert((*iteration, server, place), line) {
            return taken(other, cell.to_string());
        }
        match self.positions.insert((*iteration, *position), line) {
            Some(other) => taken(other, format!("position {position}")),
            None => Ok(()),
        }
    }

    /// The number of a server among those that were met.
    fn server(&mut self, name: &str) -> Result<usize, Fault> {
        if let Some(known) = self.servers.iter().position(|(known, _)| known == name) {
            return Ok(known);
        }
        let study = self.study;
        let is_listed = |name: &str| study.servers.iter().any(|listed| listed == name);
        let (plain, is_control) = match name.strip_suffix(CONTROL) {
            Some(plain) if study.control.as_deref() == Some(plain) && !is_listed(name) => (plain, true),
            _ => (name, false),
        };
        // Where a study names no server, all of the manifest's are asked.
        if !study.servers.is_empty() && !is_listed(plain) {
            let cause = format!("study.toml does not ask {name:?}, but {}", study.servers.join(", "));
            return Err(Fault { key: "server".into(), cause });
        }
        let asked = study.scenarios.iter().filter(|scenario| !is_control || scenario.control);
        let cells = asked.flat_map(|scenario| scenario.cells(&[plain.to_owned()]));
        let cells = cells.map(|cell| Cell { server: name.into(), ..cell }).collect();
        self.servers.push((name.into(), cells));
        Ok(self.servers.len() - 1)
    }
}

/// The place of a cell among those that its server is asked; else the key in which it differs from all of them.
fn place(cell: &Cell, asked: &[Cell]) -> Result<usize, Fault> {
    if let Some(place) = asked.iter().position(|one| one == cell) {
        return Ok(place);
    }
    let keys = |cell: &Cell| match serde_json::to_value(cell) {
        Ok(serde_json::Value::Object(keys)) => keys,
        _ => unreachable!("a cell is plain data with keys"),
    };
    // Of the cells of its scenario, where there are such.
    let mut near: Vec<_> = asked.iter().map(keys).collect();
    let own = keys(cell);
    for key in ["scenario"].into_iter().chain(own.keys().map(String::as_str)) {
        if !near.iter().any(|one| one.get(key) == own.get(key)) {
            let cause = format!("study.toml asks {} nothing with the value {}", cell.server, own[key]);
            return Err(Fault { key: key.into(), cause });
        }
        near.retain(|one| key != "scenario" || one.get(key) == own.get(key));
    }
    Err(Fault { key: "scenario".into(), cause: format!("study.toml has no cell `{cell}`") })
}
