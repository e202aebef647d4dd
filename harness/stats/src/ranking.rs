//! Servers in the order of a figure, where those that cannot be told apart share a place.

use tickbench_record::Cell;

use crate::{CellSummary, Comparison, Estimate, Metric, Summary, Verdict};

/// A server's place in a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Place<'a> {
    /// The server.
    pub server: &'a str,
    /// Its figure.
    pub estimate: Estimate,
    /// One more than there are servers that are surely better.
    pub rank: usize,
    /// The servers from which this run cannot tell it apart, in the same order.
    pub tied: Vec<&'a str>,
    /// Its tie groups, from 0, that of the best figure first: two servers share a group if and only if this run cannot tell them
    /// apart. A server between two others, told from neither, is in a group with each.
    pub groups: Vec<usize>,
}

impl Summary {
    /// The comparison of `server` with `baseline` in the question of `cell`, whichever way round it was made.
    pub fn compared(&self, cell: &Cell, metric: Metric, server: &str, baseline: &str) -> Option<Comparison> {
        let question = cell.question();
        let asked = |comparison: &&Comparison| comparison.metric == metric && comparison.question == question;
        self.comparisons.iter().filter(asked).find_map(|comparison| {
            if comparison.server == server && comparison.baseline == baseline {
                Some(comparison.clone())
            } else if comparison.server == baseline && comparison.baseline == server {
                Some(comparison.turned())
            } else {
                None
            }
        })
    }

    /// The servers of the cells, best first: by rank, and within one by the metric. Cells without the metric, those
    /// whose figures are no verdict on their server, and controls have no place. The cells are those of one question.
    pub fn ranking<'a>(&self, cells: &[&'a CellSummary], metric: Metric) -> Vec<Place<'a>> {
        let figure = |cell: &&'a CellSummary| {
            let estimate = *cell.figure(metric)?;
            (cell.is_comparable() && !cell.cell.is_control()).then_some((*cell, estimate))
        };
        let figures: Vec<(&CellSummary, Estimate)> = cells.iter().filter_map(figure).collect();
        let worse = if metric.higher_is_better() { Verdict::Lower } else { Verdict::Higher };
        let verdict = |cell: &CellSummary, other: &CellSummary| {
            let compared = self.compared(&cell.cell, metric, &cell.cell.server, &other.cell.server);
            compared.map_or(Verdict::NoDifference, |compared| compared.verdict)
        };
        let others = |cell: &'a CellSummary| {
            figures.iter().map(|(other, _)| *other).filter(move |other| other.cell != cell.cell)
        };
        let rank = |cell| 1 + others(cell).filter(|other| verdict(cell, other) == worse).count();
        let mut ranked: Vec<(usize, &CellSummary, Estimate)> =
            figures.iter().map(|&(cell, estimate)| (rank(cell), cell, estimate)).collect();
        // What is surely better comes first, whatever the figures by themselves say: a verdict is by iteration.
        ranked.sort_by(|(rank, _, a), (other_rank, _, b)| {
            let ascending = a.estimate.total_cmp(&b.estimate);
            let best_first = if metric.higher_is_better() { ascending.reverse() } else { ascending };
            rank.cmp(other_rank).then(best_first)
        });
        let place = |&(rank, cell, estimate): &(usize, &'a CellSummary, Estimate)| {
            let tied = ranked
                .iter()
                .map(|(_, other, _)| *other)
                .filter(|other| other.cell != cell.cell && verdict(cell, other) == Verdict::NoDifference);
            Place {
                server: cell.cell.server.as_str(),
                estimate,
                rank,
                tied: tied.map(|other| other.cell.server.as_str()).collect(),
                groups: Vec::new(),
            }
        };
        let mut places: Vec<Place> = ranked.iter().map(place).collect();
        let groups = groups(places.len(), |one, other| places[one].tied.contains(&places[other].server));
        for (number, group) in groups.into_iter().enumerate() {
            group.into_iter().for_each(|at| places[at].groups.push(number));
        }
        places
    }

    /// The cells of each question: those that differ in their server alone, in the order of the study, without controls.
    pub fn questions(&self) -> Vec<Vec<&CellSummary>> {
        let mut questions: Vec<Vec<&CellSummary>> = Vec::new();
        for cell in self.cells.iter().filter(|cell| !cell.cell.is_control()) {
            match questions.iter_mut().find(|asked| asked[0].cell.asks_the_same_as(&cell.cell)) {
                Some(asked) => asked.push(cell),
                None => questions.push(vec![cell]),
            }
        }
        questions
    }
}

/// Groups of so many things, in which two share a group if and only if they are tied, none within another: the letters of a
/// compact letter display. Piepho: "An algorithm for a letter-based representation of all-pairwise comparisons", 2004.
fn groups(count: usize, tied: impl Fn(usize, usize) -> bool) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = vec![(0..count).collect()];
    let pairs = (0..count).flat_map(|one| (one + 1..count).map(move |other| (one, other)));
    for (one, other) in pairs.filter(|&(one, other)| !tied(one, other)) {
        // A group with both falls apart into one without the one and one without the other.
        let split = |group: Vec<usize>| -> Vec<Vec<usize>> {
            if !(group.contains(&one) && group.contains(&other)) {
                return vec![group];
            }
            let without = |left_out: usize| group.iter().copied().filter(|&at| at != left_out).collect();
            vec![without(other), without(one)]
        };
        groups = groups.into_iter().flat_map(split).collect();
        let within = |group: &[usize], larger: &[usize]| group.iter().all(|at| larger.contains(at));
        let is_needed = |at: usize| {
            let covers = |(by, larger): (usize, &Vec<usize>)| {
                by != at && within(&groups[at], larger) && (by < at || !within(larger, &groups[at]))
            };
            !groups.iter().enumerate().any(covers)
        };
        groups = (0..groups.len()).filter(|&at| is_needed(at)).map(|at| groups[at].clone()).collect();
    }
    groups.sort();
    groups
}

impl Comparison {
    /// The same comparison with server and baseline exchanged.
    fn turned(&self) -> Comparison {
        Comparison {
            server: self.baseline.clone(),
            baseline: self.server.clone(),
            ratio: self.ratio.inverse(),
            ratio_of_medians: self.ratio_of_medians.map(Estimate::inverse),
            cliffs_delta: self.cliffs_delta.map(|delta| -delta),
            verdict: match self.verdict {
                Verdict::Lower => Verdict::Higher,
                Verdict::Higher => Verdict::Lower,
                Verdict::NoDifference => Verdict::NoDifference,
            },
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_share_a_group_if_and_only_if_they_are_tied() {
        // Every graph of up to five servers.
        for count in 0..=5usize {
            let pairs: Vec<(usize, usize)> =
                (0..count).flat_map(|one| (one + 1..count).map(move |other| (one, other))).collect();
            for ties in 0u32..1 << pairs.len() {
                let tied = |one, other| {
                    let at = pairs.iter().position(|&pair| pair == (one, other) || pair == (other, one));
                    at.is_some_and(|at| ties >> at & 1 == 1)
                };
                let groups = groups(count, tied);
                for &(one, other) in &pairs {
                    let shared = groups.iter().any(|group| group.contains(&one) && group.contains(&other));
                    assert_eq!(shared, tied(one, other), "{count} {ties:b} {groups:?}");
                }
                assert!((0..count).all(|at| groups.iter().any(|group| group.contains(&at))), "{groups:?}");
            }
        }
    }

    #[test]
    fn one_between_two_is_in_a_group_with_each() {
        let near = |one: usize, other: usize| one.abs_diff(other) == 1;
        assert_eq!(groups(3, near), [[0, 1], [1, 2]]);
    }
}
