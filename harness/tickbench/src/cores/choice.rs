//! Which two cores a run takes where nobody names them: those of the last run on this machine, or the quietest of those that were watched.

use tickbench_record::CoreHiccups;

use super::CorePair;

/// The cores of the last run are given up where one of them loses so much more of its time than that which would be chosen now. What a core
/// loses varies by less from one look to the next, and figures of other cores cannot always be compared.
const CLEARLY_MORE: f64 = 0.05;

/// What the choice is made from.
pub(super) struct Choice<'a> {
    /// The cores that can be had.
    pub(super) free: &'a [usize],
    /// What those lose that were watched.
    pub(super) watched: &'a [CoreHiccups],
    /// The choice of the last run on this machine.
    pub(super) last: Option<CorePair>,
}

impl Choice<'_> {
    /// The two cores, and why these; `None` where there are no two.
    pub(super) fn make(&self, siblings: impl Fn(usize) -> Vec<usize> + Copy) -> Option<(CorePair, String)> {
        let now = quietest(self.watched, siblings).or_else(|| choose(self.free, siblings))?;
        let reason = if self.watched.is_empty() { "the last ones" } else { "the quietest of those watched" };
        let Some(last) = self.last.filter(|last| last.both().iter().all(|core| self.free.contains(core)))
        else {
            return Some((now, reason.to_owned()));
        };
        if last == now {
            return Some((now, format!("{reason}, and those of the last run on this machine")));
        }
        Some(match self.worse(last, now) {
            Some(why) => (
                now,
                format!("{reason}; those of the last run on this machine, {last}, were given up: {why}"),
            ),
            None => (last, format!("those of the last run on this machine, though {reason} are {now}")),
        })
    }

    /// Why one pair is clearly worse than the other, if it is.
    fn worse(&self, one: CorePair, other: CorePair) -> Option<String> {
        [(one.server, other.server), (one.client, other.client)].into_iter().find_map(|(one, other)| {
            let (lost, less) = (self.lost(one)?, self.lost(other)?);
            (lost > less + CLEARLY_MORE).then(|| {
                format!(
                    "core {one} was away {:.1} % of the time, core {other} {:.1} %",
                    100.0 * lost,
                    100.0 * less
                )
            })
        })
    }

    fn lost(&self, core: usize) -> Option<f64> {
        self.watched.iter().find(|hiccups| hiccups.core == core).map(|hiccups| hiccups.lost_share)
    }
}

/// The two cores that lost the least of their time, of different physical cores where there are such. The quieter one is the
/// client's: it spins, and so everything that its core loses is in the figures.
fn quietest(watched: &[CoreHiccups], siblings: impl Fn(usize) -> Vec<usize>) -> Option<CorePair> {
    let mut by_loss: Vec<&CoreHiccups> = watched.iter().collect();
    by_loss.sort_by(|a, b| a.lost_share.total_cmp(&b.lost_share));
    let client = by_loss.first()?.core;
    let others = || by_loss[1..].iter().map(|hiccups| hiccups.core);
    let apart = others().find(|&core| !siblings(client).contains(&core));
    Some(CorePair { server: apart.or_else(|| others().next())?, client })
}

/// Two cores of different physical cores where there are such, the last ones: interrupts favour the first.
fn choose(allowed: &[usize], siblings: impl Fn(usize) -> Vec<usize>) -> Option<CorePair> {
    if let &[server, client] = allowed {
        return Some(CorePair { server, client });
    }
    match one_of_each(allowed, siblings)[..] {
        [.., server, client] => Some(CorePair { server, client }),
        _ => None,
    }
}

/// One logical core of each physical one; all of them where there is only one physical core.
pub(super) fn one_of_each(allowed: &[usize], siblings: impl Fn(usize) -> Vec<usize>) -> Vec<usize> {
    let mut physical: Vec<usize> = Vec::new();
    for &core in allowed {
        if !physical.iter().any(|&known| siblings(known).contains(&core)) {
            physical.push(core);
        }
    }
    if physical.len() >= 2 { physical } else { allowed.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(core: usize) -> Vec<usize> {
        vec![core]
    }

    /// Eight logical cores on four physical ones, numbered as Linux does on most machines.
    fn threaded(core: usize) -> Vec<usize> {
        vec![core % 4, core % 4 + 4]
    }

    fn lost(core: usize, lost_share: f64) -> CoreHiccups {
        CoreHiccups { core, watched_ns: 1, threshold_ns: 1, per_s: 1.0, lost_share, longest_ns: 1 }
    }

    fn pair(server: usize, client: usize) -> CorePair {
        CorePair { server, client }
    }

    #[test]
    fn the_quietest_cores_are_taken_and_the_client_has_the_quieter_one() {
        let two = quietest(&[lost(0, 0.01), lost(1, 0.02)], alone);
        assert_eq!(two, Some(CorePair { server: 1, client: 0 }));
        let many = [lost(0, 0.03), lost(1, 0.01), lost(2, 0.02), lost(3, 0.04)];
        assert_eq!(quietest(&many, alone), Some(CorePair { server: 2, client: 1 }));
        // 1 and 5 are threads of one physical core.
        let threads = [lost(1, 0.01), lost(5, 0.02), lost(2, 0.03)];
        assert_eq!(quietest(&threads, threaded), Some(CorePair { server: 2, client: 1 }));
        assert_eq!(quietest(&threads[..2], threaded), Some(CorePair { server: 5, client: 1 }));
        assert_eq!(quietest(&threads[..1], threaded), None);
    }

    #[test]
    fn one_core_leaves_no_choice() {
        assert_eq!(choose(&[3], alone), None);
    }

    #[test]
    fn with_many_cores_the_last_ones_of_different_physical_cores_are_taken() {
        assert_eq!(choose(&[0, 1, 2, 3, 4, 5, 6, 7], threaded), Some(pair(2, 3)));
        assert_eq!(choose(&[0, 1], alone), Some(pair(0, 1)));
    }

    #[test]
    fn the_choice_of_the_last_run_stays_unless_one_of_its_cores_is_clearly_worse() {
        let made =
            |watched: &[CoreHiccups], last| Choice { free: &[0, 1], watched, last }.make(alone).unwrap();
        let near = [lost(0, 0.01), lost(1, 0.05)];
        let (first, why) = made(&near, None);
        assert_eq!((first, why.as_str()), (pair(1, 0), "the quietest of those watched"));
        let (same, why) = made(&near, Some(pair(1, 0)));
        assert!(same == first && why.ends_with("and those of the last run on this machine"), "{why}");
        let (kept, why) = made(&near, Some(pair(0, 1)));
        assert!(
            kept == pair(0, 1) && why.contains("though the quietest of those watched are server 1, client 0"),
            "{why}"
        );
        let (changed, why) = made(&[lost(0, 0.01), lost(1, 0.07)], Some(pair(0, 1)));
        assert!(
            changed == pair(1, 0) && why.contains("core 1 was away 7.0 % of the time, core 0 1.0 %"),
            "{why}"
        );
    }

    #[test]
    fn a_choice_that_cannot_be_had_any_more_is_forgotten() {
        let choice = Choice { free: &[0, 1], watched: &[], last: Some(pair(1, 2)) };
        assert_eq!(choice.make(alone).unwrap(), (pair(0, 1), "the last ones".to_owned()));
    }
}
