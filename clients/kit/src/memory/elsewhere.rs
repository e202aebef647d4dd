//! Other systems: memory is not read, and that is said.

use std::io::{Error, ErrorKind};

use tickbench_record::MemoryReading;

use super::MemoryError;

/// Fails: this system has no /proc.
pub fn read_memory(pid: u32) -> Result<MemoryReading, MemoryError> {
    let cause = Error::new(ErrorKind::Unsupported, "memory is read on Linux alone");
    Err(MemoryError { file: format!("/proc/{pid}/smaps_rollup"), cause })
}
