//! What each server really set, read from the running process: `parity.json`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{Encoding, Flush, Lane};

/// What was read, or why it could not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Reading<T> {
    /// It could not be had.
    Missing {
        /// Why, a sentence without its stop.
        missing: String,
    },
    /// What was read.
    Read(T),
}

impl<T> Reading<T> {
    /// What was read, where anything was.
    pub fn read(&self) -> Option<&T> {
        match self {
            Reading::Read(value) => Some(value),
            Reading::Missing { .. } => None,
        }
    }

    /// The same of a part or a consequence of it.
    pub fn map<U>(&self, of: impl FnOnce(&T) -> U) -> Reading<U> {
        match self {
            Reading::Read(value) => Reading::Read(of(value)),
            Reading::Missing { missing } => Reading::Missing { missing: missing.clone() },
        }
    }
}

impl<T, E: std::fmt::Display> From<Result<T, E>> for Reading<T> {
    fn from(outcome: Result<T, E>) -> Reading<T> {
        match outcome {
            Ok(value) => Reading::Read(value),
            Err(cause) => Reading::Missing { missing: cause.to_string() },
        }
    }
}

/// The parity ledger of a run: an entry for each server and lane, each of a process of its own.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// In the order of the manifest, the lanes of a server one after the other.
    pub entries: Vec<LedgerEntry>,
}

/// One server in one lane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The server's name in the manifest.
    pub server: String,
    /// The lane.
    pub lane: Lane,
    /// What it says of itself: framework and version.
    pub version: String,
    /// The command that built it, and with which flags.
    pub build: BuildFlags,
    /// The program that ran.
    pub executable: Reading<Executable>,
    /// The names of its threads while it streamed, the main thread first.
    pub threads: Reading<Vec<String>>,
    /// Connections that may wait to be accepted.
    pub backlog: Reading<u64>,
    /// The accepted socket of a connection that had just streamed ticks.
    pub socket: Reading<SocketSettings>,
    /// What it did for streams of ticks.
    pub streams: Vec<StreamPass>,
}

/// How a program was compiled, as far as the project and the environment of the build tell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BuildFlags {
    /// The command that built it.
    pub command: String,
    /// The settings of the profile that the command names, inherited ones included, as `key = value`. Empty where it names none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profile: Vec<String>,
    /// The flags that environment and cargo's configuration add to every compilation. Empty where they add none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rustflags: Vec<String>,
}

/// What the running program's own file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executable {
    /// SHA-256 of the file that runs, in hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// The libraries that were mapped into the process, by file name.
    pub libraries: Vec<String>,
    /// Who compiled it: the entries of its `.comment` section.
    pub compilers: Vec<String>,
    /// The allocators whose functions it or a mapped library holds, the system's aside. Of a program without symbols, none can be
    /// told.
    pub allocators: Reading<Vec<String>>,
    /// Crates of its code, as `name version`: those whose source paths its panic messages name. A crate that cannot panic is
    /// not among them.
    pub crates: Vec<String>,
}

/// The options of a socket, as the kernel holds them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketSettings {
    /// TCP_NODELAY: small messages are not held back until the one before is acknowledged.
    pub no_delay: bool,
    /// TCP_CORK: partial frames are held back.
    pub cork: bool,
    /// TCP_QUICKACK, which the kernel itself turns off and on as the connection goes.
    pub quick_ack: bool,
    /// SO_KEEPALIVE.
    pub keep_alive: bool,
    /// SO_SNDBUF, as the kernel counts it: twice what was asked for.
    pub send_buffer: SocketBuffer,
    /// SO_RCVBUF, counted likewise.
    pub receive_buffer: SocketBuffer,
    /// TCP_NOTSENT_LOWAT; the kernel's default has no bound.
    pub not_sent_low_water_bytes: u64,
    /// SO_BUSY_POLL.
    pub busy_poll_us: u64,
    /// TCP_CONGESTION.
    pub congestion: String,
}

/// The size of a socket's buffer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketBuffer {
    /// When it was read: the kernel moves it unless the server has set it.
    pub bytes: u64,
    /// Whether the server has set it (SO_BUF_LOCK, since Linux 5.14).
    pub is_set: Reading<bool>,
}

/// One stream of ticks: first as the client alone saw it, then again under a tracer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamPass {
    /// When messages were to leave.
    pub flush: Flush,
    /// How they were written.
    pub encoding: Encoding,
    /// Messages a second; 0 for a flood.
    pub rate_per_s: f64,
    /// What the client saw of the server alone.
    pub seen: Reading<Streamed>,
    /// What the server asked of the kernel, on a connection of its own.
    pub calls: Reading<SystemCalls>,
}

/// The system calls of a stream, from after the handshake's answer to the write that held the last tick, all threads together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemCalls {
    /// Ticks that were sent by them.
    pub messages: u64,
    /// How often each was called, by name.
    pub counts: BTreeMap<String, u64>,
    /// What was written to the connection.
    pub writes: Sizes,
    /// Calls that would write to the connection and wrote nothing, for want of room mostly.
    pub failed_writes: u64,
    /// The most that a read of the connection was ready to take, from the handshake's end to that of the connection; `None` where no
    /// read that says so was seen.
    pub read_space_bytes: Option<u64>,
}

/// What calls moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// How many calls.
    pub calls: u64,
    /// Bytes over all.
    pub bytes: u64,
    /// Bytes of the smallest.
    pub min: u64,
    /// Bytes of the middle one, the lower of two.
    pub median: u64,
    /// Bytes of the largest.
    pub max: u64,
}

/// A stream that the harness asks of a client: one connection, held open after its last tick so that it can be looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StreamRequest {
    /// Where the server listens.
    pub server: SocketAddr,
    /// How ticks are written.
    pub encoding: Encoding,
    /// When they leave the server.
    pub flush: Flush,
    /// Ticks a second; 0 for a flood.
    pub rate_per_s: f64,
    /// Ticks, at least one.
    pub count: u64,
}

impl StreamRequest {
    /// The flags of a client's command that say the same.
    pub fn to_args(&self) -> Vec<String> {
        let flags = [
            ("--server", self.server.to_string()),
            ("--encoding", self.encoding.to_string()),
            ("--flush", self.flush.to_string()),
            ("--rate", self.rate_per_s.to_string()),
            ("--count", self.count.to_string()),
        ];
        flags.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }
}

/// The line that the client prints when it has the last tick. It holds the connection until its standard input closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streamed {
    /// The client's end of the connection.
    pub client: SocketAddr,
    /// Bytes of the answer to the handshake.
    pub head_bytes: u64,
    /// Ticks.
    pub messages: u64,
    /// Bytes of the ticks' frames.
    pub frame_bytes: u64,
    /// Reads that brought any of them.
    pub reads: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_keeps_its_reason_on_disk() {
        let buffer = |is_set| SocketBuffer { bytes: 1, is_set };
        for (is_set, text) in [
            (Reading::Read(true), r#"{"bytes":1,"is_set":true}"#),
            (
                Reading::Missing { missing: "no such option".into() },
                r#"{"bytes":1,"is_set":{"missing":"no such option"}}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&buffer(is_set.clone())).unwrap(), text);
            assert_eq!(serde_json::from_str::<SocketBuffer>(text).unwrap(), buffer(is_set));
        }
    }
}
