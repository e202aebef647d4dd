//! The flags of `measure`: the other half of [`Request::to_args`].

use std::net::SocketAddr;
use std::path::PathBuf;

use tickbench_record::{Arrival, Disturbance, Encoding, Flush, Job, Request, Wait};

/// What to measure. Turns into a [`Request`].
#[derive(Debug, Clone, clap::Args)]
pub struct MeasureFlags {
    /// Where the server listens
    #[arg(long, value_name = "ADDR:PORT")]
    server: SocketAddr,
    /// What to do: receive ticks, have messages echoed, open and close connections, ping, or publish and subscribe (relay)
    #[arg(long, default_value = "ticks", value_parser = job)]
    job: Job,
    /// How messages are written: json or binary
    #[arg(long, default_value_t = Encoding::Binary)]
    encoding: Encoding,
    /// When messages leave the server: each or batch
    #[arg(long, default_value_t = Flush::Each)]
    flush: Flush,
    /// How paced ticks are spread over time: constant, poisson, burst or recorded
    #[arg(long, default_value_t = Arrival::Constant)]
    arrival: Arrival,
    /// Messages a second over all connections, 0 for a flood
    #[arg(long, default_value_t = 0.0, value_name = "PER_S", value_parser = zero_or_more)]
    rate: f64,
    /// Bytes that each message is padded to, 0 for none; for echo, the payload's size
    #[arg(long, default_value_t = 0, value_name = "BYTES")]
    size: u64,
    /// Seed of the feed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A capture in place of the generated feed
    #[arg(long, value_name = "CAPTURE", allow_hyphen_values = true)]
    feed: Option<PathBuf>,
    /// Divides the recorded gaps
    #[arg(long, default_value_t = 1.0, value_parser = above_zero)]
    speed: f64,
    /// Connections held at once
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// How to wait for data: spin or block
    #[arg(long, default_value_t = Wait::Block)]
    wait: Wait,
    /// Measured and discarded before the window
    #[arg(long, default_value_t = 200_000_000)]
    warmup_ns: u64,
    /// Length of the window
    #[arg(long, default_value_t = 1_000_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    window_ns: u64,
    /// Without a message for so long, the measurement has failed; after the window, what has not come in so long is lost
    #[arg(long, default_value_t = 2_000_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    stall_ns: u64,
    /// The server's process, for its usage
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Usage samples a second over the window, 0 for none
    #[arg(long, default_value_t = 0)]
    usage_samples_per_s: u32,
    /// Gap between two polls from which on this core was away; samples that one may have delayed are set apart
    #[arg(long, value_name = "NS", value_parser = clap::value_parser!(u64).range(1..))]
    hiccup_ns: Option<u64>,
    /// Where the process that spins on the server's core notes its gaps
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    server_gaps: Option<PathBuf>,
    /// Split what is seen by the kernel's receive timestamps: paced ticks over one connection
    #[arg(long)]
    stages: bool,
    /// Write a row for each message of the window, as CSV in gzip: paced ticks
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    samples: Option<PathBuf>,
    /// What goes on beside a relay: nothing, stopped-reader, slow-reader, vanishing, half-open, connect-flood or churn
    #[arg(long, default_value_t = Disturbance::Nothing)]
    beside: Disturbance,
}

impl From<MeasureFlags> for Request {
    fn from(flags: MeasureFlags) -> Request {
        Request {
            server: flags.server,
            job: flags.job,
            encoding: flags.encoding,
            flush: flags.flush,
            arrival: flags.arrival,
            rate_per_s: flags.rate,
            size_bytes: flags.size,
            seed: flags.seed,
            feed: flags.feed,
            speed: flags.speed,
            connections: flags.connections,
            wait: flags.wait,
            warmup_ns: flags.warmup_ns,
            window_ns: flags.window_ns,
            stall_ns: flags.stall_ns,
            server_pid: flags.server_pid,
            usage_samples_per_s: flags.usage_samples_per_s,
            hiccup_ns: flags.hiccup_ns,
            server_gaps: flags.server_gaps,
            stages: flags.stages,
            samples: flags.samples,
            beside: flags.beside,
        }
    }
}

fn job(word: &str) -> Result<Job, String> {
    match word {
        "ticks" => Ok(Job::Ticks),
        "echo" => Ok(Job::Echo),
        "connect" => Ok(Job::Connect),
        "ping" => Ok(Job::Ping),
        "relay" => Ok(Job::Relay),
        _ => Err("a job is ticks, echo, connect, ping or relay".into()),
    }
}

fn zero_or_more(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number")?;
    if number.is_finite() && number >= 0.0 { Ok(number) } else { Err("not a number from 0 up".into()) }
}

fn above_zero(text: &str) -> Result<f64, String> {
    let number = zero_or_more(text)?;
    if number > 0.0 { Ok(number) } else { Err("not above 0".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use proptest::prelude::*;

    #[derive(Parser)]
    enum Command {
        Measure(MeasureFlags),
    }

    fn any_of<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
        proptest::sample::select(all)
    }

    prop_compose! {
        fn numbers()(
            rate in prop_oneof![Just(0.0), 0.001..1e9],
            speed in 1e-3..1e6,
            whole: [u64; 4],
            window in 1u64..,
            connections in 1u32..,
            pid: Option<u32>,
            samples: u32,
        ) -> Request {
            Request {
                server: SocketAddr::from(([127, 0, 0, 1], whole[0] as u16)),
                job: Job::Ticks,
                encoding: Encoding::Json,
                flush: Flush::Each,
                arrival: Arrival::Constant,
                rate_per_s: rate,
                size_bytes: whole[1],
                seed: whole[2],
                feed: None,
                speed,
                connections,
                wait: Wait::Spin,
                warmup_ns: whole[3],
                window_ns: window,
                stall_ns: window,
                server_pid: pid,
                usage_samples_per_s: samples,
                hiccup_ns: pid.map(|pid| u64::from(pid) + 1),
                server_gaps: None,
                stages: false,
                samples: None,
                beside: Disturbance::Nothing,
            }
        }
    }

    prop_compose! {
        fn request()(
            numbers in numbers(),
            job in any_of(&[Job::Ticks, Job::Echo, Job::Connect, Job::Ping, Job::Relay]),
            encoding in any_of(Encoding::ALL),
            flush in any_of(Flush::ALL),
            arrival in any_of(Arrival::ALL),
            wait in any_of(Wait::ALL),
            beside in any_of(Disturbance::ALL),
            feed in proptest::option::of("[-a-z /=&%é]{1,20}"),
            gaps in proptest::option::of("[-a-z /=&%é]{1,20}"),
            samples in proptest::option::of("[-a-z /=&%é]{1,20}"),
            stages: bool,
            v6: bool,
        ) -> Request {
            let server = if v6 { SocketAddr::from(([0; 8], numbers.server.port())) } else { numbers.server };
            Request {
                server,
                job,
                encoding,
                flush,
                arrival,
                wait,
                feed: feed.map(PathBuf::from),
                server_gaps: gaps.map(PathBuf::from),
                samples: samples.map(PathBuf::from),
                stages,
                beside,
                ..numbers
            }
        }
    }

    proptest! {
        #[test]
        fn a_request_reads_back_from_its_flags(request in request()) {
            let args = [std::ffi::OsString::from("client")].into_iter().chain(request.to_args());
            let Command::Measure(flags) = Command::try_parse_from(args).unwrap();
            prop_assert_eq!(Request::from(flags), request);
        }
    }

    #[test]
    fn senseless_flags_are_refused() {
        let refuse = |flag: &str, value: &str| {
            let args = ["client", "measure", "--server", "127.0.0.1:1", flag, value];
            assert!(Command::try_parse_from(args).is_err(), "{flag} {value}");
        };
        refuse("--rate", "-1");
        refuse("--rate", "inf");
        refuse("--speed", "0");
        refuse("--connections", "0");
        refuse("--window-ns", "0");
        refuse("--job", "dance");
        refuse("--encoding", "xml");
    }
}
