//! Draws what a client might have seen. The constants resemble a 2-core virtual machine.

use fastrand::Rng;
use hdrhistogram::Histogram;
use tickbench_record::{
    Account, Accounts, CONTROL, Cell, Client, Distribution, Encoding, Flush, Hiccups, Idle, Observation,
    Outcome, Scenario, ScenarioKind, Stage, Usage, UsageSamples, Wait, new_histogram,
};

/// What sets the servers apart.
struct Character {
    /// Median delivery of a binary tick, in µs.
    delivery_us: f64,
    /// Messages a second with one flush a message and with coalesced flushes, in millions.
    each_m_per_s: f64,
    batch_m_per_s: f64,
    /// Resident memory: the process and one connection.
    rss_base: u64,
    rss_per_connection: u64,
}

fn character(server: &str) -> Character {
    let of = |delivery_us, each_m_per_s, batch_m_per_s, rss_base, rss_per_connection| Character {
        delivery_us,
        each_m_per_s,
        batch_m_per_s,
        rss_base,
        rss_per_connection,
    };
    match server.trim_end_matches(CONTROL) {
        "axum" => of(5.15, 0.52, 7.0, 5_900_000, 14_000),
        "actix" => of(5.64, 3.6, 4.1, 7_400_000, 16_000),
        "tungstenite" => of(5.07, 0.54, 6.8, 4_100_000, 13_500),
        _ => of(4.85, 0.56, 21.0, 2_300_000, 7_000),
    }
}

/// One execution of one cell.
pub(crate) fn execute(
    cell: &Cell,
    scenario: &Scenario,
    weather: f64,
    random: &mut Rng,
) -> (Outcome, Option<Observation>) {
    let failed = |stage, reason: &str| (Outcome::Failed { stage, reason: reason.into() }, None);
    if cell.server == "actix" && cell.connections == 1000 && random.f64() < 0.04 {
        return failed(Stage::Connect, "only 987 of 1,000 connections were upgraded within 2 s");
    }
    if random.f64() < 0.001 {
        return failed(Stage::Measure, "no message for 2,000 ms: the server was killed by signal 9");
    }
    let observation = match cell.kind {
        ScenarioKind::Latency | ScenarioKind::Scaling | ScenarioKind::Load | ScenarioKind::Relay => {
            paced(cell, scenario, weather, random)
        }
        ScenarioKind::Throughput | ScenarioKind::Capacity | ScenarioKind::Connect => {
            flood(cell, scenario, weather, random)
        }
        ScenarioKind::Echo | ScenarioKind::Ping => echo(cell, scenario, weather, random),
    };
    (Outcome::Completed, Some(observation))
}

fn paced(cell: &Cell, scenario: &Scenario, weather: f64, random: &mut Rng) -> Observation {
    let window_ns = scenario.window_ms * 1_000_000;
    let received = (cell.rate_per_s * scenario.window_ms as f64 / 1000.0) as u64;
    let usual = cell.client == Client::Tungstenite;
    let json = if cell.encoding == Encoding::Json { 0.62 } else { 0.0 };
    // A blocked client has to be woken, and a burst over many connections queues.
    let waking = if cell.kind == ScenarioKind::Scaling || usual { 41.0 } else { 0.0 };
    let queue = 0.9 * f64::from(cell.connections).powf(0.8) - 0.9;
    let client = if usual { 6.0 } else { 0.0 };
    let base = character(&cell.server).delivery_us + json + waking + queue + client;
    let center = 1000.0 * base * weather * (1.0 + 0.008 * normal(random));
    let (mut lag, mut delivery, mut response) = (Tails::new(), Tails::new(), new_histogram());
    let lag_center = 46_000.0 * weather * (1.0 + 0.02 * normal(random));
    for _ in 0..received {
        let late = lag.draw(lag_center, 0.18, 0.004, random);
        let delivered = delivery.draw(center, 0.09, 0.009, random);
        response += late + delivered;
    }
    let share = 0.16 + 0.004 * character(&cell.server).delivery_us + 0.02 * json + 0.003 * normal(random);
    let client_share = if waking > 0.0 { 0.21 + client * 0.03 } else { 0.999 };
    let mut observation =
        seen(cell, window_ns, received, received, share, client_share + 0.0005 * normal(random), random);
    (observation.lag_ns, observation.delivery_ns) = (lag.raw(), delivery.raw());
    if cell.idle == Idle::Spin {
        (observation.lag_cleaned_ns, observation.server_hiccups) = (lag.cleaned(), Some(lag.hiccups));
    }
    // Only a client that polls sees when its core was taken away.
    if cell.wait == Wait::Spin {
        (observation.delivery_cleaned_ns, observation.client_hiccups) =
            (delivery.cleaned(), Some(delivery.hiccups));
    }
    observation.response_ns = Distribution::of(&response);
    observation
}

fn flood(cell: &Cell, scenario: &Scenario, weather: f64, random: &mut Rng) -> Observation {
    let nature = character(&cell.server);
    let (rate, per_read) = match cell.flush {
        Flush::Each => (nature.each_m_per_s, if nature.each_m_per_s > 1.0 { 24.0 } else { 1.3 }),
        Flush::Batch => (nature.batch_m_per_s, 180.0),
    };
    let json = if cell.encoding == Encoding::Json { if rate > 1.0 { 0.26 } else { 0.72 } } else { 1.0 };
    // The client reads at most so many, and is then what is measured.
    let (ceiling, wanted) = (if json < 1.0 { 4.9 } else { 90.0 }, rate * json);
    let bound = wanted > ceiling;
    let rate = 1e6 * wanted.min(ceiling) / weather * (1.0 + 0.012 * normal(random));
    let window_ns = scenario.window_ms * 1_000_000;
    let received = (rate * window_ns as f64 / 1e9) as u64;
    let mut delivery = new_histogram();
    let center = 1000.0 * (40.0 + 300.0 * per_read / 180.0) * weather;
    for _ in 0..1500 {
        let (value, _) = skewed(center, 0.4, 0.01, random);
        delivery.record_n(value, received / 1500).expect("within the bounds");
    }
    let (server, client) = if bound { (0.81, 0.97) } else { (0.994, 0.35 + 0.3 * wanted / ceiling) };
    let reads = (received as f64 / per_read) as u64;
    let mut observation = seen(cell, window_ns, received, reads, server, client, random);
    observation.delivery_ns = Distribution::of(&delivery);
    observation
}

fn echo(cell: &Cell, scenario: &Scenario, weather: f64, random: &mut Rng) -> Observation {
    let center =
        1000.0 * (character(&cell.server).delivery_us * 2.4 + 41.0) * weather * (1.0 + 0.01 * normal(random));
    let window_ns = scenario.window_ms * 1_000_000;
    let (mut round_trip, mut elapsed) = (Tails::new(), 0);
    while elapsed < window_ns {
        elapsed += round_trip.draw(center, 0.1, 0.01, random);
    }
    let received = round_trip.all.len();
    let mut observation = seen(cell, elapsed, received, received, 0.29, 0.999, random);
    observation.round_trip_ns = round_trip.raw();
    (observation.round_trip_cleaned_ns, observation.client_hiccups) =
        (round_trip.cleaned(), Some(round_trip.hiccups));
    observation
}

fn seen(
    cell: &Cell,
    elapsed_ns: u64,
    received: u64,
    reads: u64,
    server_share: f64,
    client_share: f64,
    random: &mut Rng,
) -> Observation {
    let nature = character(&cell.server);
    let rss =
        nature.rss_base + nature.rss_per_connection * u64::from(cell.connections) + 4096 * random.u64(0..40);
    let messages_per_s = received as f64 * 1e9 / elapsed_ns as f64;
    let bytes = if cell.size_bytes > 0 {
        cell.size_bytes as f64
    } else if cell.encoding == Encoding::Json {
        203.4
    } else {
        48.0
    };
    let each = received / u64::from(cell.connections);
    let accounts = Accounts {
        sent_in_window: received,
        awaited_ns: 60_000,
        lost_age_ns: None,
        least_owed: each,
        worst: Account { connection: 0, owed: each, received: each },
        start_after_upgrade_ns: None,
    };
    let server = usage(elapsed_ns, server_share, received, rss);
    let client = usage(elapsed_ns, client_share, received, 3_100_000 + 1500 * u64::from(cell.connections));
    Observation {
        sent: received,
        received,
        lost: 0,
        reordered: 0,
        negative: 0,
        checked: received.min(1000),
        elapsed_ns,
        messages_per_s,
        bytes_per_s: messages_per_s * bytes,
        reads,
        connect_ns: 90_000 * u64::from(cell.connections) + random.u64(0..60_000),
        accounts: (cell.kind != ScenarioKind::Throughput).then_some(accounts),
        usage_samples: Some(samples(elapsed_ns, server_share, client_share, rss)),
        server_usage: Some(server),
        client_usage: Some(client),
        ..Observation::default()
    }
}

fn usage(interval_ns: u64, share: f64, messages: u64, rss_bytes: u64) -> Usage {
    let cpu = share * interval_ns as f64;
    Usage {
        interval_ns,
        cpu_user_ns: (cpu * 0.35) as u64,
        cpu_system_ns: (cpu * 0.65) as u64,
        cpu_share: share,
        cpu_ns_per_message: cpu / messages.max(1) as f64,
        rss_bytes,
        rss_peak_bytes: rss_bytes + 65_536,
        voluntary_switches: if share > 0.9 { 12 } else { interval_ns / 110_000 },
        involuntary_switches: interval_ns / 9_000_000,
        threads: 1,
        run_delay_ns: None,
    }
}

fn samples(window_ns: u64, server_share: f64, client_share: f64, rss: u64) -> UsageSamples {
    let at_ns: Vec<u64> = (1..=window_ns / 50_000_000).map(|sample| sample * 50_000_000).collect();
    let cpu = |share: f64| at_ns.iter().map(|&at| (at as f64 * share) as u64).collect();
    UsageSamples {
        server_cpu_ns: cpu(server_share),
        server_rss_bytes: at_ns.iter().map(|&at| rss - 40_960 + at / 250_000_000 * 40_960).collect(),
        client_cpu_ns: cpu(client_share),
        client_rss_bytes: vec![3_100_000; at_ns.len()],
        at_ns,
    }
}

/// A latency as it was, and less the hiccups.
struct Tails {
    all: Histogram<u64>,
    less: Histogram<u64>,
    hiccups: Hiccups,
}

impl Tails {
    fn new() -> Tails {
        let hiccups = Hiccups { threshold_ns: 6_000, ..Hiccups::default() };
        Tails { all: new_histogram(), less: new_histogram(), hiccups }
    }

    fn draw(&mut self, center: f64, spread: f64, chance: f64, random: &mut Rng) -> u64 {
        let (value, away) = skewed(center, spread, chance, random);
        self.all += value;
        if away < self.hiccups.threshold_ns {
            self.less += value;
            return value;
        }
        self.hiccups.count += 1;
        self.hiccups.lost_ns += away;
        self.hiccups.longest_ns = self.hiccups.longest_ns.max(away);
        self.hiccups.set_aside += 1;
        value
    }

    fn raw(&self) -> Option<Distribution> {
        Distribution::of(&self.all)
    }

    fn cleaned(&self) -> Option<Distribution> {
        Distribution::of(&self.less)
    }
}

/// A lognormal value around `center`, and with the given chance an exponential delay on top: a hiccup, and how long it was.
fn skewed(center: f64, spread: f64, hiccup: f64, random: &mut Rng) -> (u64, u64) {
    let value = (center * (spread * normal(random)).exp()).max(1.0) as u64;
    let away = if random.f64() < hiccup { (-30_000.0 * (1.0 - random.f64()).ln()) as u64 } else { 0 };
    (value + away, away)
}

/// A standard normal value, by Box and Muller.
pub(crate) fn normal(random: &mut Rng) -> f64 {
    (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos()
}
