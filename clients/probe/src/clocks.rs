//! Whether the clock is one over two cores: two threads hand readings to and fro, and none may be earlier than the one it answers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use anyhow::Context as _;
use tickbench_client_kit::monotonic_ns;
use tickbench_record::ClockCheck;

use crate::affinity;

/// The ball: whose turn it is, and what the clock said when it was thrown.
#[derive(Default)]
struct Ball {
    turn: AtomicU64,
    reading_ns: AtomicU64,
}

/// Reads `A,B`: two cores that are not one.
pub(crate) fn two_cores(text: &str) -> Result<[usize; 2], String> {
    let core = |text: &str| text.parse().map_err(|_| format!("{text:?} is no core"));
    let (near, far) = text.split_once(',').ok_or("name two cores, as in 0,1")?;
    let cores = [core(near)?, core(far)?];
    if cores[0] == cores[1] { Err("that is one core: name two".into()) } else { Ok(cores) }
}

/// Hands `readings` readings between two cores, and prints one line of JSON.
pub(crate) fn run(cores: [usize; 2], readings: u64) -> anyhow::Result<()> {
    let [near, far] = cores;
    affinity::pin(near)?;
    let ball = Ball::default();
    let check = std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        let ball = &ball;
        let other = scope.spawn(move || {
            let pinned = affinity::pin(far);
            let is_pinned = pinned.is_ok();
            sender.send(pinned).expect("the other end waits");
            if is_pinned {
                play(ball, 1, readings)
            } else {
                ClockCheck { readings: 0, backwards: 0, worst_ns: 0 }
            }
        });
        receiver.recv().context("the other thread is gone")??;
        let mine = play(ball, 0, readings);
        let theirs = other.join().expect("the other thread does not panic");
        anyhow::Ok(ClockCheck {
            readings: mine.readings + theirs.readings,
            backwards: mine.backwards + theirs.backwards,
            worst_ns: mine.worst_ns.max(theirs.worst_ns),
        })
    })?;
    println!("{}", serde_json::to_string(&check)?);
    Ok(())
}

/// Takes every other turn until `readings` have been handed over: those of one side.
fn play(ball: &Ball, first_turn: u64, readings: u64) -> ClockCheck {
    let mut seen = ClockCheck { readings: 0, backwards: 0, worst_ns: 0 };
    for turn in (first_turn..readings).step_by(2) {
        while ball.turn.load(Ordering::Acquire) != turn {
            std::hint::spin_loop();
        }
        let now_ns = monotonic_ns();
        // The acquiring load orders this reading behind the one that it answers.
        judge(&mut seen, ball.reading_ns.load(Ordering::Relaxed), now_ns);
        ball.reading_ns.store(now_ns, Ordering::Relaxed);
        ball.turn.store(turn + 1, Ordering::Release);
    }
    seen
}

fn judge(seen: &mut ClockCheck, before_ns: u64, now_ns: u64) {
    seen.readings += 1;
    let back_ns = before_ns.saturating_sub(now_ns);
    seen.backwards += u64::from(back_ns > 0);
    seen.worst_ns = seen.worst_ns.max(back_ns);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_goes_back_is_found_out() {
        let mut seen = ClockCheck { readings: 0, backwards: 0, worst_ns: 0 };
        for (before_ns, now_ns) in [(0, 100), (100, 100), (100, 93), (93, 120), (120, 119)] {
            judge(&mut seen, before_ns, now_ns);
        }
        assert_eq!(seen, ClockCheck { readings: 5, backwards: 2, worst_ns: 7 });
    }

    #[test]
    fn two_cores_are_named() {
        assert_eq!(two_cores("3,0"), Ok([3, 0]));
        for wrong in ["", "1", "1,1", "1,", "a,b", "0,1,2"] {
            assert!(two_cores(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn both_sides_take_their_turns() {
        let ball = Ball::default();
        let sides = std::thread::scope(|scope| {
            let other = scope.spawn(|| play(&ball, 1, 7));
            [play(&ball, 0, 7), other.join().unwrap()]
        });
        assert_eq!(sides.map(|side| side.readings), [4, 3]);
    }
}
