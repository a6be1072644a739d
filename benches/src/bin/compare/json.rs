//! The JSON file: every sample and every figure of the table.
//!
//! `format` names the layout and `version` counts its incompatible changes. Times are
//! in seconds, sizes in KiB; a run that failed is null in `samples`.

use crate::machine::Machine;
use crate::run::Run;
use crate::samples::Samples;
use crate::summary::{Mean, Row, Summary};
use hakmem_benches::stats::{Interval, Measure};
use serde_json::{Value, json};

/// The whole document.
pub fn document(
    machine: &Machine,
    command: &[String],
    samples: &Samples,
    summary: &Summary,
) -> Value {
    json!({
        "format": "hakmem-compare",
        "version": 1,
        "command": command,
        "machine": {
            "processor": machine.processor,
            "cpus": machine.cpus,
            "kernel": machine.kernel,
            "system": machine.system,
            "load_at_start": machine.load,
        },
        "metric": summary.metric.title(),
        "allocators": samples.allocators.iter().map(|allocator| json!({
            "name": allocator.name,
            "version": allocator.version,
            "library": allocator.library,
        })).collect::<Vec<_>>(),
        "rows": summary.rows.iter().map(|row| self::row(row, samples)).collect::<Vec<_>>(),
        "geometric_means": summary.means.iter().map(mean).collect::<Vec<_>>(),
        "complaints": samples.complaints(),
    })
}

fn row(row: &Row, samples: &Samples) -> Value {
    json!({
        "workload": row.workload,
        "allocator": row.allocator,
        "cpu_s": measure(&row.cpu),
        "wall_s": measure(&row.wall),
        "timed_s": measure(&row.timed),
        "ops_per_s": row.ops_per_s,
        "peak_rss_kib": row.peak_rss_kib,
        "is_best_peer": row.is_best_peer,
        "to_best_peer": row.to_best.as_ref().map(interval),
        "to_mimalloc": row.to_reference.as_ref().map(interval),
        "rss_to_mimalloc": row.rss_to_reference,
        "samples": runs(row, samples),
    })
}

fn runs(row: &Row, samples: &Samples) -> Vec<Value> {
    let at_workload = samples
        .workloads
        .iter()
        .position(|w| w.name == row.workload);
    let at_allocator = samples
        .allocators
        .iter()
        .position(|a| a.name == row.allocator);
    let (Some(workload), Some(allocator)) = (at_workload, at_allocator) else {
        return Vec::new();
    };
    let runs = &samples.cells[workload][allocator].runs;
    runs.iter()
        .map(|sample| sample.as_ref().map_or(Value::Null, run))
        .collect()
}

fn run(run: &Run) -> Value {
    json!({
        "cpu_s": run.cpu,
        "wall_s": run.wall,
        "timed_s": run.timed,
        "ops_per_s": run.ops_per_s,
        "peak_rss_kib": run.peak_rss_kib,
        "answer": run.answer,
    })
}

fn measure(measure: &Measure) -> Value {
    json!({
        "lower_quartile": measure.lower_quartile,
        "median": measure.median,
        "upper_quartile": measure.upper_quartile,
        "spread": measure.spread(),
    })
}

fn interval(interval: &Interval) -> Value {
    json!({ "low": interval.low, "median": interval.median, "high": interval.high })
}

fn mean(mean: &Mean) -> Value {
    json!({
        "allocator": mean.allocator,
        "rows": mean.rows,
        "to_best_peer": mean.to_best,
        "to_mimalloc": mean.to_reference,
        "rss_to_mimalloc": mean.rss_to_reference,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Metric;
    use crate::samples::tests::samples;

    #[test]
    fn every_sample_is_in_the_document() {
        let mut samples = samples(&[("hakmem", &[1.0, 2.0], 10), ("mimalloc", &[2.0, 4.0], 20)]);
        samples.cells[0][1].runs.push(None);
        let summary = Summary::of(&samples, Metric::Cpu);
        let document = document(&Machine::this(), &[], &samples, &summary);
        assert_eq!(document["format"], "hakmem-compare");
        assert_eq!(document["rows"][0]["samples"][1]["cpu_s"], 2.0);
        assert_eq!(document["rows"][1]["samples"][2], Value::Null);
        assert_eq!(document["rows"][0]["to_mimalloc"]["median"], 0.5);
        assert_eq!(document["geometric_means"][0]["rss_to_mimalloc"], 0.5);
    }
}
