//! Where the time of a message goes: its stages, over messages of about the same response.

use tickbench_record::{Band, Sample, Stages};

use crate::clock_map::ClockMap;

/// Puts the kernel's times of `messages` on the client's clock.
pub(crate) fn map(messages: &mut [Sample], clocks: &ClockMap) {
    for message in messages {
        message.kernel_ns = message.kernel_ns.map(|real_ns| clocks.monotonic_ns(real_ns));
    }
}

/// The stages of messages whose kernel times are on the client's clock, give or take `bound_ns`.
///
/// In no band: messages that a hiccup of the client's core may have delayed, and those whose own times run backwards, which are
/// counted elsewhere and fail the row.
pub(crate) fn of(messages: &[Sample], bound_ns: u64) -> Stages {
    let in_order =
        |message: &&Sample| message.due_ns <= message.sent_ns && message.sent_ns <= message.received_ns;
    let mut sorted: Vec<&Sample> =
        messages.iter().filter(in_order).filter(|message| !message.set_aside).collect();
    sorted.sort_unstable_by_key(|message| (response_ns(message), message.seq));
    let count = sorted.len();
    Stages {
        stamped: messages.iter().filter(|message| message.kernel_ns.is_some()).count() as u64,
        misplaced: messages.iter().filter(|message| is_misplaced(message, bound_ns)).count() as u64,
        clock_bound_ns: bound_ns,
        median: band(&sorted[count * 45 / 100..count * 55 / 100]),
        slowest_100th: band(&sorted[count - count / 100..]),
        slowest_1000th: band(&sorted[count - count / 1000..]),
    }
}

fn response_ns(message: &Sample) -> u64 {
    message.received_ns - message.due_ns
}

/// Whether the kernel had it before it was sent, or after it was read.
fn is_misplaced(message: &Sample, bound_ns: u64) -> bool {
    message.kernel_ns.is_some_and(|kernel_ns| {
        kernel_ns.saturating_add(bound_ns) < message.sent_ns
            || kernel_ns > message.received_ns.saturating_add(bound_ns)
    })
}

/// The means over some messages; `None` of too few.
fn band(messages: &[&Sample]) -> Option<Band> {
    let count = messages.len() as u64;
    if count < Band::FEWEST {
        return None;
    }
    // Whole numbers: the stages of each message add up to its response exactly.
    let (mut stamped, mut lag, mut network, mut wake, mut unsplit, mut response) = (0, 0, 0, 0, 0, 0);
    for message in messages {
        let [due, sent, received] = [message.due_ns, message.sent_ns, message.received_ns].map(i128::from);
        lag += sent - due;
        response += received - due;
        match message.kernel_ns.map(i128::from) {
            Some(kernel) => {
                stamped += 1;
                network += kernel - sent;
                wake += received - kernel;
            }
            None => unsplit += received - sent,
        }
    }
    let mean = |sum: i128| sum as f64 / count as f64;
    Some(Band {
        messages: count,
        stamped,
        lag_ns: mean(lag),
        network_ns: mean(network),
        wake_ns: mean(wake),
        unsplit_ns: mean(unsplit),
        response_ns: mean(response),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Due at 1000, with stages of 10 and 20 and so many nanoseconds.
    fn message(seq: u64, wake_ns: u64) -> Sample {
        let (due_ns, sent_ns, kernel_ns) = (1_000, 1_010, 1_030);
        Sample {
            seq,
            connection: 0,
            due_ns,
            sent_ns,
            kernel_ns: Some(kernel_ns),
            received_ns: kernel_ns + wake_ns,
            set_aside: false,
        }
    }

    #[test]
    fn bands_are_the_middle_tenth_and_the_slowest_hundredth_and_thousandth() {
        // In reverse, so that the order of arrival says nothing.
        let messages: Vec<Sample> = (0..10_000).rev().map(|nth| message(nth, nth)).collect();
        let stages = of(&messages, 0);
        assert_eq!((stages.stamped, stages.misplaced), (10_000, 0));
        let of = |wake_ns: f64, messages| Band {
            messages,
            stamped: messages,
            lag_ns: 10.0,
            network_ns: 20.0,
            wake_ns,
            unsplit_ns: 0.0,
            response_ns: 30.0 + wake_ns,
        };
        assert_eq!(stages.median, Some(of(4_999.5, 1_000)));
        assert_eq!(stages.slowest_100th, Some(of(9_949.5, 100)));
        assert_eq!(stages.slowest_1000th, Some(of(9_994.5, 10)));
    }

    #[test]
    fn bands_of_fewer_than_ten_messages_are_none() {
        let bands = |count| {
            let stages = of(&(0..count).map(|nth| message(nth, nth)).collect::<Vec<_>>(), 0);
            [stages.median, stages.slowest_100th, stages.slowest_1000th].map(|band| band.is_some())
        };
        assert_eq!(bands(0), [false; 3]);
        assert_eq!(bands(98), [false, false, false]);
        assert_eq!(bands(99), [true, false, false]);
        assert_eq!(bands(999), [true, false, false]);
        assert_eq!(bands(1_000), [true, true, false]);
        assert_eq!(bands(9_999), [true, true, false]);
    }

    #[test]
    fn what_shares_a_read_is_not_split_and_still_adds_up() {
        let mut messages: Vec<Sample> = (0..100).map(|nth| message(nth, 100)).collect();
        messages
            .iter_mut()
            .filter(|message| message.seq % 4 > 0)
            .for_each(|message| message.kernel_ns = None);
        let stages = of(&messages, 0);
        let band = stages.median.unwrap();
        assert_eq!((stages.stamped, band.messages), (25, 10));
        let split = band.stamped as f64 / 10.0;
        assert_eq!((band.network_ns, band.wake_ns), (20.0 * split, 100.0 * split));
        assert_eq!((band.unsplit_ns, band.sum_ns()), (120.0 * (1.0 - split), 130.0));
    }

    #[test]
    fn stamps_beyond_the_bound_are_counted() {
        let at = |kernel_ns| Sample { kernel_ns: Some(kernel_ns), ..message(0, 70) };
        let misplaced = |kernel_ns, bound_ns| of(&[at(kernel_ns)], bound_ns).misplaced;
        assert_eq!([1_010, 1_100].map(|kernel_ns| misplaced(kernel_ns, 0)), [0, 0]);
        assert_eq!([1_009, 1_101].map(|kernel_ns| misplaced(kernel_ns, 0)), [1, 1]);
        assert_eq!([1_009, 1_101].map(|kernel_ns| misplaced(kernel_ns, 1)), [0, 0]);
    }

    #[test]
    fn what_was_set_aside_or_runs_backwards_is_in_no_band() {
        let mut messages: Vec<Sample> = (0..1_000).map(|nth| message(nth, 100)).collect();
        messages.extend((0..50).map(|nth| Sample { set_aside: true, ..message(nth, 1_000_000) }));
        messages.extend((0..50).map(|nth| Sample { received_ns: 5, ..message(nth, 0) }));
        messages.extend((0..50).map(|nth| Sample { sent_ns: 5, ..message(nth, 1_000_000) }));
        let stages = of(&messages, 0);
        assert_eq!(stages.slowest_100th.unwrap().response_ns, 130.0);
        assert_eq!(stages.slowest_100th.unwrap().messages, 10);
    }

    proptest! {
        #[test]
        fn the_stages_add_up_to_the_response(
            times in proptest::collection::vec((0u64..1 << 50, 0u64..1 << 30, 0u64..1 << 30, proptest::option::of(0u64..1 << 51)), 100..300),
        ) {
            let messages: Vec<Sample> = times
                .into_iter()
                .map(|(due_ns, lag_ns, delivery_ns, kernel_ns)| Sample {
                    seq: 0,
                    connection: 0,
                    due_ns,
                    sent_ns: due_ns + lag_ns,
                    kernel_ns,
                    received_ns: due_ns + lag_ns + delivery_ns,
                    set_aside: false,
                })
                .collect();
            let band = of(&messages, 0).median.unwrap();
            let largest = [band.network_ns, band.wake_ns, band.response_ns].map(f64::abs).into_iter().fold(1.0, f64::max);
            prop_assert!((band.sum_ns() - band.response_ns).abs() <= 1e-9 * largest);
        }
    }
}
