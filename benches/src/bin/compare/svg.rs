//! The drawing: two bars charts side by side, cost and peak memory, each relative to
//! the reference, one group of bars a workload.

use crate::allocator::{REFERENCE, SUBJECT};
use crate::machine::Machine;
use crate::summary::{Row, Summary};
use std::fmt::Write;

/// The subject's fill.
const SUBJECT_FILL: &str = "#0072b2";

/// The peers' fills in their order; distinguishable without seeing red and green.
const PEER_FILLS: [&str; 8] = [
    "#bbbbbb", "#e69f00", "#56b4e9", "#cc79a7", "#009e73", "#d55e00", "#777777", "#f0e442",
];

/// All lengths are in pixels.
const LABELS: f64 = 190.0;
const PANEL: f64 = 400.0;
const GAP: f64 = 60.0;
const TOP: f64 = 84.0;
const BAR: f64 = 10.0;
const BETWEEN_GROUPS: f64 = 10.0;

/// Bars are cut off at this ratio and marked.
const LIMIT: f64 = 2.0;

/// The whole file.
pub fn drawing(machine: &Machine, summary: &Summary) -> String {
    let groups = groups(summary);
    let bars = summary.means.len() as f64;
    let group_height = bars * BAR + BETWEEN_GROUPS;
    let height = TOP + groups.len() as f64 * group_height + 30.0;
    let width = LABELS + 2.0 * PANEL + GAP + 40.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    text(&mut svg, 10.0, 18.0, "start", &escape(&machine.line()));
    legend(&mut svg, summary);
    let cost = format!("{} time / {REFERENCE}", summary.metric.title());
    let memory = format!("peak RSS / {REFERENCE}");
    let bottom = height - 25.0;
    axis(&mut svg, LABELS, bottom, &cost);
    axis(&mut svg, LABELS + PANEL + GAP, bottom, &memory);
    for (index, (workload, rows)) in groups.iter().enumerate() {
        let y = TOP + index as f64 * group_height;
        let middle = y + bars * BAR / 2.0 + 4.0;
        text(&mut svg, LABELS - 8.0, middle, "end", workload);
        for row in rows {
            let place = place_of(summary, row);
            let y = y + place as f64 * BAR;
            let fill = fill(summary, &row.allocator);
            let cost = row.to_reference.map(|ratio| ratio.median);
            bar(&mut svg, LABELS, y, fill, cost);
            bar(
                &mut svg,
                LABELS + PANEL + GAP,
                y,
                fill,
                row.rss_to_reference,
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn groups(summary: &Summary) -> Vec<(&'static str, Vec<&Row>)> {
    let mut groups: Vec<(&'static str, Vec<&Row>)> = Vec::new();
    for row in &summary.rows {
        match groups.last_mut() {
            Some((workload, rows)) if *workload == row.workload => rows.push(row),
            _ => groups.push((row.workload, vec![row])),
        }
    }
    groups
}

fn place_of(summary: &Summary, row: &Row) -> usize {
    let mut means = summary.means.iter();
    means
        .position(|mean| mean.allocator == row.allocator)
        .unwrap_or(0)
}

fn fill(summary: &Summary, allocator: &str) -> &'static str {
    if allocator == SUBJECT {
        return SUBJECT_FILL;
    }
    let mut peers = summary
        .means
        .iter()
        .filter(|mean| mean.allocator != SUBJECT);
    let place = peers.position(|mean| mean.allocator == allocator);
    PEER_FILLS[place.unwrap_or(0) % PEER_FILLS.len()]
}

fn legend(svg: &mut String, summary: &Summary) {
    for (place, mean) in summary.means.iter().enumerate() {
        let x = 10.0 + place as f64 * 118.0;
        rectangle(svg, x, 30.0, 12.0, fill(summary, &mean.allocator));
        text(svg, x + 17.0, 39.0, "start", &escape(&mean.allocator));
    }
}

fn axis(svg: &mut String, x: f64, bottom: f64, title: &str) {
    text(svg, x, TOP - 26.0, "start", title);
    for step in 0..=4 {
        let ratio = step as f64 / 4.0 * LIMIT;
        let at = x + ratio / LIMIT * PANEL;
        let stroke = if ratio == 1.0 { "black" } else { "#dddddd" };
        text(svg, at, TOP - 10.0, "middle", &format!("{ratio:.1}"));
        writeln!(
            svg,
            "<line x1=\"{at:.1}\" y1=\"{:.1}\" x2=\"{at:.1}\" y2=\"{bottom:.1}\" stroke=\"{stroke}\"/>",
            TOP - 5.0
        )
        .expect("strings grow");
    }
}

fn bar(svg: &mut String, x: f64, y: f64, fill: &str, ratio: Option<f64>) {
    let Some(ratio) = ratio else { return };
    let length = ratio.min(LIMIT) / LIMIT * PANEL;
    rectangle(svg, x, y, length, fill);
    if ratio > LIMIT {
        text(
            svg,
            x + length + 4.0,
            y + BAR - 1.0,
            "start",
            &format!("{ratio:.1}"),
        );
    }
}

fn rectangle(svg: &mut String, x: f64, y: f64, width: f64, fill: &str) {
    writeln!(
        svg,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{fill}\"/>",
        BAR - 1.0
    )
    .expect("strings grow");
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, content: &str) {
    writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{content}</text>"
    )
    .expect("strings grow");
}

/// Names of allocators come from the command line.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Metric;
    use crate::samples::tests::samples;

    #[test]
    fn each_ratio_has_a_bar_and_long_ones_a_figure() {
        let samples = samples(&[("a<b", &[5.0], 10), ("mimalloc", &[1.0], 20)]);
        let svg = drawing(&Machine::this(), &Summary::of(&samples, Metric::Cpu));
        // The background, two in the legend, two in each panel.
        assert_eq!(svg.matches("<rect").count(), 1 + 2 + 4);
        assert!(svg.contains(">5.0</text>"));
        assert!(svg.contains("a&lt;b") && !svg.contains("a<b"));
        assert!(svg.trim_end().ends_with("</svg>"));
    }
}
