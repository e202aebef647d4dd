//! What a reader of the charts of load and capacity relies on.

mod support;

use roxmltree::Document;
use support::{SERVERS, limits};
use tickbench_graphs::{Chart, Options, Section, charts};
use tickbench_record::ScenarioKind;
use tickbench_stats::{Caveat, Metric, Searches, Summary};

fn drawn(summary: &Summary) -> Vec<Chart> {
    charts(summary, Options { baseline: Some("floor") }).expect("charts are drawn into memory")
}

fn named<'a>(charts: &'a [Chart], name: &str) -> &'a Chart {
    charts.iter().find(|chart| chart.name == name).unwrap_or_else(|| panic!("there is no chart {name}"))
}

/// Rings of the size that no mark has.
fn rings(chart: &Chart) -> usize {
    let document = Document::parse(&chart.svg).expect("a chart is XML");
    document.descendants().filter(|node| node.attribute("r") == Some("80")).count()
}

#[test]
fn each_quantile_of_the_response_has_a_panel_and_each_knee_a_ring() {
    let mut summary = limits(&SERVERS, 20);
    let charts = drawn(&summary);
    let chart = named(&charts, "load-response");
    assert_eq!(chart.section, Section::Load);
    for text in ["p50", "p99, knees ringed", "p99.9", "server CPU", "Offered messages per second"] {
        assert!(chart.svg.contains(text), "{text} is not in it");
    }
    assert_eq!(rings(chart), SERVERS.len());
    assert!(!chart.svg.contains("NaN") && !chart.svg.contains("10,000 ticks/s"));
    summary.knees[0].beyond_per_s = None;
    assert_eq!(rings(named(&drawn(&summary), "load-response")), SERVERS.len() - 1, "beyond the highest rate");
}

#[test]
fn a_capacity_that_is_no_verdict_is_pale_and_says_so() {
    let mut summary = limits(&SERVERS, 20);
    let chart = named(&drawn(&summary), "capacity-capacity").clone();
    assert_eq!(chart.section, Section::Capacity);
    assert!(!chart.svg.contains('*'));
    let cell = summary.cells.iter_mut().find(|cell| cell.cell.kind == ScenarioKind::Capacity).unwrap();
    assert!(cell.estimates.contains_key(&Metric::CapacityPerS));
    cell.searches = Some(Searches { lower_bound: Some(Caveat::ClientBound), ..Searches::default() });
    let chart = named(&drawn(&summary), "capacity-capacity").clone();
    assert!(chart.svg.contains("* at least this much"), "{}", chart.svg);
}
