//! One question of a study: the combinations of its lists, and what makes sense together.

use serde::{Deserialize, Serialize};

use crate::{Arrival, Cell, Client, Disturbance, Encoding, Flush, Idle, Lane, ScenarioKind, Wait};

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

impl Scenario {
    pub(crate) fn check(&self) -> Result<(), String> {
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
    pub(crate) fn cells(&self, servers: &[String]) -> Vec<Cell> {
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
