//! Whether a server keeps the contract of PROTOCOL.md, seen from outside.

mod dialogue;
mod echo;
mod http;
mod refusals;
mod relay;
mod replay;
mod stream;

use std::io::Write as _;
use std::net::SocketAddr;

use tickbench_record::{Check, Encoding, Flush};

/// What a check saw in place of what was due, in a sentence.
type Verdict = Result<(), String>;

/// Prints each check as one line of JSON as soon as it is done.
struct Protocol {
    all_hold: bool,
}

impl Protocol {
    fn check(&mut self, name: impl Into<String>, verdict: Verdict) -> std::io::Result<()> {
        self.all_hold &= verdict.is_ok();
        let check = Check { name: name.into(), failure: verdict.err() };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", serde_json::to_string(&check).expect("a check is plain data"))?;
        out.flush()
    }
}

/// Checks all that the contract says, for the encodings and flush modes that the server supports. True where all holds.
pub(crate) fn run(server: SocketAddr, encodings: &[Encoding], flush: &[Flush]) -> std::io::Result<bool> {
    let mut protocol = Protocol { all_hold: true };
    protocol.check("GET / names server and version", http::check_root(server))?;
    protocol.check("an unknown path is answered with 404", http::check_unknown_path(server))?;
    refusals::check(server, &mut protocol)?;
    for &encoding in encodings {
        for &flush in flush {
            stream::check(server, encoding, flush, &mut protocol)?;
        }
        replay::check(server, encoding, &mut protocol)?;
    }
    if let Some(&encoding) = encodings.first() {
        protocol.check("100 streams at once", stream::check_many(server, encoding))?;
    }
    echo::check(server, &mut protocol)?;
    protocol.check("relay to 100 subscribers", relay::check(server))?;
    Ok(protocol.all_hold)
}
