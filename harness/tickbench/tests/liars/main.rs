//! A catalogue of lies that a server can tell, each told to the real harness and the real probe and caught by name: in `tickbench verify`, or
//! in a measurement. Where a lie has a size, the smallest that is caught is printed (`cargo test -p tickbench --test liars -- --nocapture`).

#[path = "../support/mod.rs"]
mod support;

mod catalogue;
mod rig;

use catalogue::{Caught, Lie, SCENARIOS};
use rig::{Entry, Evidence, Execution, HONEST, Verification};
use support::{stderr, stdout};

/// Where lies are told is drawn from it: another seed is another connection and another message for each.
const SEED: u64 = 1;

/// One lie in one size and at its place.
struct Told {
    lie: &'static Lie,
    size: &'static str,
    /// The connection and the message.
    place: (u64, u64),
}

impl Told {
    fn all() -> Vec<Told> {
        let sized = catalogue::all().flat_map(|lie| lie.sizes.iter().map(move |&size| (lie, size)));
        (0..).zip(sized).map(|(nth, (lie, size))| Told { lie, size, place: drawn(nth) }).collect()
    }

    fn server(&self) -> String {
        format!("{}-{}", self.lie.name, self.size)
    }

    fn entry(&self) -> Entry {
        (self.server(), self.filled(self.lie.words))
    }

    fn filled(&self, words: &str) -> String {
        let (on, from) = self.place;
        words
            .replace("{on}", &on.to_string())
            .replace("{from}", &from.to_string())
            .replace("{size}", self.size)
    }

    /// The line that holds all of these words.
    fn named<'l>(&self, lines: &'l [String], words: &[&str]) -> Option<&'l String> {
        let words: Vec<String> = words.iter().map(|word| self.filled(word)).collect();
        lines.iter().find(|line| words.iter().all(|word| line.contains(word)))
    }
}

/// One of ten connections but the first, and a message in the middle of a window. SplitMix64's mixing.
fn drawn(nth: u64) -> (u64, u64) {
    let mut z = SEED.wrapping_add(nth + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z ^= z >> 27;
    (1 + (z & 0xffff) % 9, 50 + (z >> 32) % 20)
}

/// What caught a lie, or what was said in place of that.
type Verdict = Result<String, String>;

/// What was missed, in a line each. What was caught, and how small it may be, goes to standard output.
fn missed(told: &[Told], verdict: impl Fn(&Told) -> Verdict) -> Vec<String> {
    let mut missed = Vec::new();
    for one in told.chunk_by(|one, next| std::ptr::eq(one.lie, next.lie)) {
        let lie = one[0].lie;
        let surely = lie.sizes.iter().position(|&size| size == lie.surely).expect("a size of the lie");
        let mut smallest = None;
        for (nth, told) in one.iter().enumerate() {
            match verdict(told) {
                Ok(by) => {
                    smallest = smallest.or(Some(told.size));
                    println!("{}: {by}", told.server());
                }
                Err(said) if nth >= surely => {
                    missed.push(format!("{} ({}): {said}", told.server(), told.entry().1))
                }
                Err(said) => println!("{}: too small: {said}", told.server()),
            }
        }
        if lie.sizes.len() > 1 {
            println!("{}: the smallest size that is caught is {}", lie.name, smallest.unwrap_or("none"));
        }
    }
    missed
}

#[test]
fn each_lie_to_a_measurement_is_caught_by_name_or_stands_in_the_figures() {
    let told: Vec<Told> = Told::all().into_iter().filter(|told| told.scenario().is_some()).collect();
    let entries: Vec<_> = told.iter().map(|told| (told.entry(), told.scenario().unwrap())).collect();
    let sound = told.iter().filter(|told| matches!(told.lie.caught, Caught::Shows(..))).map(Told::server);
    let evidence = rig::measure(&entries, &sound.collect::<Vec<_>>(), SCENARIOS);
    for (scenario, _) in SCENARIOS {
        let executions = evidence.executions(HONEST, scenario);
        let failed: Vec<&Vec<String>> = executions.iter().map(|execution| &execution.failed).collect();
        assert!(
            failed.iter().any(|failed| failed.is_empty()),
            "nothing is proven where the honest server fails {scenario}: {failed:?}"
        );
    }
    let missed = missed(&told, |told| told.verdict(&evidence));
    assert!(missed.is_empty(), "{} missed:\n{}", missed.len(), missed.join("\n"));
}

impl Told {
    /// Where it is measured.
    fn scenario(&self) -> Option<&'static str> {
        match self.lie.caught {
            Caught::Timed(scenario, _) | Caught::Shows(scenario, _) => Some(scenario),
            Caught::Verify(..) => None,
        }
    }

    fn verdict(&self, evidence: &Evidence) -> Verdict {
        let Some(scenario) = self.scenario() else { unreachable!("it is not measured") };
        let executions = evidence.executions(&self.server(), scenario).iter();
        let verdicts: Vec<Verdict> = executions.map(|execution| self.verdict_on(execution)).collect();
        verdicts.iter().find(|verdict| verdict.is_ok()).unwrap_or(&verdicts[0]).clone()
    }

    fn verdict_on(&self, Execution { failed, seen }: &Execution) -> Verdict {
        match (self.lie.caught, seen) {
            (Caught::Shows(_, shows), Some(seen)) if failed.is_empty() => shows(seen),
            (Caught::Shows(..), _) => Err(format!("{failed:?} where figures were due")),
            (Caught::Timed(_, words) | Caught::Verify(_, words), _) => self
                .named(failed, words)
                .cloned()
                .ok_or_else(|| format!("{failed:?} where {words:?} was due")),
        }
    }
}

#[test]
fn each_breach_of_the_contract_is_caught_by_the_check_of_its_name() {
    let told: Vec<Told> = Told::all().into_iter().filter(|told| told.scenario().is_none()).collect();
    let missed = missed(&told, |told| {
        let Caught::Verify(rule, words) = told.lie.caught else { unreachable!("it is verified") };
        // How a process starts, the harness checks itself, whatever its client is asked for.
        let asked = if rule == "wrong-flags" { "root" } else { rule };
        let project = rig::project(&[told.entry()], Verification::Of(asked));
        let by_rule = format!("[{rule}]");
        let words = [&["FAILED", &by_rule], words].concat();
        let named = |line: &String| told.named(std::slice::from_ref(line), &words).is_some();
        let mut said = rig::verify(&project, &told.server(), named);
        match said.pop().filter(named) {
            Some(line) => Ok(line),
            None => {
                said.retain(|line| line.contains("FAILED"));
                Err(format!("{said:?} where {words:?} was due"))
            }
        }
    });
    assert!(missed.is_empty(), "{} missed:\n{}", missed.len(), missed.join("\n"));
}

/// What is told to measurements alone passes verification: they must catch it by themselves. The honest server proves that the liar adds
/// nothing of its own.
#[test]
fn verification_passes_who_lies_to_measurements_alone() {
    let told: Vec<Told> = Told::all().into_iter().filter(|told| told.scenario().is_some()).collect();
    let two_faced = told.iter().find(|told| told.lie.name == "due-zero").expect("it is in the catalogue");
    let project = rig::project(&[two_faced.entry()], Verification::All);
    for server in [HONEST.to_owned(), two_faced.server()] {
        let said = rig::verify(&project, &server, |_| false);
        assert!(said.iter().any(|line| line == "every check holds"), "{server}: {said:#?}");
    }
    for told in told {
        assert!(told.lie.words.ends_with(" once-verified"), "{} tells verification too", told.lie.name);
    }
}

/// The floor tells these by itself: no liar is between it and the probe.
#[test]
fn the_self_test_catches_the_lies_that_need_no_proxy() {
    let lies = "drop,duplicate,reorder,corrupt,silence,tail,due-zero,due-sent,due-early,clock-behind,clock-ahead,close";
    let output = rig::injecting().tickbench(&["selftest", "--only", lies]);
    let shown = stdout(&output);
    assert!(
        shown.contains(&format!("all {} were caught", lies.split(',').count())),
        "{shown}{}",
        stderr(&output)
    );
}
