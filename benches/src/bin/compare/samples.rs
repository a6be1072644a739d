//! [`Samples`]: all runs of a comparison, before anything is computed of them.

use crate::allocator::Allocator;
use crate::child::Failure;
use crate::run::Run;
use crate::workload::Workload;

/// Runs by workload, allocator and round.
#[derive(Debug)]
pub struct Samples {
    /// The rows.
    pub workloads: Vec<Workload>,
    /// The columns.
    pub allocators: Vec<Allocator>,
    /// `cells[workload][allocator]`, in the order of the two lists.
    pub cells: Vec<Vec<Cell>>,
}

/// The runs of one workload on one allocator.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// One entry a round; none where the run failed.
    pub runs: Vec<Option<Run>>,
    /// The first failure. A cell with one is not measured any further.
    pub failure: Option<Failure>,
}

impl Samples {
    /// Nothing measured yet.
    pub fn new(workloads: Vec<Workload>, allocators: Vec<Allocator>) -> Self {
        let row = vec![Cell::default(); allocators.len()];
        Self {
            cells: vec![row; workloads.len()],
            workloads,
            allocators,
        }
    }

    /// A line for each failure, and for each workload whose answers differ.
    pub fn complaints(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (workload, row) in self.workloads.iter().zip(&self.cells) {
            let name = workload.name;
            for (allocator, cell) in self.allocators.iter().zip(row) {
                if let Some(failure) = &cell.failure {
                    lines.push(format!("{name} on {}: {failure}", allocator.name));
                }
            }
            if let Some(difference) = self.difference(row) {
                lines.push(format!("{name}: {difference}"));
            }
        }
        lines
    }

    /// Equal work must have equal answers, whatever the allocator.
    fn difference(&self, row: &[Cell]) -> Option<String> {
        let mut answers = self
            .allocators
            .iter()
            .zip(row)
            .flat_map(|(allocator, cell)| {
                let runs = cell.runs.iter().flatten();
                runs.map(move |run| (&allocator.name, &run.answer))
            });
        let (first, expected) = answers.next()?;
        let (other, found) = answers.find(|(_, found)| *found != expected)?;
        Some(format!(
            "{other} answered {found} where {first} answered {expected}"
        ))
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::workload;

    /// A run with all times equal to `seconds`.
    pub fn run(seconds: f64, rss: u64) -> Run {
        Run {
            cpu: seconds,
            wall: seconds,
            timed: seconds,
            ops_per_s: Some(1.0 / seconds),
            peak_rss_kib: rss,
            answer: "c".to_owned(),
        }
    }

    /// One workload; for each allocator its seconds by round, and its peak.
    pub fn samples(columns: &[(&str, &[f64], u64)]) -> Samples {
        let allocators = columns
            .iter()
            .map(|(name, ..)| Allocator::new(name, None))
            .collect();
        let mut samples = Samples::new(vec![workload::ALL[0]], allocators);
        for (cell, (_, seconds, rss)) in samples.cells[0].iter_mut().zip(columns) {
            cell.runs = seconds.iter().map(|&s| Some(run(s, *rss))).collect();
        }
        samples
    }

    #[test]
    fn equal_answers_are_no_complaint() {
        let samples = samples(&[("a", &[1.0, 2.0], 1), ("b", &[1.0, 2.0], 1)]);
        assert!(samples.complaints().is_empty());
    }

    #[test]
    fn another_answer_is_named() {
        let mut samples = samples(&[("a", &[1.0], 1), ("b", &[1.0, 2.0], 1)]);
        samples.cells[0][1].runs[1].as_mut().unwrap().answer = "d".to_owned();
        let lines = samples.complaints();
        assert_eq!(lines.len(), 1);
        assert!(lines[0].ends_with("b answered d where a answered c"));
    }

    #[test]
    fn a_failure_is_named_with_its_allocator() {
        let mut samples = samples(&[("a", &[1.0], 1)]);
        samples.cells[0][0].failure = Some("killed by signal 11".to_owned());
        assert!(samples.complaints()[0].ends_with("on a: killed by signal 11"));
    }
}
