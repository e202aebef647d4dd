//! A stream of ticks with faults, for the self-test of the harness. A connection goes here or to `session::ticks` when it is opened,
//! so that a server without faults has none of this in its way.

use std::io;

use tickbench_protocol::Flush;
use tickbench_server_kit::{Endpoint, Refusal, TickRequest, now_ns};

use crate::connection::{Connection, Outbox};
use crate::fault::{DueLie, Fault};
use crate::prepared::Prepared;
use crate::session::ignore;

/// Whether faults can be injected there: a fault that is asked for and cannot come is an error.
pub(crate) fn admit(endpoint: &Endpoint) -> Result<(), Refusal> {
    match endpoint {
        Endpoint::Ticks(request) if request.query().flush == Flush::Each => Ok(()),
        _ => Err(Refusal::bad_request(
            "faults are injected into /ticks with flush=each alone: ask for that, or start the server without --inject",
        )),
    }
}

/// As `session::ticks`, one tick a write, with what `faults` do to it. It is stream number `stream` of the process, from 0.
pub(crate) async fn ticks(
    connection: &mut Connection,
    request: TickRequest,
    faults: &[Fault],
    stream: u64,
) -> io::Result<()> {
    let prepared = Prepared::of(&request);
    let closes =
        faults.iter().filter_map(|fault| if let Fault::Close(count) = *fault { Some(count) } else { None });
    let end = closes.chain(request.query().count).min().unwrap_or(u64::MAX);
    let (mut pacer, mut seq, mut held) = (request.pacer(), 0, None);
    while seq < end {
        tokio::select! {
            biased;
            _ = pacer.due() => {}
            open = connection.receive(ignore) => {
                if !open? {
                    return Ok(());
                }
                continue;
            }
        }
        let tick = Tick { seq, due_ns: pacer.next_due_ns(), harm: Harm::of(faults, stream, seq) };
        pacer.advance();
        seq += 1;
        match tick.harm.fate {
            Fate::Lost => {}
            Fate::Held if seq < end && held.is_none() => {
                held = Some(tick);
                continue;
            }
            Fate::Twice => {
                tick.send(&prepared, &mut connection.outbox)?;
                tick.send(&prepared, &mut connection.outbox)?;
            }
            Fate::Sent | Fate::Held => tick.send(&prepared, &mut connection.outbox)?,
        }
        if let Some(late) = held.take() {
            late.send(&prepared, &mut connection.outbox)?;
        }
        if !connection.flush_and_receive(ignore).await? {
            return Ok(());
        }
    }
    connection.close(1000, "");
    Ok(())
}

/// A tick that is due, and what is to be wrong with it.
struct Tick {
    seq: u64,
    due_ns: Option<u64>,
    harm: Harm,
}

/// What befalls one tick.
#[derive(Debug, Default, PartialEq, Eq)]
struct Harm {
    fate: Fate,
    stall_ns: Option<u64>,
    skew_ns: i64,
    due: Option<DueLie>,
    is_spoilt: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Fate {
    #[default]
    Sent,
    Lost,
    Twice,
    /// Until the next one was sent.
    Held,
}

impl Harm {
    /// What befalls tick `seq` of stream `stream`. Stalls and skews add up; of several fates, or lies about the due time, the last
    /// one named befalls.
    fn of(faults: &[Fault], stream: u64, seq: u64) -> Harm {
        let mut harm = Harm::default();
        for fault in faults {
            match *fault {
                Fault::Stall { ns, every } if every.hits(seq) => {
                    harm.stall_ns = Some(harm.stall_ns.unwrap_or(0) + ns);
                }
                Fault::Skew { ns, every } if every.hits(seq) => harm.skew_ns += ns,
                Fault::Drop(every) if every.hits(seq) => harm.fate = Fate::Lost,
                Fault::Duplicate(every) if every.hits(seq) => harm.fate = Fate::Twice,
                Fault::Reorder(every) if every.hits(seq) => harm.fate = Fate::Held,
                Fault::Corrupt(every) if every.hits(seq) => harm.is_spoilt = true,
                Fault::Due { lie, every } if every.hits(seq) => harm.due = Some(lie),
                Fault::Silent(count) if stream >= count => harm.fate = Fate::Lost,
                Fault::Tail(count) if seq >= count => harm.fate = Fate::Lost,
                _ => {}
            }
        }
        harm
    }
}

impl Tick {
    fn send(&self, prepared: &Prepared, outbox: &mut Outbox) -> io::Result<()> {
        let Tick { seq, due_ns, harm } = self;
        let mut batch = prepared.batch(*seq);
        if harm.is_spoilt {
            batch.spoil_next();
        }
        let sent_ns = now_ns();
        let due_ns = due_ns.unwrap_or(sent_ns);
        let due_ns = match harm.due {
            None => due_ns,
            Some(DueLie::Zero) => 0,
            Some(DueLie::Sent) => sent_ns,
            Some(DueLie::Off(ns)) => due_ns.saturating_add_signed(ns),
        };
        batch.push(due_ns, sent_ns.saturating_add_signed(harm.skew_ns));
        if let Some(stall_ns) = harm.stall_ns {
            // It reads the clock once even for nothing: a stall of 0 ns is what others are compared with.
            while now_ns() - sent_ns < stall_ns {
                std::hint::spin_loop();
            }
        }
        batch.send(outbox)?;
        if harm.is_spoilt {
            prepared.batch(*seq).spoil_next();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_one_tick_add_up() {
        let faults: Vec<Fault> =
            ["delay=5ns", "stall=7ns/2", "skew=-3ns/2", "drop=4", "corrupt=2", "reorder=8"]
                .iter()
                .map(|text| text.parse().unwrap())
                .collect();
        let harm = |seq| Harm::of(&faults, 0, seq);
        assert_eq!(harm(0), Harm { stall_ns: Some(5), ..Harm::default() });
        let second = Harm { stall_ns: Some(12), skew_ns: -3, is_spoilt: true, ..Harm::default() };
        assert_eq!(harm(1), second);
        assert_eq!(harm(3).fate, Fate::Lost);
        assert_eq!(harm(7).fate, Fate::Held);
        assert_eq!(Harm::of(&[], 0, 7), Harm::default());
    }

    #[test]
    fn only_the_first_streams_are_served_and_only_their_first_ticks_are_sent() {
        let faults = [Fault::Silent(2), Fault::Tail(3)];
        let is_sent = |stream, seq| Harm::of(&faults, stream, seq).fate == Fate::Sent;
        assert!(is_sent(1, 2) && !is_sent(2, 0) && !is_sent(1, 3));
    }
}
