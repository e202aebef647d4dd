//! OpenMetrics text: the summary's estimates as gauges, in base units, at the time of the run.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::UNIX_EPOCH;

use anyhow::Context as _;
use tickbench_record::{Cell, RunFolder};
use tickbench_stats::Metric;

use crate::figures::{self, KeptEstimate, KeptSummary, Unit};

/// A family of gauges: its unit, and what it means.
struct Family {
    unit: Option<&'static str>,
    help: String,
    samples: Vec<String>,
}

pub(super) fn write(run: &RunFolder, file: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let path = run.path();
    let summary = KeptSummary::read(path)?.with_context(|| {
        format!("`{0}` has no summary.json: derive it with `tickbench report {0}`", path.display())
    })?;
    let environment = run.environment()?;
    let started = humantime::parse_rfc3339(&environment.started_at)
        .with_context(|| format!("environment.json: {:?} is no time", environment.started_at))?;
    let at = started.duration_since(UNIX_EPOCH).context("the run began before 1970")?.as_secs();
    writeln!(file, "# TYPE tickbench_run info\n# HELP tickbench_run The run that the figures are of.")?;
    let info = [
        ("study", summary.study.clone()),
        ("version", environment.tickbench_version.clone()),
        ("commit", environment.commit.clone().unwrap_or_default()),
        ("cpu_model", environment.machine.cpu_model.clone().unwrap_or_default()),
        ("kernel", environment.machine.kernel.clone().unwrap_or_default()),
    ];
    writeln!(file, "tickbench_run_info{{{}}} 1 {at}", labels(&info))?;
    for (name, Family { unit, help, samples }) in families(&summary, at) {
        writeln!(file, "# TYPE {name} gauge")?;
        unit.map(|unit| writeln!(file, "# UNIT {name} {unit}")).transpose()?;
        writeln!(file, "# HELP {name} {help}")?;
        samples.iter().try_for_each(|sample| writeln!(file, "{sample}"))?;
    }
    Ok(writeln!(file, "# EOF")?)
}

fn families(summary: &KeptSummary, at: u64) -> BTreeMap<String, Family> {
    let mut families = BTreeMap::new();
    for &metric in Metric::ALL {
        let (name, quantile) = family_name(metric);
        for kept in &summary.cells {
            let Some(estimate) = kept.estimates.get(&figures::key(metric)) else { continue };
            let family = families.entry(name.clone()).or_insert_with(|| Family {
                unit: base_unit(metric).1,
                help: format!(
                    "Estimate and 95 % interval of {}.",
                    figures::name(metric).split('.').next().unwrap_or_default()
                ),
                samples: Vec::new(),
            });
            family.samples.extend(samples(&name, metric, quantile.as_deref(), &kept.cell, estimate, at));
        }
    }
    families
}

/// The family of a metric, its unit last, and the quantile that tells it from others of the family.
fn family_name(metric: Metric) -> (String, Option<String>) {
    let key = figures::key(metric);
    let (stem, quantile) = match metric.quantile() {
        Some(q) => {
            (key.rsplit_once("_p").map_or(key.as_str(), |(stem, _)| stem).to_owned(), Some(q.to_string()))
        }
        None => (
            key.replace("_ns_per_", "_per_").trim_end_matches("_ns").trim_end_matches("_bytes").to_owned(),
            None,
        ),
    };
    let unit = base_unit(metric).1.map(|unit| format!("_{unit}")).unwrap_or_default();
    (format!("tickbench_{stem}{unit}"), quantile)
}

/// What a figure is multiplied by to be in its base unit, and that unit.
fn base_unit(metric: Metric) -> (f64, Option<&'static str>) {
    match Unit::of(metric) {
        Unit::Nanoseconds => (1e-9, Some("seconds")),
        Unit::Bytes => (1.0, Some("bytes")),
        Unit::PerSecond | Unit::Share | Unit::Bare => (1.0, None),
    }
}

fn samples(
    name: &str,
    metric: Metric,
    quantile: Option<&str>,
    cell: &Cell,
    estimate: &KeptEstimate,
    at: u64,
) -> Vec<String> {
    let factor = base_unit(metric).0;
    let bounds = [("estimate", estimate.estimate), ("low", estimate.low), ("high", estimate.high)];
    let sample = |(bound, value): (&str, f64)| {
        let mut of = vec![
            ("server", cell.server.clone()),
            ("scenario", cell.scenario.clone()),
            ("question", cell.question()),
            ("bound", bound.to_owned()),
        ];
        of.extend(quantile.map(|quantile| ("quantile", quantile.to_owned())));
        format!("{name}{{{}}} {} {at}", labels(&of), value * factor)
    };
    bounds.into_iter().map(sample).collect()
}

fn labels(labels: &[(&str, String)]) -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect::<Vec<_>>().join(",")
}
