//! Where and with what a run is made.

mod machine;

use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use tickbench_record::{Cores, Environment, Machine};

use crate::clock::rfc3339;
use crate::cores::Placement;
use crate::preflight::is_quick_clock;
use crate::root::Root;
use crate::selftest;

/// Load average above which something else ran on the machine.
const BUSY_LOAD: f64 = 0.5;

/// Open files below which only small studies fit.
const FEW_OPEN_FILES: u64 = 4096;

/// Everything that is known before the programs are.
pub(crate) fn of_run(root: &Root, placement: &Placement, open_files: Option<u64>) -> Environment {
    let mut machine = machine(placement.cores.server.unwrap_or_default());
    machine.open_files_limit = open_files;
    machine.rustc = said_by("rustc", &["--version"], root.path());
    let warnings = [placement.warnings.clone(), warnings(&machine, &placement.cores)].concat();
    Environment {
        tickbench_version: env!("CARGO_PKG_VERSION").into(),
        commit: commit(root.path()),
        started_at: rfc3339(SystemTime::now()),
        machine,
        cores: placement.cores.clone(),
        warnings: warnings.into_iter().map(|warning| sentence(&warning)).collect(),
        self_test: selftest::last(root),
        ..Environment::default()
    }
}

/// The machine as it is now. `core` is the one whose governor counts.
pub(crate) fn machine(core: usize) -> Machine {
    machine::read(Path::new("/"), core)
}

fn warnings(machine: &Machine, cores: &Cores) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(hypervisor) = &machine.hypervisor {
        warnings.push(format!(
            "this is a virtual machine ({hypervisor}): its cores pause without notice, and waking an idle one is slow"
        ));
    }
    if let Some(load) = machine.load_1m.filter(|&load| load > BUSY_LOAD) {
        warnings
            .push(format!("the load average was {load:.2} before the run: something else used the machine"));
    }
    if let Some(governor) = machine.governor.as_deref().filter(|&governor| governor != "performance") {
        let core = cores.server.unwrap_or_default();
        warnings.push(format!(
            "the frequency governor of core {core} is {governor}: the clock changes under the measurement; set it to \
             performance"
        ));
    }
    if let Some(source) = machine.clock_source.as_deref().filter(|source| !is_quick_clock(source)) {
        warnings
            .push(format!("the kernel's clock source is {source}: reading the time may need a system call"));
    }
    if let Some(limit) = machine.open_files_limit.filter(|&limit| limit < FEW_OPEN_FILES) {
        warnings.push(format!(
            "a process may have only {limit} open files: more connections than that cannot be asked for"
        ));
    }
    warnings
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    first + letters.as_str() + if text.ends_with('.') { "" } else { "." }
}

fn commit(root: &Path) -> Option<String> {
    let commit = said_by("git", &["rev-parse", "HEAD"], root)?;
    let changes = said_by("git", &["status", "--porcelain", "--untracked-files=no"], root);
    Some(if changes.is_some() { format!("{commit}-dirty") } else { commit })
}

/// What a program prints, trimmed; `None` where it cannot be had or is empty.
fn said_by(program: &str, args: &[&str], folder: &Path) -> Option<String> {
    let output = Command::new(program).args(args).current_dir(folder).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_machine_of_its_own_gives_no_warning() {
        let machine = Machine {
            governor: Some("performance".into()),
            clock_source: Some("tsc".into()),
            load_1m: Some(0.1),
            open_files_limit: Some(1 << 20),
            ..Machine::default()
        };
        assert_eq!(warnings(&machine, &Cores::default()), [""; 0]);
    }

    #[test]
    fn what_spoils_figures_is_said() {
        let machine = Machine {
            hypervisor: Some("KVM".into()),
            governor: Some("powersave".into()),
            clock_source: Some("hpet".into()),
            load_1m: Some(2.0),
            open_files_limit: Some(1024),
            ..Machine::default()
        };
        let all = warnings(&machine, &Cores::default()).join("\n");
        for word in ["KVM", "powersave", "hpet", "2.00", "1024"] {
            assert!(all.contains(word), "{word} is missing from {all}");
        }
    }

    #[test]
    fn a_warning_reads_as_a_sentence() {
        assert_eq!(sentence("there are two"), "There are two.");
        assert_eq!(sentence("Done."), "Done.");
    }
}
