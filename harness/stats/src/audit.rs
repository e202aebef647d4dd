//! What must hold of a row before its figures are believed, and what follows where it does not.

use serde::Serialize;

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// What the client says that its window owed is what the study's rate puts into it, for all connections together and for the one
    /// that was owed the least. Judged by execution. Figure: owed over asked, the one that is farthest from 1.
    Owed,
    /// All that the window owed came: what the schedule or the client's own sending says against what was counted on the wire. Judged
    /// by execution. Figure: messages lost in all.
    Counts,
    /// Paced ticks were sent before the window's end. Judged by execution. Figure: what was sent in time over what was due, the least
    /// of all executions; 1 is right.
    Schedule,
    /// The client sent on time, where the pace is its own. Judged by execution. Figure: the largest share of a relay's messages that
    /// were late by the mean gap between two and by 1 ms, or of pings that were not sent in the window. That is the client's lateness
    /// and no server's.
    Publisher,
    /// A closed loop holds as many messages as it has connections. Figure: throughput × mean round trip (for connections that are
    /// opened in turn, the mean from the end of one turn to that of the next) over connections, the
    /// median over iterations; 1 is right. Little: "A proof for the queuing formula L = λW", 1961.
    LittlesLaw,
    /// Both cores read one clock, and no message was received before it was sent. Figure: samples and readings that were not so.
    Clock,
    /// The stages of each band add up to the response, and the kernel had each message between its sending and its reading, give or
    /// take what the clocks may be apart. Figure: bands and timestamps that were not so.
    Stages,
    /// The primary figure has no trend over the iterations. Figure: how far it drifts over the whole run, as a share of its
    /// median. Cells take turns, so a drift hits those that are compared alike.
    Stationarity,
}

/// What follows from an audit for its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// All is as it must be, in all executions but one in twenty at most.
    Held,
    /// It is said, and changes nothing: a drift.
    Noted,
    /// The machine is why more than one in twenty executions fell short. The row stands, and is marked.
    Noisy,
    /// The client is why more than one in twenty fell short. The row is shown, marked, and compared with nobody.
    ClientBound,
    /// More than one in twenty fell short, and nobody can tell why. The row is shown, marked, and compared with nobody.
    Undecided,
    /// No number of the row is to be believed: it is shown as failed and compared with nobody.
    Failed,
}

/// One check of one cell.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Audit {
    /// What was looked at.
    pub check: Check,
    /// What was found: see the check.
    pub figure: f64,
    /// What follows.
    pub ruling: Ruling,
    /// How many executions failed, of a check that each execution is judged by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executions: Option<FailedCount>,
}

/// Executions of a row that failed a check, by whom that is booked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct FailedCount {
    /// Executions that could be judged.
    pub of: usize,
    /// See [`Blame::Server`](crate::Blame::Server).
    pub server: usize,
    /// See [`Blame::Client`](crate::Blame::Client).
    pub client: usize,
    /// See [`Blame::Machine`](crate::Blame::Machine).
    pub machine: usize,
    /// See [`Blame::Undecided`](crate::Blame::Undecided).
    pub undecided: usize,
}

impl FailedCount {
    /// All that failed, on whomever it is booked.
    pub fn all(&self) -> usize {
        self.server + self.client + self.machine + self.undecided
    }
}

impl Audit {
    /// Of a check that the row as a whole passes or fails.
    pub(crate) fn of_row(check: Check, figure: f64, held: bool) -> Audit {
        let ruling = if held { Ruling::Held } else { Ruling::Failed };
        Audit { check, figure, ruling, executions: None }
    }
}
