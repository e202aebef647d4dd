//! A system without the ways of Linux: says so.

use std::fs::File;
use std::io;

fn unsupported<T>(what: &str) -> io::Result<T> {
    let text = format!("{what} is not implemented for {}", std::env::consts::OS);
    Err(io::Error::new(io::ErrorKind::Unsupported, text))
}

pub(crate) fn allowed_cores() -> io::Result<Vec<usize>> {
    unsupported("pinning a process to a core")
}

pub(crate) fn allowed_cores_of(_pid: u32) -> io::Result<Vec<usize>> {
    unsupported("reading a process's cores")
}

pub(crate) fn pin_self(_cores: &[usize]) -> io::Result<()> {
    unsupported("pinning a process to a core")
}

/// Nothing: a child outlives a killed harness here until its standard input closes, which the kernel does at once.
#[derive(Clone, Copy)]
pub(crate) struct BeforeExec;

impl BeforeExec {
    pub(crate) fn new(_core: Option<usize>) -> BeforeExec {
        BeforeExec
    }

    pub(crate) fn apply(&self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn idle_state(_pid: u32) -> Option<&'static str> {
    None
}

pub(crate) fn stolen_ns(_core: usize) -> Option<u64> {
    None
}

pub(crate) fn forbid_deep_sleep() -> io::Result<File> {
    unsupported("keeping the cores awake")
}

pub(crate) fn siblings(core: usize) -> Vec<usize> {
    vec![core]
}

pub(crate) fn core_kind(_core: usize) -> Option<tickbench_record::CoreKind> {
    None
}
