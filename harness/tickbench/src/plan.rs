//! The plan: iterations outside, cells inside, in blocks that are shuffled from the recorded seed.
//!
//! Servers that are asked the same are executed one right after another, and the questions of one scenario side by side. The speed of a machine wanders within seconds; what two neighbours have in common cancels where they are
//! compared by iteration. Blocks, and what is in them, come in an order of chance, so that none is favoured (a randomised block design:
//! Fisher, The Design of Experiments, 1935).

use std::collections::BTreeMap;

use anyhow::ensure;
use tickbench_record::{Cell, Measurement, Study};

/// What a run executes, in order. A function of the study and the servers that can run, so that a resumed run goes on
/// with the same plan.
#[derive(Debug)]
pub(crate) struct Plan {
    cells: Vec<Cell>,
    iterations: u32,
    seed: u64,
}

/// One execution of one cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Execution {
    pub(crate) iteration: u32,
    /// Its place in the iteration.
    pub(crate) position: u32,
    pub(crate) cell: Cell,
}

impl Plan {
    pub(crate) fn new(study: &Study, cells: Vec<Cell>) -> Plan {
        Plan { cells, iterations: study.iterations, seed: study.seed.unwrap_or_default() }
    }

    /// The executions of an iteration, in the order in which they run.
    pub(crate) fn iteration(&self, iteration: u32) -> Vec<Execution> {
        let cells = shuffled(self.cells.iter().collect(), BLOCKS, &mut SplitMix64::new(self.seed, iteration));
        (0..)
            .zip(cells)
            .map(|(position, cell)| Execution { iteration, position, cell: cell.clone() })
            .collect()
    }

    /// What is left to do, iteration by iteration, when these measurements are done, completed or failed.
    pub(crate) fn remaining(&self, done: &[Measurement]) -> anyhow::Result<Vec<Vec<Execution>>> {
        let mut remaining: Vec<Vec<Execution>> = (0..self.iterations).map(|k| self.iteration(k)).collect();
        for measurement in done {
            let Measurement { iteration, position, cell, .. } = measurement;
            let planned = remaining.get_mut(*iteration as usize);
            let place = planned.as_ref().and_then(|executions| {
                executions.iter().position(|e| e.position == *position && e.cell == *cell)
            });
            ensure!(
                place.is_some(),
                "measurements.jsonl has iteration {iteration}, position {position}, {cell}, which is not what the \
                 recorded study plans there: start a new run with --out"
            );
            planned.zip(place).map(|(executions, place)| executions.remove(place));
        }
        Ok(remaining)
    }
}

/// What cells of one block have in common, from the outermost blocks in.
const BLOCKS: &[fn(&Cell) -> String] = &[|cell| cell.scenario.clone(), Cell::question];

/// The cells, in blocks of those that have the first thing in common, each of them in blocks of those that have the next.
fn shuffled<'c>(
    mut cells: Vec<&'c Cell>,
    blocks: &[fn(&Cell) -> String],
    random: &mut SplitMix64,
) -> Vec<&'c Cell> {
    let Some((common, inner)) = blocks.split_first() else {
        shuffle(&mut cells, random);
        return cells;
    };
    let mut outer: BTreeMap<String, Vec<&Cell>> = BTreeMap::new();
    cells.into_iter().for_each(|cell| outer.entry(common(cell)).or_default().push(cell));
    let mut outer: Vec<Vec<&Cell>> = outer.into_values().collect();
    shuffle(&mut outer, random);
    outer.into_iter().flat_map(|block| shuffled(block, inner, random)).collect()
}

/// Fisher and Yates's shuffle, as in Knuth, The Art of Computer Programming, volume 2, algorithm 3.4.2 P.
fn shuffle<T>(items: &mut [T], random: &mut SplitMix64) {
    for last in (1..items.len()).rev() {
        items.swap(last, random.below(last as u64 + 1) as usize);
    }
}

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): small, and the same on every machine for ever.
struct SplitMix64(u64);

impl SplitMix64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

    /// A stream of its own for each iteration.
    fn new(seed: u64, iteration: u32) -> SplitMix64 {
        let mut of_seed = SplitMix64(seed);
        SplitMix64(of_seed.next() ^ SplitMix64(u64::from(iteration)).next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(SplitMix64::STEP);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; its bias, below 2^-50 for the few hundred cells of a study, is of no account.
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickbench_record::Outcome;

    fn plan(seed: u64) -> Plan {
        let study = Study::from_toml(&format!(
            "name = 't'\niterations = 3\nseed = {seed}\nservers = ['a', 'b', 'c']\n[[scenario]]\nname = 's'\n\
             kind = 'throughput'\nencodings = ['json', 'binary']\nflush = ['each', 'batch']\nwait = 'block'\n\
             warmup_ms = 1\nwindow_ms = 1\n"
        ))
        .unwrap();
        let cells = study.cells(&study.servers, |_| true);
        Plan::new(&study, cells)
    }

    fn measured(execution: &Execution) -> Measurement {
        Measurement {
            iteration: execution.iteration,
            position: execution.position,
            started_at_s: 0.0,
            wall_ns: 1,
            stolen: None,
            throttled: None,
            cell: execution.cell.clone(),
            outcome: Outcome::Completed,
            observation: None,
        }
    }

    #[test]
    fn every_iteration_holds_every_cell_once_in_an_order_of_its_own() {
        let plan = plan(1);
        let orders: Vec<Vec<String>> = (0..3)
            .map(|k| plan.iteration(k).iter().map(|execution| execution.cell.to_string()).collect())
            .collect();
        for order in &orders {
            let mut sorted = order.clone();
            sorted.sort();
            sorted.dedup();
            assert_eq!(sorted.len(), plan.cells.len());
        }
        assert!(orders[0] != orders[1] && orders[1] != orders[2]);
    }

    #[test]
    fn servers_that_are_asked_the_same_are_neighbours() {
        let plan = plan(4);
        for iteration in 0..3 {
            let executions = plan.iteration(iteration);
            for block in executions.chunks(3) {
                assert!(block.iter().all(|one| one.cell.asks_the_same_as(&block[0].cell)), "{block:?}");
            }
        }
    }

    #[test]
    fn questions_of_a_scenario_are_neighbours() {
        let plan = plan(4);
        let twins = plan.cells.iter().map(|cell| Cell { scenario: "t".into(), ..cell.clone() });
        let cells = plan.cells.iter().cloned().chain(twins).collect();
        let executions = Plan { cells, ..plan }.iteration(0);
        let (first, second) = executions.split_at(executions.len() / 2);
        for half in [first, second] {
            assert!(half.iter().all(|one| one.cell.scenario == half[0].cell.scenario));
        }
    }

    #[test]
    fn the_order_is_a_function_of_seed_and_iteration() {
        assert_eq!(plan(5).iteration(2), plan(5).iteration(2));
        assert_ne!(plan(5).iteration(2), plan(6).iteration(2));
    }

    #[test]
    fn every_place_is_taken_about_equally_often() {
        let (plan, rounds) = (plan(11), 3000);
        let mut first = vec![0; plan.cells.len()];
        for iteration in 0..rounds {
            let cell = &plan.iteration(iteration)[0].cell;
            first[plan.cells.iter().position(|known| known == cell).unwrap()] += 1;
        }
        let expected = rounds as f64 / first.len() as f64;
        // Five standard deviations of a binomial count.
        assert!(
            first.iter().all(|&count| (f64::from(count) - expected).abs() < 5.0 * expected.sqrt()),
            "{first:?}"
        );
    }

    #[test]
    fn what_is_done_is_left_out_and_the_rest_keeps_its_place() {
        let plan = plan(3);
        let done: Vec<Measurement> =
            [plan.iteration(0), plan.iteration(1)[..2].to_vec()].concat().iter().map(measured).collect();
        let remaining = plan.remaining(&done).unwrap();
        assert!(remaining[0].is_empty());
        assert_eq!(remaining[1], plan.iteration(1)[2..]);
        assert_eq!(remaining[2], plan.iteration(2));
    }

    #[test]
    fn a_measurement_that_was_not_planned_is_refused() {
        let plan = plan(3);
        let mut stray = measured(&plan.iteration(0)[0]);
        stray.cell.server = "z".into();
        assert!(plan.remaining(&[stray]).unwrap_err().to_string().contains("position 0"));
        let twice = measured(&plan.iteration(0)[0]);
        assert!(plan.remaining(&[twice.clone(), twice]).is_err());
    }
}
