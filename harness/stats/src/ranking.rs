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

    /// The servers of the cells in the order of a metric, best first. Cells without the metric, and floods whose rate is no
    /// verdict on their server, have no place. The cells are those of one question.
    pub fn ranking<'a>(&self, cells: &[&'a CellSummary], metric: Metric) -> Vec<Place<'a>> {
        let figure = |cell: &&'a CellSummary| {
            let estimate = *cell.estimates.get(&metric)?;
            cell.doubt().is_none().then_some((*cell, estimate))
        };
        let mut figures: Vec<(&CellSummary, Estimate)> = cells.iter().filter_map(figure).collect();
        figures.sort_by(|(_, a), (_, b)| {
            let ascending = a.estimate.total_cmp(&b.estimate);
            if metric.higher_is_better() { ascending.reverse() } else { ascending }
        });
        let worse = if metric.higher_is_better() { Verdict::Lower } else { Verdict::Higher };
        let verdict = |cell: &CellSummary, other: &CellSummary| {
            let compared = self.compared(&cell.cell, metric, &cell.cell.server, &other.cell.server);
            compared.map_or(Verdict::NoDifference, |compared| compared.verdict)
        };
        let place = |&(cell, estimate): &(&'a CellSummary, Estimate)| {
            let others = || figures.iter().map(|(other, _)| *other).filter(|other| other.cell != cell.cell);
            let tied = others().filter(|other| verdict(cell, other) == Verdict::NoDifference);
            Place {
                server: cell.cell.server.as_str(),
                estimate,
                rank: 1 + others().filter(|other| verdict(cell, other) == worse).count(),
                tied: tied.map(|other| other.cell.server.as_str()).collect(),
            }
        };
        figures.iter().map(place).collect()
    }

    /// The cells of each question: those that differ in their server alone, in the order of the study.
    pub fn questions(&self) -> Vec<Vec<&CellSummary>> {
        let mut questions: Vec<Vec<&CellSummary>> = Vec::new();
        for cell in &self.cells {
            match questions.iter_mut().find(|asked| asked[0].cell.asks_the_same_as(&cell.cell)) {
                Some(asked) => asked.push(cell),
                None => questions.push(vec![cell]),
            }
        }
        questions
    }
}

impl Comparison {
    /// The same comparison with server and baseline exchanged.
    fn turned(&self) -> Comparison {
        let Estimate { estimate, low, high, iterations } = self.ratio;
        Comparison {
            server: self.baseline.clone(),
            baseline: self.server.clone(),
            ratio: Estimate { estimate: 1.0 / estimate, low: 1.0 / high, high: 1.0 / low, iterations },
            verdict: match self.verdict {
                Verdict::Lower => Verdict::Higher,
                Verdict::Higher => Verdict::Lower,
                Verdict::NoDifference => Verdict::NoDifference,
            },
            ..self.clone()
        }
    }
}
