//! From what the harness asks to what a server is asked.

use tickbench_protocol::{self as protocol, TicksQuery};
use tickbench_record::{Arrival, Encoding, Flush, Request};

/// The request target of each of the request's connections to `/ticks`.
pub fn ticks_target(request: &Request) -> String {
    format!("/ticks?{}", ticks_query(request))
}

/// What each connection asks for: its share of the rate, and an endless stream.
pub(crate) fn ticks_query(request: &Request) -> TicksQuery {
    let arrival = match request.arrival {
        Arrival::Constant => protocol::Arrival::Constant,
        Arrival::Poisson => protocol::Arrival::Poisson,
        Arrival::Burst => protocol::Arrival::Burst,
        Arrival::Recorded => protocol::Arrival::Recorded,
    };
    let rate_per_s = request.rate_per_s / f64::from(request.connections);
    TicksQuery {
        encoding: match request.encoding {
            Encoding::Json => protocol::Encoding::Json,
            Encoding::Binary => protocol::Encoding::Binary,
        },
        flush: match request.flush {
            Flush::Each => protocol::Flush::Each,
            Flush::Batch => protocol::Flush::Batch,
        },
        arrival,
        rate_per_s: (arrival != protocol::Arrival::Recorded).then_some(rate_per_s),
        count: None,
        size_bytes: request.size_bytes as usize,
        seed: request.seed,
        feed: request.feed.clone(),
        speed: request.speed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickbench_record::{Job, Wait};

    fn request() -> Request {
        Request {
            server: ([127, 0, 0, 1], 9).into(),
            job: Job::Ticks,
            encoding: Encoding::Binary,
            flush: Flush::Batch,
            arrival: Arrival::Constant,
            rate_per_s: 10_000.0,
            size_bytes: 1024,
            seed: 7,
            feed: None,
            speed: 1.0,
            connections: 100,
            wait: Wait::Spin,
            warmup_ns: 0,
            window_ns: 1,
            stall_ns: 1,
            server_pid: None,
            usage_samples_per_s: 0,
            hiccup_ns: None,
            server_gaps: None,
            stages: false,
            samples: None,
            beside: tickbench_record::Disturbance::Nothing,
        }
    }

    #[test]
    fn the_rate_is_shared_by_the_connections() {
        let query = ticks_query(&request());
        assert_eq!(query.rate_per_s, Some(100.0));
        let target = ticks_target(&request());
        assert_eq!(TicksQuery::parse(target.strip_prefix("/ticks?").unwrap()), Ok(query));
    }

    #[test]
    fn a_replay_names_no_rate() {
        let request = Request {
            arrival: Arrival::Recorded,
            size_bytes: 0,
            feed: Some("a capture.gz".into()),
            speed: 4.0,
            ..request()
        };
        let query = TicksQuery::parse(ticks_target(&request).strip_prefix("/ticks?").unwrap()).unwrap();
        assert_eq!((query.rate_per_s, query.speed, query.feed), (None, 4.0, request.feed));
    }
}
