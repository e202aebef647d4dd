//! Streams of ticks: every byte, every due time, and the end.

use std::net::SocketAddr;

use tickbench_client_kit::difference;
use tickbench_protocol::{
    Arrivals, MIN_JSON_SIZE, Payload, Stamps, TAPE_UPDATES, Tape, encode_binary, encode_json,
};
use tickbench_record::{Encoding, Flush};

use super::dialogue::{Dialogue, Said};
use super::{Protocol, Verdict};

const SEEDS: [u64; 3] = [1, 7, u64::MAX];
const SIZES: [usize; 5] = [0, MIN_JSON_SIZE, 1 << 10, 16 << 10, 64 << 10];
const RATE_PER_S: f64 = 4000.0;
const UNEVEN_RATE_PER_S: f64 = 3333.3;
const PACED: usize = 100;

/// All checks of one encoding and flush mode.
pub(super) fn check(
    server: SocketAddr,
    encoding: Encoding,
    flush: Flush,
    protocol: &mut Protocol,
) -> std::io::Result<()> {
    for seed in SEEDS {
        // Past the end of the tape, where it repeats.
        let flood = Expected { encoding, flush, seed, size: 0, count: TAPE_UPDATES + 100, due: Due::Flood };
        protocol.check(flood.name(), flood.check(server))?;
    }
    for size in SIZES {
        let padded = Expected { encoding, flush, seed: 3, size, count: 40, due: Due::Flood };
        protocol.check(padded.name(), padded.check(server))?;
    }
    for due in [Due::Constant(RATE_PER_S), Due::Constant(UNEVEN_RATE_PER_S), Due::Burst, Due::Poisson] {
        let paced = Expected { encoding, flush, seed: 5, size: 0, count: PACED, due };
        protocol.check(paced.name(), paced.check(server))?;
    }
    Ok(())
}

/// A hundred streams side by side, each whole.
pub(super) fn check_many(server: SocketAddr, encoding: Encoding) -> Verdict {
    let due = Due::Constant(RATE_PER_S / 40.0);
    let expected = Expected { encoding, flush: Flush::Each, seed: 1, size: 0, count: 10, due };
    let tape = Tape::generate(expected.seed);
    for (index, mut dialogue) in Dialogue::open_many(server, &expected.target(), 100)?.into_iter().enumerate()
    {
        expected.follow(&mut dialogue, &tape).map_err(|what| format!("stream {index}: {what}"))?;
    }
    Ok(())
}

/// When ticks are due.
#[derive(Debug, Clone, Copy)]
enum Due {
    Flood,
    Constant(f64),
    Burst,
    Poisson,
}

/// A stream that is asked for, and so known in advance.
struct Expected {
    encoding: Encoding,
    flush: Flush,
    seed: u64,
    size: usize,
    count: usize,
    due: Due,
}

impl Expected {
    fn name(&self) -> String {
        let Expected { encoding, flush, seed, size, .. } = self;
        format!("stream {encoding} {flush} seed {seed} size {size} {}", self.due.words())
    }

    fn target(&self) -> String {
        let Expected { encoding, flush, seed, size, count, due } = self;
        format!(
            "/ticks?encoding={encoding}&flush={flush}&seed={seed}&size={size}&count={count}&{}",
            due.query()
        )
    }

    fn check(&self, server: SocketAddr) -> Verdict {
        self.follow(&mut Dialogue::open(server, &self.target())?, &Tape::generate(self.seed))
    }

    fn follow(&self, dialogue: &mut Dialogue, tape: &Tape) -> Verdict {
        let mut times = Times::new(self.due, self.seed);
        for seq in 0..self.count as u64 {
            let update = Payload::Update(tape.update(seq));
            let stamps = expect_tick(dialogue, self.encoding, self.size, seq, update)?;
            times.check(&stamps)?;
        }
        expect_end(dialogue)
    }
}

impl Due {
    fn query(self) -> String {
        match self {
            Due::Flood => "rate=0".into(),
            Due::Constant(rate) => format!("rate={rate}"),
            Due::Burst => format!("rate={RATE_PER_S}&arrival=burst"),
            Due::Poisson => format!("rate={RATE_PER_S}&arrival=poisson"),
        }
    }

    fn words(self) -> String {
        match self {
            Due::Flood => "flooded".into(),
            Due::Constant(rate) => format!("at {rate}/s"),
            Due::Burst => "in bursts".into(),
            Due::Poisson => "at Poisson times".into(),
        }
    }
}

/// The next message must be tick `seq` to the byte, its times aside.
pub(super) fn expect_tick(
    dialogue: &mut Dialogue,
    encoding: Encoding,
    size: usize,
    seq: u64,
    payload: Payload,
) -> Result<Stamps, String> {
    let said = dialogue.next()?;
    let (message, stamps, mut due) = match (&said, encoding) {
        (Said::Text(message), Encoding::Json) => (message, Stamps::read_json(message), Vec::new()),
        (Said::Binary(message), Encoding::Binary) => (message, Stamps::read_binary(message), Vec::new()),
        _ => return Err(format!("{} came where tick {seq} in {encoding} was due", said.brief())),
    };
    let stamps = stamps.map_err(|cause| format!("tick {seq}: {cause}"))?;
    if stamps.seq != seq {
        return Err(format!("seq {} came where {seq} was due", stamps.seq));
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

/// A stream that was asked for with a count ends with a close frame of code 1000.
pub(super) fn expect_end(dialogue: &mut Dialogue) -> Verdict {
    dialogue.expect(&Said::Close(Some(1000)))
}

/// Whether the times of a stream keep their schedule.
pub(super) struct Times {
    /// Offsets from the first due time; `None` for a flood.
    offsets: Option<Arrivals>,
    first_due_ns: Option<u64>,
    last_sent_ns: u64,
}

impl Times {
    fn new(due: Due, seed: u64) -> Times {
        match due {
            Due::Flood => Times::of(None),
            Due::Constant(rate) => Times::of(Some(Arrivals::constant(rate))),
            Due::Burst => Times::of(Some(Arrivals::burst(RATE_PER_S))),
            Due::Poisson => Times::of(Some(Arrivals::poisson(RATE_PER_S, seed))),
        }
    }

    pub(super) fn of(offsets: Option<Arrivals>) -> Times {
        Times { offsets, first_due_ns: None, last_sent_ns: 0 }
    }

    pub(super) fn check(&mut self, stamps: &Stamps) -> Verdict {
        let Stamps { seq, due_ns, sent_ns } = *stamps;
        let Some(offsets) = &mut self.offsets else {
            if due_ns != sent_ns {
                return Err(format!(
                    "tick {seq} of a flood has due_ns {due_ns} and sent_ns {sent_ns}: equal was due"
                ));
            }
            return self.check_sent(seq, sent_ns);
        };
        let offset_ns = offsets.next().ok_or("the schedule has an end")?;
        let first_due_ns = *self.first_due_ns.get_or_insert(due_ns);
        let due = first_due_ns + offset_ns;
        if due_ns != due {
            let off = i128::from(due_ns) - i128::from(due);
            return Err(format!("due_ns of tick {seq} is {off} ns off the schedule"));
        }
        if sent_ns < due_ns {
            return Err(format!("tick {seq} was sent {} ns before it was due", due_ns - sent_ns));
        }
        self.check_sent(seq, sent_ns)
    }

    fn check_sent(&mut self, seq: u64, sent_ns: u64) -> Verdict {
        if sent_ns < self.last_sent_ns {
            return Err(format!("sent_ns of tick {seq} is before that of the tick before it"));
        }
        self.last_sent_ns = sent_ns;
        Ok(())
    }
}
