//! What the numbers say, and the events whose sums they are.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Mutex;

use hakmem_alloc::pump::Drained;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use super::recorder::{Locked, drain_into};
use super::subscriber::{Seen, count, events};
use super::{RECORDS, block, pump};

#[test]
fn metrics_are_what_the_program_did() {
    alone!(metrics_are_what_the_program_did);
    let pump = pump();
    let recorder = Locked::default();
    let before = Locked::default();
    drain_into(&pump, &before);
    let held: Vec<Vec<u8>> = (0..200).map(|_| block()).collect();
    let large = black_box(vec![1u8; 4 << 20]);
    drain_into(&pump, &recorder);
    let grown = 200 * 20_480 + (4 << 20);
    let allocated = recorder.get("hakmem_allocated_bytes");
    let requested = recorder.get("hakmem_requested_bytes");
    let live = recorder.get("hakmem_live_bytes") - before.get("hakmem_live_bytes");
    // Beside the list of blocks, what the large one is rounded up by.
    assert!((grown..grown + 16_384).contains(&allocated), "{allocated}");
    assert!((grown..grown + 16_384).contains(&live), "{live}");
    assert!(
        (200 * 20_000..allocated).contains(&requested),
        "{requested}"
    );
    assert!(recorder.get("hakmem_mapped_bytes") >= recorder.get("hakmem_live_bytes"));
    assert!(recorder.get("hakmem_resident_bytes") >= 4 << 20);
    assert!(recorder.get("hakmem_metadata_bytes") > 0);
    assert_eq!(recorder.of_class("class_allocations"), 200);
    assert_eq!(recorder.get("hakmem_allocations_total mid"), 200);
    assert_eq!(recorder.get("hakmem_allocations_total large"), 1);
    assert_eq!(recorder.get("hakmem_class_allocations_total large"), 1);
    assert_eq!(recorder.of_class("class_frees"), 0);
    assert!(recorder.of_class("cache_refills") > 0);
    assert!(recorder.get("hakmem_slabs_opened_total") > 0);
    drop((held, large));
    drain_into(&pump, &recorder);
    assert_eq!(recorder.of_class("class_frees"), 200);
    let freed = recorder.get("hakmem_freed_bytes");
    assert!((grown..grown + 16_384).contains(&freed), "{freed}");
    // More than the front holds came back at once.
    assert!(recorder.of_class("cache_drains") > 0);
    assert_eq!(
        recorder.total("hakmem_allocations_total"),
        recorder.total("hakmem_class_allocations_total")
    );
    assert_eq!(
        recorder.get("hakmem_frees_total"),
        recorder.total("hakmem_class_frees_total")
    );
}

#[test]
fn resizes_in_place_keep_the_bytes_right() {
    alone!(resizes_in_place_keep_the_bytes_right);
    let pump = pump();
    let recorder = Locked::default();
    let mut large: Vec<u8> = black_box(Vec::with_capacity(4 << 20));
    for megabytes in [5, 6, 8, 12] {
        large.reserve_exact(megabytes << 20);
        black_box(&mut large);
    }
    large.shrink_to(6 << 20);
    drop(black_box(large));
    let (_, seen) = events(&pump);
    let resized: Vec<&Seen> = seen.iter().filter(|e| e.is("resized", "large")).collect();
    assert!(!resized.is_empty(), "{seen:?}");
    assert!(resized.iter().any(|event| event.number("size") == 6 << 20));

    let mut large: Vec<u8> = black_box(Vec::with_capacity(4 << 20));
    large.reserve_exact(12 << 20);
    large.shrink_to(6 << 20);
    drop(black_box(large));
    drain_into(&pump, &recorder);
    assert!(recorder.get("hakmem_resizes_total") > 0);
    let [allocated, freed] =
        ["allocated", "freed"].map(|it| recorder.get(&format!("hakmem_{it}_bytes")));
    assert!(allocated.abs_diff(freed) < 8192, "{allocated} {freed}");
}

#[test]
fn order_and_losses() {
    alone!(order_and_losses);
    let pump = pump();
    let recorder = Locked::default();
    let mut before = Drained::default();
    metrics::with_local_recorder(&Locked::default(), || before = events(&pump).0);
    // Sizes tell the order; the blocks are let go at once.
    const BLOCKS: usize = RECORDS * 2;
    for number in 0..BLOCKS {
        drop(black_box(Vec::<u8>::with_capacity(40_000 + number)));
    }
    let (drained, seen) = metrics::with_local_recorder(&recorder, || events(&pump));
    let sizes: Vec<usize> = seen
        .iter()
        .filter(|event| event.message == "allocated" && event.number("size") >= 40_000)
        .map(|event| event.number("size"))
        .collect();
    assert!(sizes.windows(2).all(|two| two[0] + 1 == two[1]));
    assert_eq!(sizes.first(), Some(&40_000));
    // The oldest stay; what finds the stream full is lost and counted, also for the metrics.
    assert!(drained.events >= RECORDS as u64);
    assert_eq!(
        recorder.get("hakmem_class_allocations_total large"),
        BLOCKS as u64
    );
    assert_eq!(
        recorder.get("hakmem_class_frees_total large"),
        BLOCKS as u64
    );
    let told = [
        "hakmem_allocations_total",
        "hakmem_frees_total",
        "hakmem_resizes_total",
        "hakmem_cache_refills_total",
        "hakmem_cache_drains_total",
        "hakmem_remote_frees_total",
        "hakmem_slabs_opened_total",
        "hakmem_slabs_closed_total",
    ];
    assert_eq!(recorder.get("hakmem_remote_collected_total"), 0);
    let happened: u64 = told.iter().map(|name| recorder.total(name)).sum();
    assert_eq!(drained.events + drained.lost, happened);
    assert_eq!(recorder.get("hakmem_events_lost_total full"), drained.lost);
    let lost = seen.iter().filter(|event| event.message == "events lost");
    assert_eq!(
        lost.map(|event| event.number("lost") as u64).sum::<u64>(),
        drained.lost
    );
}

#[test]
fn only_what_is_wanted_is_streamed() {
    alone!(only_what_is_wanted_is_streamed);
    let pump = pump();
    let recorder = Locked::default();
    // No subscriber: from this drain on, hooks count alone.
    drain_into(&pump, &recorder);
    for _ in 0..RECORDS * 2 {
        drop(block());
    }
    let drained = drain_into(&pump, &recorder);
    // But for what the test harness has done while the subscriber was asked.
    assert!(drained.events < 10 && drained.lost == 0, "{drained:?}");
    assert_eq!(recorder.of_class("class_allocations"), 2 * RECORDS as u64);
    // One that wants them is asked when it drains.
    assert_eq!(count(&events(&pump).1, "allocated"), 0);
    drop(block());
    assert_eq!(count(&events(&pump).1, "allocated"), 1);
}

/// A recorder that keeps what it is told of names: kind and unit.
#[derive(Default)]
struct Named(Mutex<BTreeMap<String, (&'static str, String)>>);

impl Named {
    fn note(&self, name: KeyName, kind: &'static str, unit: Option<Unit>) {
        let unit = unit.expect("a unit").as_str().to_owned();
        let mut all = self.0.lock().expect("no panic");
        all.insert(name.as_str().to_owned(), (kind, unit));
    }
}

impl Recorder for Named {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.note(name, "counter", unit);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.note(name, "gauge", unit);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.note(name, "histogram", unit);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        assert_eq!(self.0.lock().expect("no panic")[key.name()].0, "counter");
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        assert_eq!(self.0.lock().expect("no panic")[key.name()].0, "gauge");
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("there is none");
    }
}

#[test]
fn the_page_has_every_metric() {
    alone!(the_page_has_every_metric);
    const PAGE: &str = include_str!("../../../../../docs/OBSERVABILITY.md");
    let named = Named::default();
    let pump = pump();
    metrics::with_local_recorder(&named, || pump.drain());
    let row = |line: &'static str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", name, kind @ ("counter" | "gauge"), unit, _, _, ""] = cells[..] else {
            return None;
        };
        Some((name.trim_matches('`').to_owned(), (kind, unit.to_owned())))
    };
    let page: BTreeMap<_, _> = PAGE.lines().filter_map(row).collect();
    assert_eq!(page, named.0.into_inner().expect("no panic"));
}
