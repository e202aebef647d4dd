//! The delays that are injected, and the names under which they run.

use tickbench_record::Study;

/// One delay before each send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// What stands behind the server's name.
    pub(super) label: &'static str,
    pub(super) ns: u64,
}

/// No delay first, which the others are compared with, and once more: what is found there is found by chance. A delay of nothing
/// reads the clock as the others do.
pub(super) const STEPS: [Step; 7] = [
    Step { label: "0ns", ns: 0 },
    Step { label: "0ns-again", ns: 0 },
    Step { label: "50ns", ns: 50 },
    Step { label: "100ns", ns: 100 },
    Step { label: "200ns", ns: 200 },
    Step { label: "500ns", ns: 500 },
    Step { label: "1000ns", ns: 1_000 },
];

/// The server names of a study with their steps, in order; `None` where it is no study of the resolution.
pub(super) fn of_study(study: &Study) -> Option<Vec<(&str, Step)>> {
    let step = |name: &str| {
        let (_, label) = name.split_once('#')?;
        STEPS.into_iter().find(|step| step.label == label)
    };
    let found: Option<Vec<(&str, Step)>> =
        study.servers.iter().map(|name| Some((name.as_str(), step(name)?))).collect();
    found.filter(|found| found.len() == STEPS.len())
}
