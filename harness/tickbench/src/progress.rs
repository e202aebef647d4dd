//! What runs now, how far it is, and the time left: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::out;
use crate::plan::Execution;

/// The least time between plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Draws only when told to, that is between executions: nothing ticks while a client measures.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(crate) fn new() -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(ProgressStyle::with_template("{wide_msg}").expect("the template is valid"));
            bar
        });
        Progress { bar }
    }

    /// Says that a program is being built, and the last line that its build printed.
    pub(crate) fn building(&self, name: &str, line: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(format!("building {name} ({:.0?}) {line}", bar.elapsed())),
            None if line.is_empty() => out::note(format_args!("building {name}")),
            None => {}
        }
    }

    /// Says something that stays on the screen.
    pub(crate) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| out::note(line)),
            None => out::note(line),
        }
    }

    /// Says what is going on until something else does.
    pub(crate) fn now(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(line.to_owned()),
            None => out::note(line),
        }
    }

    /// Begins to show executions: `total` of them, over so many iterations, planned to take so long.
    pub(crate) fn begin(self, total: usize, iterations: u32, planned: Duration) -> Measuring {
        if let Some(bar) = &self.bar {
            let style = ProgressStyle::with_template("[{bar:20}] {wide_msg}").expect("the template is valid");
            bar.set_style(style.progress_chars("=> "));
            bar.set_length(total as u64);
            bar.reset();
        }
        let now = Instant::now();
        Measuring {
            progress: self,
            iterations,
            planned,
            done: Duration::ZERO,
            began: now,
            waited: Duration::ZERO,
            last_line: None,
        }
    }

    /// Takes the bar off the screen.
    pub(crate) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The progress of a plan.
#[derive(Debug)]
pub(crate) struct Measuring {
    progress: Progress,
    iterations: u32,
    planned: Duration,
    done: Duration,
    began: Instant,
    waited: Duration,
    last_line: Option<Instant>,
}

impl Measuring {
    /// Says what runs next.
    pub(crate) fn executing(&mut self, execution: &Execution) {
        let left = time_left(self.began.elapsed().saturating_sub(self.waited), self.done, self.planned);
        let line = format!(
            "iteration {} of {}, {} left, {}",
            execution.iteration + 1,
            self.iterations,
            humantime::format_duration(left),
            execution.cell
        );
        self.show(line);
    }

    /// Without a bar, no more than a line each few seconds.
    fn show(&mut self, line: String) {
        match &self.progress.bar {
            Some(bar) => bar.set_message(line),
            None if self.last_line.is_none_or(|at| at.elapsed() >= LINE_EVERY) => {
                out::note(line);
                self.last_line = Some(Instant::now());
            }
            None => {}
        }
    }

    /// Says that the run waits: a core loses too much, and patience will last so long.
    pub(crate) fn waiting(&mut self, core: usize, lost_share: f64, patience: Duration) {
        let left = humantime::format_duration(Duration::from_secs(patience.as_secs()));
        let line = format!(
            "waiting: core {core} is away {:.0} % of the time; for {left} at most",
            100.0 * lost_share
        );
        self.show(line);
    }

    /// Leaves so long out of the pace.
    pub(crate) fn waited(&mut self, waited: Duration) {
        self.waited += waited;
    }

    /// Counts an execution that was planned to take so long.
    pub(crate) fn executed(&mut self, planned: Duration) {
        self.done += planned;
        if let Some(bar) = &self.progress.bar {
            bar.inc(1);
        }
    }

    pub(crate) fn say(&self, line: &str) {
        self.progress.say(line);
    }

    pub(crate) fn end(self) -> Progress {
        self.progress
    }
}

/// What is planned, at the pace so far, in whole seconds.
fn time_left(elapsed: Duration, done: Duration, planned: Duration) -> Duration {
    let pace = if done.is_zero() { 1.0 } else { elapsed.as_secs_f64() / done.as_secs_f64() };
    Duration::from_secs((planned.saturating_sub(done).as_secs_f64() * pace).ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_the_pace_so_far() {
        let s = Duration::from_secs;
        assert_eq!(time_left(s(0), s(0), s(60)), s(60));
        assert_eq!(time_left(s(30), s(20), s(60)), s(60));
        assert_eq!(time_left(s(90), s(60), s(60)), s(0));
    }
}
