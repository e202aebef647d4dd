//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use tickbench_client_kit::{LEAST_THRESHOLD_NS, MeasureFlags};
use tickbench_record::{Encoding, Flush, Wait};

use crate::verify::VerifyFlags;
use crate::{bare, clocks};

/// The instrument of tickbench: measures one WebSocket server from one thread
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure one server in one scenario, and print one line of JSON
    Measure(MeasureFlags),
    /// Check that a server keeps its contract; one line of JSON a check, exit code 1 where one fails
    Verify(VerifyFlags),
    /// Measure what the probe itself can take in, on prepared frames
    Ceiling {
        /// json or binary
        #[arg(long)]
        encoding: Encoding,
        /// How to wait for data: spin or block
        #[arg(long, default_value_t = Wait::Block)]
        wait: Wait,
        /// Length of the window
        #[arg(long, default_value_t = 1_000_000_000, value_parser = clap::value_parser!(u64).range(1..))]
        window_ns: u64,
        /// The core of the process that writes
        #[arg(long, value_name = "CORE")]
        writer_core: Option<usize>,
    },
    /// Tell what the machine takes from a core, and from how long on a gap is its doing
    Hiccups {
        /// The core to watch
        #[arg(long)]
        core: usize,
        /// How long to watch it
        #[arg(long, default_value_t = 1_000_000_000, value_name = "NS", value_parser = clap::value_parser!(u64).range(1..))]
        watch_ns: u64,
    },
    /// Tell whether the clock is one over two cores
    Clocks {
        /// The two cores
        #[arg(long, value_name = "A,B", value_parser = clocks::two_cores)]
        cores: [usize; 2],
        /// Readings to hand from core to core
        #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..))]
        readings: u64,
    },
    /// Keep a core awake in the lowest scheduling class, noting when the machine takes it, until standard input closes
    Idle {
        /// The core to spin on
        #[arg(long)]
        core: usize,
        /// Where to note the gaps, for the `--server-gaps` of a measurement; begun anew
        #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
        gaps: PathBuf,
        /// The gap from which on the core was away
        #[arg(long, default_value_t = 2 * LEAST_THRESHOLD_NS, value_name = "NS", value_parser = clap::value_parser!(u64).range(1..))]
        threshold_ns: u64,
    },
    /// Receive a stream of ticks, untimed, print one line of JSON, and hold the connection until standard input closes
    Stream {
        /// Where the server listens
        #[arg(long, value_name = "ADDR:PORT")]
        server: SocketAddr,
        /// json or binary
        #[arg(long, default_value_t = Encoding::Binary)]
        encoding: Encoding,
        /// each or batch
        #[arg(long, default_value_t = Flush::Each)]
        flush: Flush,
        /// Ticks a second; 0 for a flood
        #[arg(long, default_value_t = 0.0)]
        rate: f64,
        /// Ticks to receive
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
        count: u64,
        /// Without a tick for so long, the stream has failed
        #[arg(long, default_value_t = 5_000_000_000, value_name = "NS", value_parser = clap::value_parser!(u64).range(1..))]
        stall_ns: u64,
    },
    /// Flood prepared frames to whoever connects, until standard input closes
    Prepared {
        /// Where to listen
        #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// json or binary, whatever the client asks for
        #[arg(long)]
        encoding: Encoding,
        /// The core to write from
        #[arg(long)]
        core: Option<usize>,
    },
    /// Measure the one-way time of a bare TCP stream
    Bare {
        /// Bytes of a record
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(bare::LEAST_SIZE as i64..=65536))]
        size: u32,
        /// Records a second
        #[arg(long, default_value_t = 10_000.0)]
        rate: f64,
        /// Length of the window
        #[arg(long, default_value_t = 1_000_000_000, value_parser = clap::value_parser!(u64).range(1..))]
        window_ns: u64,
        /// The core of the thread that writes
        #[arg(long, value_name = "CORE")]
        writer_core: Option<usize>,
    },
}
