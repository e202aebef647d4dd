//! Streams of ticks: every byte, every due time, and the end.

use std::net::SocketAddr;

use fastrand::Rng;
use tickbench_protocol::{self as protocol, Arrival, MIN_JSON_SIZE, TicksQuery};
use tickbench_record::{Encoding, Flush};

use super::dialogue::Said;
use super::expected::Expected;
use super::{Protocol, Rule, Verdict};

/// What the shipped studies ask of one connection.
const RATE_PER_S: f64 = 10_000.0;

/// Ticks of a flood that are read: from beyond the end of the tape, where it repeats, to what a window holds.
const FLOODED: std::ops::Range<usize> = 1_100..65_536;

/// Ticks of a paced stream that are read: up to what a window holds.
const PACED: std::ops::Range<usize> = 100..5_000;

/// Ticks of a padded stream that are read, while they are of 64 KiB at most.
const PADDED: std::ops::Range<usize> = 40..120;

const SIZES: [usize; 4] = [MIN_JSON_SIZE, 1 << 10, 16 << 10, 64 << 10];

/// The streams that a server supports.
pub(super) struct Streams<'f> {
    pub(super) server: SocketAddr,
    pub(super) encodings: &'f [Encoding],
    pub(super) flush: &'f [Flush],
    /// Seeds of feeds are this and the next hundred, as those of a study's iterations are.
    pub(super) seed: u64,
}

impl Streams<'_> {
    /// All checks of streams, one at a time, in an order of chance.
    pub(super) fn check(&self, rng: &mut Rng, protocol: &mut Protocol) -> std::io::Result<()> {
        let mut streams = Vec::new();
        for &encoding in self.encodings {
            for &flush in self.flush {
                self.of(encoding, flush, rng, &mut streams);
            }
        }
        rng.shuffle(&mut streams);
        for stream in streams {
            let read = || stream.read(self.server).map(drop);
            protocol.check(Rule::Ticks, stream.name(), read)?;
        }
        for &encoding in self.encodings {
            for &flush in self.flush {
                for rate in [0.0, RATE_PER_S] {
                    let ticks = rng.usize(1..2_000);
                    let counted = self.counted(encoding, flush, rate, ticks);
                    let name = format!("{}, by count", counted.name());
                    protocol.check(Rule::Count, name, || check_count(self.server, &counted))?;
                }
            }
        }
        Ok(())
    }

    /// The streams of one encoding and flush mode.
    fn of(&self, encoding: Encoding, flush: Flush, rng: &mut Rng, streams: &mut Vec<Expected>) {
        let query = self.query(encoding, flush);
        let mut add = |query: TicksQuery, ticks| streams.push(Expected { query, ticks });
        for _ in 0..3 {
            let seed = self.seed.wrapping_add(rng.u64(..100));
            add(TicksQuery { seed, rate_per_s: Some(0.0), ..query.clone() }, of_any_size(FLOODED, rng));
        }
        for seed in [0, u64::MAX] {
            add(TicksQuery { seed, rate_per_s: Some(0.0), ..query.clone() }, rng.usize(PADDED));
        }
        for size_bytes in SIZES {
            add(TicksQuery { size_bytes, rate_per_s: Some(0.0), ..query.clone() }, rng.usize(PADDED));
        }
        // One of the connections that share a rate; its rate is seldom whole.
        let uneven = RATE_PER_S / f64::from(rng.u32(2..30));
        for (rate, arrival) in [
            (RATE_PER_S, Arrival::Constant),
            (uneven, Arrival::Constant),
            (RATE_PER_S, Arrival::Burst),
            (RATE_PER_S, Arrival::Poisson),
        ] {
            let ticks = of_any_size(PACED, rng).min(rate as usize / 2);
            add(TicksQuery { rate_per_s: Some(rate), arrival, ..query.clone() }, ticks);
        }
    }

    /// What a measurement asks, at the first of the seeds.
    fn query(&self, encoding: Encoding, flush: Flush) -> TicksQuery {
        TicksQuery {
            encoding: match encoding {
                Encoding::Json => protocol::Encoding::Json,
                Encoding::Binary => protocol::Encoding::Binary,
            },
            flush: match flush {
                Flush::Each => protocol::Flush::Each,
                Flush::Batch => protocol::Flush::Batch,
            },
            seed: self.seed,
            ..TicksQuery::default()
        }
    }

    /// A stream of the first encoding and flush mode that the server supports; `rate_per_s` is 0 for a flood.
    pub(super) fn any(&self, rate_per_s: f64, ticks: usize) -> Expected {
        let encoding = self.encodings.first().copied().unwrap_or(Encoding::Json);
        let flush = self.flush.first().copied().unwrap_or(Flush::Each);
        let query = TicksQuery { rate_per_s: Some(rate_per_s), ..self.query(encoding, flush) };
        Expected { query, ticks }
    }

    /// The same with a count.
    pub(super) fn counted(
        &self,
        encoding: Encoding,
        flush: Flush,
        rate_per_s: f64,
        ticks: usize,
    ) -> Expected {
        let query = self.query(encoding, flush);
        Expected {
            query: TicksQuery { count: Some(ticks as u64), rate_per_s: Some(rate_per_s), ..query },
            ticks,
        }
    }
}

/// As many small numbers as large ones: each doubling is as likely as another.
fn of_any_size(range: std::ops::Range<usize>, rng: &mut Rng) -> usize {
    let (least, most) = (range.start as f64, range.end as f64);
    (least * (most / least).powf(rng.f64())) as usize
}

/// A stream with a count ends behind its last tick with code 1000.
fn check_count(server: SocketAddr, counted: &Expected) -> Verdict {
    let mut dialogue = counted.open(server)?;
    counted.follow(&mut dialogue)?;
    dialogue.expect(&Said::Close(Some(1000)))?;
    dialogue.send_close(1000)?;
    dialogue.expect(&Said::Gone)
}
