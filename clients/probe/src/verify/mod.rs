//! Whether a server keeps the contract of PROTOCOL.md, seen from outside.
//!
//! Streams are asked for as a measurement asks for them: the same targets in the same form, by the same code, seeds and rates in the
//! same ranges, left after a number of ticks that the server cannot know. They come first, in an order of chance. What only a check
//! would ask (a wrong query, a count) comes after.

mod cuts;
mod dialogue;
mod echo;
mod expected;
mod http;
mod many;
mod masking;
mod pace;
mod refusals;
mod relay;
mod replay;
mod rule;
mod slow;
mod stream;
mod streaming;

use std::io::Write as _;
use std::net::SocketAddr;

use fastrand::Rng;
use tickbench_record::{Check, Encoding, Flush};

pub(crate) use rule::Rule;

/// What a check saw in place of what was due, in a sentence.
type Verdict = Result<(), String>;

/// What to check of which server.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct VerifyFlags {
    /// Where the server listens
    #[arg(long, value_name = "ADDR:PORT")]
    server: SocketAddr,
    /// The encodings that it supports
    #[arg(long, value_delimiter = ',', default_values_t = [Encoding::Json, Encoding::Binary])]
    encodings: Vec<Encoding>,
    /// The flush modes that it supports
    #[arg(long, value_delimiter = ',', default_values_t = [Flush::Each, Flush::Batch])]
    flush: Vec<Flush>,
    /// Connections to hold at once
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// Seed of all that is left to chance, and of the feeds; drawn where none is named
    #[arg(long)]
    seed: Option<u64>,
    /// Only these checks
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAMES", hide_possible_values = true)]
    only: Vec<Rule>,
}

/// Makes checks, and prints each as one line of JSON as soon as it is done.
struct Protocol {
    only: Vec<Rule>,
    all_hold: bool,
}

impl Protocol {
    fn check(
        &mut self,
        rule: Rule,
        name: impl Into<String>,
        check: impl FnOnce() -> Verdict,
    ) -> std::io::Result<()> {
        if !self.only.is_empty() && !self.only.contains(&rule) {
            return Ok(());
        }
        let verdict = check();
        self.all_hold &= verdict.is_ok();
        let check = Check {
            id: rule.id(),
            name: name.into(),
            essential: rule.is_essential(),
            failure: verdict.err(),
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", serde_json::to_string(&check).expect("a check is plain data"))?;
        out.flush()
    }
}

/// Checks all that the contract says, for the encodings and flush modes that the server supports. True where all holds.
pub(crate) fn run(flags: VerifyFlags) -> std::io::Result<bool> {
    let VerifyFlags { server, encodings, flush, connections, seed, only } = flags;
    // As short as those that a study draws.
    let seed = seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    let (mut rng, mut protocol) = (Rng::with_seed(seed), Protocol { only, all_hold: true });
    let streams = stream::Streams { server, encodings: &encodings, flush: &flush, seed };
    streams.check(&mut rng, &mut protocol)?;
    many::check(&streams, connections, &mut protocol)?;
    pace::check(&streams, &mut protocol)?;
    streaming::check(&streams, &mut rng, &mut protocol)?;
    for &encoding in &encodings {
        replay::check(server, encoding, &mut rng, &mut protocol)?;
    }
    echo::check(server, &mut protocol)?;
    cuts::check(server, &mut rng, &mut protocol)?;
    relay::check(server, &mut protocol)?;
    slow::check(server, &mut protocol)?;
    masking::check(&streams, &mut protocol)?;
    http::check(server, &mut protocol)?;
    refusals::check(server, &mut protocol)?;
    Ok(protocol.all_hold)
}
