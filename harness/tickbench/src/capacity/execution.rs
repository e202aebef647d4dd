//! A search against one server process: a client for each step, its connections opened anew.

use tickbench_record::{Capacity, Cell, Observation, Request, Stage, Step};

use super::search::Search;
use super::target::Target;
use crate::build::Instrument;
use crate::execute::{end_client, measure};
use crate::interrupt::Interrupt;
use crate::launch::{LiveServer, Stop};

/// What a search is made of.
pub(crate) struct Quest<'a> {
    pub(crate) target: Target,
    pub(crate) cell: &'a Cell,
    /// What each step asks of its client, but for rate and window.
    pub(crate) request: Request,
    pub(crate) client: &'a Instrument,
    /// The client's core.
    pub(crate) core: Option<usize>,
}

impl Quest<'_> {
    /// Searches the highest rate at which the target holds. Returns what was seen in the highest step that held; fails where none
    /// did.
    pub(crate) fn search(
        &self,
        mut search: Search,
        live: &mut LiveServer,
        interrupt: &mut Interrupt,
    ) -> Result<Observation, Stop> {
        let (mut steps, mut highest) = (Vec::<Step>::new(), None);
        while let Some(rate_per_s) = search.next() {
            let (step, seen) = self.step(rate_per_s, live, interrupt)?;
            search.tell(step.held);
            if step.held {
                highest = seen;
            }
            steps.push(step);
        }
        match (highest, search.held(), steps.last()) {
            (Some(seen), Some(rate_per_s), _) => {
                Ok(Observation { capacity: Some(Capacity { rate_per_s, steps }), ..seen })
            }
            (_, _, Some(last)) => Err(Stop::failed(Stage::Measure, self.target.refusal(last))),
            _ => Err(Stop::failed(Stage::Measure, "no rate was tried")),
        }
    }

    /// Offers one rate. A client that fails makes a step that does not hold, for it may be the rate that made it fail; a server that
    /// has ended, or sends what it should not, fails the execution.
    fn step(
        &self,
        rate_per_s: f64,
        live: &mut LiveServer,
        interrupt: &mut Interrupt,
    ) -> Result<(Step, Option<Observation>), Stop> {
        let window_ns = self.target.window_ns(rate_per_s, self.request.window_ns);
        let request = Request { rate_per_s, window_ns, ..self.request.clone() };
        match measure(self.client, &request, self.core, live, interrupt) {
            Ok((seen, client)) => {
                end_client(client)?;
                Ok((self.target.judge(self.cell, rate_per_s, &seen), Some(seen)))
            }
            Err(Stop::Failed { stage, reason })
                if stage != Stage::Audit && live.process.status().is_none() =>
            {
                let failure = Some(format!("{stage}: {reason}"));
                Ok((Step { rate_per_s, held: false, seen: None, failure }, None))
            }
            Err(Stop::Overdue(reason)) => {
                Ok((Step { rate_per_s, held: false, seen: None, failure: Some(reason) }, None))
            }
            Err(stop) => Err(stop),
        }
    }
}
