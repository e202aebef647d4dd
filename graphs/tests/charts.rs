//! What a reader of the charts relies on.

mod support;

use std::collections::BTreeSet;

use roxmltree::Document;
use support::{SERVERS, fail, summary};
use tickbench_graphs::{Chart, Options, Section, charts};
use tickbench_record::Encoding;
use tickbench_stats::{Audit, Check, Distance, Estimate, LaneStep, Metric, Ruling, Series, Summary};

const BASELINE: &str = "floor";
const BASELINE_GREY: &str = "#7A828B";

fn drawn(summary: &Summary) -> Vec<Chart> {
    charts(summary, Options { baseline: Some(BASELINE) }).expect("charts are drawn into memory")
}

fn named<'a>(charts: &'a [Chart], name: &str) -> &'a Chart {
    charts.iter().find(|chart| chart.name == name).unwrap_or_else(|| {
        panic!("{name} is none of {:?}", charts.iter().map(|chart| &chart.name).collect::<Vec<_>>())
    })
}

fn texts(chart: &Chart) -> Vec<String> {
    let document = Document::parse(&chart.svg).expect("a chart is XML");
    let texts = document.descendants().filter(|node| node.has_tag_name("text"));
    texts.map(|node| node.text().unwrap_or_default().trim().to_owned()).collect()
}

fn says(chart: &Chart, text: &str) -> bool {
    texts(chart).iter().any(|found| found == text)
}

/// Colours in which a shape of this chart is drawn, greys of the card aside.
fn server_colors(chart: &Chart) -> BTreeSet<String> {
    const CARD: [&str; 8] =
        ["none", "#FFFFFF", "#D0D7DE", "#1F2328", "#59636E", "#E4E8EC", "#A8B0B8", "#000000"];
    let document = Document::parse(&chart.svg).expect("a chart is XML");
    document
        .descendants()
        .flat_map(|node| [node.attribute("fill"), node.attribute("stroke")])
        .flatten()
        .filter(|color| !CARD.contains(color))
        .map(str::to_owned)
        .collect()
}

/// No number that a browser cannot place, and nothing outside the card.
fn assert_sound(chart: &Chart) {
    let document = Document::parse(&chart.svg).unwrap_or_else(|error| panic!("{}: {error}", chart.name));
    assert!(!chart.svg.contains("NaN") && !chart.svg.contains("inf"), "{} holds no number", chart.name);
    let viewed: Vec<i64> = document
        .root_element()
        .attribute("viewBox")
        .expect("a chart has a view box")
        .split(' ')
        .map(|number| number.parse().expect("a whole number"))
        .collect();
    for node in document.descendants() {
        let coordinates = node.attribute("points").unwrap_or_default().split_whitespace();
        for pair in coordinates {
            let (x, y) = pair.split_once(',').expect("a pair");
            let (x, y): (i64, i64) = (x.parse().expect("a number"), y.parse().expect("a number"));
            assert!((0..=viewed[2]).contains(&x) && (0..=viewed[3]).contains(&y), "{}: {pair}", chart.name);
        }
        for name in ["x", "cx", "y", "cy"] {
            let Some(value) = node.attribute(name) else { continue };
            let limit = if name.ends_with('x') { viewed[2] } else { viewed[3] };
            let value: i64 = value.parse().expect("a whole number");
            assert!((0..=limit).contains(&value), "{}: {name}={value}", chart.name);
        }
        if let Some(size) = node.attribute("font-size") {
            let size: f64 = size.parse().expect("a number");
            assert!(size >= 120.0, "{}: text of {size} tenths of a pixel", chart.name);
            assert_eq!(size.fract(), 0.0, "{}", chart.name);
        }
    }
}

#[test]
fn a_full_summary_makes_every_chart_in_the_order_of_sections() {
    let charts = drawn(&summary(&SERVERS, 20));
    let names: Vec<&str> = charts.iter().map(|chart| chart.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "latency-percentiles",
            "latency-boxes",
            "latency-lag",
            "throughput-rate",
            "scaling-latency",
            "echo-percentiles",
            "echo-rate",
            "usual-client-by-tungstenite",
            "scaling-resources",
            "latency-cpu",
            "throughput-cpu",
            "echo-cpu",
            "latency-usage",
            "throughput-usage",
            "scaling-usage",
            "echo-usage",
        ]
    );
    assert!(charts.is_sorted_by_key(|chart| chart.section));
    assert_eq!(charts[7].section, Section::Clients);
    charts.iter().for_each(assert_sound);
}

#[test]
fn messages_of_many_sizes_are_drawn_along_their_size() {
    let mut summary = summary(&SERVERS, 20);
    summary.cells.retain(|cell| cell.cell.scenario == "latency" && cell.cell.encoding == Encoding::Binary);
    let of_size = |bytes: u64| {
        summary.cells.iter().cloned().map(move |mut cell| {
            cell.cell.size_bytes = bytes;
            cell
        })
    };
    summary.cells = [64, 1 << 10, 64 << 10].into_iter().flat_map(of_size).collect();
    let charts = drawn(&summary);
    let names: Vec<&str> = charts.iter().map(|chart| chart.name.as_str()).collect();
    assert_eq!(names, ["latency-sizes", "latency-cpu", "latency-usage"], "each size is no panel of its own");
    for text in ["Message size", "64 B", "64 KiB", "Binary: p50", "Binary: p99, ratio to floor"] {
        assert!(says(&charts[0], text), "{text:?}: {:?}", texts(&charts[0]));
    }
    assert_sound(&charts[0]);
}

#[test]
fn stages_stand_on_top_of_each_other_in_shades_of_their_servers_colour() {
    let mut summary = summary(&SERVERS, 20);
    let paced = summary.cells.iter_mut().filter(|cell| cell.cell.scenario == "latency");
    paced.for_each(support::add_stages);
    let charts = drawn(&summary);
    assert!(charts.is_sorted_by_key(|chart| chart.section));
    let chart = named(&charts, "latency-stages");
    assert_sound(chart);
    for text in
        ["Median", "Slowest 1 %", "Slowest 0.1 %", "lag: due → sent", "not split: sent → client", "37.6 µs"]
    {
        assert!(says(chart, text), "{text} is missing from {:?}", texts(chart));
    }
    assert!(server_colors(chart).contains(BASELINE_GREY));
    // A band that no server has is no column, and a server without stages is said to lack them.
    for cell in &mut summary.cells {
        cell.estimates.remove(&Metric::StagesSlowest1000thResponseNs);
        if cell.cell.server == "axum" {
            cell.estimates.remove(&Metric::StagesMedianWakeNs);
        }
    }
    let charts = drawn(&summary);
    let chart = named(&charts, "latency-stages");
    assert!(!says(chart, "Slowest 0.1 %") && says(chart, "no data"));
}

#[test]
fn equal_summaries_make_equal_bytes() {
    assert_eq!(drawn(&summary(&SERVERS, 20)), drawn(&summary(&SERVERS, 20)));
}

#[test]
fn a_legend_names_each_server_once_and_marks_the_baseline() {
    let charts = drawn(&summary(&SERVERS, 5));
    for name in ["latency-percentiles", "scaling-latency", "scaling-usage"] {
        let texts = texts(named(&charts, name));
        for server in ["axum", "actix", "tungstenite", "floor (baseline)"] {
            assert_eq!(texts.iter().filter(|text| *text == server).count(), 1, "{server} in {name}");
        }
    }
}

#[test]
fn axes_have_units_and_names() {
    let charts = drawn(&summary(&SERVERS, 5));
    let percentiles = named(&charts, "latency-percentiles");
    for text in [
        "JSON",
        "Binary",
        "50 %",
        "90 %",
        "99 %",
        "99.9 %",
        "99.99 %",
        "10 µs",
        "Percentile of messages",
        "JSON: ratio to floor",
        "×1.00",
    ] {
        assert!(says(percentiles, text), "{text:?} is none of {:?}", texts(percentiles));
    }
    for text in
        ["Flushed after each message", "Flushed in batches", "8.90 M/s", "560 k/s", "higher is better"]
    {
        assert!(says(named(&charts, "throughput-rate"), text), "{text:?}");
    }
    for text in ["1", "10", "100", "1,000", "Connections", "Binary: p99", "1 ms"] {
        assert!(says(named(&charts, "scaling-latency"), text), "{text:?}");
    }
    assert!(
        texts(percentiles).iter().any(|text| text.contains("5 iterations · 10,000 ticks/s · 1 connection"))
    );
}

#[test]
fn a_server_keeps_its_colour_when_another_is_missing() {
    let full = summary(&SERVERS, 5);
    let all = drawn(&full);
    let expected = server_colors(named(&all, "latency-percentiles"));
    assert_eq!(expected.len(), SERVERS.len());
    assert!(expected.contains(BASELINE_GREY));
    for name in ["latency-boxes", "throughput-rate", "echo-rate", "scaling-resources", "scaling-usage"] {
        assert_eq!(server_colors(named(&all, name)), expected, "{name}");
    }

    let mut without = full;
    for cell in without.cells.iter_mut().filter(|cell| cell.cell.server == "axum") {
        fail(cell, "start: exited with 1");
    }
    let fewer = server_colors(named(&drawn(&without), "latency-percentiles"));
    assert_eq!(fewer.len(), SERVERS.len() - 1);
    assert!(fewer.is_subset(&expected));
}

#[test]
fn only_the_baseline_is_dashed_and_grey() {
    let summary = summary(&SERVERS, 5);
    let plain = charts(&summary, Options::default()).expect("charts are drawn into memory");
    assert!(plain.iter().all(|chart| texts(chart).iter().all(|text| !text.contains("ratio to"))));
    assert!(plain.iter().all(|chart| !server_colors(chart).contains(BASELINE_GREY)));
    let unknown =
        charts(&summary, Options { baseline: Some("nobody") }).expect("charts are drawn into memory");
    assert_eq!(unknown, plain);
}

#[test]
fn a_cell_that_failed_is_named_with_its_reason() {
    let mut summary = summary(&SERVERS, 5);
    let failing = summary.cells.iter().position(|cell| cell.cell.server == "actix").expect("actix has cells");
    fail(&mut summary.cells[failing], "stream: no message for 2 s <&>");
    let charts = drawn(&summary);
    let chart = named(&charts, "latency-percentiles");
    let said = texts(chart).join(" ");
    assert!(
        said.contains(
            "actix: latency json each ×1 not shown: 5 of 5 failed (stream: no message for 2 s <&>)"
        )
    );
    assert!(said.contains("0 to 5 of 5 iterations"));
    assert!(says(named(&charts, "latency-boxes"), "no data"));
    charts.iter().for_each(assert_sound);
}

#[test]
fn a_rate_that_is_no_verdict_is_marked() {
    let mut summary = summary(&SERVERS, 5);
    assert!(!texts(named(&drawn(&summary), "throughput-rate")).join(" ").contains('*'));
    let fastest = summary.cells.iter_mut().rfind(|cell| cell.estimates.contains_key(&Metric::ServerCpuShare));
    let busy = fastest.and_then(|cell| cell.estimates.get_mut(&Metric::ServerCpuShare));
    busy.expect("a flood has a server's CPU share").estimate = 0.5;
    let said = texts(named(&drawn(&summary), "throughput-rate"));
    assert!(said.contains(&"8.90 M/s *".to_owned()), "{said:?}");
    assert!(said.iter().any(|text| text.starts_with("* no verdict:")));
}

#[test]
fn the_typical_iteration_is_drawn_and_all_samples() {
    let mut summary = summary(&SERVERS, 5);
    let lines = |summary: &Summary| {
        let chart = named(&drawn(summary), "latency-percentiles").svg.clone();
        // The server's own colour; marks are filled, lines are not.
        chart.matches("fill=\"none\" opacity=\"1\" stroke=\"#0072B2\"").count()
    };
    let both = lines(&summary);
    let said = |summary: &Summary| texts(named(&drawn(summary), "latency-percentiles")).join(" ");
    assert!(said(&summary).contains("thin: all samples"));
    summary.cells.iter_mut().for_each(|cell| cell.series.typical_quantiles.clear());
    // A line fewer in each of the two encodings, and its ratio to the baseline.
    assert_eq!(both, lines(&summary) + 4);
}

#[test]
fn what_failed_an_audit_and_what_is_a_control_is_not_drawn() {
    let mut summary = summary(&SERVERS, 5);
    let control = summary.cells[0].clone();
    summary.cells.push(control);
    let control = summary.cells.last_mut().expect("just added");
    control.cell.server += "#control";
    let failing = summary.cells.iter_mut().find(|cell| cell.cell.server == "actix").expect("actix has cells");
    failing.audits.push(Audit { check: Check::Clock, figure: 3.0, ruling: Ruling::Failed, executions: None });
    let charts = drawn(&summary);
    assert!(charts.iter().all(|chart| !chart.svg.contains("control")));
    let said = texts(named(&charts, "latency-percentiles")).join(" ");
    assert!(said.contains("actix: latency json each ×1 not shown: it failed an audit"), "{said}");
    charts.iter().for_each(assert_sound);
}

#[test]
fn without_data_there_is_no_chart() {
    let mut summary = summary(&SERVERS, 5);
    for cell in &mut summary.cells {
        fail(cell, "start: exited with 1");
    }
    assert_eq!(drawn(&summary), []);
    summary.cells.clear();
    assert_eq!(drawn(&summary), []);
}

#[test]
fn few_servers_few_iterations_and_missing_series_still_make_sound_charts() {
    for (servers, iterations) in [(&SERVERS[..1], 1), (&SERVERS[..2], 1), (&SERVERS[..], 2)] {
        let charts = drawn(&summary(servers, iterations));
        assert!(charts.len() > 10, "{servers:?}");
        charts.iter().for_each(assert_sound);
    }
    for drop in 0..6 {
        let mut summary = summary(&SERVERS, 3);
        for cell in &mut summary.cells {
            let Series {
                merged_quantiles,
                typical_quantiles,
                merged_lag_quantiles,
                p50_by_iteration,
                p99_by_iteration,
                usage,
                ..
            } = &mut cell.series;
            match drop {
                0 => merged_quantiles.clear(),
                1 => merged_lag_quantiles.clear(),
                2 => p50_by_iteration.clear(),
                3 => p99_by_iteration.clear(),
                4 => typical_quantiles.clear(),
                _ => usage.clear(),
            }
        }
        drawn(&summary).iter().for_each(assert_sound);
    }
}

#[test]
fn figures_that_are_no_numbers_are_not_drawn() {
    for odd in [f64::NAN, f64::INFINITY, 0.0, -1.0, 1e300] {
        let mut summary = summary(&SERVERS, 3);
        for cell in summary.cells.iter_mut().filter(|cell| cell.cell.server == "axum") {
            for metric in [Metric::MessagesPerS, Metric::DeliveryP50, Metric::ServerRssBytes] {
                cell.estimates.insert(metric, Estimate { estimate: odd, low: odd, high: odd, iterations: 3 });
            }
            cell.series.p50_by_iteration = vec![odd; 3];
            cell.series.usage = vec![(0.0, odd, odd, odd), (odd, 0.5, 1e6, 0.5)];
            cell.series.merged_quantiles = vec![(0.5, 0), (0.5, u64::MAX), (1.0, 7), (odd, 7)];
        }
        drawn(&summary).iter().for_each(assert_sound);
    }
}

#[test]
fn many_servers_keep_looks_of_their_own() {
    let names: Vec<String> = (0..14).map(|index| format!("framework-with-a-long-name-{index}")).collect();
    let servers: Vec<&str> = names.iter().map(String::as_str).collect();
    let charts = drawn(&summary(&servers, 3));
    charts.iter().for_each(assert_sound);
    let texts = texts(named(&charts, "latency-percentiles"));
    assert!(names.iter().all(|name| texts.contains(name)));
}

#[test]
fn scenarios_that_share_a_file_name_are_told_apart() {
    let mut summary = summary(&SERVERS[..1], 3);
    let mut again: Vec<_> = summary.cells.clone();
    again.iter_mut().for_each(|cell| cell.cell.scenario = cell.cell.scenario.to_uppercase());
    summary.cells.extend(again);
    let charts = drawn(&summary);
    let names: BTreeSet<&str> = charts.iter().map(|chart| chart.name.as_str()).collect();
    assert_eq!(names.len(), charts.len());
    assert!(names.contains("throughput-rate-2"));
}

#[test]
fn the_lanes_of_each_contestant_are_drawn_side_by_side() {
    let mut summary = summary(&SERVERS, 5);
    assert!(drawn(&summary).iter().all(|chart| chart.section != Section::Lanes), "nothing was tuned");
    let about =
        |estimate: f64| Estimate { estimate, low: estimate * 0.98, high: estimate * 1.02, iterations: 9 };
    let step = |server: &str, metric| LaneStep {
        question: "latency binary each ×1".into(),
        tuned_question: "latency-tuned binary each ×1 tuned".into(),
        server: server.into(),
        metric,
        default: about(5_400.0),
        tuned: about(5_200.0),
        ratio: about(0.96),
        distance: (server != BASELINE).then(|| Distance {
            default: about(1.3),
            tuned: about(1.1),
            closed: Some(about(0.66)),
        }),
    };
    summary.lanes = [Metric::DeliveryP50, Metric::DeliveryP99]
        .iter()
        .flat_map(|metric| SERVERS.map(|server| step(server, *metric)))
        .collect();
    let charts = drawn(&summary);
    let chart = named(&charts, "lanes");
    assert_sound(chart);
    assert_eq!(chart.section, Section::Lanes);
    for text in ["p50", "p99", "latency binary each ×1"] {
        assert!(says(chart, text), "{text} is missing from {:?}", texts(chart));
    }
    let contestants: Vec<&&str> = SERVERS.iter().filter(|server| **server != BASELINE).collect();
    assert!(contestants.iter().all(|server| says(chart, server)) && !says(chart, BASELINE));
}
