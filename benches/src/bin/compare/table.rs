//! The tables on stdout, in Markdown so that they can be pasted into a document.

use crate::allocator::{REFERENCE, SUBJECT};
use crate::summary::{Row, Summary};
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table, presets};
use hakmem_benches::stats::Interval;

/// A ratio up to this counts as level with the best peer.
pub const LEVEL: f64 = 1.05;

/// One line a workload and allocator.
pub fn rows(summary: &Summary, colour: bool) -> Table {
    let metric = summary.metric.title();
    let mut table = table();
    table.set_header([
        "workload".to_owned(),
        "allocator".to_owned(),
        "CPU s".to_owned(),
        "± %".to_owned(),
        "wall s".to_owned(),
        "M ops/s".to_owned(),
        format!("{metric} / best peer [95 %]"),
        format!("{metric} / {REFERENCE} [95 %]"),
        "peak RSS MiB".to_owned(),
        format!("RSS / {REFERENCE}"),
    ]);
    let mut previous = "";
    for row in &summary.rows {
        let name = if row.workload == previous {
            ""
        } else {
            row.workload
        };
        previous = row.workload;
        table.add_row([
            Cell::new(name),
            allocator(row),
            Cell::new(format!("{:.3}", row.cpu.median)),
            Cell::new(format!("{:.1}", row.cost(summary.metric).spread() * 100.0)),
            Cell::new(format!("{:.3}", row.wall.median)),
            Cell::new(millions(row.ops_per_s)),
            to_best(row, colour),
            Cell::new(interval(row.to_reference)),
            Cell::new(format!("{:.1}", row.peak_rss_kib / 1024.0)),
            Cell::new(ratio(row.rss_to_reference)),
        ]);
    }
    align_right(&mut table, 2);
    table
}

/// One line an allocator: the geometric means over the rows.
pub fn means(summary: &Summary) -> Table {
    let metric = summary.metric.title();
    let mut table = table();
    table.set_header([
        "geometric mean".to_owned(),
        "rows".to_owned(),
        format!("{metric} / best peer"),
        format!("{metric} / {REFERENCE}"),
        format!("RSS / {REFERENCE}"),
    ]);
    for mean in &summary.means {
        table.add_row([
            mean.allocator.clone(),
            mean.rows.to_string(),
            ratio(mean.to_best),
            ratio(mean.to_reference),
            ratio(mean.rss_to_reference),
        ]);
    }
    align_right(&mut table, 1);
    table
}

/// The workloads where the subject costs more than [`LEVEL`] of the best peer, the
/// furthest behind first, each as one line.
pub fn behind(summary: &Summary) -> Vec<String> {
    let mut rows: Vec<(&Row, Interval)> = summary
        .rows
        .iter()
        .filter(|row| row.allocator == SUBJECT)
        .filter_map(|row| row.to_best.map(|ratio| (row, ratio)))
        .filter(|(_, ratio)| ratio.median > LEVEL)
        .collect();
    rows.sort_by(|(_, a), (_, b)| b.median.total_cmp(&a.median));
    rows.iter()
        .map(|(row, ratio)| format!("{}: {}", row.workload, interval(Some(*ratio))))
        .collect()
}

fn table() -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::ASCII_MARKDOWN)
        .set_content_arrangement(ContentArrangement::Disabled);
    table
}

fn align_right(table: &mut Table, from: usize) {
    for column in table.column_iter_mut().skip(from) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// The allocator's name; the best peer's with a star.
fn allocator(row: &Row) -> Cell {
    let star = if row.is_best_peer { " *" } else { "" };
    Cell::new(format!("{}{star}", row.allocator))
}

fn to_best(row: &Row, colour: bool) -> Cell {
    let cell = Cell::new(interval(row.to_best));
    match row.to_best {
        Some(ratio) if colour && row.allocator == SUBJECT => {
            let level = ratio.median <= LEVEL;
            cell.fg(if level { Color::Green } else { Color::Red })
                .add_attribute(Attribute::Bold)
        }
        _ => cell,
    }
}

fn interval(interval: Option<Interval>) -> String {
    interval.map_or_else(
        || "-".to_owned(),
        |i| format!("{:.3} [{:.3}, {:.3}]", i.median, i.low, i.high),
    )
}

fn millions(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{:.2}", value / 1e6))
}

fn ratio(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Metric;
    use crate::samples::tests::samples;

    fn summary(hakmem: f64) -> Summary {
        let samples = samples(&[
            ("hakmem", &[hakmem; 3], 1024),
            ("mimalloc", &[2.0; 3], 2048),
        ]);
        Summary::of(&samples, Metric::Cpu)
    }

    #[test]
    fn a_row_shows_its_medians_and_ratios() {
        let text = rows(&summary(1.0), false).to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].contains("CPU / best peer [95 %]"), "{text}");
        assert!(lines[2].contains("| random_mixed_256 | hakmem"), "{text}");
        assert!(lines[2].contains("0.500 [0.500, 0.500]"), "{text}");
        assert!(lines[3].contains("mimalloc *"), "{text}");
        assert!(!text.contains('\u{1b}'), "no colour in {text:?}");
    }

    #[test]
    fn only_rows_beyond_level_are_behind() {
        assert!(behind(&summary(2.1)).is_empty());
        assert_eq!(
            behind(&summary(3.0)),
            ["random_mixed_256: 1.500 [1.500, 1.500]"]
        );
    }

    #[test]
    fn means_have_a_line_for_each_allocator() {
        let text = means(&summary(1.0)).to_string();
        assert_eq!(text.lines().count(), 4, "{text}");
    }
}
