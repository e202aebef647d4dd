//! What came of checks, with what the manifest excuses.

use tickbench_record::{Check, Deviation};

use crate::manifest;

/// What is wrong with a server, and what is excused.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Judgement {
    /// Failed checks, a phrase each.
    pub(super) failures: Vec<String>,
    /// What is wrong with the deviations that the manifest declares, a phrase each.
    pub(super) misdeclared: Vec<String>,
    /// The others that it declares, seen or not.
    pub(super) deviations: Vec<Deviation>,
}

impl Judgement {
    /// All that keeps the server from being timed.
    pub(super) fn complaints(&self) -> impl Iterator<Item = &String> {
        self.failures.iter().chain(&self.misdeclared)
    }
}

/// Judges all checks of a server in one lane.
pub(super) fn judge(checks: &[Check], declared: &[manifest::Deviation]) -> Judgement {
    let failed = |check: &Check| excuse(check, declared).is_none().then(|| failure(check)).flatten();
    let mut judgement =
        Judgement { failures: checks.iter().filter_map(failed).collect(), ..Judgement::default() };
    let Judgement { misdeclared, deviations, .. } = &mut judgement;
    for manifest::Deviation { check: id, why } in declared {
        let mut of_it = checks.iter().filter(|check| check.id == *id).peekable();
        match of_it.peek() {
            None => misdeclared.push(format!("the manifest's deviation `{id}` is no check of verify")),
            Some(check) if check.essential => misdeclared.push(format!(
                "the manifest's deviation `{id}` cannot be taken: figures rest on that check, and no server is excused from it"
            )),
            Some(_) => {
                let seen = of_it.find_map(|check| check.failure.clone());
                deviations.push(Deviation { check: id.clone(), why: why.clone(), seen });
            }
        }
    }
    judgement
}

/// A check's line on the terminal.
pub(super) fn shown(check: &Check, declared: &[manifest::Deviation]) -> String {
    let Check { id, name, failure, .. } = check;
    match (failure, excuse(check, declared)) {
        (None, _) => format!("  ok      {name}"),
        (Some(failure), None) => format!("  FAILED  {name}: {failure} [{id}]"),
        (Some(failure), Some(why)) => format!("  deviates  {name}: {failure} [{id}: {why}]"),
    }
}

fn failure(check: &Check) -> Option<String> {
    Some(format!("{}: {}", check.name, check.failure.as_ref()?))
}

/// Why a server may fail a check.
fn excuse<'d>(check: &Check, declared: &'d [manifest::Deviation]) -> Option<&'d str> {
    let declared = declared.iter().find(|deviation| deviation.check == check.id)?;
    (!check.essential).then_some(declared.why.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(id: &str, failure: Option<&str>) -> Check {
        Check {
            id: id.into(),
            name: format!("{id} in words"),
            essential: id == "ticks",
            failure: failure.map(Into::into),
        }
    }

    fn declared(id: &str) -> [manifest::Deviation; 1] {
        [manifest::Deviation { check: id.into(), why: "the framework does so".into() }]
    }

    #[test]
    fn what_is_declared_is_excused_and_nothing_else() {
        let checks =
            [check("close", Some("none came")), check("close", None), check("ping", Some("no pong"))];
        let Judgement { failures, deviations, .. } = judge(&checks, &declared("close"));
        assert_eq!(failures, ["ping in words: no pong"]);
        assert_eq!(deviations[0].seen.as_deref(), Some("none came"));
        let lines = checks.map(|check| shown(&check, &declared("close")));
        assert_eq!(
            lines,
            [
                "  deviates  close in words: none came [close: the framework does so]",
                "  ok      close in words",
                "  FAILED  ping in words: no pong [ping]",
            ]
        );
    }

    #[test]
    fn a_deviation_that_does_not_occur_is_told_apart() {
        let judgement = judge(&[check("close", None)], &declared("close"));
        let deviations = &judgement.deviations;
        assert!(judgement.complaints().next().is_none() && deviations[0].seen.is_none());
    }

    #[test]
    fn nobody_is_excused_from_what_figures_rest_on() {
        for failure in [None, Some("byte 3 differs")] {
            let checks = [check("ticks", failure)];
            let Judgement { failures, misdeclared, deviations } = judge(&checks, &declared("ticks"));
            assert_eq!(failures.len(), usize::from(failure.is_some()));
            assert!(misdeclared[0].contains("figures rest on"), "{misdeclared:?}");
            assert!(deviations.is_empty());
        }
        let line = shown(&check("ticks", Some("byte 3 differs")), &declared("ticks"));
        assert!(line.contains("FAILED"), "{line}");
    }

    #[test]
    fn a_deviation_from_nothing_is_a_failure() {
        let misdeclared = judge(&[check("close", None)], &declared("clsoe")).misdeclared;
        assert_eq!(misdeclared, ["the manifest's deviation `clsoe` is no check of verify"]);
    }
}
