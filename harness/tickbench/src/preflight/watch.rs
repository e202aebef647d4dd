//! Watching cores with the program that a client brings for it: what the machine takes from each, and whether two of them
//! read one clock.

use std::time::{Duration, Instant};

use anyhow::bail;
use serde::de::DeserializeOwned;
use tickbench_record::{ClockCheck, CoreHiccups};

use crate::interrupt::Interrupt;
use crate::launch::last_words;
use crate::process::{Process, describe};
use crate::program::Program;

/// What a watching process may take beyond watching: to start, to calibrate itself, to end.
const SLACK: Duration = Duration::from_secs(5);

/// What the machine takes from each of these cores, all watched at the same time and for so long.
pub(crate) fn hiccups(
    watch: &Program,
    cores: &[usize],
    watched: Duration,
    interrupt: &mut Interrupt,
) -> anyhow::Result<Vec<CoreHiccups>> {
    let window = format!("--watch-ns={}", watched.as_nanos());
    let start = |core: &usize| {
        Asked::start(
            watch.with(["hiccups".to_owned(), format!("--core={core}"), window.clone()]),
            Some(*core),
        )
    };
    let asked = cores.iter().map(start).collect::<anyhow::Result<Vec<_>>>()?;
    asked.into_iter().map(|asked| asked.answer(watched, interrupt)).collect()
}

/// Whether the server's core and the client's read one clock.
pub(super) fn clocks(
    watch: &Program,
    server: usize,
    client: usize,
    interrupt: &mut Interrupt,
) -> anyhow::Result<ClockCheck> {
    Asked::start(watch.with(["clocks".to_owned(), format!("--cores={server},{client}")]), None)?
        .answer(Duration::ZERO, interrupt)
}

/// A process that will print one line of JSON.
struct Asked {
    program: Program,
    process: Process,
}

impl Asked {
    fn start(program: Program, core: Option<usize>) -> anyhow::Result<Asked> {
        match Process::start(&program, core) {
            Ok(process) => Ok(Asked { program, process }),
            Err(cause) => bail!("failed to start `{}`: {cause}", program.line()),
        }
    }

    fn answer<T: DeserializeOwned>(
        mut self,
        watched: Duration,
        interrupt: &mut Interrupt,
    ) -> anyhow::Result<T> {
        let status = self.process.wait_end(Instant::now() + watched + SLACK)?;
        interrupt.look();
        interrupt.check(": nothing was measured yet")?;
        let line = self.program.line();
        match status {
            Some(status) if status.success() => {}
            Some(status) => bail!("`{line}` {}{}", describe(status), last_words(&self.process)),
            None => bail!("`{line}` had not ended in time"),
        }
        let text = self.process.out.text();
        match serde_json::from_str(text.trim()) {
            Ok(answer) => Ok(answer),
            Err(cause) => bail!("`{line}` printed {:?} ({cause})", text.chars().take(80).collect::<String>()),
        }
    }
}
