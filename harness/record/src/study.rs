//! A study: which servers are asked which questions, how often and for how long. `study.toml`.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Arrival, CONTROL, Cell, Scenario, ScenarioKind};

/// A whole study, as read from TOML.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// Its name, shown in the report.
    pub name: String,
    /// How often each cell is executed.
    pub iterations: u32,
    /// Seed of the order, the feed and the intervals; drawn and recorded where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seed: Option<u64>,
    /// Names of servers, in the manifest; all of them where empty.
    #[serde(default)]
    pub servers: Vec<String>,
    /// A server that runs a second time, in the first question of each scenario that asks for it with `control`: what differs between
    /// the two is the machine's noise. None where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub control: Option<String>,
    /// A capture whose payloads replace the generated feed: see [`Study::feed_of`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub feed: Option<String>,
    /// Divides the recorded gaps.
    #[serde(default = "one")]
    pub speed: f64,
    /// Without a message for so long, an execution has failed.
    #[serde(default = "default_stall_ms")]
    pub stall_ms: u64,
    /// Usage samples a second.
    #[serde(default = "default_usage_samples_per_s")]
    pub usage_samples_per_s: u32,
    /// The questions.
    #[serde(rename = "scenario")]
    pub scenarios: Vec<Scenario>,
}

fn one() -> f64 {
    1.0
}
fn default_stall_ms() -> u64 {
    2000
}
fn default_usage_samples_per_s() -> u32 {
    20
}

/// Why a study cannot be used.
#[derive(Debug, Error)]
pub enum StudyError {
    /// The text is no TOML of this shape.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// It reads, but asks what cannot be done.
    #[error("{0}")]
    Senseless(String),
}

impl Study {
    /// Reads and checks a study.
    pub fn from_toml(text: &str) -> Result<Study, StudyError> {
        let study: Study = toml::from_str(text)?;
        study.check()?;
        Ok(study)
    }

    /// The study as TOML, every default spelled out.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a study is plain data")
    }

    fn check(&self) -> Result<(), StudyError> {
        let senseless = |what: String| Err(StudyError::Senseless(what));
        if self.iterations == 0 {
            return senseless("iterations is 0: set at least 1".into());
        }
        if !(self.speed > 0.0 && self.speed.is_finite()) {
            return senseless(format!("speed is {}: set a number above 0", self.speed));
        }
        if self.scenarios.is_empty() {
            return senseless("there is no scenario: add a [[scenario]]".into());
        }
        for (index, scenario) in self.scenarios.iter().enumerate() {
            if self.scenarios[..index].iter().any(|earlier| earlier.name == scenario.name) {
                return senseless(format!("two scenarios are named {:?}: rename one", scenario.name));
            }
            scenario
                .check()
                .map_err(|what| StudyError::Senseless(format!("scenario {:?}: {what}", scenario.name)))?;
        }
        Ok(())
    }

    /// The cells of one iteration, in the order of the study: scenario, question, server. `servers` are the names that can
    /// run; `supports` tells whether a server can run a cell at all.
    pub fn cells(&self, servers: &[String], supports: impl Fn(&Cell) -> bool) -> Vec<Cell> {
        self.scenarios
            .iter()
            .flat_map(|scenario| {
                let cells = scenario.cells(servers).into_iter().filter(&supports).collect();
                self.with_control(scenario, cells)
            })
            .collect()
    }

    /// Adds the control to the first question that its server is asked in the scenario.
    fn with_control(&self, scenario: &Scenario, mut cells: Vec<Cell>) -> Vec<Cell> {
        let Some(control) = self.control.as_ref().filter(|_| scenario.control) else { return cells };
        if let Some(at) = cells.iter().position(|cell| cell.server == *control) {
            let cell = Cell { server: format!("{control}{CONTROL}"), ..cells[at].clone() };
            cells.insert(at + 1, cell);
        }
        cells
    }

    /// The capture that a scenario's messages come from. Recorded arrival replays it and floods repeat its payloads; other ticks are
    /// of it only where nothing replays it.
    pub fn feed_of(&self, scenario: &Scenario) -> Option<&str> {
        let replays = |scenario: &Scenario| scenario.arrival == Arrival::Recorded;
        let is_fed = replays(scenario)
            || scenario.kind == ScenarioKind::Throughput
            || !self.scenarios.iter().any(replays) && scenario.kind.has_feed();
        self.feed.as_deref().filter(|_| is_fed)
    }

    /// The scenario of a cell.
    pub fn scenario(&self, cell: &Cell) -> Option<&Scenario> {
        self.scenarios.iter().find(|scenario| scenario.name == cell.scenario)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Encoding;

    fn read(more: &str) -> Result<Study, String> {
        let text = format!(
            "name = 't'\niterations = 2\n[[scenario]]\nname = 's'\nkind = 'latency'\nwait = 'spin'\nwarmup_ms = 1\n\
             window_ms = 1\n{more}"
        );
        Study::from_toml(&text).map_err(|cause| cause.to_string())
    }

    #[test]
    fn defaults_are_spelled_out_when_written() {
        let study = read("rate_per_s = 5\n").unwrap();
        let text = study.to_toml();
        for line in ["stall_ms = 2000", "lanes = [\"default\"]", "arrival = \"constant\"", "size_bytes = [0]"]
        {
            assert!(text.contains(line), "{line} is missing from {text}");
        }
        assert_eq!(Study::from_toml(&text).unwrap(), study);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_way_out() {
        for (more, words) in [
            ("", "needs rate_per_s above 0"),
            ("rate_per_s = -1\n", "set a number from 0 up"),
            ("rate_per_s = 5\nconnections = [0]\n", "each entry is at least 1"),
            ("rate_per_s = 5\nencodings = []\n", "encodings is empty"),
            ("rate_per_s = 5\nstages = true\nconnections = [2]\n", "of one connection"),
            ("rate_per_s = 5\nstages = true\nclients = ['tungstenite']\n", "by the probe alone"),
            (
                "rate_per_s = 5\n[[scenario]]\nname = 's'\nkind = 'echo'\nwait = 'spin'\nwarmup_ms = 1\nwindow_ms = 1\n",
                "rename one",
            ),
        ] {
            let refusal = read(more).unwrap_err();
            assert!(refusal.contains(words), "{more:?}: {refusal}");
        }
    }

    #[test]
    fn each_rate_of_a_load_is_a_question_and_each_disturbance_of_a_relay() {
        let of = |more: &str, kind: &str| {
            let text = read("rate_per_s = 5\n").unwrap().to_toml();
            let study = Study::from_toml(
                &text
                    .replace("latency", kind)
                    .replace("rate_per_s = 5.0\n", more)
                    .replace("beside = [\"nothing\"]\n", ""),
            );
            study.map(|study| study.cells(&["a".into()], |_| true)).map_err(|cause| cause.to_string())
        };
        let questions = |cells: Vec<Cell>| cells.iter().map(Cell::question).collect::<Vec<_>>();
        assert_eq!(
            questions(of("rates_per_s = [10, 2000]\n", "load").unwrap()),
            ["s binary each ×1 10/s", "s binary each ×1 2000/s"]
        );
        assert_eq!(
            questions(of("rate_per_s = 5\nbeside = ['nothing', 'churn']\n", "relay").unwrap()),
            ["s binary each ×1", "s binary each ×1 beside churn"]
        );
        assert!(of("rate_per_s = 5\nbeside = ['churn']\n", "latency").unwrap_err().contains("only a relay"));
        for (more, words) in [
            ("flush = ['each', 'batch']", "leave flush out"),
            ("clients = ['tungstenite']", "leave clients out"),
        ] {
            let key = more.split_once(' ').unwrap().0;
            let text = read("rate_per_s = 5\n").unwrap().to_toml().replace("latency", "relay");
            let lines =
                text.lines().map(|line| if line.starts_with(&format!("{key} =")) { more } else { line });
            let refusal = Study::from_toml(&lines.collect::<Vec<_>>().join("\n")).unwrap_err().to_string();
            assert!(refusal.contains(words), "{refusal}");
        }
        assert!(of("rate_per_s = 5\n", "load").unwrap_err().contains("has rates_per_s"));
        assert!(of("\n", "capacity").unwrap_err().contains("has p99_us or p999_us"));
        assert!(of("p99_us = 500\n", "capacity").is_ok());
    }

    #[test]
    fn the_control_runs_once_a_scenario_beside_its_server() {
        let mut study = read("rate_per_s = 5\nencodings = ['json', 'binary']\ncontrol = true\n").unwrap();
        study.control = Some("a".into());
        let servers = ["a", "b"].map(String::from);
        let cells = study.cells(&servers, |_| true);
        let names: Vec<String> =
            cells.iter().map(|cell| format!("{} {}", cell.encoding, cell.server)).collect();
        assert_eq!(names, ["json a", "json a#control", "json b", "binary a", "binary b"]);
        assert!(cells[1].is_control() && !cells[0].is_control());
    }

    #[test]
    fn a_capture_may_set_the_pace() {
        let text =
            read("rate_per_s = 5\n").unwrap().to_toml().replace("name = \"t\"", "name = \"t\"\nfeed = \"f\"");
        let recorded = text.replace("constant", "recorded");
        assert!(Study::from_toml(&recorded).unwrap_err().to_string().contains("leave rate_per_s out"));
        assert!(Study::from_toml(&recorded.replace("rate_per_s = 5.0", "rate_per_s = 0.0")).is_ok());
        let own_rate = Study::from_toml(&text).unwrap();
        assert!(
            own_rate.feed_of(&own_rate.scenarios[0]).is_some(),
            "its payloads may also come at a rate of one's own"
        );
        let mut both = Study::from_toml(&recorded.replace("rate_per_s = 5.0", "rate_per_s = 0.0")).unwrap();
        both.scenarios.push(Scenario { arrival: Arrival::Constant, ..both.scenarios[0].clone() });
        let fed = both.scenarios.iter().map(|scenario| both.feed_of(scenario));
        assert_eq!(
            fed.collect::<Vec<_>>(),
            [Some("f"), None],
            "where one replays it, the others are as generated"
        );
        let searched = recorded
            .replace("rate_per_s = 5.0", "rate_per_s = 0.0\np99_us = 500.0")
            .replace("kind = \"latency\"", "kind = \"capacity\"");
        assert!(
            Study::from_toml(&searched)
                .unwrap_err()
                .to_string()
                .contains("a capacity scenario sets the pace")
        );
    }

    #[test]
    fn cells_come_in_the_order_of_the_study_and_only_where_supported() {
        let study = read("rate_per_s = 5\nencodings = ['json', 'binary']\nservers = ['b', 'a']\n").unwrap();
        let servers = ["a", "b", "c"].map(String::from);
        let cells = study.cells(&servers, |cell| cell.server != "b" || cell.encoding == Encoding::Json);
        let names: Vec<String> =
            cells.iter().map(|cell| format!("{} {}", cell.encoding, cell.server)).collect();
        assert_eq!(names, ["json a", "json b", "binary a"]);
    }
}
