//! Stages and samples: what the probe tells of a stream whose every stamp is known to lie in order.
#![cfg(target_os = "linux")]

mod scripted;

use std::io::Write as _;
use std::net::SocketAddr;

use scripted::*;
use tickbench_record::{Band, Job, Observation, Request, Sample, Stage, Wait, read_samples};

/// A server that writes ticks by threes, so that many share a read.
fn threes() -> SocketAddr {
    serve(|stream| {
        let mut paced = Paced::start(RATE_PER_S);
        loop {
            let frames: Vec<u8> = (0..3).flat_map(|_| framed(&payload(&paced.next(), 0))).collect();
            stream.write_all(&frames)?;
        }
    })
}

const RATE_PER_S: f64 = 6000.0;

/// Paced ticks, split by stages.
fn paced(server: SocketAddr) -> Request {
    let window_ns = 400_000_000;
    Request { rate_per_s: RATE_PER_S, stages: true, wait: Wait::Spin, window_ns, ..request(server) }
}

/// The observation, and the rows behind it.
fn sampled(request: Request) -> (Observation, Vec<Sample>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("samples.csv.gz");
    let seen = completed(measure(&Request { samples: Some(path.clone()), ..request }));
    (seen, read_samples(&path).unwrap().map(Result::unwrap).collect())
}

#[test]
fn the_stages_of_a_band_add_up_to_its_response() {
    for wait in [Wait::Spin, Wait::Block] {
        let seen = completed(measure(&Request { wait, ..paced(threes()) }));
        let stages = seen.stages.unwrap();
        assert_eq!(stages.misplaced, 0, "{stages:?}");
        assert!(stages.stamped > 0 && stages.stamped <= seen.received, "{stages:?}");
        for band in [stages.median, stages.slowest_100th, stages.slowest_1000th].into_iter().flatten() {
            assert!(band.messages >= Band::FEWEST && band.stamped <= band.messages, "{band:?}");
            assert!((band.sum_ns() - band.response_ns).abs() < 1.0, "{band:?}");
        }
    }
}

#[test]
fn every_message_of_the_window_has_a_row() {
    let (seen, rows) = sampled(paced(threes()));
    assert_eq!(rows.len() as u64, seen.received);
    assert!(rows.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1));
    assert!(rows.is_sorted_by_key(|row| row.received_ns));
    let stages = seen.stages.unwrap();
    let stamped: Vec<&Sample> = rows.iter().filter(|row| row.kernel_ns.is_some()).collect();
    assert_eq!(stamped.len() as u64, stages.stamped);
    for row in stamped {
        let kernel_ns = row.kernel_ns.unwrap();
        assert!(row.sent_ns <= kernel_ns + stages.clock_bound_ns, "{row:?}");
        assert!(kernel_ns <= row.received_ns + stages.clock_bound_ns, "{row:?}");
    }
    // Only the last message of a read knows its packet.
    let mates = |pair: &[Sample]| pair[0].received_ns == pair[1].received_ns;
    assert!(rows.windows(2).all(|pair| !mates(pair) || pair[0].kernel_ns.is_none()));
    let longest_ns = rows.iter().map(|row| row.received_ns - row.sent_ns).max().unwrap();
    let told_ns = seen.delivery_ns.unwrap().max;
    assert!(told_ns.abs_diff(longest_ns) * 1000 <= longest_ns, "{told_ns} for {longest_ns}");
}

#[test]
fn samples_need_no_stages_and_tell_connections_apart() {
    let server = serve(|stream| paced_ticks(stream, RATE_PER_S / 3.0, |_| ()));
    let (seen, rows) = sampled(Request { stages: false, connections: 3, ..paced(server) });
    assert_eq!(seen.stages, None);
    assert_eq!(rows.len() as u64, seen.received);
    assert!(rows.iter().all(|row| row.kernel_ns.is_none() && row.connection < 3));
    for connection in 0..3 {
        let seqs: Vec<u64> =
            rows.iter().filter(|row| row.connection == connection).map(|row| row.seq).collect();
        assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1), "connection {connection}");
    }
}

#[test]
fn samples_say_what_was_set_aside() {
    // Every gap counts: all is set aside.
    let (seen, rows) = sampled(Request { hiccup_ns: Some(1), ..paced(threes()) });
    let aside = rows.iter().filter(|row| row.set_aside).count() as u64;
    assert_eq!(aside, seen.client_hiccups.unwrap().set_aside);
    assert!(aside > 0);
}

#[test]
fn what_has_no_stages_or_samples_is_refused_with_the_reason() {
    let server = threes();
    let samples = Some("/nowhere/at/all.csv.gz".into());
    let plain = Request { stages: false, ..paced(server) };
    for (request, stage, words) in [
        (Request { connections: 2, ..paced(server) }, Stage::Connect, "over one connection alone"),
        (Request { rate_per_s: 0.0, ..paced(server) }, Stage::Warmup, "neither a flood nor an echo"),
        (
            Request { rate_per_s: 0.0, samples: samples.clone(), ..plain.clone() },
            Stage::Warmup,
            "only paced ticks",
        ),
        (
            Request { rate_per_s: 5e6, window_ns: 10_000_000_000, samples: samples.clone(), ..plain.clone() },
            Stage::Warmup,
            "at most 64 MiB",
        ),
        (
            Request { samples, ..plain },
            Stage::Audit,
            "failed to write the samples to `/nowhere/at/all.csv.gz`",
        ),
    ] {
        let (failed_at, reason) = broken(measure(&request));
        assert_eq!(failed_at, stage, "{reason}");
        assert!(reason.contains(words), "{reason:?} lacks {words:?}");
    }
    let echo = Request { job: Job::Echo, rate_per_s: 0.0, ..paced(serve(echo)) };
    assert!(broken(measure(&echo)).1.contains("neither a flood nor an echo"));
}
