//! A system without pidfd_getfd, procfs and this ptrace: says so.

use std::net::SocketAddr;

use tickbench_record::{Executable, SocketSettings};

use super::calls::Call;

fn unsupported<T>(what: &str) -> Result<T, String> {
    Err(format!("{what} is not implemented for {}", std::env::consts::OS))
}

/// Never made.
pub(crate) enum Tracer {}

impl Tracer {
    pub(crate) fn attach(_pid: u32) -> Result<Tracer, String> {
        unsupported("tracing a process")
    }

    pub(crate) fn finish(self) -> Result<Vec<Call>, String> {
        match self {}
    }
}

pub(crate) fn descriptors(_pid: u32, _server: SocketAddr, _client: SocketAddr) -> Result<Vec<i32>, String> {
    unsupported("finding a socket of another process")
}

pub(crate) fn settings(
    _pid: u32,
    _server: SocketAddr,
    _client: SocketAddr,
) -> Result<SocketSettings, String> {
    unsupported("reading a socket of another process")
}

pub(crate) fn backlog(_pid: u32, _server: SocketAddr) -> Result<u64, String> {
    unsupported("reading a socket of another process")
}

pub(crate) fn executable(_pid: u32) -> Result<Executable, String> {
    unsupported("reading the program of a process")
}

pub(crate) fn threads(_pid: u32) -> Result<Vec<String>, String> {
    unsupported("reading the threads of a process")
}
