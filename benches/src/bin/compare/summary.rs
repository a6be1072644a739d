//! [`Summary`]: medians and ratios, computed once for the table, the JSON and the drawing.

use crate::allocator::{REFERENCE, SUBJECT};
use crate::cli::Metric;
use crate::run::Run;
use crate::samples::{Cell, Samples};
use hakmem_benches::stats::{Interval, Measure, geometric_mean, median};

/// All rows, and the means over them.
#[derive(Debug)]
pub struct Summary {
    /// What the ratios are of.
    pub metric: Metric,
    /// In the order of the workloads, then of the allocators; measured cells only.
    pub rows: Vec<Row>,
    /// In the order of the allocators.
    pub means: Vec<Mean>,
}

/// One workload on one allocator.
#[derive(Clone, Debug)]
pub struct Row {
    /// The workload's name.
    pub workload: &'static str,
    /// The allocator's name.
    pub allocator: String,
    /// Seconds of CPU time.
    pub cpu: Measure,
    /// Seconds elapsed.
    pub wall: Measure,
    /// Seconds elapsed by the program's own clock.
    pub timed: Measure,
    /// Operations per second by the program's own clock, the median, if it tells.
    pub ops_per_s: Option<f64>,
    /// The peak resident set in KiB, the median.
    pub peak_rss_kib: f64,
    /// Whether this is the peer with the least cost on this workload.
    pub is_best_peer: bool,
    /// The cost relative to the best peer, by pairs of the same round.
    pub to_best: Option<Interval>,
    /// The cost relative to the reference, by pairs of the same round.
    pub to_reference: Option<Interval>,
    /// The peak relative to the reference's.
    pub rss_to_reference: Option<f64>,
}

/// The geometric means of an allocator's ratios, over the rows that have them.
#[derive(Clone, Debug)]
pub struct Mean {
    /// The allocator's name.
    pub allocator: String,
    /// Rows measured.
    pub rows: usize,
    /// Of the cost relative to the best peer.
    pub to_best: Option<f64>,
    /// Of the cost relative to the reference.
    pub to_reference: Option<f64>,
    /// Of the peak relative to the reference.
    pub rss_to_reference: Option<f64>,
}

impl Row {
    /// The measure that the ratios are of.
    pub fn cost(&self, metric: Metric) -> &Measure {
        match metric {
            Metric::Cpu => &self.cpu,
            Metric::Wall => &self.wall,
            Metric::Timed => &self.timed,
        }
    }
}

impl Summary {
    /// Computes everything of `samples`.
    pub fn of(samples: &Samples, metric: Metric) -> Self {
        let mut rows = Vec::new();
        for index in 0..samples.workloads.len() {
            rows.extend(rows_of(samples, index, metric));
        }
        let means = samples
            .allocators
            .iter()
            .filter_map(|allocator| Mean::of(&allocator.name, &rows))
            .collect();
        Self {
            metric,
            rows,
            means,
        }
    }
}

fn rows_of(samples: &Samples, workload: usize, metric: Metric) -> Vec<Row> {
    let cells = &samples.cells[workload];
    let names: Vec<&str> = samples.allocators.iter().map(|a| a.name.as_str()).collect();
    let best = best_peer(&names, cells, metric);
    let reference = names.iter().position(|name| *name == REFERENCE);
    let mut rows = Vec::new();
    for (column, cell) in cells.iter().enumerate() {
        let Some(measured) = Measured::of(cell) else {
            continue;
        };
        let to = |base: Option<usize>| paired(cell, &cells[base?], metric);
        let reference_rss = reference
            .and_then(|reference| Measured::of(&cells[reference]))
            .map(|measured| measured.peak_rss_kib);
        rows.push(Row {
            workload: samples.workloads[workload].name,
            allocator: names[column].to_owned(),
            cpu: measured.cpu,
            wall: measured.wall,
            timed: measured.timed,
            ops_per_s: measured.ops_per_s,
            peak_rss_kib: measured.peak_rss_kib,
            is_best_peer: best == Some(column),
            to_best: to(best),
            to_reference: to(reference),
            rss_to_reference: reference_rss.map(|base| measured.peak_rss_kib / base),
        });
    }
    rows
}

/// The peer with the least median cost; the subject is not its own peer.
fn best_peer(names: &[&str], cells: &[Cell], metric: Metric) -> Option<usize> {
    let cost = |column: &usize| median(&costs(&cells[*column], metric));
    (0..cells.len())
        .filter(|&column| names[column] != SUBJECT)
        .filter_map(|column| cost(&column).map(|cost| (column, cost)))
        .min_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(column, _)| column)
}

fn costs(cell: &Cell, metric: Metric) -> Vec<f64> {
    let runs = cell.runs.iter().flatten();
    runs.map(|run| cost(run, metric)).collect()
}

fn cost(run: &Run, metric: Metric) -> f64 {
    match metric {
        Metric::Cpu => run.cpu,
        Metric::Wall => run.wall,
        Metric::Timed => run.timed,
    }
}

fn paired(cell: &Cell, base: &Cell, metric: Metric) -> Option<Interval> {
    let pairs: Vec<(f64, f64)> = cell
        .runs
        .iter()
        .zip(&base.runs)
        .filter_map(|(run, base)| Some((run.as_ref()?, base.as_ref()?)))
        .map(|(run, base)| (cost(run, metric), cost(base, metric)))
        .collect();
    Interval::of_ratios(&pairs)
}

/// The measures of one cell.
struct Measured {
    cpu: Measure,
    wall: Measure,
    timed: Measure,
    ops_per_s: Option<f64>,
    peak_rss_kib: f64,
}

impl Measured {
    fn of(cell: &Cell) -> Option<Self> {
        let column = |value: fn(&Run) -> f64| -> Vec<f64> {
            cell.runs.iter().flatten().map(value).collect()
        };
        let runs = cell.runs.iter().flatten();
        let speeds: Vec<f64> = runs.filter_map(|run| run.ops_per_s).collect();
        Some(Self {
            cpu: Measure::of(&column(|run| run.cpu))?,
            wall: Measure::of(&column(|run| run.wall))?,
            timed: Measure::of(&column(|run| run.timed))?,
            ops_per_s: median(&speeds),
            peak_rss_kib: median(&column(|run| run.peak_rss_kib as f64))?,
        })
    }
}

impl Mean {
    fn of(allocator: &str, rows: &[Row]) -> Option<Self> {
        let own: Vec<&Row> = rows.iter().filter(|r| r.allocator == allocator).collect();
        if own.is_empty() {
            return None;
        }
        let mean = |value: fn(&Row) -> Option<f64>| {
            let values: Vec<f64> = own.iter().filter_map(|row| value(row)).collect();
            geometric_mean(&values)
        };
        Some(Self {
            allocator: allocator.to_owned(),
            rows: own.len(),
            to_best: mean(|row| row.to_best.map(|ratio| ratio.median)),
            to_reference: mean(|row| row.to_reference.map(|ratio| ratio.median)),
            rss_to_reference: mean(|row| row.rss_to_reference),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::tests::samples;

    fn of(columns: &[(&str, &[f64], u64)]) -> Summary {
        Summary::of(&samples(columns), Metric::Cpu)
    }

    #[test]
    fn the_best_peer_is_never_the_subject() {
        let summary = of(&[
            ("hakmem", &[1.0, 1.0, 1.0], 50),
            ("mimalloc", &[4.0, 4.0, 4.0], 100),
            ("jemalloc", &[2.0, 2.0, 2.0], 200),
        ]);
        let best: Vec<bool> = summary.rows.iter().map(|row| row.is_best_peer).collect();
        assert_eq!(best, [false, false, true]);
        let hakmem = &summary.rows[0];
        assert_eq!(hakmem.to_best.unwrap().median, 0.5);
        assert_eq!(hakmem.to_reference.unwrap().median, 0.25);
        assert_eq!(hakmem.rss_to_reference, Some(0.5));
        assert_eq!(summary.means[0].to_best, Some(0.5));
    }

    #[test]
    fn ratios_are_of_pairs_and_not_of_medians() {
        // The machine slows down as the rounds go on; each pair has the same ratio.
        let summary = of(&[
            ("hakmem", &[1.0, 2.0, 8.0], 1),
            ("mimalloc", &[2.0, 4.0, 16.0], 1),
        ]);
        let ratio = summary.rows[0].to_reference.unwrap();
        assert_eq!((ratio.low, ratio.median, ratio.high), (0.5, 0.5, 0.5));
    }

    #[test]
    fn an_unmeasured_cell_has_no_row_and_leaves_the_others() {
        let summary = of(&[("hakmem", &[], 1), ("glibc", &[1.0], 1)]);
        assert_eq!(summary.rows.len(), 1);
        assert_eq!(summary.rows[0].allocator, "glibc");
        assert_eq!(summary.rows[0].to_reference, None);
        assert_eq!(summary.means.len(), 1);
    }
}
