//! Counts as `metrics`.

use crate::observe::std::string::ToString;
use crate::observe::std::vec;
use crate::observe::std::vec::Vec;
use crate::observe::stream::record::{CLASS_INDICES, ClassIndex};
use crate::observe::stream::tally::{ClassFigure, Figure, LOSSES, Loss, Sums};
use crate::stats::{Statistics, TIERS, statistics};
use metrics::{Key, Label, Level, Metadata, Recorder, Unit};

static METADATA: Metadata<'static> = Metadata::new("hakmem", Level::INFO, None);

/// Where the numbers of a metric come from.
enum Source {
    /// A counter without labels.
    Figure(Figure),
    /// One without labels, over all classes.
    Total(ClassFigure),
    /// One for each tier.
    Tiers(ClassFigure),
    /// One for each class that has been used.
    Classes(ClassFigure),
    /// One for each reason of a loss.
    Losses,
    /// A count that the allocator keeps since the process's start.
    Kept(fn(&Statistics) -> u64),
    /// What is the case now.
    Gauge(fn(&Statistics) -> usize),
}

struct Row {
    name: &'static str,
    unit: Unit,
    source: Source,
    description: &'static str,
}

const fn row(name: &'static str, unit: Unit, source: Source, description: &'static str) -> Row {
    Row {
        name,
        unit,
        source,
        description,
    }
}

/// Every metric; `docs/OBSERVABILITY.md` has the same table.
const METRICS: [Row; 23] = [
    row(
        "hakmem_allocated_bytes",
        Unit::Bytes,
        Source::Figure(Figure::AllocatedBytes),
        "Bytes of the blocks that were handed out, as rounded up.",
    ),
    row(
        "hakmem_requested_bytes",
        Unit::Bytes,
        Source::Figure(Figure::RequestedBytes),
        "Bytes that were asked for.",
    ),
    row(
        "hakmem_freed_bytes",
        Unit::Bytes,
        Source::Figure(Figure::FreedBytes),
        "Bytes of the blocks that were freed, as rounded up.",
    ),
    row(
        "hakmem_live_bytes",
        Unit::Bytes,
        Source::Gauge(|now| now.tiers.iter().map(|tier| tier.live_bytes).sum()),
        "Bytes of the blocks that the program holds.",
    ),
    row(
        "hakmem_mapped_bytes",
        Unit::Bytes,
        Source::Gauge(|now| now.mapped),
        "Bytes of user memory that are mapped.",
    ),
    row(
        "hakmem_resident_bytes",
        Unit::Bytes,
        Source::Gauge(|now| now.resident),
        "Bytes of user memory that are in memory.",
    ),
    row(
        "hakmem_metadata_bytes",
        Unit::Bytes,
        Source::Gauge(|now| now.metadata),
        "Bytes of the allocator's own structures.",
    ),
    row(
        "hakmem_superslabs_cached",
        Unit::Count,
        Source::Gauge(|now| now.superslabs_cached),
        "Empty SuperSlabs that are kept for use.",
    ),
    row(
        "hakmem_allocations_total",
        Unit::Count,
        Source::Tiers(ClassFigure::Allocations),
        "Blocks that were handed out, by tier.",
    ),
    row(
        "hakmem_class_allocations_total",
        Unit::Count,
        Source::Classes(ClassFigure::Allocations),
        "Blocks that were handed out, by the bytes of their class.",
    ),
    row(
        "hakmem_frees_total",
        Unit::Count,
        Source::Total(ClassFigure::Frees),
        "Blocks that were freed.",
    ),
    row(
        "hakmem_class_frees_total",
        Unit::Count,
        Source::Classes(ClassFigure::Frees),
        "Blocks that were freed, by the bytes of their class.",
    ),
    row(
        "hakmem_resizes_total",
        Unit::Count,
        Source::Figure(Figure::Resizes),
        "Blocks that were resized without a copy.",
    ),
    row(
        "hakmem_cache_refills_total",
        Unit::Count,
        Source::Classes(ClassFigure::Refills),
        "Times that a thread's cache took blocks from slabs, by the bytes of their class.",
    ),
    row(
        "hakmem_cache_drains_total",
        Unit::Count,
        Source::Classes(ClassFigure::Drains),
        "Times that a thread's cache was full and gave blocks up, by the bytes of their class.",
    ),
    row(
        "hakmem_remote_frees_total",
        Unit::Count,
        Source::Figure(Figure::RemoteFrees),
        "Frees of blocks of other threads' slabs.",
    ),
    row(
        "hakmem_remote_collected_total",
        Unit::Count,
        Source::Figure(Figure::Collected),
        "Blocks that came home from other threads.",
    ),
    row(
        "hakmem_slabs_opened_total",
        Unit::Count,
        Source::Figure(Figure::SlabsOpened),
        "Slabs that were opened.",
    ),
    row(
        "hakmem_slabs_closed_total",
        Unit::Count,
        Source::Figure(Figure::SlabsClosed),
        "Slabs that became empty and were closed.",
    ),
    row(
        "hakmem_superslabs_mapped_total",
        Unit::Count,
        Source::Kept(|now| now.pool.superslabs_mapped),
        "SuperSlabs that were mapped since the process's start.",
    ),
    row(
        "hakmem_superslabs_unmapped_total",
        Unit::Count,
        Source::Kept(|now| now.pool.superslabs_unmapped),
        "SuperSlabs that were given back to the system since the process's start.",
    ),
    row(
        "hakmem_events_lost_total",
        Unit::Count,
        Source::Losses,
        "Events that could not be told of, by reason.",
    ),
    row(
        "hakmem_pump_skipped_total",
        Unit::Count,
        Source::Figure(Figure::Own),
        "Events that draining itself has caused, and that are left out of all else.",
    ),
];

/// Events that were lost, by reason.
pub(super) struct Losses([(&'static str, u64); LOSSES + 1]);

impl Losses {
    pub(super) fn new(full: u64, others: [u64; LOSSES]) -> Losses {
        Losses([
            ("full", full),
            ("interrupted", others[Loss::Interrupted as usize]),
            ("no_cache", others[Loss::NoCache as usize]),
            ("no_stream", others[Loss::NoChannel as usize]),
        ])
    }

    pub(super) fn by_reason(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().copied()
    }

    pub(super) fn total(&self) -> u64 {
        self.0.iter().map(|(_, lost)| lost).sum()
    }
}

/// Tells this thread's recorder names, units and descriptions.
fn describe() {
    metrics::with_recorder(|recorder| {
        for row in &METRICS {
            let (name, unit) = (row.name.into(), Some(row.unit));
            match row.source {
                Source::Gauge(_) => recorder.describe_gauge(name, unit, row.description.into()),
                _ => recorder.describe_counter(name, unit, row.description.into()),
            }
        }
    });
}

/// Tells this thread's recorder what was counted, and what is the case now.
pub(super) fn record(sums: &Sums, losses: &Losses) {
    let now = statistics();
    // The recorder may have come since.
    describe();
    metrics::with_recorder(|recorder| {
        for row in &METRICS {
            row.record(recorder, sums, losses, &now);
        }
    });
}

impl Row {
    fn record(&self, recorder: &dyn Recorder, sums: &Sums, losses: &Losses, now: &Statistics) {
        let add = |labels: Vec<Label>, n: u64| {
            let key = Key::from_parts(self.name, labels);
            recorder.register_counter(&key, &METADATA).increment(n);
        };
        match self.source {
            Source::Figure(figure) => add(vec![], sums.get(figure)),
            Source::Total(figure) => add(vec![], sums.total(figure)),
            Source::Tiers(figure) => {
                let mut tiers = [0; TIERS.len()];
                for class in 0..CLASS_INDICES {
                    tiers[ClassIndex::of(class).tier() as usize] += sums.of_class(figure, class);
                }
                for (tier, n) in TIERS.into_iter().zip(tiers) {
                    add(vec![Label::from_static_parts("tier", tier)], n);
                }
            }
            Source::Classes(figure) => {
                for class in 0..CLASS_INDICES {
                    let n = sums.of_class(figure, class);
                    if n > 0 {
                        let bytes = ClassIndex::of(class).to_string();
                        add(vec![Label::new("class", bytes)], n);
                    }
                }
            }
            Source::Losses => {
                for (why, n) in losses.by_reason() {
                    add(vec![Label::from_static_parts("why", why)], n);
                }
            }
            Source::Kept(count) => {
                let key = Key::from_static_name(self.name);
                let counter = recorder.register_counter(&key, &METADATA);
                counter.absolute(count(now));
            }
            Source::Gauge(value) => {
                let key = Key::from_static_name(self.name);
                let gauge = recorder.register_gauge(&key, &METADATA);
                gauge.set(value(now) as f64);
            }
        }
    }
}
