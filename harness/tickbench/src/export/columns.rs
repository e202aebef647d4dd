//! The data dictionary: every column of a table of measurements, in one place. CSV, JSON and Parquet are written from it, and
//! `--dictionary` prints it.

use serde::{Serialize, Serializer};
use tickbench_record::{
    ClosedWith, Distribution, Disturbed, Hiccups, Measurement, MemoryReading, Observation, Outcome, Relayed,
    Usage,
};

/// What a row holds in a column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Whole(u64),
    Real(f64),
    /// The measurement does not have it.
    Missing,
}

/// What a column holds wherever it holds something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Whole,
    Real,
}

/// One column.
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// What it counts; empty for words and bare numbers.
    pub(crate) unit: &'static str,
    pub(crate) meaning: String,
    read: Box<dyn Fn(&Measurement) -> Value + Send + Sync>,
}

impl Column {
    pub(crate) fn of(&self, measurement: &Measurement) -> Value {
        (self.read)(measurement)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Text(text) => serializer.serialize_str(text),
            Value::Whole(number) => serializer.serialize_u64(*number),
            Value::Real(number) => serializer.serialize_f64(*number),
            Value::Missing => serializer.serialize_none(),
        }
    }
}

/// What tells one execution and its cell from the others: the first columns of a table of anything that belongs to one.
pub(crate) fn keys() -> Vec<Column> {
    let mut columns = Columns(Vec::new());
    columns.place();
    columns.cell();
    columns.0
}

/// All columns, in their order.
pub(crate) fn all() -> Vec<Column> {
    let mut columns = Columns(Vec::new());
    columns.place();
    columns.execution();
    columns.cell();
    columns.counts();
    columns.accounts();
    columns.capacity();
    for (name, what, latency) in LATENCIES {
        columns.distribution(name, what, latency);
    }
    columns.stages();
    columns.hiccups("client", |seen| seen.client_hiccups);
    columns.hiccups("server", |seen| seen.server_hiccups);
    columns.usage("server", |seen| seen.server_usage);
    columns.usage("client", |seen| seen.client_usage);
    columns.memory("before", "before the first connection", |seen| seen.server_memory_before);
    columns.memory("after", "after the window, all connections open", |seen| seen.server_memory_after);
    columns.text("server_memory_missing", "why memory was not read", |m| {
        m.observation.as_ref().and_then(|seen| seen.server_memory_missing.clone())
    });
    columns.relayed();
    columns.disturbed();
    columns.0
}

/// The dictionary as Markdown.
pub(crate) fn dictionary() -> String {
    let rows =
        all().into_iter().map(|Column { name, kind, unit, meaning, .. }| row(&name, kind, unit, &meaning));
    format!(
        "# Data dictionary\n\nOne row is one measurement: one iteration of one cell. {MISSING}\n\n{HEADING}{}",
        rows.collect::<String>()
    )
}

/// What stands where nothing is.
pub(super) const MISSING: &str = "What it does not have is empty (CSV) or null (JSON, Parquet).";

/// The heading over [`row`]s.
pub(super) const HEADING: &str = "| column | type | unit | meaning |\n| --- | --- | --- | --- |\n";

/// A column as a row of a dictionary.
pub(super) fn row(name: &str, kind: Kind, unit: &str, meaning: &str) -> String {
    let kind = match kind {
        Kind::Text => "text",
        Kind::Whole => "integer",
        Kind::Real => "real",
    };
    format!("| `{name}` | {kind} | {unit} | {meaning} |\n")
}

type Latency = fn(&Observation) -> Option<&Distribution>;

/// The distributions that a measurement may hold.
pub(crate) const LATENCIES: [(&str, &str, Latency); 12] = [
    ("lag", "sent − due", |seen| seen.lag_ns.as_ref()),
    ("delivery", "received − sent", |seen| seen.delivery_ns.as_ref()),
    ("response", "received − due", |seen| seen.response_ns.as_ref()),
    ("round_trip", "from sending a message to having it back", |seen| seen.round_trip_ns.as_ref()),
    ("handshake", "from the call that connects to the checked answer", |seen| seen.handshake_ns.as_ref()),
    ("first_tick", "from the call that connects to the first whole tick", |seen| seen.first_tick_ns.as_ref()),
    ("connection", "from the end of the turn before to the answered close frame", |seen| {
        seen.connection_ns.as_ref()
    }),
    ("lag_cleaned", "lag without the samples that a hiccup of the server's core may have delayed", |seen| {
        seen.lag_cleaned_ns.as_ref()
    }),
    (
        "delivery_cleaned",
        "delivery without the samples that a hiccup of the client's core may have delayed",
        |seen| seen.delivery_cleaned_ns.as_ref(),
    ),
    (
        "round_trip_cleaned",
        "round trip without the samples that a hiccup of the client's core may have delayed",
        |seen| seen.round_trip_cleaned_ns.as_ref(),
    ),
    ("publish_lag", "sent − due where the client publishes: its own lateness", |seen| {
        seen.publish_lag_ns.as_ref()
    }),
    ("skew", "from a published message's first delivery to its last", |seen| seen.skew_ns.as_ref()),
];

/// Columns under construction.
pub(super) struct Columns(Vec<Column>);

impl Columns {
    fn add(
        &mut self,
        (name, kind, unit): (impl Into<String>, Kind, &'static str),
        meaning: impl Into<String>,
        read: impl Fn(&Measurement) -> Value + Send + Sync + 'static,
    ) {
        self.0.push(Column { name: name.into(), kind, unit, meaning: meaning.into(), read: Box::new(read) });
    }

    fn text(&mut self, name: &str, meaning: &str, read: fn(&Measurement) -> Option<String>) {
        self.add((name, Kind::Text, ""), meaning, move |m| read(m).map_or(Value::Missing, Value::Text));
    }

    pub(super) fn whole(
        &mut self,
        name: impl Into<String>,
        unit: &'static str,
        meaning: impl Into<String>,
        read: impl Fn(&Measurement) -> Option<u64> + Send + Sync + 'static,
    ) {
        let value = move |m: &Measurement| read(m).map_or(Value::Missing, Value::Whole);
        self.add((name, Kind::Whole, unit), meaning, value);
    }

    pub(super) fn real(
        &mut self,
        name: impl Into<String>,
        unit: &'static str,
        meaning: impl Into<String>,
        read: impl Fn(&Measurement) -> Option<f64> + Send + Sync + 'static,
    ) {
        // Nothing that divides by zero is a number that a reader could use.
        let value = move |m: &Measurement| {
            read(m).filter(|number| number.is_finite()).map_or(Value::Missing, Value::Real)
        };
        self.add((name, Kind::Real, unit), meaning, value);
    }

    fn place(&mut self) {
        self.whole("iteration", "", "which iteration, from 0", |m| Some(m.iteration.into()));
        self.whole("position", "", "place of this execution within its iteration, from 0", |m| {
            Some(m.position.into())
        });
    }

    fn execution(&mut self) {
        self.real("started_at_s", "s", "when it began, UNIX time", |m| Some(m.started_at_s));
        self.whole("wall_ns", "ns", "from launching the server to its end", |m| Some(m.wall_ns));
        self.whole("stolen_server_core_ns", "ns", "what the host took from the server's core", |m| {
            Some(m.stolen?.server_core_ns)
        });
        self.whole("stolen_client_core_ns", "ns", "what the host took from the client's core", |m| {
            Some(m.stolen?.client_core_ns)
        });
        self.whole("throttled_periods", "", "periods of a CPU quota in which processes were stopped", |m| {
            Some(m.throttled?.periods)
        });
        self.whole("throttled_stopped_ns", "ns", "for how long, over all cores", |m| {
            Some(m.throttled?.stopped_ns)
        });
        self.text("status", "`completed` or `failed`", |m| {
            Some(if m.outcome == Outcome::Completed { "completed" } else { "failed" }.into())
        });
        self.text("failed_stage", "the part of the execution in which it failed", |m| match &m.outcome {
            Outcome::Failed { stage, .. } => Some(stage.to_string()),
            Outcome::Completed => None,
        });
        self.text("failed_reason", "what happened", |m| match &m.outcome {
            Outcome::Failed { reason, .. } => Some(reason.clone()),
            Outcome::Completed => None,
        });
    }

    fn cell(&mut self) {
        self.text("scenario", "the scenario's name in the study", |m| Some(m.cell.scenario.clone()));
        self.text("kind", "the question it asks", |m| Some(m.cell.kind.to_string()));
        self.text("server", "the server's name in the manifest", |m| Some(m.cell.server.clone()));
        self.text("lane", "how the server is set up", |m| Some(m.cell.lane.to_string()));
        self.text("client", "which client measured", |m| Some(m.cell.client.to_string()));
        self.text("wait", "how the client waits", |m| Some(m.cell.wait.to_string()));
        self.text("idle", "what the server's core does while the server waits", |m| {
            Some(m.cell.idle.to_string())
        });
        self.text("encoding", "how messages are written", |m| Some(m.cell.encoding.to_string()));
        self.text("flush", "when messages leave the server", |m| Some(m.cell.flush.to_string()));
        self.text("arrival", "how paced ticks are spread over time", |m| Some(m.cell.arrival.to_string()));
        self.whole("connections", "", "connections held at once", |m| Some(m.cell.connections.into()));
        self.real(
            "rate_per_s",
            "1/s",
            "messages a second asked for, over all connections; 0 for a flood or echo",
            |m| Some(m.cell.rate_per_s),
        );
        self.whole("size_bytes", "B", "what each message is padded to; 0 for none", |m| {
            Some(m.cell.size_bytes)
        });
        self.text("beside", "what goes on beside the measured stream", |m| Some(m.cell.beside.to_string()));
    }

    fn counts(&mut self) {
        let mut count = |name: &str, unit, meaning: &str, read: fn(&Observation) -> u64| {
            self.whole(name, unit, meaning, move |m| m.observation.as_ref().map(read));
        };
        count("sent", "", "messages that belong to the window", |seen| seen.sent);
        count("received", "", "of these, those that came", |seen| seen.received);
        count("lost", "", "those that had not come when the wait after the window ended", |seen| seen.lost);
        count("reordered", "", "messages with a number below one seen before", |seen| seen.reordered);
        count("negative", "", "samples below zero, which are in no distribution", |seen| seen.negative);
        count("checked", "", "messages compared with what the seed says, or with what was sent", |seen| {
            seen.checked
        });
        count("elapsed_ns", "ns", "length of the window", |seen| seen.elapsed_ns);
        count("reads", "", "reads inside the window that brought data", |seen| seen.reads);
        count("connect_ns", "ns", "until all connections were upgraded", |seen| seen.connect_ns);
        let mut rate = |name: &str, unit, meaning: &str, read: fn(&Observation) -> f64| {
            self.real(name, unit, meaning, move |m| m.observation.as_ref().map(read));
        };
        rate("messages_per_s", "1/s", "messages received inside the window, a second", |seen| {
            seen.messages_per_s
        });
        rate("bytes_per_s", "B/s", "bytes of payload received inside the window, a second", |seen| {
            seen.bytes_per_s
        });
    }

    /// All other figures of such a row are those of the highest step that held.
    fn capacity(&mut self) {
        let of = |m: &Measurement| m.observation.as_ref()?.capacity.clone();
        self.real("capacity_rate_per_s", "1/s", "the highest rate at which the target held", move |m| {
            of(m).map(|capacity| capacity.rate_per_s)
        });
        self.whole(
            "capacity_steps",
            "",
            "rates that were tried until then, second tries included",
            move |m| of(m).map(|capacity| capacity.steps.len() as u64),
        );
    }

    fn distribution(&mut self, latency: &str, what: &str, of: Latency) {
        type Field = (&'static str, fn(&Distribution) -> u64);
        const FIELDS: [Field; 7] = [
            ("min", |d| d.min),
            ("p50", |d| d.p50),
            ("p90", |d| d.p90),
            ("p99", |d| d.p99),
            ("p999", |d| d.p999),
            ("p9999", |d| d.p9999),
            ("max", |d| d.max),
        ];
        self.whole(format!("{latency}_count"), "", format!("samples of {latency}: {what}"), move |m| {
            m.observation.as_ref().and_then(of).map(|distribution| distribution.count)
        });
        let meaning =
            format!("samples of {latency} beyond one hour; a quantile that reaches them is a lower bound");
        self.whole(format!("{latency}_beyond"), "", meaning, move |m| {
            m.observation.as_ref().and_then(of).map(|distribution| distribution.beyond)
        });
        for (name, read) in FIELDS {
            self.whole(format!("{latency}_{name}_ns"), "ns", format!("{name} of {latency}"), move |m| {
                m.observation.as_ref().and_then(of).map(read)
            });
        }
        self.real(format!("{latency}_mean_ns"), "ns", format!("mean of {latency}"), move |m| {
            m.observation.as_ref().and_then(of).map(|distribution| distribution.mean)
        });
    }

    fn hiccups(&mut self, whose: &str, of: fn(&Observation) -> Option<Hiccups>) {
        type Field = (&'static str, &'static str, &'static str, fn(&Hiccups) -> u64);
        const FIELDS: [Field; 5] = [
            ("threshold_ns", "ns", "from how long on a gap counts as one", |h| h.threshold_ns),
            ("count", "", "how many", |h| h.count),
            ("lost_ns", "ns", "how long all together", |h| h.lost_ns),
            ("longest_ns", "ns", "how long the longest", |h| h.longest_ns),
            ("set_aside", "", "samples that overlap one", |h| h.set_aside),
        ];
        for (name, unit, meaning, read) in FIELDS {
            let meaning = format!("hiccups of the {whose}'s core: {meaning}");
            self.whole(format!("{whose}_hiccups_{name}"), unit, meaning, move |m| {
                m.observation.as_ref().and_then(of).as_ref().map(read)
            });
        }
    }

    fn memory(&mut self, when: &str, told: &str, of: fn(&Observation) -> Option<MemoryReading>) {
        type Field = (&'static str, &'static str, &'static str, fn(&MemoryReading) -> u64);
        const FIELDS: [Field; 6] = [
            ("rss_bytes", "B", "resident memory of the server", |r| r.rss_bytes),
            ("pss_bytes", "B", "the same, shared pages divided among those who share them", |r| r.pss_bytes),
            ("private_bytes", "B", "pages that no other process has", |r| r.private_bytes),
            ("kernel_buffer_bytes", "B", "buffers of all TCP sockets of the machine", |r| {
                r.kernel_buffer_bytes
            }),
            ("kernel_slab_bytes", "B", "objects of the kernel", |r| r.kernel_slab_bytes),
            ("tcp_sockets", "", "TCP sockets in use", |r| r.tcp_sockets),
        ];
        for (name, unit, meaning, read) in FIELDS {
            self.whole(
                format!("server_memory_{when}_{name}"),
                unit,
                format!("{told}: {meaning}"),
                move |m| m.observation.as_ref().and_then(of).as_ref().map(read),
            );
        }
    }

    fn usage(&mut self, whose: &str, of: fn(&Observation) -> Option<Usage>) {
        type Field = (&'static str, &'static str, &'static str, fn(&Usage) -> u64);
        const FIELDS: [Field; 8] = [
            ("interval_ns", "ns", "the interval that its usage is over", |u| u.interval_ns),
            ("cpu_user_ns", "ns", "CPU time in user space", |u| u.cpu_user_ns),
            ("cpu_system_ns", "ns", "CPU time in the kernel", |u| u.cpu_system_ns),
            ("rss_bytes", "B", "resident memory at the end", |u| u.rss_bytes),
            ("rss_peak_bytes", "B", "most resident memory", |u| u.rss_peak_bytes),
            ("voluntary_switches", "", "times it gave up the core by itself", |u| u.voluntary_switches),
            ("involuntary_switches", "", "times the core was taken from it", |u| u.involuntary_switches),
            ("threads", "", "threads at the end", |u| u.threads.into()),
        ];
        for (name, unit, meaning, read) in FIELDS {
            self.whole(format!("{whose}_{name}"), unit, format!("the {whose}: {meaning}"), move |m| {
                m.observation.as_ref().and_then(of).as_ref().map(read)
            });
        }
        let meaning =
            format!("the {whose}: time that its busiest thread waited for its core while others ran");
        self.whole(format!("{whose}_run_delay_ns"), "ns", meaning, move |m| {
            m.observation.as_ref().and_then(of)?.run_delay_ns
        });
        let share = move |m: &Measurement| m.observation.as_ref().and_then(of).map(|usage| usage.cpu_share);
        self.real(
            format!("{whose}_cpu_share"),
            "cores",
            format!("the {whose}: CPU time over the interval"),
            share,
        );
        let cost =
            move |m: &Measurement| m.observation.as_ref().and_then(of).map(|usage| usage.cpu_ns_per_message);
        let meaning = format!("the {whose}: CPU time for each message");
        self.real(format!("{whose}_cpu_ns_per_message"), "ns", meaning, cost);
    }
}

impl Columns {
    fn relayed(&mut self) {
        type Field = (&'static str, &'static str, &'static str, fn(&Relayed) -> Option<u64>);
        const FIELDS: [Field; 3] = [
            ("published", "", "messages published in the window", |r| Some(r.published)),
            ("published_behind", "", "of them, late by the gap between two and by 1 ms", |r| Some(r.behind)),
            ("server_rss_start_bytes", "B", "the server: resident memory before the window", |r| {
                r.server_rss_start_bytes
            }),
        ];
        for (name, unit, meaning, read) in FIELDS {
            self.whole(name, unit, meaning, move |m| read(m.observation.as_ref()?.relayed.as_ref()?));
        }
    }

    fn disturbed(&mut self) {
        type Field = (&'static str, &'static str, &'static str, fn(&Disturbed) -> u64);
        const FIELDS: [Field; 12] = [
            ("attempted", "", "connections begun", |d| d.attempted),
            ("opened", "", "those that came as far as they were to", |d| d.opened),
            ("left", "", "those that went away by themselves", |d| d.left),
            ("open", "", "those still there at the end", |d| d.open),
            ("closed", "", "those that the server closed with a close frame", Disturbed::all_closed),
            ("ended", "", "those that the server ended without one", |d| d.ended),
            ("reset", "", "those that the server reset", |d| d.reset),
            ("refused", "", "those that could not connect or were not upgraded", |d| d.refused),
            ("received", "", "published messages that they received", |d| d.received),
            ("lost", "", "published messages that they should have received and did not", |d| d.lost),
            ("bytes", "B", "bytes of payload that they received", |d| d.bytes),
            ("client_ns", "ns", "how long the client was busy with them", |d| d.client_ns),
        ];
        fn of(m: &Measurement) -> Option<&Disturbed> {
            m.observation.as_ref()?.disturbed.as_ref()
        }
        for (name, unit, meaning, read) in FIELDS {
            let meaning = format!("those that disturbed: {meaning}");
            self.whole(format!("disturbers_{name}"), unit, meaning, move |m| of(m).map(read));
        }
        let meaning = "those that disturbed: bytes of pings that they sent";
        self.whole("disturbers_pinged_bytes", "B", meaning, |m| of(m)?.pinged_bytes);
        let meaning = "those that disturbed: the codes of the server's close frames, with how many of each";
        self.text("disturbers_closed_codes", meaning, |m| {
            let code = |closed: &ClosedWith| match closed.code {
                Some(code) => format!("{code}:{}", closed.count),
                None => format!("none:{}", closed.count),
            };
            let codes: Vec<String> = of(m)?.closed.iter().map(code).collect();
            (!codes.is_empty()).then(|| codes.join(" "))
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_need_no_quotes() {
        let names: Vec<String> = all().into_iter().map(|column| column.name).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
        assert!(names.iter().all(|name| name.chars().all(plain)), "{names:?}");
        assert!(names.iter().all(|name| !name.starts_with(|first: char| first.is_ascii_digit())));
    }

    #[test]
    fn the_unit_of_a_time_stands_in_its_name() {
        for Column { name, unit, .. } in all() {
            assert_eq!(unit == "ns", name.ends_with("_ns") || name.contains("_ns_per_"), "{name}");
        }
    }
}
