//! Other systems: the usage of a process is not read, and that is said.

use std::io::{Error, ErrorKind};

use super::{Sample, Snapshot, UsageError};

/// A meter that cannot be made on this system.
#[derive(Debug)]
pub enum Meter {}

impl Meter {
    /// Fails: this system has no /proc.
    pub fn own() -> Result<Meter, UsageError> {
        Meter::of(std::process::id())
    }

    /// Fails: this system has no /proc.
    pub fn of(pid: u32) -> Result<Meter, UsageError> {
        let cause = Error::new(ErrorKind::Unsupported, "usage is read on Linux alone");
        Err(UsageError { pid, cause })
    }

    /// Never called: there is no meter.
    pub fn sample(&self) -> Result<Sample, UsageError> {
        match *self {}
    }

    /// Never called: there is no meter.
    pub fn snapshot_at_start(&self) -> Result<Snapshot, UsageError> {
        match *self {}
    }

    /// Never called: there is no meter.
    pub fn snapshot_at_end(&self) -> Result<Snapshot, UsageError> {
        match *self {}
    }

    /// Never called: there is no meter.
    pub fn state(&self) -> &'static str {
        match *self {}
    }
}
