//! A stream that is asked for, and so known in advance.

use std::net::SocketAddr;

use tickbench_client_kit::monotonic_ns;
use tickbench_protocol::{
    Arrival, Arrivals, Encoding, Payload, Stamps, Tape, TicksQuery, encode_binary, encode_json,
};

use super::dialogue::{Dialogue, Said};
use tickbench_client_kit::difference;

/// Some ticks of a stream of the generated feed.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub(super) query: TicksQuery,
    /// So many are read.
    pub(super) ticks: usize,
}

impl Expected {
    pub(super) fn name(&self) -> String {
        let TicksQuery { encoding, flush, seed, size_bytes, .. } = &self.query;
        let pace = match (self.query.arrival, self.query.rate_per_s) {
            (_, None | Some(0.0)) => "flooded".into(),
            (arrival, Some(rate)) => format!("{} at {rate}/s", arrival.name()),
        };
        let (encoding, flush) = (encoding.name(), flush.name());
        format!("stream {encoding} {flush} seed {seed} size {size_bytes} {pace}, {} ticks", self.ticks)
    }

    /// The target of a measurement of this stream.
    pub(super) fn target(&self) -> String {
        format!("/ticks?{}", self.query)
    }

    pub(super) fn open(&self, server: SocketAddr) -> Result<Dialogue, String> {
        Dialogue::open(server, &self.target())
    }

    /// Reads the ticks, and returns their stamps.
    pub(super) fn follow(&self, dialogue: &mut Dialogue) -> Result<Vec<Stamps>, String> {
        let tape = Tape::generate(self.query.seed);
        let mut times = Times::new(&self.query, dialogue.asked_ns);
        (0..self.ticks as u64)
            .map(|seq| {
                let update = Payload::Update(tape.update(seq));
                let stamps = expect_tick(dialogue, self.query.encoding, self.query.size_bytes, seq, update)?;
                times.check(&stamps)?;
                Ok(stamps)
            })
            .collect()
    }

    /// Asks for the stream, reads the ticks and leaves as a measurement does.
    pub(super) fn read(&self, server: SocketAddr) -> Result<Vec<Stamps>, String> {
        let mut dialogue = self.open(server)?;
        let stamps = self.follow(&mut dialogue)?;
        dialogue.leave();
        Ok(stamps)
    }
}

/// The next message must be tick `seq`.
pub(super) fn expect_tick(
    dialogue: &mut Dialogue,
    encoding: Encoding,
    size: usize,
    seq: u64,
    payload: Payload,
) -> Result<Stamps, String> {
    as_tick(&dialogue.next()?, encoding, size, seq, payload)
}

/// What was just received must be tick `seq` to the byte, its times aside, and not be from the future.
pub(super) fn as_tick(
    said: &Said,
    encoding: Encoding,
    size: usize,
    seq: u64,
    payload: Payload,
) -> Result<Stamps, String> {
    let received_ns = monotonic_ns();
    let (message, stamps, mut due) = match (said, encoding) {
        (Said::Text(message), Encoding::Json) => (message, Stamps::read_json(message), Vec::new()),
        (Said::Binary(message), Encoding::Binary) => (message, Stamps::read_binary(message), Vec::new()),
        _ => {
            let encoding = encoding.name();
            return Err(format!("{} came where tick {seq} in {encoding} was due", said.brief()));
        }
    };
    let stamps = stamps.map_err(|cause| format!("tick {seq}: {cause}"))?;
    if stamps.seq != seq {
        return Err(format!("seq {} came where {seq} was due", stamps.seq));
    }
    if stamps.sent_ns > received_ns {
        let ahead = stamps.sent_ns - received_ns;
        return Err(format!("tick {seq} was received {ahead} ns before its sent_ns"));
    }
    match encoding {
        Encoding::Json => encode_json(&stamps, payload, size, &mut due),
        Encoding::Binary => encode_binary(&stamps, payload, size, &mut due),
    }
    match difference(message, &due) {
        Some(difference) => Err(format!("tick {seq}: {difference}")),
        None => Ok(stamps),
    }
}

/// Whether the times of a stream keep their schedule.
pub(super) struct Times {
    /// Offsets from the first due time; `None` for a flood.
    offsets: Option<Arrivals>,
    /// What rounding may put a due time off by: PROTOCOL.md allows 1 ns where logarithms are drawn.
    slack_ns: u128,
    /// A time before the stream was asked for: nothing of it is earlier.
    asked_ns: u64,
    first_due_ns: Option<u64>,
    last_sent_ns: u64,
}

impl Times {
    /// Those of a stream of the generated feed.
    fn new(query: &TicksQuery, asked_ns: u64) -> Times {
        let offsets = query.rate_per_s.filter(|&rate| rate > 0.0).map(|rate| match query.arrival {
            Arrival::Poisson => Arrivals::poisson(rate, query.seed),
            Arrival::Burst => Arrivals::burst(rate),
            Arrival::Constant | Arrival::Recorded => Arrivals::constant(rate),
        });
        let slack_ns = u128::from(query.arrival == Arrival::Poisson);
        Times { slack_ns, ..Times::of(offsets, asked_ns) }
    }

    pub(super) fn of(offsets: Option<Arrivals>, asked_ns: u64) -> Times {
        Times { offsets, slack_ns: 0, asked_ns, first_due_ns: None, last_sent_ns: asked_ns }
    }

    pub(super) fn check(&mut self, stamps: &Stamps) -> Result<(), String> {
        let Stamps { seq, due_ns, sent_ns } = *stamps;
        let offset_ns = match &mut self.offsets {
            Some(offsets) => offsets.next().ok_or("the schedule has an end")?,
            None if due_ns == sent_ns => return self.check_sent(seq, sent_ns),
            None => {
                return Err(format!(
                    "tick {seq} of a flood has due_ns {due_ns} and sent_ns {sent_ns}: equal was due"
                ));
            }
        };
        let first_due_ns = *self.first_due_ns.get_or_insert(due_ns);
        if first_due_ns < self.asked_ns {
            let early = self.asked_ns - first_due_ns;
            return Err(format!("tick 0 says that it was due {early} ns before the stream was asked for"));
        }
        let off = i128::from(due_ns) - i128::from(first_due_ns) - i128::from(offset_ns);
        if off.unsigned_abs() > self.slack_ns {
            return Err(format!("due_ns of tick {seq} is {off} ns off the schedule"));
        }
        if sent_ns < due_ns {
            return Err(format!("tick {seq} was sent {} ns before it was due", due_ns - sent_ns));
        }
        self.check_sent(seq, sent_ns)
    }

    fn check_sent(&mut self, seq: u64, sent_ns: u64) -> Result<(), String> {
        if sent_ns < self.last_sent_ns {
            let before = if seq == 0 { "the stream was asked for" } else { "that of the tick before it" };
            return Err(format!("sent_ns of tick {seq} is before {before}"));
        }
        self.last_sent_ns = sent_ns;
        Ok(())
    }
}
