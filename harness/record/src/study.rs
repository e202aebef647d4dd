//! A study: which servers are asked which questions, how often and for how long. `study.toml`.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Arrival, CONTROL, Cell, Client, Disturbance, Encoding, Flush, Idle, Lane, ScenarioKind, Wait};

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

/// A question, asked of each server in each combination of the lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name, unique in the study.
    pub name: String,
    /// What it asks.
    pub kind: ScenarioKind,
    /// Only these of the study's servers; all of them where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<String>,
    /// How the servers are set up.
    #[serde(default = "default_lanes")]
    pub lanes: Vec<Lane>,
    /// Which clients measure.
    #[serde(default = "default_clients")]
    pub clients: Vec<Client>,
    /// How messages are written.
    #[serde(default = "default_encodings")]
    pub encodings: Vec<Encoding>,
    /// When messages leave the server.
    #[serde(default = "default_flush")]
    pub flush: Vec<Flush>,
    /// How paced ticks are spread over time.
    #[serde(default = "default_arrival")]
    pub arrival: Arrival,
    /// Connections held at once.
    #[serde(default = "default_connections")]
    pub connections: Vec<u32>,
    /// Messages a second over all connections; 0, the default, is a flood (or, for echo, has no meaning).
    #[serde(default)]
    pub rate_per_s: f64,
    /// The rates that a load scenario offers, one after another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rates_per_s: Vec<f64>,
    /// What a capacity scenario demands of the 99th percentile of the response, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_us: Option<f64>,
    /// The same of the 99.9th.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p999_us: Option<f64>,
    /// What goes on beside the measured stream of a relay scenario.
    #[serde(default = "default_beside")]
    pub beside: Vec<Disturbance>,
    /// Whether the client splits what it sees by the kernel's receive timestamps: latency scenarios of one connection.
    #[serde(default)]
    pub stages: bool,
    /// Bytes that each message is padded to; 0 for none. For echo, the payload's size.
    #[serde(default = "default_sizes")]
    pub size_bytes: Vec<u64>,
    /// How the client waits.
    pub wait: Wait,
    /// What the server's core does while the server waits.
    #[serde(default = "default_idle")]
    pub idle: Vec<Idle>,
    /// Whether the study's control runs in this scenario.
    #[serde(default)]
    pub control: bool,
    /// Discarded before the window.
    pub warmup_ms: u64,
    /// The measured window of one iteration.
    pub window_ms: u64,
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
fn default_lanes() -> Vec<Lane> {
    vec![Lane::Default]
}
fn default_clients() -> Vec<Client> {
    vec![Client::Probe]
}
fn default_idle() -> Vec<Idle> {
    vec![Idle::Sleep]
}
fn default_encodings() -> Vec<Encoding> {
    vec![Encoding::Binary]
}
fn default_flush() -> Vec<Flush> {
    vec![Flush::Each]
}
fn default_arrival() -> Arrival {
    Arrival::Constant
}
fn default_connections() -> Vec<u32> {
    vec![1]
}
fn default_beside() -> Vec<Disturbance> {
    vec![Disturbance::Nothing]
}
fn default_sizes() -> Vec<u64> {
    vec![0]
}

/// RFC 6455, section 5.5: what a control frame carries at most.
const MOST_PING_BYTES: u64 = 125;

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

impl Scenario {
    fn check(&self) -> Result<(), String> {
        if self.window_ms == 0 {
            return Err("window_ms is 0: set the length of the measured window".into());
        }
        if !(self.rate_per_s >= 0.0 && self.rate_per_s.is_finite()) {
            return Err(format!("rate_per_s is {}: set a number from 0 up", self.rate_per_s));
        }
        self.check_pace()?;
        let has_target = self.p99_us.is_some() || self.p999_us.is_some();
        if (self.kind == ScenarioKind::Capacity) != has_target {
            return Err("a capacity scenario, and no other, has p99_us or p999_us".into());
        }
        if let Some(us) = self.p99_us.iter().chain(&self.p999_us).find(|us| !(us.is_finite() && **us > 0.0)) {
            return Err(format!("a target is {us} µs: set a number above 0"));
        }
        if self.kind != ScenarioKind::Relay && self.beside != default_beside() {
            return Err("only a relay scenario has something beside".into());
        }
        if self.stages && (self.kind != ScenarioKind::Latency || self.connections != [1]) {
            return Err("stages are told apart in latency scenarios of one connection".into());
        }
        if self.stages && self.clients != [Client::Probe] {
            return Err("stages are told apart by the probe alone: leave clients out".into());
        }
        if self.connections.contains(&0) {
            return Err("connections holds 0: each entry is at least 1".into());
        }
        self.check_instrument()?;
        let lists = [
            ("lanes", self.lanes.is_empty()),
            ("clients", self.clients.is_empty()),
            ("idle", self.idle.is_empty()),
            ("encodings", self.encodings.is_empty()),
            ("flush", self.flush.is_empty()),
            ("connections", self.connections.is_empty()),
            ("size_bytes", self.size_bytes.is_empty()),
            ("beside", self.beside.is_empty()),
        ];
        match lists.iter().find(|(_, empty)| *empty) {
            Some((name, _)) => Err(format!("{name} is empty: list at least one value, or leave it out")),
            None => Ok(()),
        }
    }

    /// What the instrument alone can do, and what fits into its messages.
    fn check_instrument(&self) -> Result<(), String> {
        if !matches!(self.kind, ScenarioKind::Connect | ScenarioKind::Ping | ScenarioKind::Relay) {
            return Ok(());
        }
        if self.clients.iter().any(|client| *client != Client::Probe) {
            return Err(format!("only the probe measures a {} scenario: leave clients out", self.kind));
        }
        if self.kind == ScenarioKind::Ping && self.size_bytes.iter().any(|size| *size > MOST_PING_BYTES) {
            return Err(format!(
                "a ping carries at most {MOST_PING_BYTES} bytes (RFC 6455, section 5.5): lower size_bytes"
            ));
        }
        if self.kind == ScenarioKind::Relay && self.flush != default_flush() {
            return Err(
                "a relay has no flush mode, as each message leaves when it is published: leave flush out"
                    .into(),
            );
        }
        if self.kind == ScenarioKind::Relay && self.arrival == Arrival::Recorded {
            return Err(
                "a relay publishes the generated feed: leave arrival out, or make it poisson or burst".into(),
            );
        }
        Ok(())
    }

    /// Who sets the pace: the study, the capture, backpressure, the client or the search.
    fn check_pace(&self) -> Result<(), String> {
        let recorded = self.arrival == Arrival::Recorded;
        if recorded && self.rate_per_s > 0.0 {
            return Err("arrival is recorded, so the capture sets the pace: leave rate_per_s out".into());
        }
        let is_load = self.kind == ScenarioKind::Load;
        if recorded && (is_load || self.kind == ScenarioKind::Capacity) {
            return Err(format!("a {} scenario sets the pace, and so arrival cannot be recorded", self.kind));
        }
        if is_load == self.rates_per_s.is_empty() {
            return Err("a load scenario, and no other, has rates_per_s".into());
        }
        if let Some(rate) = self.rates_per_s.iter().find(|rate| !(rate.is_finite() && **rate > 0.0)) {
            return Err(format!("rates_per_s holds {rate}: each entry is above 0"));
        }
        let paced = matches!(
            self.kind,
            ScenarioKind::Latency | ScenarioKind::Scaling | ScenarioKind::Relay | ScenarioKind::Ping
        );
        if paced && !recorded && self.rate_per_s == 0.0 {
            return Err(format!("a {} scenario needs rate_per_s above 0", self.kind));
        }
        if !paced && self.kind != ScenarioKind::Echo && self.rate_per_s > 0.0 {
            let why = match self.kind {
                ScenarioKind::Throughput => "is a flood",
                ScenarioKind::Load => "has rates_per_s",
                ScenarioKind::Capacity => "searches for the rate",
                _ => "goes as fast as the server does",
            };
            return Err(format!("a {} scenario {why}: leave rate_per_s out", self.kind));
        }
        Ok(())
    }

    /// Question by question, each of all servers.
    fn cells(&self, servers: &[String]) -> Vec<Cell> {
        let of_servers: Vec<Vec<Cell>> =
            servers.iter().filter(|server| self.asks(server)).map(|server| self.of_server(server)).collect();
        let questions = of_servers.first().map_or(0, Vec::len);
        (0..questions).flat_map(|at| of_servers.iter().map(move |cells| cells[at].clone())).collect()
    }

    /// The cells of one server: every combination of the lists, the last list's entries side by side.
    fn of_server(&self, server: &str) -> Vec<Cell> {
        let rates = if self.rates_per_s.is_empty() { &[self.rate_per_s][..] } else { &self.rates_per_s };
        let mut cells = vec![Cell {
            scenario: self.name.clone(),
            kind: self.kind,
            server: server.into(),
            lane: Lane::Default,
            client: Client::Probe,
            wait: self.wait,
            idle: Idle::Sleep,
            encoding: Encoding::Binary,
            flush: Flush::Each,
            arrival: self.arrival,
            connections: 1,
            rate_per_s: self.rate_per_s,
            size_bytes: 0,
            beside: Disturbance::Nothing,
        }];
        vary(&mut cells, &self.lanes, |cell, lane| cell.lane = lane);
        vary(&mut cells, &self.idle, |cell, idle| cell.idle = idle);
        vary(&mut cells, &self.clients, |cell, client| cell.client = client);
        vary(&mut cells, &self.encodings, |cell, encoding| cell.encoding = encoding);
        vary(&mut cells, &self.flush, |cell, flush| cell.flush = flush);
        vary(&mut cells, &self.connections, |cell, connections| cell.connections = connections);
        vary(&mut cells, rates, |cell, rate| cell.rate_per_s = rate);
        vary(&mut cells, &self.size_bytes, |cell, bytes| cell.size_bytes = bytes);
        vary(&mut cells, &self.beside, |cell, beside| cell.beside = beside);
        cells
    }

    fn asks(&self, server: &str) -> bool {
        self.servers.is_empty() || self.servers.iter().any(|name| name == server)
    }
}

/// Turns each cell into one for each value.
fn vary<T: Copy>(cells: &mut Vec<Cell>, values: &[T], set: impl Fn(&mut Cell, T)) {
    let one = |cell: &Cell, value| {
        let mut cell = cell.clone();
        set(&mut cell, value);
        cell
    };
    *cells = cells
        .iter()
        .flat_map(|cell| values.iter().map(|&value| one(cell, value)).collect::<Vec<_>>())
        .collect();
}

#[cfg(test)]
mod tests {
    use super::*;

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
