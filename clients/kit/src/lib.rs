//! What every client shares: the flags of `measure`, the query they make, what they have echoed, the recorder of what arrives and the
//! sample of it that is compared with the seed, the usage of server and client, the phases of a measurement, and the line that is printed.
//!
//! A client reads its sockets in its own way. It gives each message to the [`Recorder`] of a [`Session`], tells the session
//! after each poll what the poll brought, and prints what [`Session::finish`] returns.
//!
//! **Invariant:** nothing here reads or writes a socket.

mod capture;
mod clock;
mod clock_map;
mod closing;
mod connects;
mod contents;
mod echoes;
mod failure;
mod flags;
pub mod gaps;
mod hiccup;
mod lag;
mod ledger;
mod memory;
mod offsets;
mod outcome;
mod preemption;
mod query;
mod question;
mod recorder;
mod reservoir;
mod rows;
mod sampler;
mod session;
mod stages;
mod streams;
mod tally;
mod turns;
mod unforeseen;
pub mod usage;
mod window;

pub use capture::{UnreadableCapture, read_capture};
pub use clock::monotonic_ns;
pub use contents::{Contents, difference};
pub use echoes::{Echoes, Mark};
pub use failure::{Failure, is_own};
pub use flags::MeasureFlags;
pub use hiccup::{Brought, LEAST_THRESHOLD_NS, Watch};
pub use memory::{MemoryError, read_memory};
pub use offsets::Offsets;
pub use preemption::{Preemption, involuntary_switches};
pub use query::ticks_target;
pub use question::Question;
pub use recorder::Recorder;
pub use sampler::UsageSampler;
pub use session::{Poll, Progress, Session};
pub use streams::Streams;
pub use tally::Tally;

use tickbench_record::Reply;

/// Prints the one line that the harness waits for.
pub fn print_reply(reply: &Reply) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut line = serde_json::to_vec(reply).expect("a reply is plain data");
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}
