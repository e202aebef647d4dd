//! The items of the ledger: what is shown of each server, and what of it is compared.

use tickbench_record::{
    Flush, LedgerEntry, Reading, Sizes, SocketBuffer, SocketSettings, StreamPass, SystemCalls,
};

use crate::units::{count, number};

/// Without a bound, the kernel's default of TCP_NOTSENT_LOWAT.
const UNBOUNDED: u64 = u32::MAX as u64;

/// Calls that are named one by one in a table; the others are added up.
const NAMED_CALLS: usize = 4;

/// One row: the same of each server.
pub(super) struct Item {
    pub(super) name: String,
    pub(super) values: Vec<Value>,
}

/// What one server has of an item.
pub(super) struct Value {
    pub(super) shown: Reading<String>,
    /// What of it is compared: `None` of what moves by itself, or could not be read.
    compared: Option<String>,
}

impl Item {
    /// Whether two servers have it otherwise.
    pub(super) fn differs(&self) -> bool {
        let mut compared = self.values.iter().filter_map(|value| value.compared.as_ref());
        let first = compared.next();
        compared.any(|other| Some(other) != first)
    }
}

/// Every item of the servers of one lane.
pub(super) fn items(entries: &[&LedgerEntry]) -> Vec<Item> {
    let item = |name: &str, of: &dyn Fn(&LedgerEntry) -> Value| Item {
        name: name.into(),
        values: entries.iter().map(|entry| of(entry)).collect(),
    };
    let socket = |of: fn(&SocketSettings) -> Value| move |entry: &LedgerEntry| flat(entry.socket.map(of));
    let mut items = vec![
        item("TCP_NODELAY", &socket(|socket| settled(on(socket.no_delay)))),
        item("TCP_CORK", &socket(|socket| settled(on(socket.cork)))),
        item("TCP_QUICKACK", &socket(|socket| moving(on(socket.quick_ack)))),
        item("SO_KEEPALIVE", &socket(|socket| settled(on(socket.keep_alive)))),
        item("SO_SNDBUF", &socket(|socket| buffer(&socket.send_buffer))),
        item("SO_RCVBUF", &socket(|socket| buffer(&socket.receive_buffer))),
        item("TCP_NOTSENT_LOWAT", &socket(|socket| settled(bound(socket.not_sent_low_water_bytes)))),
        item("SO_BUSY_POLL", &socket(|socket| settled(format!("{} µs", socket.busy_poll_us)))),
        item("TCP_CONGESTION", &socket(|socket| settled(socket.congestion.clone()))),
        item("listen backlog", &|entry| flat(entry.backlog.map(|&backlog| settled(count(backlog))))),
        item("threads", &|entry| flat(entry.threads.map(|names| threads(names)))),
        item("allocator", &|entry| {
            let read =
                entry.executable.map(|executable| executable.allocators.map(|held| settled(allocator(held))));
            flat(match read {
                Reading::Read(read) => read,
                Reading::Missing { missing } => Reading::Missing { missing },
            })
        }),
        item("compiler", &|entry| {
            flat(entry.executable.map(|executable| settled(compiler(&executable.compilers))))
        }),
        item("executable", &|entry| {
            flat(entry.executable.map(|executable| {
                let hash = executable.sha256.get(..12).unwrap_or(&executable.sha256);
                moving(format!("{} KiB, {hash}", count(executable.bytes / 1024)))
            }))
        }),
        item("version", &|entry| moving(entry.version.clone())),
    ];
    let mut passes: Vec<(Flush, f64)> = Vec::new();
    for pass in entries.iter().flat_map(|entry| &entry.streams).map(|pass| (pass.flush, pass.rate_per_s)) {
        if !passes.contains(&pass) {
            passes.push(pass);
        }
    }
    for pass in passes {
        items.extend(of_stream(entries, pass));
    }
    items
}

/// The rows of one stream.
fn of_stream(entries: &[&LedgerEntry], (flush, rate_per_s): (Flush, f64)) -> Vec<Item> {
    let pace = if rate_per_s > 0.0 {
        format!("{} ticks/s", count(rate_per_s.round() as u64))
    } else {
        "flood".into()
    };
    let item = |name: &str, of: &dyn Fn(&StreamPass) -> Value| Item {
        name: format!("{name} ({flush}, {pace})"),
        values: entries
            .iter()
            .map(|entry| {
                let pass =
                    entry.streams.iter().find(|pass| pass.flush == flush && pass.rate_per_s == rate_per_s);
                pass.map_or_else(|| absent("it was not asked for such a stream"), of)
            })
            .collect(),
    };
    let calls = |of: fn(&SystemCalls) -> Value| move |pass: &StreamPass| flat(pass.calls.map(of));
    vec![
        item("system calls a message", &calls(a_message)),
        item("messages a write", &calls(messages_a_write)),
        item("bytes a write", &calls(bytes_a_write)),
        item(
            "space of a read",
            &calls(|calls| match calls.read_space_bytes {
                // A buffer that holds some bytes already has that much less space.
                Some(bytes) => Value {
                    shown: Reading::Read(format!("{} B", count(bytes))),
                    compared: Some(bytes.next_power_of_two().to_string()),
                },
                None => absent("no read of the connection was seen, or none that says how much it can take"),
            }),
        ),
        item("messages a read of the client", &|pass| {
            flat(pass.seen.map(|seen| moving(number(seen.messages as f64 / seen.reads.max(1) as f64))))
        }),
    ]
}

fn settled(shown: impl Into<String>) -> Value {
    let shown = shown.into();
    Value { compared: Some(shown.clone()), shown: Reading::Read(shown) }
}

/// What the kernel or chance moves, or what is each server's own.
fn moving(shown: impl Into<String>) -> Value {
    Value { shown: Reading::Read(shown.into()), compared: None }
}

fn absent(reason: &str) -> Value {
    Value { shown: Reading::Missing { missing: reason.into() }, compared: None }
}

fn flat(value: Reading<Value>) -> Value {
    match value {
        Reading::Read(value) => value,
        Reading::Missing { missing } => absent(&missing),
    }
}

fn on(is: bool) -> &'static str {
    if is { "on" } else { "off" }
}

fn bound(bytes: u64) -> String {
    // The kernel shows its setting of the whole system (net.ipv4.tcp_notsent_lowat) where a socket has none.
    if bytes == 0 || bytes >= UNBOUNDED { "no bound".into() } else { format!("{} B", count(bytes)) }
}

/// A size that the server set is compared; one that the kernel moves is only told.
fn buffer(buffer: &SocketBuffer) -> Value {
    let bytes = count(buffer.bytes);
    match &buffer.is_set {
        Reading::Read(true) => settled(format!("{bytes} B, set")),
        Reading::Read(false) => Value {
            shown: Reading::Read(format!("{bytes} B, the kernel's")),
            compared: Some("the kernel's".into()),
        },
        Reading::Missing { .. } => moving(format!("{bytes} B, set or not")),
    }
}

fn threads(names: &[String]) -> Value {
    let mut others = names.get(1..).unwrap_or_default().to_vec();
    others.sort();
    let shown = if others.is_empty() {
        names.len().to_string()
    } else {
        format!("{} (beside the main one {})", names.len(), others.join(", "))
    };
    Value { shown: Reading::Read(shown), compared: Some(names.len().to_string()) }
}

fn allocator(held: &[String]) -> String {
    if held.is_empty() { "the system's".into() } else { held.join(", ") }
}

/// The compiler of the program's own language comes last to the section; C's is that of the start-up code.
fn compiler(compilers: &[String]) -> String {
    let own: Vec<&str> =
        compilers.iter().map(String::as_str).filter(|text| text.starts_with("rustc")).collect();
    if own.is_empty() { compilers.join(", ") } else { own.join(", ") }
}

fn over(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn a_message(calls: &SystemCalls) -> Value {
    let mut by_count: Vec<(&str, u64)> =
        calls.counts.iter().map(|(name, &count)| (name.as_str(), count)).collect();
    by_count.sort_by_key(|&(name, count)| (std::cmp::Reverse(count), name));
    let total: u64 = by_count.iter().map(|(_, count)| count).sum();
    let each = |number: f64| if number >= 0.0995 { format!("{number:.2}") } else { format!("{number:.3}") };
    let (named, others) = by_count.split_at(by_count.len().min(NAMED_CALLS));
    let mut words: Vec<String> =
        named.iter().map(|(name, count)| format!("{name} {}", each(over(*count, calls.messages)))).collect();
    if !others.is_empty() {
        let rest: u64 = others.iter().map(|(_, count)| count).sum();
        words.push(format!("others {}", each(over(rest, calls.messages))));
    }
    let total = over(total, calls.messages);
    Value {
        shown: Reading::Read(format!("{}: {}", each(total), words.join(", "))),
        // In whole calls: a timer more or less is chance.
        compared: Some(format!("{total:.0}")),
    }
}

fn messages_a_write(calls: &SystemCalls) -> Value {
    let messages = over(calls.messages, calls.writes.calls);
    let failed = match calls.failed_writes {
        0 => String::new(),
        failed => format!(", {} more wrote nothing", count(failed)),
    };
    Value {
        shown: Reading::Read(format!("{}{failed}", number(messages))),
        compared: Some(format!("{messages:.0}")),
    }
}

fn bytes_a_write(calls: &SystemCalls) -> Value {
    let Sizes { min, median, max, .. } = calls.writes;
    moving(if min == max {
        count(min)
    } else {
        format!("{} ({} to {})", count(median), count(min), count(max))
    })
}
