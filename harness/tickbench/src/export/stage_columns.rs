//! The columns of stages: of each band of messages the mean of each stage.

use tickbench_record::{Band, Measurement, Stages};

use super::columns::Columns;

type BandOf = fn(&Stages) -> Option<Band>;

/// Messages of about the same response.
const BANDS: [(&str, &str, BandOf); 3] = [
    ("median", "middle 10 % by response", |stages| stages.median),
    ("slowest_100th", "slowest 1 %", |stages| stages.slowest_100th),
    ("slowest_1000th", "slowest 0.1 %", |stages| stages.slowest_1000th),
];

type BandCount = (&'static str, &'static str, fn(&Band) -> u64);
const BAND_COUNTS: [BandCount; 2] = [
    ("messages", "messages", |band| band.messages),
    ("stamped", "messages with a kernel timestamp of their own", |band| band.stamped),
];

type BandMean = (&'static str, &'static str, fn(&Band) -> f64);
const BAND_MEANS: [BandMean; 5] = [
    ("lag", "sent − due", |band| band.lag_ns),
    ("network", "kernel − sent, 0 of a message without a timestamp", |band| band.network_ns),
    ("wake", "received − kernel, 0 of a message without a timestamp", |band| band.wake_ns),
    ("unsplit", "received − sent of messages without a timestamp, 0 of the others", |band| band.unsplit_ns),
    ("response", "received − due, the sum of the four", |band| band.response_ns),
];

impl Columns {
    /// Adds them.
    pub(super) fn stages(&mut self) {
        fn of(m: &Measurement) -> Option<&Stages> {
            m.observation.as_ref()?.stages.as_ref()
        }
        let mut count = |name: &str, unit, meaning: &str, read: fn(&Stages) -> u64| {
            self.whole(name, unit, meaning, move |m| of(m).map(read));
        };
        count("stages_stamped", "", "messages with a kernel timestamp of their own", |stages| stages.stamped);
        count(
            "stages_misplaced",
            "",
            "kernel timestamps outside sent to received by more than the bound",
            |stages| stages.misplaced,
        );
        count("stages_clock_bound_ns", "ns", "how far off a kernel timestamp may be", |stages| {
            stages.clock_bound_ns
        });
        for (band, who, of_stages) in BANDS {
            let band_of = move |m: &Measurement| of(m).and_then(of_stages);
            for (name, meaning, read) in BAND_COUNTS {
                let meaning = format!("{who}: {meaning}");
                self.whole(format!("stages_{band}_{name}"), "", meaning, move |m| {
                    band_of(m).as_ref().map(read)
                });
            }
            for (name, meaning, read) in BAND_MEANS {
                let meaning = format!("{who}, mean: {meaning}");
                self.real(format!("stages_{band}_{name}_ns"), "ns", meaning, move |m| {
                    band_of(m).as_ref().map(read)
                });
            }
        }
    }
}
