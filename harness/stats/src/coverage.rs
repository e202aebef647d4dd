//! How much of a run's plan its records hold.

use std::collections::{BTreeMap, BTreeSet};

use tickbench_record::Measurement;

/// How many iterations were executed whole, failed executions included. `per_iteration` is how many executions the plan has in each; where a
/// run did not record that, it is how many cells its records hold.
pub fn whole_iterations(measurements: &[Measurement], per_iteration: Option<usize>) -> u32 {
    let mut executed: BTreeMap<u32, usize> = BTreeMap::new();
    for measurement in measurements {
        *executed.entry(measurement.iteration).or_default() += 1;
    }
    let cells = || measurements.iter().map(|one| one.cell.to_string()).collect::<BTreeSet<_>>().len();
    let planned = per_iteration.unwrap_or_else(cells);
    executed.values().filter(|&&count| count >= planned).count() as u32
}

#[cfg(test)]
mod tests {
    use tickbench_record::{Outcome, Stage, Study};

    use super::*;

    fn executed(places: &[(u32, u32)]) -> Vec<Measurement> {
        let study = Study::from_toml(
            "name = 't'\niterations = 9\nservers = ['a']\n[[scenario]]\nname = 's'\nkind = 'throughput'\n\
             encodings = ['json', 'binary']\nwait = 'block'\nwarmup_ms = 1\nwindow_ms = 1\n",
        )
        .unwrap();
        let cells = study.cells(&study.servers, |_| true);
        places
            .iter()
            .map(|&(iteration, position)| Measurement {
                iteration,
                position,
                started_at_s: 0.0,
                wall_ns: 1,
                stolen: None,
                throttled: None,
                cell: cells[position as usize].clone(),
                outcome: Outcome::Failed { stage: Stage::Launch, reason: "it failed".into() },
                observation: None,
            })
            .collect()
    }

    #[test]
    fn an_iteration_is_whole_where_all_that_is_planned_in_it_was_executed() {
        let run = executed(&[(0, 0), (0, 1), (1, 1), (1, 0), (2, 0)]);
        assert_eq!((whole_iterations(&run, Some(2)), whole_iterations(&run, None)), (2, 2));
        assert_eq!(whole_iterations(&[], Some(2)), 0);
    }

    #[test]
    fn an_iteration_that_was_cut_off_before_a_cell_was_ever_executed_is_not_whole() {
        let run = executed(&[(0, 0)]);
        assert_eq!(whole_iterations(&run, Some(2)), 0);
        assert_eq!(whole_iterations(&run, None), 1, "records alone cannot tell what was planned");
    }
}
